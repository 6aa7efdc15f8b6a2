"""Remnants: rows that nothing refers to after a prune of histories.

They are errors, runs, batches, unmapped markets, events and tournaments.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from oddsschema.database.connections import Connection
from oddsschema.database.retry import is_time_limit
from oddsschema.models.sides import SIDES, Side
from oddsschema.retention import statements
from oddsschema.retention.report import Removed
from oddsschema.retention.session import (
    LOCKED,
    NO_PATIENCE,
    PAGE_SIZE,
    PruneSession,
    RowsLockedError,
    Step,
    fetch_locked,
)
from oddsschema.retention.statements import RECORDS, REMNANTS, Remnants, for_side, measured


class RemnantPrune:
    """The part of a prune that deletes unused rows."""

    def __init__(self, session: PruneSession) -> None:
        self._session = session

    async def count(self) -> None:
        """Count the rows that will be unused after the prune of histories."""
        for remnants in REMNANTS:
            conditions = {remnants.table: remnants.old}
            if remnants.cascade is not None:
                child, column = remnants.cascade
                old = f"SELECT t.id FROM {remnants.table} AS t WHERE {remnants.old}"
                conditions[child] = f"t.{column} IN ({old})"
            for table, condition in conditions.items():
                ((rows, size),) = await self._session.fetch(
                    measured(table, condition), cutoff=self.cutoff_of(remnants)
                )
                self._session.add({table: Removed(rows=rows, bytes=size)})

    def cutoff_of(self, remnants: Remnants) -> datetime:
        """Return the cutoff of a table's rows."""
        is_record = remnants.table in RECORDS
        return self._session.runs_cutoff if is_record else self._session.cutoff

    async def delete(self) -> None:
        """Delete the rows that nothing refers to any more."""
        for remnants in REMNANTS:
            if remnants.table == "scrape_runs":
                await self.clear_run_references()
            await self.delete_unused(remnants)

    async def clear_run_references(self) -> None:
        """Remove references to old runs from the snapshots that stay.

        The foreign key would do so without a lock on their events.
        """
        for side in SIDES:
            after = 0
            busy: list[int] = []
            referring = for_side(side, statements.REFERRING)
            while events := [
                row[0]
                for row in await self._session.fetch(
                    referring, after, PAGE_SIZE, cutoff=self._session.runs_cutoff
                )
            ]:
                after = events[-1]
                busy += await self.clear_references(side, events)
            await self._session.wait_for(side, busy, partial(self.clear_references, side))

    async def clear_references(
        self, side: Side, events: Sequence[int], patience: timedelta = NO_PATIENCE
    ) -> list[int]:
        """Remove references from events' snapshots; return the events that others have locked.

        Events that reach a time limit of the server together are halved.
        """
        import asyncpg

        async def work(connection: Connection) -> list[int]:
            locked = await self._session.lock(connection, side, events, patience)
            await connection.execute(
                for_side(side, statements.CLEAR_RUN_REFERENCES), self._session.runs_cutoff, locked
            )
            return list(set(events) - set(locked))

        def is_too_large(error: BaseException) -> bool:
            return len(events) > 1 and is_time_limit(error)

        try:
            return await self._session.connections.transact(work, is_final=is_too_large)
        except asyncpg.PostgresError as error:
            if not is_too_large(error):
                raise
        middle = len(events) // 2
        return [
            *await self.clear_references(side, events[:middle], patience),
            *await self.clear_references(side, events[middle:], patience),
        ]

    async def delete_unused(self, remnants: Remnants) -> None:
        """Delete unused rows: first those that nobody has locked, then the others one by one."""
        skip: list[int] = []
        free = partial(self.delete_locked, remnants, NO_PATIENCE)
        await self._session.repeat(remnants.table, free, self._session.options.chunk_rows, skip)
        if self._session.patience:
            each = partial(self.delete_locked, remnants, self._session.patience)
            try:
                await self._session.repeat(remnants.table, each, 1, skip)
                return
            except RowsLockedError:
                self._session.patience = NO_PATIENCE
        cutoff = self.cutoff_of(remnants)
        ((left,),) = await self._session.fetch(remnants.left(), skip, cutoff=cutoff)
        if left:
            self._session.keep(remnants.table, LOCKED, left)

    async def delete_locked(
        self,
        remnants: Remnants,
        patience: timedelta,
        step: Step,
        connection: Connection,
    ) -> None:
        """Lock unused rows and delete those that are still unused."""
        candidates = await fetch_locked(
            connection,
            patience,
            remnants.candidates(waiting=bool(patience)),
            *(self.cutoff_of(remnants), step.limit, step.skip),
        )
        step.is_last = not candidates
        # Again, now that they are locked: another transaction may have referred to them before.
        rows = await connection.fetch(
            remnants.confirmed(), self.cutoff_of(remnants), [row["id"] for row in candidates]
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
