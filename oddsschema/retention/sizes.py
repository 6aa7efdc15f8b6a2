"""How large the tables are, how fast they grow, and how long the disk lasts."""

import shutil
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, computed_field

from oddsschema.contracts.base import metadata
from oddsschema.database.connections import Connection, Target, open_connections
from oddsschema.database.revision import require_migrated
from oddsschema.models.sides import BETPAWA, COMPETITORS
from oddsschema.retention.report import in_bytes

#: Of a larger table, about so many pages of 8 kB tell how many rows it has, and of what age.
_SAMPLE = 2000

#: A history that is shorter tells nothing of a day.
_SHORTEST = timedelta(hours=1)

_SIZES = """
SELECT c.relname, pg_table_size(c.oid) - t.bytes AS table_bytes,
    pg_indexes_size(c.oid) AS index_bytes, t.bytes AS toast_bytes,
    pg_relation_size(c.oid) / current_setting('block_size')::int AS pages
FROM unnest($1::text[]) AS name
JOIN pg_class AS c ON c.oid = name::regclass
CROSS JOIN LATERAL (
    SELECT COALESCE(pg_total_relation_size(NULLIF(c.reltoastrelid, 0)), 0) AS bytes
) AS t
"""

# In a part of the pages, in percent: rows, how many of them are of the last days, the first of
# these, and whether there is an older one.
_ROWS = """
SELECT count(*) AS rows, count(*) FILTER (WHERE at >= $2) AS recent,
    min(at) FILTER (WHERE at >= $2) AS first, COALESCE(bool_or(at < $2), false) AS has_older
FROM (SELECT {time} AS at FROM {table} AS t TABLESAMPLE SYSTEM ($1) REPEATABLE (1)) AS t
"""

_ITS_SNAPSHOT = """(
    SELECT s.captured_at FROM {0.snapshots} AS s
    WHERE s.{0.event_column} = t.{0.event_column} AND s.id = t.snapshot_id
)"""

#: What tells the age of a row; without, a table counts as one that does not grow.
_TIMES = {
    **{side.markets: _ITS_SNAPSHOT.format(side) for side in (BETPAWA, COMPETITORS)},
    **{side.snapshots: "t.captured_at" for side in (BETPAWA, COMPETITORS)},
    "scrape_errors": "t.occurred_at",
    **dict.fromkeys(("scrape_runs", "scrape_batches"), "t.started_at"),
    **dict.fromkeys(("events", "event_bookmakers"), "t.created_at"),
    **dict.fromkeys(("competitor_events", "competitor_tournaments"), "t.created_at"),
}

# Only who may know where the data is learns it, and only of a server on this machine it is of use.
_DIRECTORY = """
SELECT CASE WHEN inet_server_addr() IS NULL AND pg_has_role('pg_read_all_settings', 'USAGE')
    THEN current_setting('data_directory') END
"""


class TableSize(BaseModel):
    """One table, with its indexes and what is TOASTed of it."""

    model_config = ConfigDict(frozen=True)

    table: str
    rows: int = Field(description="Of a large table an estimate, from a part of its pages.")
    table_bytes: int
    index_bytes: int
    toast_bytes: int = Field(description="What is too long for a row, with its index.")
    rows_per_day: float = Field(description="By the rows' own times; those deleted not counted.")

    @computed_field  # type: ignore[prop-decorator] # mypy knows no decorated properties
    @property
    def total_bytes(self) -> int:
        """All of it: what the disk has to hold, room for new rows included."""
        return self.table_bytes + self.index_bytes + self.toast_bytes

    @computed_field  # type: ignore[prop-decorator] # mypy knows no decorated properties
    @property
    def bytes_per_day(self) -> float:
        """What the new rows of a day take, as the rows that are there do."""
        return self.total_bytes / self.rows * self.rows_per_day if self.rows else 0.0


class SizeReport(BaseModel):
    """All tables, the largest first; `str()` is what a screen shows."""

    model_config = ConfigDict(frozen=True)

    tables: tuple[TableSize, ...]
    days: float = Field(description="Over how many days growth was measured.")
    free_bytes: int | None = Field(description="What is left of the disk; None: nobody knows.")

    @computed_field  # type: ignore[prop-decorator] # mypy knows no decorated properties
    @property
    def total_bytes(self) -> int:
        """Of all tables."""
        return sum(one.total_bytes for one in self.tables)

    @computed_field  # type: ignore[prop-decorator] # mypy knows no decorated properties
    @property
    def bytes_per_day(self) -> float:
        """By which all tables grow as long as nothing is pruned."""
        return sum(one.bytes_per_day for one in self.tables)

    @computed_field  # type: ignore[prop-decorator] # mypy knows no decorated properties
    @property
    def days_left(self) -> float | None:
        """How long the disk lasts at this rate; None when it lasts for ever, or nobody knows."""
        if self.free_bytes is None or not self.bytes_per_day:
            return None
        return self.free_bytes / self.bytes_per_day

    def __str__(self) -> str:
        lines = [_line("", "rows", "table", "indexes", "TOAST", "total", "a day")]
        for one in self.tables:
            sizes = one.table_bytes, one.index_bytes, one.toast_bytes, one.total_bytes
            in_words = (in_bytes(size) for size in (*sizes, one.bytes_per_day))
            lines.append(_line(one.table, f"{one.rows:,}", *in_words))
        total = in_bytes(self.total_bytes), in_bytes(self.bytes_per_day)
        lines.append(_line("total", "", "", "", "", *total))
        growth = f"it grows by {in_bytes(self.bytes_per_day)} a day"
        lines.append(f"{growth}, as over the last {self.days:.1f} days, if nothing is pruned")
        if self.free_bytes is None:
            lines.append("how much of the server's disk is left, --disk BYTES can tell")
        elif self.days_left is None:
            lines.append(f"{in_bytes(self.free_bytes)} of the disk are left")
        else:
            left = f"{in_bytes(self.free_bytes)} of the disk are left"
            lines.append(f"{left}: enough for {self.days_left:,.0f} days at this rate")
        return "\n".join(lines)


def _line(name: str, rows: str, *sizes: str) -> str:
    return f"{name:<26}{rows:>14}" + "".join(f"{one:>11}" for one in sizes)


async def size(
    target: Target,
    days: float = 7,
    *,
    free_bytes: int | None = None,
) -> SizeReport:
    """The tables' sizes, and their growth over the last `days`, or since the first row of these.

    A table grows by the rows of a day, each as large as its rows are now with all that belongs to
    them: indexes, TOAST, and room that deleted rows have left. Rows are told from about 2,000 pages
    a table, so that it takes a second whatever there is.

    What is left of the disk cannot be asked of PostgreSQL. `free_bytes` says it; without, it is
    looked up where the server's data is, if the server is on this machine, its connection a socket,
    and the role a superuser or in pg_read_all_settings.

    Raises DatabaseUnavailableError and NotMigratedError.
    """
    async with open_connections(target) as connections:
        return await connections.transact(partial(_measure, days, free_bytes))


async def _measure(days: float, free_bytes: int | None, connection: Connection) -> SizeReport:
    await require_migrated(connection)
    now = datetime.now(UTC)
    since = now - timedelta(days=days)
    sizes = await connection.fetch(_SIZES, list(metadata.tables))
    parts, counts = {}, {}
    for name, *_, pages in sizes:
        parts[name] = min(1.0, _SAMPLE / max(1, pages))
        statement = _ROWS.format(table=name, time=_TIMES.get(name, "NULL::timestamptz"))
        counts[name] = await connection.fetchrow(statement, 100 * parts[name], since)
    snapshots = [counts[side.snapshots] for side in (BETPAWA, COMPETITORS)]
    if not any(one["has_older"] for one in snapshots):
        firsts = (one["first"] for one in snapshots if one["first"] is not None)
        since = min(firsts, default=since)
    window = max(now - since, _SHORTEST) / timedelta(days=1)
    if free_bytes is None:
        directory = await connection.fetchval(_DIRECTORY)
        free_bytes = None if directory is None else _free_bytes(Path(directory))
    tables = (
        TableSize(
            table=name,
            rows=round(counts[name]["rows"] / parts[name]),
            table_bytes=table_bytes,
            index_bytes=index_bytes,
            toast_bytes=toast_bytes,
            rows_per_day=counts[name]["recent"] / parts[name] / window,
        )
        for name, table_bytes, index_bytes, toast_bytes, _ in sizes
    )
    return SizeReport(
        tables=tuple(sorted(tables, key=lambda one: one.total_bytes, reverse=True)),
        days=window,
        free_bytes=free_bytes,
    )


def _free_bytes(directory: Path) -> int | None:
    try:
        return shutil.disk_usage(directory).free
    except OSError:
        # The server sees other files than we do.
        return None
