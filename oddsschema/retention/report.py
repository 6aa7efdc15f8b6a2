"""The report of a prune: deleted rows and bytes by table, and the rows that had to stay."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import BaseModel, ByteSize, ConfigDict, Field

#: The tables that a prune deletes from, the largest first.
TABLES = (
    *("competitor_market_odds", "competitor_odds_snapshots", "market_odds", "odds_snapshots"),
    *("scrape_errors", "scrape_runs", "scrape_batches", "unmapped_markets"),
    *("competitor_events", "events", "event_bookmakers"),
    *("competitor_tournaments", "tournaments"),
)


class Removed(BaseModel):
    """Deleted rows of a table."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)

    rows: int = Field(default=0, description="Number of rows.")
    bytes: int = Field(
        default=0, description="Their size in the table, with TOAST, without indexes."
    )

    def __add__(self, other: "Removed") -> "Removed":
        return Removed(rows=self.rows + other.rows, bytes=self.bytes + other.bytes)


def summed(first: Mapping[str, Removed], second: Mapping[str, Removed]) -> dict[str, Removed]:
    """Add up deleted rows by table."""
    return {
        **first,
        **{table: first.get(table, Removed()) + more for table, more in second.items()},
    }


class Kept(BaseModel):
    """Rows of a table that are older than the cutoff and could not be deleted."""

    model_config = ConfigDict(frozen=True)

    table: str = Field(description="Name of the table.")
    rows: int = Field(description="Number of rows.")
    reason: str = Field(description="Reason why the rows stay.")

    def __str__(self) -> str:
        return f"{self.rows:,} rows of {self.table} stay: {self.reason}"


class PruneReport(BaseModel):
    """The result of a prune, or of a dry run; `str()` is a table for people."""

    model_config = ConfigDict(frozen=True)

    cutoff: datetime = Field(
        description="The instant (UTC) before which history is deleted, or after which captures of "
        "the future are. Reads on its other side have the same result as before."
    )
    runs_cutoff: datetime = Field(
        description="The instant (UTC) before which batches, runs, errors and unmapped markets are "
        "deleted."
    )
    is_ahead: bool = Field(description="True: captures of the future are deleted.")
    dry_run: bool = Field(description="True: nothing was deleted.")
    tables: dict[str, Removed] = Field(description="Deleted rows, by table.")
    keyframe_rows: int = Field(
        description="Rows of markets that were added, so that the state at the cutoff is complete."
    )
    confirmations: int = Field(
        description="Number of confirmations of the future that were removed from snapshots that "
        "stay."
    )
    kept: tuple[Kept, ...] = Field(
        description="Rows that could not be deleted, by table and reason."
    )
    retries: int = Field(description="Number of retries after transient errors.")

    @property
    def total(self) -> Removed:
        """The deleted rows of all tables."""
        return sum(self.tables.values(), Removed())

    def __str__(self) -> str:
        verb = "to be deleted" if self.dry_run else "deleted"
        side = "after" if self.is_ahead else "before"
        lines = [f"{side} {self.cutoff:%Y-%m-%d %H:%M:%S} UTC, {verb}:"]
        if self.runs_cutoff != self.cutoff:
            lines.append(
                "(batches, runs, errors and unmapped markets: before "
                f"{self.runs_cutoff:%Y-%m-%d %H:%M:%S})"
            )
        changed = {table: removed for table, removed in self.tables.items() if removed.rows}
        lines += [_line(table, removed) for table, removed in changed.items()]
        lines.append(_line("total" if changed else "nothing", self.total))
        if self.confirmations:
            lines.append(f"and {self.confirmations:,} confirmations of snapshots that stay")
        return "\n".join(lines)


def _line(name: str, removed: Removed) -> str:
    return f"  {name:<26}{removed.rows:>14,} rows{format_bytes(removed.bytes):>12}"


def format_bytes(number: float) -> str:
    """Print a number of bytes in units of a thousand: '63.2 GB'."""
    return ByteSize(round(number)).human_readable(decimal=True, separator=" ")
