"""The copies of batches, runs and errors: rows of a source become rows of ours.

A row of ours is the copy of a row of the source if both started at the same instant; of several at
one instant, the first is the copy of the first, and so on. Ids are kept if our table was empty at
the first adoption, and are new otherwise.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from oddsschema.adoption.local_times import with_utc
from oddsschema.adoption.report import TableCounts
from oddsschema.adoption.source_captures import plain_event_id, rows_in_groups
from oddsschema.adoption.source_tables import SourceTables
from oddsschema.contracts.table import Table
from oddsschema.database.connections import Connection, Connections
from oddsschema.errors import SequenceError
from oddsschema.ingestion import Problem, Refusal, problems
from oddsschema.ingestion.report import MOST_LISTED
from oddsschema.models import ScrapeBatch, ScrapeError, ScrapeRun

_GROUP = 1000

#: The columns of batches and runs that are copied, with their SQL types.
_TYPES: Mapping[str, str] = {
    "id": "int",
    "started_at": "timestamptz",
    "completed_at": "timestamptz",
    "status": "text",
    "trigger": "text",
    "notes": "text",
    "events_scraped": "int",
    "events_failed": "int",
    "platform_timings": "jsonb",
    "batch_id": "int",
    "platform": "text",
}

# Read the rows of a table of the source.
_ROWS = "SELECT {columns} FROM {table} AS r ORDER BY r.id"

_IS_EMPTY = "SELECT NOT EXISTS (SELECT FROM {table})"

# Find the rows of ours that started at $1 and are the $2nd of that instant.
_FIND = """
SELECT c.place, f.id
FROM unnest($1::text[]::timestamptz[], $2::bigint[]) WITH ORDINALITY AS c (at, number, place)
JOIN (
    SELECT id, started_at, row_number() OVER (PARTITION BY started_at ORDER BY id) AS number
    FROM {table} WHERE started_at = ANY ($1::text[]::timestamptz[])
) AS f ON f.started_at = c.at AND f.number = c.number
"""

# Reserve $2 ids of a table.
_RESERVE = """
SELECT nextval(pg_get_serial_sequence($1, 'id')) AS id FROM generate_series(1, $2)
"""

# Let the ids of a table go on after its greatest one.
_SET_SEQUENCE = """
SELECT setval(pg_get_serial_sequence($1, 'id'), max(id)) FROM {table} HAVING max(id) IS NOT NULL
"""

# Insert rows, each column from an array of texts.
_INSERT = """
INSERT INTO {table} ({names})
SELECT {values} FROM unnest({arrays}) AS c ({names}) ORDER BY c.id::int
"""

# Update the rows that have changed in the source since they were copied.
_UPDATE = """
UPDATE {table} AS r SET {changes} FROM unnest({arrays}) AS c ({names})
WHERE r.id = c.id::int AND ({stored}) IS DISTINCT FROM ({values})
"""

# Read the errors of the source, each with its number among equal ones, and its event and bookmaker.
_ERRORS = """
SELECT r.id, r.scrape_run_id, {error_type} AS error_type, r.error_message,
    {occurred_at} AS occurred_at,
    {sportradar_id} AS sportradar_id, {slug} AS slug,
    row_number() OVER (
        PARTITION BY r.scrape_run_id, r.occurred_at, r.error_type, r.error_message ORDER BY r.id
    ) AS number
FROM {errors} AS r {joins} ORDER BY r.id
"""

# Insert errors that are not there, in their order, with their events and bookmakers if stored.
_INSERT_ERRORS = """
WITH known AS MATERIALIZED (
    SELECT scrape_run_id, occurred_at, error_type, error_message, count(*) AS number
    FROM scrape_errors WHERE scrape_run_id = ANY ($1::int[])
    GROUP BY scrape_run_id, occurred_at, error_type, error_message
), missing AS MATERIALIZED (
    SELECT c.*, b.id AS bookmaker_id, e.id AS event_id
    FROM unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[])
        WITH ORDINALITY AS c (run_id, kind, message, at, number, slug, sportradar_id, place)
    LEFT JOIN bookmakers AS b ON b.slug = c.slug
    LEFT JOIN events AS e ON e.sportradar_id = c.sportradar_id
    LEFT JOIN known AS k ON k.scrape_run_id = c.run_id AND k.occurred_at = c.at::timestamptz
        AND k.error_type = c.kind AND k.error_message = c.message
    WHERE c.number > COALESCE(k.number, 0)
)
INSERT INTO scrape_errors
    (scrape_run_id, bookmaker_id, event_id, error_type, error_message, occurred_at)
SELECT c.run_id, c.bookmaker_id, c.event_id, c.kind, c.message, c.at::timestamptz
FROM missing AS c
ORDER BY c.place
"""


@dataclass
class ScrapeCopies:
    """The batches, runs and errors of a source, and their copies."""

    source: Connection
    tables: SourceTables
    zone: tzinfo | None
    connections: Connections
    #: The ids of the copies, by the ids in the source.
    batch_ids: dict[int, int] = field(default_factory=dict)
    run_ids: dict[int, int] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)
    _counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    async def copy_batches_and_runs(self) -> None:
        """Copy the batches, then the runs, each in one transaction."""
        for name, model, ids in (
            ("scrape_batches", ScrapeBatch, self.batch_ids),
            ("scrape_runs", ScrapeRun, self.run_ids),
        ):
            if name not in self.tables.types:
                continue
            copies = TableCopies(self.source, self.tables, self.zone, name, model, self.batch_ids)
            ids |= await self.connections.transact(copies.write)
            self.refusals += copies.refusals[: MOST_LISTED - len(self.refusals)]
            self._counts[name, "stored"] = len(ids)
            self._counts[name, "refused"] = copies.refused

    async def copy_errors(self) -> None:
        """Copy the errors of the runs that are copied."""
        tables = self.tables
        if "scrape_errors" not in tables.types or "scrape_runs" not in tables.types:
            return
        sql = _ERRORS.format(
            errors=tables.table("scrape_errors"),
            error_type=tables.column("r", "scrape_errors", "error_type"),
            occurred_at=tables.column("r", "scrape_errors", "occurred_at"),
            **self._joins(),
        )
        async for rows in rows_in_groups(self.source, sql, _GROUP):
            accepted = [values for row in rows if (values := self._error(row)) is not None]
            if not accepted:
                continue
            columns = [list(column) for column in zip(*accepted, strict=True)]

            async def insert(
                connection: Connection, columns: Sequence[list[Any]] = columns
            ) -> None:
                await connection.execute(_INSERT_ERRORS, *columns)

            await self.connections.transact(insert)
            self._counts["scrape_errors", "stored"] += len(accepted)

    def _joins(self) -> dict[str, str]:
        """Return the SQL of the event and the bookmaker of an error, if the source has them."""
        tables, joins = self.tables, []
        sportradar_id = slug = "NULL::text"
        if tables.has("scrape_errors", "event_id") and tables.has("events", "sportradar_id"):
            sportradar_id = plain_event_id("e.sportradar_id")
            joins.append(f"LEFT JOIN {tables.table('events')} AS e ON e.id = r.event_id")
        if tables.has("scrape_errors", "bookmaker_id") and tables.has("bookmakers", "slug"):
            slug = tables.text("b", "bookmakers", "slug")
            joins.append(f"LEFT JOIN {tables.table('bookmakers')} AS b ON b.id = r.bookmaker_id")
        return {"sportradar_id": sportradar_id, "slug": slug, "joins": " ".join(joins)}

    def _error(self, row: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """Validate an error of the source; None if it is refused."""
        run_id = self.run_ids.get(row["scrape_run_id"])
        try:
            if run_id is None:
                raise ValueError(f"its run {row['scrape_run_id']} is missing, or was refused")
            values = with_utc(
                {name: row[name] for name in ("error_type", "error_message", "occurred_at")},
                self.zone,
            )
            error = ScrapeError(scrape_run_id=run_id, **values)
            if error.occurred_at is None:
                raise ValueError("its occurred_at is NULL")
        except ValueError as reason:
            self._refuse("scrape_errors", row["id"], reason)
            return None
        return (
            *(run_id, error.error_type, error.error_message, error.occurred_at.isoformat()),
            *(row["number"], row["slug"], row["sportradar_id"]),
        )

    def _refuse(self, table: str, row_id: int, reason: ValueError) -> None:
        self._counts[table, "refused"] += 1
        if len(self.refusals) < MOST_LISTED:
            self.refusals.append(refusal_of(table, row_id, reason))

    def table_counts(self, name: str, source: int) -> TableCounts:
        """Report the rows of one table; `source` is their number in the source."""
        stored, refused = self._counts[name, "stored"], self._counts[name, "refused"]
        return TableCounts(
            name=name,
            source=source,
            stored=stored,
            merged=0,
            refused=refused,
            left=0,
            missing=source - stored - refused,
        )


def refusal_of(table: str, row_id: int, reason: ValueError) -> Refusal:
    """Make the refusal of a row of the source."""
    found = (
        tuple(problems(reason))
        if isinstance(reason, ValidationError)
        else (Problem(path="$", reason=str(reason)),)
    )
    return Refusal(file=table, line=row_id, markets=None, problems=found)


class TableCopies:
    """The copies of the rows of one table, batches or runs, in one transaction."""

    def __init__(
        self,
        source: Connection,
        tables: SourceTables,
        zone: tzinfo | None,
        name: str,
        model: type[Table],
        batch_ids: Mapping[int, int],
    ) -> None:
        self.refusals: list[Refusal] = []
        self.refused = 0
        self._source = source
        self._tables = tables
        self._zone = zone
        self._name = name
        self._model = model
        self._batch_ids = batch_ids
        self._columns = [column for column in _TYPES if tables.has(name, column)]

    async def write(self, connection: Connection) -> dict[int, int]:
        """Insert or update the copies; return their ids by the ids in the source."""
        self.refusals, self.refused = [], 0
        keeps_ids = await connection.fetchval(_IS_EMPTY.format(table=self._name))
        ids: dict[int, int] = {}
        numbers: Counter[Any] = Counter()
        columns = ", ".join(
            f"r.{name}::text" if name == "platform_timings" else f"{column} AS {name}"
            for name in self._columns
            for column in [self._tables.column("r", self._name, name)]
        )
        sql = _ROWS.format(columns=columns, table=self._tables.table(self._name))
        async for rows in rows_in_groups(self._source, sql, _GROUP):
            accepted = [row for each in rows if (row := self._accepted(each)) is not None]
            numbered = []
            for row in accepted:
                numbers[row.started_at] += 1
                numbered.append((row, numbers[row.started_at]))
            if numbered:
                ids |= await self._write_group(connection, numbered, keeps_ids=keeps_ids)
        if keeps_ids:
            await connection.execute(_SET_SEQUENCE.format(table=self._name), self._name)
        return ids

    def _accepted(self, row: Mapping[str, Any]) -> Any:
        """Validate a row; None if it is refused."""
        try:
            values = {name: value for name, value in row.items() if value is not None}
            if "started_at" not in values:
                raise ValueError("its started_at is NULL")
            if "platform_timings" in values:
                values["platform_timings"] = from_json(values["platform_timings"])
            if "batch_id" in values:
                values["batch_id"] = self._batch_ids.get(values["batch_id"])
            return self._model(**with_utc(values, self._zone))
        except ValueError as reason:
            self.refused += 1
            if len(self.refusals) < MOST_LISTED:
                self.refusals.append(refusal_of(self._name, row["id"], reason))
            return None

    async def _write_group(
        self, connection: Connection, numbered: Sequence[tuple[Any, int]], *, keeps_ids: bool
    ) -> dict[int, int]:
        """Insert or update the copies of rows, each with its number among those of its instant."""
        instants = [row.started_at.isoformat() for row, _ in numbered]
        find = _FIND.format(table=self._name)
        numbers = [number for _, number in numbered]
        found: dict[int, int] = dict(await connection.fetch(find, instants, numbers))
        rows = [row for row, _ in numbered]
        new = [row for place, row in enumerate(rows, 1) if place not in found]
        if keeps_ids:
            new_ids = [row.id for row in new]
        else:
            reserved = await connection.fetch(_RESERVE, self._name, len(new))
            new_ids = [row["id"] for row in reserved]
            if None in new_ids:
                raise SequenceError(table=self._name, is_owned=False)
        known = [(row, found[place]) for place, row in enumerate(rows, 1) if place in found]
        added = list(zip(new, new_ids, strict=True))
        if added:
            await connection.execute(self._sql(_INSERT), *self._arrays(added))
        if known and self._changing:
            await connection.execute(self._sql(_UPDATE), *self._arrays(known))
        return {row.id: row_id for row, row_id in (*added, *known)}

    @property
    def _changing(self) -> list[str]:
        """The columns that may change in the source."""
        return [name for name in self._columns if name not in ("id", "started_at")]

    def _sql(self, template: str) -> str:
        names = self._columns
        is_update = template is _UPDATE
        return template.format(
            table=self._name,
            names=", ".join(names),
            arrays=", ".join(f"${number}::text[]" for number, _ in enumerate(names, 1)),
            values=", ".join(
                f"c.{name}::{_TYPES[name]}" for name in (self._changing if is_update else names)
            ),
            stored=", ".join(f"r.{name}" for name in self._changing),
            changes=", ".join(f"{name} = c.{name}::{_TYPES[name]}" for name in self._changing),
        )

    def _arrays(self, rows: Sequence[tuple[Any, int]]) -> list[list[str | None]]:
        """Write the columns of rows, with their ids in ours, as arrays of texts."""
        return [
            [_text(name, row_id if name == "id" else getattr(row, name)) for row, row_id in rows]
            for name in self._columns
        ]


def _text(column: str, value: Any) -> str | None:
    """Write the value of a column as PostgreSQL reads it."""
    if value is None:
        return None
    if _TYPES[column] == "jsonb":
        return to_json(value).decode()
    return value.isoformat() if isinstance(value, datetime) else str(value)
