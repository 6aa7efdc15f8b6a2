"""Old histories: deletes or counts the snapshots before the cutoff, with their markets."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from oddsschema.database.connections import Connection
from oddsschema.models.sides import Side
from oddsschema.retention import statements
from oddsschema.retention.session import (
    NO_PATIENCE,
    PAGE_SIZE,
    PruneSession,
    Step,
    removed_snapshots,
)
from oddsschema.retention.statements import for_side


class HistoryPrune:
    """The part of a prune that deletes old snapshots."""

    def __init__(self, session: PruneSession) -> None:
        self._session = session

    async def count(self, side: Side) -> None:
        """Count the old snapshots of all events, and their markets."""
        after: int | None = 0
        while after is not None:
            page = for_side(side, statements.PAGE_MEASURED)
            ((after, *counts),) = await self._session.fetch(page, after, PAGE_SIZE)
            self._session.add(removed_snapshots(side, *counts))

    async def delete(self, side: Side) -> None:
        """Delete the old snapshots of all events, each event's oldest first."""
        after = 0
        busy: list[int] = []
        while page := await self._session.fetch(for_side(side, statements.PAGE), after, PAGE_SIZE):
            after = page[-1]["id"]
            for events in self._session.groups(side, page):
                busy += await self.delete_old(side, events)
        await self._session.wait_for(side, busy, partial(self.delete_old, side))

    async def delete_old(
        self, side: Side, events: Sequence[int], patience: timedelta = NO_PATIENCE
    ) -> list[int]:
        """Delete the old snapshots of events; return the events that others have locked."""
        busy: list[int] = []

        async def work(step: Step, connection: Connection) -> None:
            locked = await self._session.lock(connection, side, events, patience)
            busy[:] = set(events) - set(locked)
            rows = await connection.fetch(
                for_side(side, statements.OLDEST),
                self._session.cutoff,
                locked,
                step.limit,
                step.skip,
            )
            step.ids = [row["id"] for row in rows]
            step.is_last = not rows
            if not rows:
                return
            going_on = list({row["event"] for row in rows if not row["is_over"]})
            step.keyframe_rows = await self.make_keyframes(connection, side, going_on)
            await connection.execute(for_side(side, statements.DELETE_SNAPSHOTS), step.ids)
            sums = (sum(column) for column in zip(*(row[3:] for row in rows), strict=True))
            step.tables = removed_snapshots(side, len(rows), *sums)

        await self._session.repeat(side.snapshots, work, self._session.snapshots_per_step(side), [])
        return busy

    async def make_keyframes(self, connection: Connection, side: Side, events: list[int]) -> int:
        """Make keyframes of the snapshots in force at the cutoff; return the number of new rows."""
        incomplete = await connection.fetch(
            for_side(side, statements.INCOMPLETE), self._session.cutoff, events
        )
        if not incomplete:
            return 0
        rows: int = await connection.fetchval(
            for_side(side, statements.FILL), self._session.cutoff, events
        )
        await connection.execute(
            for_side(side, statements.MAKE_KEYFRAMES), [row[0] for row in incomplete]
        )
        return rows
