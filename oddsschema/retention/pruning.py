"""The pruning of history older than a cutoff, in small transactions beside an ingestion.

>>> report = await oddsschema.prune(url, timedelta(days=14))
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from oddsschema.database.connections import Connection, Connections, Target, open_connections
from oddsschema.database.durations import in_milliseconds
from oddsschema.database.revision import require_migrated
from oddsschema.models.sides import SIDES, Side
from oddsschema.retention import statements
from oddsschema.retention.report import TABLES, Kept, PruneReport, Removed, summed
from oddsschema.retention.statements import REMNANTS, Remnants, for_side, measured

if TYPE_CHECKING:
    import asyncpg

#: The number of events that one statement reads.
_PAGE = 500
#: The assumed number of market rows of a snapshot, until the first are counted.
_MARKETS = 100
_NO_PATIENCE = timedelta(0)
_LOCKED = "another transaction has them locked"


@dataclass(frozen=True, kw_only=True)
class PruneOptions:
    """The options of a prune."""

    #: The approximate number of rows per transaction. An ingestion of the same events waits for the
    #: end of the transaction.
    chunk_rows: int = 10_000
    #: The longest wait for an event that another session has locked. After a wait that failed,
    #: the prune waits for no other event.
    patience: timedelta = timedelta(seconds=10)
    #: The time for retries after transient errors.
    retry_for: timedelta = timedelta(minutes=1)
    #: Callback for the report so far, called after each transaction.
    on_progress: Callable[[PruneReport], None] | None = None


async def prune(
    target: Target,
    keep: timedelta | datetime,
    *,
    dry_run: bool = False,
    options: PruneOptions = PruneOptions(),
) -> PruneReport:
    """Delete history before a cutoff: the instant `keep`, or the server's time less `keep`.

    Every instant from the cutoff on reads as before, except in events that are over: their kickoff
    and their last capture are before the cutoff, and they are deleted as a whole. With `dry_run`
    nothing is deleted, and the report counts the rows that would be.

    It is safe to interrupt: run it again to continue. Several prunes may run at once. With an open
    connection as `target` whose transaction is open, all locks are kept until that ends.

    Rows that cannot be deleted, such as those that another application's table refers to, are in
    the report; the others are deleted. Raises DatabaseUnavailableError and NotMigratedError, and
    ValueError for an instant without a time zone and for a negative time.
    """
    if isinstance(keep, datetime) and keep.tzinfo is None:
        raise ValueError(f"keep must have a time zone: {keep}")
    if isinstance(keep, timedelta) and keep < timedelta(0):
        raise ValueError(f"keep must not be negative: {keep}")
    async with open_connections(target, retry_for=options.retry_for) as connections:
        cutoff = await connections.transact(partial(_cutoff, keep))
        work = _Prune(connections, cutoff, options, dry_run, is_ours=isinstance(target, str))
        if dry_run:
            await work.count()
        else:
            await work.delete()
        return work.report()


async def _cutoff(keep: timedelta | datetime, connection: Connection) -> datetime:
    await require_migrated(connection)
    if isinstance(keep, datetime):
        return keep.astimezone(UTC)
    # No row is older than 1970.
    statement = "SELECT greatest(clock_timestamp() - $1::interval, to_timestamp(0))"
    cutoff: datetime = await connection.fetchval(statement, keep)
    return cutoff


@dataclass
class _Step:
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


class _Prune:
    """A prune at work: deletes or counts old rows, and adds up its report."""

    def __init__(
        self,
        connections: Connections,
        cutoff: datetime,
        options: PruneOptions,
        dry_run: bool,
        *,
        is_ours: bool,
    ) -> None:
        self._connections = connections
        self._cutoff = cutoff
        self._options = options
        self._dry_run = dry_run
        # On the caller's connection, settings would outlast the transaction.
        self._is_ours = is_ours
        self._patience = options.patience if is_ours else _NO_PATIENCE
        self._tables = {table: Removed() for table in TABLES}
        self._keyframe_rows = 0
        self._kept: dict[tuple[str, str], int] = {}

    def report(self) -> PruneReport:
        """Report the prune so far."""
        return PruneReport(
            cutoff=self._cutoff,
            dry_run=self._dry_run,
            tables=self._tables,
            keyframe_rows=self._keyframe_rows,
            kept=tuple(
                Kept(table=table, rows=rows, reason=reason)
                for (table, reason), rows in self._kept.items()
            ),
            retries=self._connections.retries,
        )

    def _add(self, tables: dict[str, Removed]) -> None:
        self._tables = summed(self._tables, tables)
        if self._options.on_progress is not None:
            self._options.on_progress(self.report())

    def _keep(self, table: str, reason: str, rows: int = 1) -> None:
        self._kept[table, reason] = self._kept.get((table, reason), 0) + rows

    async def _fetch(self, statement: str, *arguments: Any) -> list[Any]:
        """Fetch rows in a transaction of their own; $1 is the cutoff."""

        async def work(connection: Connection) -> list[Any]:
            rows: list[Any] = await connection.fetch(statement, self._cutoff, *arguments)
            return rows

        return await self._connections.transact(work)

    # -- a dry run ---------------------------------------------------------------------------------

    async def count(self) -> None:
        """Count the rows to delete."""
        for side in SIDES:
            after: int | None = 0
            while after is not None:
                page = for_side(side, statements.PAGE_MEASURED)
                ((after, *counts),) = await self._fetch(page, after, _PAGE)
                self._add(_of_snapshots(side, *counts))
        for remnants in REMNANTS:
            conditions = {remnants.table: remnants.old}
            if remnants.cascade is not None:
                child, column = remnants.cascade
                old = f"SELECT t.id FROM {remnants.table} AS t WHERE {remnants.old}"
                conditions[child] = f"t.{column} IN ({old})"
            for table, condition in conditions.items():
                ((rows, size),) = await self._fetch(measured(table, condition))
                self._add({table: Removed(rows=rows, bytes=size)})

    # -- deleting ----------------------------------------------------------------------------------

    async def delete(self) -> None:
        """Delete old histories, then the rows that nothing refers to any more."""
        for side in SIDES:
            await self._delete_histories(side)
        for remnants in REMNANTS:
            if remnants.table == "scrape_runs":
                await self._forget_runs()
            await self._delete_unused(remnants)

    async def _repeat(
        self,
        table: str,
        work: Callable[[_Step, Connection], Any],
        limit: int,
        skip: list[int],
    ) -> None:
        """Repeat a step until no row is left to delete.

        A row that the database refuses to delete is found by bisection, and added to `skip`.
        """
        import asyncpg

        size = limit
        while True:
            step = _Step(size, skip)
            try:
                await self._connections.transact(partial(self._begin_and, work, step))
            except asyncpg.IntegrityConstraintViolationError as error:
                if len(step.ids) > 1:
                    size = len(step.ids) // 2
                else:
                    skip.extend(step.ids)
                    self._keep(table, _reason(error))
                continue
            if step.is_last:
                return
            self._keyframe_rows += step.keyframe_rows
            self._add(step.tables)
            size = min(limit, 2 * size)

    async def _begin_and(
        self,
        work: Callable[[_Step, Connection], Awaitable[None]],
        step: _Step,
        connection: Connection,
    ) -> None:
        if self._is_ours:
            # The next prune repeats the deletions that a crash of the server undoes.
            await connection.execute("SET LOCAL synchronous_commit = off")
        await work(step, connection)

    # -- histories ---------------------------------------------------------------------------------

    async def _delete_histories(self, side: Side) -> None:
        """Delete the old snapshots of all events, each event's oldest first."""
        after = 0
        busy: list[int] = []
        while page := await self._fetch(for_side(side, statements.PAGE), after, _PAGE):
            after = page[-1]["id"]
            for events in self._groups(side, page):
                busy += await self._delete_old(side, events)
        await self._wait_for(side, busy, partial(self._delete_old, side))

    def _snapshots_a_step(self, side: Side) -> int:
        snapshots, markets = self._tables[side.snapshots].rows, self._tables[side.markets].rows
        each = markets / snapshots if snapshots else _MARKETS
        return max(1, round(self._options.chunk_rows / (1 + each)))

    def _groups(self, side: Side, page: Sequence[Any]) -> Iterator[list[int]]:
        """Group events that have enough old snapshots for a step."""
        group: list[int] = []
        snapshots = 0
        for event, old in page:
            if old:
                group.append(event)
                snapshots += old
            if group and snapshots >= self._snapshots_a_step(side):
                yield group
                group, snapshots = [], 0
        if group:
            yield group

    async def _delete_old(
        self, side: Side, events: Sequence[int], patience: timedelta = _NO_PATIENCE
    ) -> list[int]:
        """Delete the old snapshots of events; return the events that others have locked."""
        busy: list[int] = []

        async def work(step: _Step, connection: Connection) -> None:
            locked = await self._lock(connection, side, events, patience)
            busy[:] = set(events) - set(locked)
            rows = await connection.fetch(
                for_side(side, statements.OLDEST), self._cutoff, locked, step.limit, step.skip
            )
            step.ids = [row["id"] for row in rows]
            step.is_last = not rows
            if not rows:
                return
            going_on = list({row["event"] for row in rows if not row["is_over"]})
            step.keyframe_rows = await self._complete(connection, side, going_on)
            await connection.execute(for_side(side, statements.DELETE_SNAPSHOTS), step.ids)
            sums = (sum(column) for column in zip(*(row[3:] for row in rows), strict=True))
            step.tables = _of_snapshots(side, len(rows), *sums)

        await self._repeat(side.snapshots, work, self._snapshots_a_step(side), [])
        return busy

    async def _complete(self, connection: Connection, side: Side, events: list[int]) -> int:
        """Make keyframes of the snapshots in force at the cutoff; return the number of new rows."""
        incomplete = await connection.fetch(
            for_side(side, statements.INCOMPLETE), self._cutoff, events
        )
        if not incomplete:
            return 0
        rows: int = await connection.fetchval(for_side(side, statements.FILL), self._cutoff, events)
        await connection.execute(
            for_side(side, statements.COMPLETE), [row[0] for row in incomplete]
        )
        return rows

    async def _lock(
        self,
        connection: Connection,
        side: Side,
        events: Sequence[int],
        patience: timedelta,
    ) -> list[int]:
        """Lock events as ingestion does: the free ones, or all within `patience` seconds."""
        if patience:
            await connection.execute(f"SET LOCAL lock_timeout = {in_milliseconds(patience)}")
        statement = statements.LOCK if patience else statements.LOCK_FREE
        return [
            row["id"] for row in await connection.fetch(for_side(side, statement), list(events))
        ]

    async def _wait_for(
        self,
        side: Side,
        events: Sequence[int],
        work: Callable[[Sequence[int], timedelta], Awaitable[list[int]]],
    ) -> None:
        """Work on events that were locked, one by one, when they are free.

        The waiting transaction has no other event locked: no other one can wait for it.
        """
        import asyncpg

        left = 0
        for event in events:
            try:
                left += len(await work([event], self._patience))
            except asyncpg.LockNotAvailableError:
                # The transaction that keeps one locked so long may well have locked them all.
                self._patience = _NO_PATIENCE
                left += 1
        if left:
            self._keep(side.events, _LOCKED, left)

    # -- remnants ------------------------------------------------------------------------------

    async def _forget_runs(self) -> None:
        """Remove references to old runs from the snapshots that stay.

        The foreign key would do so without a lock on their events.
        """
        for side in SIDES:
            after = 0
            busy: list[int] = []
            referring = for_side(side, statements.REFERRING)
            while events := [row[0] for row in await self._fetch(referring, after, _PAGE)]:
                after = events[-1]
                busy += await self._forget(side, events)
            await self._wait_for(side, busy, partial(self._forget, side))

    async def _forget(
        self, side: Side, events: Sequence[int], patience: timedelta = _NO_PATIENCE
    ) -> list[int]:
        """Remove references from events' snapshots; return the events that others have locked."""

        async def work(connection: Connection) -> list[int]:
            locked = await self._lock(connection, side, events, patience)
            await connection.execute(for_side(side, statements.FORGET_RUNS), self._cutoff, locked)
            return list(set(events) - set(locked))

        return await self._connections.transact(work)

    async def _delete_unused(self, remnants: Remnants) -> None:
        """Delete unused rows: first those that nobody has locked, then the others one by one."""
        import asyncpg

        skip: list[int] = []
        free = partial(self._delete_remnants, remnants, _NO_PATIENCE)
        await self._repeat(remnants.table, free, self._options.chunk_rows, skip)
        if self._patience:
            each = partial(self._delete_remnants, remnants, self._patience)
            try:
                await self._repeat(remnants.table, each, 1, skip)
                return
            except asyncpg.LockNotAvailableError:
                self._patience = _NO_PATIENCE
        ((left,),) = await self._fetch(remnants.left(), skip)
        if left:
            self._keep(remnants.table, _LOCKED, left)

    async def _delete_remnants(
        self,
        remnants: Remnants,
        patience: timedelta,
        step: _Step,
        connection: Connection,
    ) -> None:
        if patience:
            await connection.execute(f"SET LOCAL lock_timeout = {in_milliseconds(patience)}")
        candidates = await connection.fetch(
            remnants.candidates(waiting=bool(patience)), self._cutoff, step.limit, step.skip
        )
        step.is_last = not candidates
        # Again, now that they are locked: another transaction may have referred to them before.
        rows = await connection.fetch(
            remnants.confirmed(), self._cutoff, [row["id"] for row in candidates]
        )
        step.ids = [row["id"] for row in rows]
        removed = Removed(rows=len(rows), bytes=sum(row["bytes"] for row in rows))
        step.tables = {remnants.table: removed}
        if remnants.cascade is not None:
            child, column = remnants.cascade
            statement = measured(child, f"t.{column} = ANY ($1)")
            number, size = await connection.fetchrow(statement, step.ids)
            step.tables[child] = Removed(rows=number, bytes=size)
        await connection.execute(remnants.delete(), step.ids)


def _of_snapshots(
    side: Side, rows: int, size: int, market_rows: int, market_size: int
) -> dict[str, Removed]:
    return {
        side.snapshots: Removed(rows=rows, bytes=size),
        side.markets: Removed(rows=market_rows, bytes=market_size),
    }


def _reason(error: "asyncpg.IntegrityConstraintViolationError") -> str:
    """Phrase why the database refused to delete, so that a user can act on it."""
    import asyncpg

    refers = (asyncpg.ForeignKeyViolationError, asyncpg.RestrictViolationError)
    if isinstance(error, refers):
        return f"the table {error.table_name} refers to them ({error.constraint_name})"
    return str(error)
