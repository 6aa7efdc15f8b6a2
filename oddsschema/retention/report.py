"""What a prune deletes, or would: rows and bytes by table, and what it had to leave."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

#: The tables that a prune deletes from, the largest first.
TABLES = (
    *("competitor_market_odds", "competitor_odds_snapshots", "market_odds", "odds_snapshots"),
    *("scrape_errors", "scrape_runs", "scrape_batches"),
    *("competitor_events", "events", "event_bookmakers"),
)

_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")


class Removed(BaseModel):
    """Rows of one table."""

    model_config = ConfigDict(frozen=True)

    rows: int = 0
    bytes: int = Field(
        default=0, description="As the rows lie in the table, TOAST included, indexes not."
    )

    def __add__(self, other: "Removed") -> "Removed":
        return Removed(rows=self.rows + other.rows, bytes=self.bytes + other.bytes)


def summed(one: Mapping[str, Removed], other: Mapping[str, Removed]) -> dict[str, Removed]:
    """What was removed, by table, in two parts."""
    return {**one, **{table: one.get(table, Removed()) + more for table, more in other.items()}}


class Kept(BaseModel):
    """Rows that are older than the cutoff, and are still there."""

    model_config = ConfigDict(frozen=True)

    table: str
    rows: int
    reason: str

    def __str__(self) -> str:
        return f"{self.rows:,} rows of {self.table} stay: {self.reason}"


class PruneReport(BaseModel):
    """What came of a prune, or would come of it; `str()` is what a screen shows."""

    model_config = ConfigDict(frozen=True)

    cutoff: datetime = Field(description="Every instant from this one on is told as before.")
    dry_run: bool
    tables: dict[str, Removed]
    keyframe_rows: int = Field(
        description="Rows of markets that were added, so that what stands at the cutoff is whole."
    )
    kept: tuple[Kept, ...] = Field(description="What could not be deleted, by table and reason.")
    retries: int = Field(description="How often something was tried again.")

    @property
    def total(self) -> Removed:
        """Over all tables."""
        return sum(self.tables.values(), Removed())

    def __str__(self) -> str:
        verb = "to be deleted" if self.dry_run else "deleted"
        lines = [f"before {self.cutoff:%Y-%m-%d %H:%M:%S} UTC, {verb}:"]
        told = {table: one for table, one in self.tables.items() if one.rows}
        lines += [_line(table, one) for table, one in told.items()]
        lines.append(_line("total" if told else "nothing", self.total))
        return "\n".join(lines)


def _line(name: str, removed: Removed) -> str:
    return f"  {name:<26}{removed.rows:>14,} rows{in_bytes(removed.bytes):>12}"


def in_bytes(number: float) -> str:
    """Bytes for people, in units of a thousand: '63.2 GB'."""
    for unit in _UNITS:
        if number < 1000 or unit == _UNITS[-1]:
            break
        number /= 1000
    return f"{number:,.0f} {unit}" if unit == _UNITS[0] else f"{number:,.1f} {unit}"
