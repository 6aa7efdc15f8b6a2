"""The sizes of the tables, their growth, and the time until the disk is full."""

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, computed_field

from oddsschema.database.citus import is_distributed
from oddsschema.database.connections import Connection, Target, open_connections
from oddsschema.database.durations import require_not_negative
from oddsschema.database.revision import require_migrated
from oddsschema.models import metadata
from oddsschema.models.sides import SIDES
from oddsschema.retention.report import format_bytes

#: The approximate number of pages (8 kB) that are read of a larger table, to estimate its rows.
_SAMPLE = 2000

#: The shortest history that a rate per day is computed from.
_SHORTEST = timedelta(hours=1)

#: The start of a window that would begin earlier.
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

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

# The same where Citus has the tables, on another node. Its functions give no size of the TOAST
# alone: the maps of a table, of a few pages, are in it.
_SIZES_OF_CITUS = """
SELECT c.relname, s.relation AS table_bytes, s.total - s.with_toast AS index_bytes,
    s.with_toast - s.relation AS toast_bytes,
    s.relation / current_setting('block_size')::int AS pages
FROM unnest($1::text[]) AS name
JOIN pg_class AS c ON c.oid = name::regclass
CROSS JOIN LATERAL (
    SELECT citus_relation_size(c.oid) AS relation, citus_table_size(c.oid) AS with_toast,
        citus_total_relation_size(c.oid) AS total
) AS s
"""

# In a sample of the pages: the number of rows, the number of those since an instant, the first of
# these, and whether older rows exist. (Citus takes no parameter for the part of the pages.)
_ROWS = """
SELECT count(*) AS rows, count(*) FILTER (WHERE at >= $1) AS recent,
    min(at) FILTER (WHERE at >= $1) AS first, COALESCE(bool_or(at < $1), false) AS has_older
FROM (SELECT {time} AS at FROM {table} AS t TABLESAMPLE SYSTEM ({percent}) REPEATABLE (1)) AS t
"""

_ITS_SNAPSHOT = """(
    SELECT s.captured_at FROM {0.snapshots} AS s
    WHERE s.{0.event_column} = t.{0.event_column} AND s.id = t.snapshot_id
)"""

#: The expression for the time of a row. A table without an expression counts as not growing.
_TIMES = {
    **{side.markets: _ITS_SNAPSHOT.format(side) for side in SIDES},
    **{side.snapshots: "t.captured_at" for side in SIDES},
    "scrape_errors": "t.occurred_at",
    **dict.fromkeys(("scrape_runs", "scrape_batches"), "t.started_at"),
    "unmapped_markets": "t.first_seen_at",
    **dict.fromkeys(("events", "event_bookmakers"), "t.created_at"),
    **dict.fromkeys(("competitor_events", "competitor_tournaments"), "t.created_at"),
}

# The directory is of use only on this machine, and readable only with the privilege.
_DIRECTORY = """
SELECT CASE WHEN inet_server_addr() IS NULL AND pg_has_role('pg_read_all_settings', 'USAGE')
    THEN current_setting('data_directory') END
"""


class TableSize(BaseModel):
    """The size of a table, with its indexes and its TOAST."""

    model_config = ConfigDict(frozen=True)

    table: str = Field(description="Name of the table.")
    rows: int = Field(description="Number of rows; of a large table an estimate from a sample.")
    table_bytes: int = Field(description="Size without indexes and TOAST.")
    index_bytes: int = Field(description="Size of the indexes.")
    toast_bytes: int = Field(description="Size of values too long for a row, with their index.")
    rows_per_day: float = Field(
        description="New rows per day, by their own times; deleted rows do not count."
    )

    @computed_field  # type: ignore[prop-decorator] # mypy knows no decorated properties
    @property
    def total_bytes(self) -> int:
        """Size on the disk, with the room for new rows."""
        return self.table_bytes + self.index_bytes + self.toast_bytes

    @computed_field  # type: ignore[prop-decorator] # mypy knows no decorated properties
    @property
    def bytes_per_day(self) -> float:
        """Growth per day, if the new rows are as large as the present ones."""
        return self.total_bytes / self.rows * self.rows_per_day if self.rows else 0.0


class SizeReport(BaseModel):
    """The sizes of all tables, the largest first; `str()` is a table for people."""

    model_config = ConfigDict(frozen=True)

    tables: tuple[TableSize, ...] = Field(description="The tables, the largest first.")
    window: timedelta = Field(description="Time over which the growth was measured.")
    free_bytes: int | None = Field(description="Free space on the disk; None if unknown.")

    @computed_field  # type: ignore[prop-decorator] # mypy knows no decorated properties
    @property
    def total_bytes(self) -> int:
        """Size of all tables."""
        return sum(table.total_bytes for table in self.tables)

    @computed_field  # type: ignore[prop-decorator] # mypy knows no decorated properties
    @property
    def bytes_per_day(self) -> float:
        """Growth of all tables per day, without a prune."""
        return sum(table.bytes_per_day for table in self.tables)

    @computed_field  # type: ignore[prop-decorator] # mypy knows no decorated properties
    @property
    def days_left(self) -> float | None:
        """Days until the disk is full; None without growth, or if the free space is unknown."""
        if self.free_bytes is None or not self.bytes_per_day:
            return None
        return self.free_bytes / self.bytes_per_day

    @staticmethod
    def heads() -> Sequence[str]:
        """The heads of the columns of `rows`."""
        return ("", "rows", "table", "indexes", "TOAST", "total", "a day")

    def rows(self) -> list[Sequence[str]]:
        """The cells of a table for people: a row for each table, and the total."""
        rows: list[Sequence[str]] = []
        for table in self.tables:
            parts = table.table_bytes, table.index_bytes, table.toast_bytes, table.total_bytes
            sizes = map(format_bytes, (*parts, table.bytes_per_day))
            rows.append((table.table, f"{table.rows:,}", *sizes))
        total = format_bytes(self.total_bytes), format_bytes(self.bytes_per_day)
        return [*rows, ("total", "", "", "", "", *total)]

    def forecast(self) -> str:
        """Describe the growth, and the time until the disk is full."""
        lines = [
            f"the tables grow by {format_bytes(self.bytes_per_day)} a day, as over the last "
            f"{self.window / timedelta(days=1):.1f} days, if nothing is pruned"
        ]
        if self.free_bytes is not None:
            left = f"{format_bytes(self.free_bytes)} of the disk are left"
            if self.days_left is not None:
                left += f": enough for {self.days_left:,.0f} days at this rate"
            lines.append(left)
        return "\n".join(lines)

    def __str__(self) -> str:
        return "\n".join([*map(_line, (self.heads(), *self.rows())), self.forecast()])


def _line(cells: Sequence[str]) -> str:
    name, rows, *sizes = cells
    return f"{name:<26}{rows:>14}" + "".join(f"{size:>11}" for size in sizes)


async def size(
    target: Target,
    window: timedelta = timedelta(days=7),
    *,
    free_bytes: int | None = None,
) -> SizeReport:
    """Measure the tables, and their growth over `window`, or since the first row within it.

    The growth of a table is the number of new rows per day times the average size of a row, which
    includes indexes, TOAST, and room that deleted rows have left. Rows are counted in about 2,000
    pages of each table, which takes about a second for any size.

    PostgreSQL cannot report the free space of its disk. Without `free_bytes`, it is measured in the
    data directory of the server, if the server is on this machine, the connection is a socket, and
    the role is a superuser or a member of pg_read_all_settings. Where Citus has the tables, the
    sizes are those on their node, and its free space is not measured.

    Raises DatabaseUnavailableError, NotMigratedError, and WorkerNodeError.
    """
    require_not_negative(window=window)
    async with open_connections(target) as connections:
        return await connections.transact(partial(_measure, window, free_bytes))


async def _measure(window: timedelta, free_bytes: int | None, connection: Connection) -> SizeReport:
    await require_migrated(connection)
    now = datetime.now(UTC)
    since = _EPOCH if window > now - _EPOCH else now - window
    is_elsewhere = await is_distributed(connection)
    sizes = await connection.fetch(
        _SIZES_OF_CITUS if is_elsewhere else _SIZES, list(metadata.tables)
    )
    parts, counts = {}, {}
    for name, *_, pages in sizes:
        parts[name] = min(1.0, _SAMPLE / max(1, pages))
        time = _TIMES.get(name, "NULL::timestamptz")
        statement = _ROWS.format(table=name, time=time, percent=f"{100 * parts[name]:f}")
        counts[name] = await connection.fetchrow(statement, since)
    snapshots = [counts[side.snapshots] for side in SIDES]
    if not any(count["has_older"] for count in snapshots):
        firsts = (count["first"] for count in snapshots if count["first"] is not None)
        since = min(firsts, default=since)
    measured = max(now - since, _SHORTEST)
    if free_bytes is None and not is_elsewhere:
        directory = await connection.fetchval(_DIRECTORY)
        free_bytes = None if directory is None else _free_bytes(Path(directory))
    tables = (
        TableSize(
            table=name,
            rows=round(counts[name]["rows"] / parts[name]),
            table_bytes=table_bytes,
            index_bytes=index_bytes,
            toast_bytes=toast_bytes,
            rows_per_day=counts[name]["recent"] / parts[name] / (measured / timedelta(days=1)),
        )
        for name, table_bytes, index_bytes, toast_bytes, _ in sizes
    )
    return SizeReport(
        tables=tuple(sorted(tables, key=lambda table: table.total_bytes, reverse=True)),
        window=measured,
        free_bytes=free_bytes,
    )


def _free_bytes(directory: Path) -> int | None:
    try:
        return shutil.disk_usage(directory).free
    except OSError:
        # The server runs in another file system.
        return None
