"""The steps of an adoption, in their order, and its report."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import tzinfo

from oddsschema.adoption.proof import Proof, SideCounts
from oddsschema.adoption.reference_rows import (
    count_other_matches,
    count_reference_rows,
    delete_softly,
)
from oddsschema.adoption.report import AdoptProgress, AdoptReport, ColumnLeft, TableCounts
from oddsschema.adoption.scrape_copies import ScrapeCopies
from oddsschema.adoption.source_captures import LeftKeys, SourceCaptures, SourceSnapshot
from oddsschema.adoption.source_tables import (
    SCRAPE_TABLES,
    SourceTables,
    count_rows,
    later_form,
    read_source_tables,
)
from oddsschema.database.clock import server_clock
from oddsschema.database.connections import Connection, Connections, Target, open_connections
from oddsschema.database.recorded_revisions import read_revisions
from oddsschema.database.revision import require_migrated
from oddsschema.database.targets import open_source
from oddsschema.database.time_limits import LONG_ANSWER_WITHIN
from oddsschema.errors import AdoptionTimeZoneError, ForeignTablesError
from oddsschema.ingestion import Horizon, Item, Refusal, batch
from oddsschema.ingestion.options import IngestOptions
from oddsschema.ingestion.report import MOST_LISTED

# Lift the limits that a role may have for its queries, and let a cursor read all of its rows soon.
_SETTINGS = """
SELECT set_config('statement_timeout', '0', true),
    set_config('idle_in_transaction_session_timeout', '0', true),
    set_config('cursor_tuple_fraction', '1', true),
    -- since PostgreSQL 17
    CASE WHEN current_setting('transaction_timeout', true) IS NOT NULL
        THEN set_config('transaction_timeout', '0', true) END
"""

# Read the name of the source: its database, and schema $1.
_NAME = "SELECT format('%I.%I', current_database(), $1::text)"

_READ_BOOKMAKERS = "SELECT b.id, {slug} FROM {bookmakers} AS b"

#: The trigger of the batch of an adoption.
TRIGGER = "adopt"


async def adopt(
    target: Target,
    source: Target,
    *,
    schema: str | None = None,
    timezone: tzinfo | None = None,
    options: IngestOptions = IngestOptions(),
    on_progress: Callable[[AdoptProgress], None] | None = None,
) -> AdoptReport:
    """Bring the odds of another program's tables, in the form of the plan, into the database.

    `source` is the database with these tables, which may be the same as `target`: they are in its
    schema `schema`, by default the first of its search path. It is read in one transaction, and
    never written to. Times without a zone are local times of `timezone`.

    Batches, runs and their errors are copied. Snapshots become captures, the oldest first, and are
    ingested with the `options`. Then every snapshot is read back and compared. Nothing is stored
    twice: an adoption that was interrupted is continued by another one, which also brings the rows
    that were added meanwhile. `on_progress` is called once for each snapshot.

    Raises AdoptionError if the source has no odds of the plan's form, or may not be read;
    AdoptionTimeZoneError if it has times without a zone, and `timezone` is none;
    ForeignTablesError if the target has such tables itself in the place of ours; and otherwise what
    `ingest` raises. TypeError for a source that is a connection.
    """
    async with (
        open_connections(
            target, retry_for=options.retry_for, answer_within=options.answer_within
        ) as connections,
        _opened(source) as connection,
    ):
        await connections.transact(_require_tables)
        tables = await read_source_tables(connection, schema)
        zone = _zone_of(tables, timezone)
        counted = {name: await count_rows(connection, tables, name) for name in tables.wanted}
        rows = {name: number for name, (number, _) in counted.items()}
        snapshots = sum(rows[side.snapshots] for side in tables.sides)
        if not snapshots and (later := tables.later_tables()):
            raise later_form(tables.schema, later)
        adoption = _Adoption(connections, connection, tables, zone, options, on_progress)
        left = _columns_left(counted)
        if matches := await count_other_matches(connection, tables):
            matching = ColumnLeft(
                table="competitor_events", name="betpawa_event_id", values=matches
            )
            left = (*left, matching)
        return await adoption.run(target, rows, snapshots, left)


async def _require_tables(connection: Connection) -> None:
    """Raise ForeignTablesError for tables of another program, and NotMigratedError without ours."""
    recorded = await read_revisions(connection)
    if recorded.are_foreign and not recorded.own:
        raise ForeignTablesError(schema=str(recorded.schema))
    await require_migrated(connection)


def _zone_of(tables: SourceTables, timezone: object) -> tzinfo | None:
    """Return the zone of the source's times; None if each has one."""
    naive = tables.naive_columns()
    if not naive:
        return None
    if not isinstance(timezone, tzinfo):
        given = None if timezone is None else str(timezone)
        raise AdoptionTimeZoneError(schema=tables.schema, columns=naive, given=given)
    return timezone


@asynccontextmanager
async def _opened(source: Target) -> AsyncIterator[Connection]:
    """Open a transaction that sees one state of the source, and cannot change it."""
    async with open_source(source, LONG_ANSWER_WITHIN) as opened:
        if opened.is_borrowed:
            raise TypeError(
                "the source is read in a transaction of its own: give a URL, a pool or an engine "
                "in place of a connection"
            )
        async with (
            opened.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            await connection.execute(_SETTINGS)
            yield connection


def _columns_left(
    counted: Mapping[str, tuple[int, Mapping[str, int]]],
) -> tuple[ColumnLeft, ...]:
    return tuple(
        ColumnLeft(table=table, name=name, values=values)
        for table, (_, columns) in counted.items()
        for name, values in columns.items()
    )


@dataclass
class _Adoption:
    """An adoption with both databases open."""

    connections: Connections
    source: Connection
    tables: SourceTables
    zone: tzinfo | None
    options: IngestOptions
    on_progress: Callable[[AdoptProgress], None] | None

    async def run(
        self,
        target: Target,
        rows: Mapping[str, int],
        snapshots: int,
        columns_left: tuple[ColumnLeft, ...],
    ) -> AdoptReport:
        """Run the steps. `rows` has the numbers of rows of the source, by table."""
        copies = ScrapeCopies(self.source, self.tables, self.zone, self.connections)
        await copies.copy_batches_and_runs()
        captures = await self._captures()
        refused: set[tuple[str, int]] = set()

        def on_refusal(refusal: Refusal) -> None:
            if refusal.markets is None:
                refused.add((refusal.file, refusal.line))
            if self.options.on_refusal is not None:
                self.options.on_refusal(refusal)

        async def items() -> AsyncIterator[Item]:
            progress = self._progress("captures", snapshots)
            for side in self.tables.sides:
                async for snapshot in captures.snapshots(side):
                    progress()
                    yield snapshot.item

        notes = f"adopted from the schema {self.tables.schema}"
        options = replace(self.options, on_refusal=on_refusal)
        async with batch(target, trigger=TRIGGER, notes=notes, options=options) as opened:
            await opened.ingest(items())
        await copies.copy_errors()
        left_keys = LeftKeys()
        progress = self._progress("proof", snapshots)
        horizon = Horizon(await self.connections.transact(server_clock), self.options.max_ahead)
        proofs = [
            Proof(
                self.connections,
                side,
                self.options,
                horizon,
                copies.run_ids,
                refused,
                SideCounts(side.snapshots, rows[side.snapshots]),
                SideCounts(side.markets, rows[side.markets]),
            )
            for side in self.tables.sides
        ]
        for proof in proofs:
            await proof.compare(_counting(captures.snapshots(proof.side, left_keys), progress))
        await delete_softly(self.source, self.tables, self.zone, self.connections)
        tables: list[TableCounts] = [
            *await count_reference_rows(self.source, self.tables, self.connections),
            *(copies.table_counts(name, rows[name]) for name in SCRAPE_TABLES if name in rows),
            *(part.table() for proof in proofs for part in (proof.snapshots, proof.markets)),
        ]
        ingestion = opened.report()
        merged = sum(proof.snapshots.merged for proof in proofs)
        return AdoptReport(
            source=await self.source.fetchval(_NAME, self.tables.schema),
            timezone=None if self.zone is None else str(self.zone),
            snapshots_new=ingestion.total.captures_stored,
            snapshots_known=ingestion.total.captures_known - merged,
            ingestion=ingestion,
            tables=tuple(tables),
            columns_left=columns_left,
            outcome_keys_left=left_keys.number,
            refusals=tuple(copies.refusals),
            different=tuple(different for proof in proofs for different in proof.different)[
                :MOST_LISTED
            ],
        )

    async def _captures(self) -> SourceCaptures:
        bookmakers: dict[int, str] = {}
        if "bookmakers" in self.tables.wanted:
            sql = _READ_BOOKMAKERS.format(
                slug=self.tables.text("b", "bookmakers", "slug"),
                bookmakers=self.tables.table("bookmakers"),
            )
            bookmakers = dict(await self.source.fetch(sql))
        return SourceCaptures(
            self.source, self.tables, self.zone, self.options.keep_raw, bookmakers
        )

    def _progress(self, step: str, total: int) -> Callable[[], None]:
        done = 0

        def count() -> None:
            nonlocal done
            done += 1
            if self.on_progress is not None:
                self.on_progress(AdoptProgress(step, done, total))

        return count


async def _counting(
    snapshots: AsyncIterator[SourceSnapshot], count: Callable[[], None]
) -> AsyncIterator[SourceSnapshot]:
    async for snapshot in snapshots:
        count()
        yield snapshot
