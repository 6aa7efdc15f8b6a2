"""The session of a prune: its transactions, its waits for locks, and its report so far."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from oddsschema.database.connections import Connection, Connections
from oddsschema.database.durations import in_milliseconds
from oddsschema.database.retry import is_time_limit
from oddsschema.database.revision import keep_migrated
from oddsschema.errors.clusters import names_of
from oddsschema.models.sides import Side
from oddsschema.retention import statements
from oddsschema.retention.options import PruneOptions
from oddsschema.retention.report import TABLES, Kept, PruneReport, Removed, summed
from oddsschema.retention.statements import for_side

if TYPE_CHECKING:
    import asyncpg

#: The number of events that one statement reads.
PAGE_SIZE = 500

NO_PATIENCE = timedelta(0)

#: The reason for rows that stay because of a lock.
LOCKED = "another transaction has them locked"

#: The assumed number of market rows of a snapshot, until the first are counted.
_MARKETS = 100


@dataclass
class Step:
    """One transaction: the rows that it may delete, and its result."""

    #: The greatest number of rows.
    limit: int
    #: Rows that are not to be deleted.
    skip: Sequence[int]
    #: Whether no row is left to delete.
    is_last: bool = True
    #: The rows to delete.
    ids: list[int] = field(default_factory=list)
    tables: dict[str, Removed] = field(default_factory=dict)
    keyframe_rows: int = 0
    confirmations: int = 0


class RowsLockedError(Exception):
    """The error that ends a wait for rows that another session has locked."""


async def fetch_locked(
    connection: Connection, patience: timedelta, statement: str, *arguments: Any
) -> list[Any]:
    """Fetch rows with locks, waiting at most `patience` for them. Raises RowsLockedError."""
    import asyncpg

    if patience:
        await connection.execute(f"SET LOCAL lock_timeout = {in_milliseconds(patience)}")
    try:
        rows: list[Any] = await connection.fetch(statement, *arguments)
    except asyncpg.LockNotAvailableError as error:
        if patience:
            raise RowsLockedError from error
        raise
    return rows


class PruneSession:
    """The state that the parts of a prune share."""

    def __init__(
        self,
        connections: Connections,
        cutoff: datetime,
        options: PruneOptions,
        dry_run: bool,
        *,
        owns_connection: bool,
        runs_cutoff: datetime | None = None,
        is_ahead: bool = False,
    ) -> None:
        self.connections = connections
        self.cutoff = cutoff
        #: The cutoff of batches, runs, errors and unmapped markets.
        self.runs_cutoff = runs_cutoff or cutoff
        self.options = options
        self._dry_run = dry_run
        self._is_ahead = is_ahead
        # On the caller's connection, settings would outlast the transaction.
        self.owns_connection = owns_connection
        self.patience = options.patience if owns_connection else NO_PATIENCE
        self.tables = {table: Removed() for table in TABLES}
        self._keyframe_rows = 0
        self._confirmations = 0
        self._kept: dict[tuple[str, str], int] = {}

    def report(self) -> PruneReport:
        """Report the prune so far."""
        return PruneReport(
            cutoff=self.cutoff,
            runs_cutoff=self.runs_cutoff,
            is_ahead=self._is_ahead,
            dry_run=self._dry_run,
            tables=self.tables,
            keyframe_rows=self._keyframe_rows,
            confirmations=self._confirmations,
            kept=tuple(
                Kept(table=table, rows=rows, reason=reason)
                for (table, reason), rows in self._kept.items()
            ),
            retries=self.connections.retries,
        )

    def add(
        self, tables: dict[str, Removed], *, keyframe_rows: int = 0, confirmations: int = 0
    ) -> None:
        """Add deleted and added rows, and removed confirmations, to the report."""
        self.tables = summed(self.tables, tables)
        self._keyframe_rows += keyframe_rows
        self._confirmations += confirmations
        if self.options.on_progress is not None:
            self.options.on_progress(self.report())

    def keep(self, table: str, reason: str, rows: int = 1) -> None:
        """Add rows that could not be deleted to the report."""
        self._kept[table, reason] = self._kept.get((table, reason), 0) + rows

    def snapshots_per_step(self, side: Side) -> int:
        """Return the number of snapshots to delete in one transaction, by the rows seen so far."""
        snapshots, markets = self.tables[side.snapshots].rows, self.tables[side.markets].rows
        each = markets / snapshots if snapshots else _MARKETS
        return max(1, round(self.options.chunk_rows / (1 + each)))

    def groups(self, side: Side, page: Sequence[Any]) -> Iterator[list[int]]:
        """Group events that have enough snapshots for a step; rows are (event, snapshots)."""
        group: list[int] = []
        snapshots = 0
        for event, number in page:
            if number:
                group.append(event)
                snapshots += number
            if group and snapshots >= self.snapshots_per_step(side):
                yield group
                group, snapshots = [], 0
        if group:
            yield group

    async def fetch(
        self, statement: str, *arguments: Any, cutoff: datetime | None = None
    ) -> list[Any]:
        """Fetch rows in a transaction of their own; $1 is the cutoff."""

        async def work(connection: Connection) -> list[Any]:
            rows: list[Any] = await connection.fetch(statement, cutoff or self.cutoff, *arguments)
            return rows

        return await self.connections.transact(work)

    async def repeat(
        self,
        table: str,
        work: Callable[[Step, Connection], Any],
        limit: int,
        skip: list[int],
    ) -> None:
        """Repeat a step until no row is left to delete.

        A row that the database refuses to delete is found by bisection, and added to `skip`. A step
        that reaches a time limit of the server is halved.
        """
        import asyncpg

        size = limit
        while True:
            step = Step(size, skip)

            def is_too_large(error: BaseException, step: Step = step) -> bool:
                return len(step.ids) > 1 and is_time_limit(error)

            try:
                await self.connections.transact(
                    partial(self._begin_and, work, step), is_final=is_too_large
                )
            except asyncpg.IntegrityConstraintViolationError as error:
                if len(step.ids) > 1:
                    size = len(step.ids) // 2
                else:
                    skip.extend(step.ids)
                    self.keep(table, refusal_reason(error))
                continue
            except asyncpg.PostgresError as error:
                if not is_too_large(error):
                    raise
                size = limit = len(step.ids) // 2
                continue
            if step.is_last:
                return
            self.add(
                step.tables, keyframe_rows=step.keyframe_rows, confirmations=step.confirmations
            )
            size = min(limit, 2 * size)

    async def _begin_and(
        self,
        work: Callable[[Step, Connection], Awaitable[None]],
        step: Step,
        connection: Connection,
    ) -> None:
        if self.owns_connection:
            # The next prune repeats the deletions that a crash of the server undoes.
            await connection.execute("SET LOCAL synchronous_commit = off")
        await work(step, connection)

    async def lock(
        self,
        connection: Connection,
        side: Side,
        events: Sequence[int],
        patience: timedelta,
    ) -> list[int]:
        """Lock events as ingestion does: the free ones, or all, waiting at most `patience`.

        Raises RowsLockedError, and NotMigratedError after a migration.
        """
        statement = for_side(side, statements.LOCK if patience else statements.LOCK_FREE)
        locked = await fetch_locked(connection, patience, statement, list(events))
        await keep_migrated(connection, side.snapshots)
        return [row["id"] for row in locked]

    async def wait_for(
        self,
        side: Side,
        events: Sequence[int],
        work: Callable[[Sequence[int], timedelta], Awaitable[list[int]]],
    ) -> None:
        """Work on events that were locked, one by one, when they are free.

        The waiting transaction has no other event locked: no other one can wait for it.
        """
        left = 0
        for event in events:
            try:
                left += len(await work([event], self.patience))
            except RowsLockedError:
                # The transaction that keeps one locked so long may well have locked them all.
                self.patience = NO_PATIENCE
                left += 1
        if left:
            self.keep(side.events, LOCKED, left)


def refusal_reason(error: "asyncpg.IntegrityConstraintViolationError") -> str:
    """Phrase why the database refused to delete, so that a user can act on it."""
    import asyncpg

    refers = (asyncpg.ForeignKeyViolationError, asyncpg.RestrictViolationError)
    if isinstance(error, refers):
        table, constraint = names_of(error)
        return f"the table {table} refers to them ({constraint})"
    return str(error)


def removed_snapshots(
    side: Side, rows: int, size: int, market_rows: int, market_size: int
) -> dict[str, Removed]:
    """Return deleted snapshots and their markets as rows by table."""
    return {
        side.snapshots: Removed(rows=rows, bytes=size),
        side.markets: Removed(rows=market_rows, bytes=market_size),
    }
