"""Captures of the future: deletes or counts the snapshots and confirmations after the cutoff."""

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

#: The columns of `statements.NEWEST` that are added up.
_SIZES = ("bytes", "market_rows", "market_bytes")


class FuturePrune:
    """The part of a prune that deletes captures of the future."""

    def __init__(self, session: PruneSession) -> None:
        self._session = session

    async def count(self, side: Side) -> None:
        """Count the snapshots, markets and confirmations of the future of all events."""
        after: int | None = 0
        while after is not None:
            page = for_side(side, statements.FUTURE_PAGE_MEASURED)
            ((after, confirmations, *counts),) = await self._session.fetch(page, after, PAGE_SIZE)
            self._session.add(removed_snapshots(side, *counts), confirmations=confirmations)

    async def delete(self, side: Side) -> None:
        """Delete the captures of the future of all events, each event's newest first."""
        after = 0
        busy: list[int] = []
        statement = for_side(side, statements.FUTURE_PAGE)
        while page := await self._session.fetch(statement, after, PAGE_SIZE):
            after = page[-1]["id"]
            for events in self._session.groups(side, page):
                busy += await self.delete_captures(side, events)
        await self._session.wait_for(side, busy, partial(self.delete_captures, side))

    async def delete_captures(
        self, side: Side, events: Sequence[int], patience: timedelta = NO_PATIENCE
    ) -> list[int]:
        """Delete the captures of the future of events; return the events that others have locked.

        Earlier instants do not depend on later snapshots: each transaction leaves them unchanged.
        """
        busy: list[int] = []

        async def work(step: Step, connection: Connection) -> None:
            locked = await self._session.lock(connection, side, events, patience)
            busy[:] = set(events) - set(locked)
            cutoff = self._session.cutoff
            trimmed = await connection.fetch(
                for_side(side, statements.REMOVE_CONFIRMATIONS), cutoff, locked
            )
            step.confirmations = sum(row["removed"] for row in trimmed)
            rows = await connection.fetch(
                for_side(side, statements.NEWEST), cutoff, locked, step.limit, step.skip
            )
            step.ids = [row["id"] for row in rows]
            step.is_last = not (rows or trimmed)
            if rows:
                await connection.execute(for_side(side, statements.DELETE_SNAPSHOTS), step.ids)
            sums = (sum(row[name] for row in rows) for name in _SIZES)
            step.tables = removed_snapshots(side, len(rows), *sums)

        limit = self._session.snapshots_per_step(side)
        await self._session.repeat(side.snapshots, work, limit, [])
        return busy
