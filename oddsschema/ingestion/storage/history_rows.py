"""The rows of histories: reads states, writes snapshots and market rows, notes confirmations."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from datetime import datetime

from oddsschema.database.connections import Connection
from oddsschema.ingestion.records import CaptureRecord, MarketKey
from oddsschema.ingestion.storage import binary_copy
from oddsschema.ingestion.storage.placement import (
    MarketRows,
    NewSnapshot,
    PlacedCapture,
    PrecedingSnapshot,
    place_captures,
)
from oddsschema.ingestion.storage.state import State, read_states
from oddsschema.models.sides import Side

# Reserve $1 ids for snapshots.
_RESERVE = """
SELECT nextval(pg_get_serial_sequence('{snapshots}', 'id')) FROM generate_series(1, $1)
"""

# Note on snapshots $2 of events $1 the instants $3 at which captures confirmed them; NULL for none.
_CONFIRM = """
UPDATE {snapshots} AS s
SET confirmed_at = c.instants, last_confirmed_at = c.instants[cardinality(c.instants)]
FROM (
    SELECT event, id, array_remove(array_agg(at ORDER BY at), NULL) AS instants
    FROM unnest($1::int[], $2::bigint[], $3::timestamptz[]) AS c (event, id, at)
    GROUP BY event, id
) AS c
WHERE s.{event} = c.event AND s.id = c.id
"""

# Make a keyframe of snapshot $2 of event $1.
_COMPLETE = "UPDATE {snapshots} AS s SET is_complete = true WHERE s.{event} = $1 AND s.id = $2"

# Read the keys of the market rows of snapshot $2 of event $1.
_KEYS = "SELECT {market_key} FROM {markets} AS m WHERE m.{event} = $1 AND m.snapshot_id = $2"


class HistoryRows:
    """The history rows of one side, of one bookmaker where its histories have one each."""

    def __init__(self, connection: Connection, side: Side, bookmaker_id: int | None) -> None:
        #: The number of market rows written.
        self.markets_written = 0
        self._connection = connection
        self._side = side
        self._bookmaker_id = bookmaker_id

    async def place(self, captures: Iterable[tuple[int, CaptureRecord]]) -> list[PlacedCapture]:
        """Place captures, given as (event id, capture), in the histories of their events."""
        placed, _ = await place_captures(self._connection, self._side, captures, self._bookmaker_id)
        return placed

    def states(
        self, instants: Sequence[tuple[int, datetime]]
    ) -> AbstractAsyncContextManager[AsyncIterator[State]]:
        """Read the state at each (event id, instant), in their order."""
        return aclosing(read_states(self._connection, self._side, instants, self._bookmaker_id))

    async def state(self, event_id: int, at: datetime) -> State:
        """Read the state of one event."""
        async with self.states([(event_id, at)]) as states:
            return await anext(states)

    async def confirm(self, snapshots: Iterable[PrecedingSnapshot]) -> None:
        """Update the confirmations of stored snapshots."""
        confirmations: list[tuple[int, int, datetime | None]] = []
        for snapshot in snapshots:
            instants: Sequence[datetime | None] = snapshot.confirmed_at or [None]
            confirmations.extend((snapshot.event_id, snapshot.id, at) for at in instants)
        if confirmations:
            columns = [list(column) for column in zip(*confirmations, strict=True)]
            await self._connection.execute(self._side.sql(_CONFIRM), *columns)

    async def market_keys(self, event_id: int, snapshot_id: int) -> set[MarketKey]:
        """Read the keys of the market rows of a snapshot."""
        rows = await self._connection.fetch(self._side.sql(_KEYS), event_id, snapshot_id)
        return set(map(tuple, rows))

    async def make_keyframe(self, event_id: int, snapshot_id: int) -> None:
        """Make a keyframe of a stored snapshot, which has all its rows."""
        await self._connection.execute(self._side.sql(_COMPLETE), event_id, snapshot_id)

    async def write(self, snapshots: Sequence[NewSnapshot]) -> None:
        """Write new snapshots with their market rows."""
        if not snapshots:
            return
        ids = await self._connection.fetch(self._side.sql(_RESERVE), len(snapshots))
        numbered = [(row[0], snapshot) for row, snapshot in zip(ids, snapshots, strict=True)]
        fields = [
            binary_copy.snapshot_fields(self._side, snapshot_id, snapshot, self._bookmaker_id)
            for snapshot_id, snapshot in numbered
        ]
        await self._copy(
            self._side.snapshots,
            list(fields[0]),
            (binary_copy.frame_row(each.values()) for each in fields),
        )
        await self.write_markets(
            [
                MarketRows(
                    snapshot_id,
                    snapshot.event_id,
                    snapshot.captured_at,
                    snapshot.markets,
                    snapshot.gone,
                )
                for snapshot_id, snapshot in numbered
            ]
        )

    async def write_markets(self, snapshots: Sequence[MarketRows]) -> None:
        """Write market rows for snapshots that are there."""
        count = sum(len(snapshot.markets) + len(snapshot.gone) for snapshot in snapshots)
        self.markets_written += count
        if count:
            await self._copy(
                self._side.markets,
                binary_copy.market_columns(self._side),
                binary_copy.market_rows(self._side, snapshots),
            )

    async def _copy(self, table: str, columns: Sequence[str], rows: Iterator[bytes]) -> None:
        async def stream() -> AsyncIterator[bytes]:
            for block in binary_copy.blocks(rows):
                yield block

        await self._connection.copy_to_table(
            table, source=stream(), columns=columns, format="binary"
        )
