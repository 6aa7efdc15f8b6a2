"""The rows of histories: reads states, writes snapshots and market rows, notes confirmations."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from datetime import datetime
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple, Self

from oddsschema.database.arrays import arrays, read_times, time_texts, times, times_text, unnest
from oddsschema.database.connections import Connection
from oddsschema.errors import SequenceError
from oddsschema.ingestion.records import (
    MARKET_SCALARS,
    CaptureRecord,
    MarketKey,
    MarketRecord,
    market_key,
)
from oddsschema.ingestion.storage import binary_copy
from oddsschema.ingestion.storage.placement import (
    MarketRows,
    NewSnapshot,
    PlacedCapture,
    PrecedingSnapshot,
    place_captures,
)
from oddsschema.ingestion.storage.state import (
    State,
    read_offered_keys,
    read_states,
    stored_market,
)
from oddsschema.ingestion.storage.unknown_markets import keys_json, stored_keys
from oddsschema.models.keyframes import IS_GONE
from oddsschema.models.sides import Side


class SnapshotRow(NamedTuple):
    """The columns of a snapshot, but for its id and its bookmaker."""

    event_id: int
    captured_at: datetime
    scrape_run_id: int | None
    is_complete: bool
    #: JSON texts.
    raw_response: str | None
    unknown_markets: str | None
    #: The literal of an array of times.
    confirmed_at: str

    @classmethod
    def of(cls, snapshot: NewSnapshot) -> Self:
        """Build from a snapshot that is to be written."""
        raw, unknown = snapshot.raw_response, keys_json(snapshot.unknown)
        return cls(
            snapshot.event_id,
            snapshot.captured_at,
            snapshot.run_id,
            snapshot.is_complete,
            None if raw is None else raw.decode(),
            None if unknown is None else unknown.decode(),
            f"{{{','.join(at.isoformat() for at in snapshot.confirmed_at)}}}",
        )


# Insert snapshots; return their ids in any order, each with its event and time (in microseconds).
# {bookmaker_column} and {bookmaker_value} are of the bookmaker where histories have one each.
_INSERT = f"""
INSERT INTO {{snapshots}} (id, {{event}}, captured_at, scrape_run_id, is_complete, raw_response,
    unknown_markets, confirmed_at, last_confirmed_at{{bookmaker_column}})
SELECT nextval(pg_get_serial_sequence('{{snapshots}}', 'id')), c.event_id, c.captured_at,
    c.scrape_run_id, c.is_complete, c.raw_response::jsonb, c.unknown_markets::jsonb,
    confirmed.instants, confirmed.instants[cardinality(confirmed.instants)]{{bookmaker_value}}
FROM {unnest(SnapshotRow, 1)}
CROSS JOIN LATERAL (SELECT c.confirmed_at::timestamptz[] AS instants) AS confirmed
RETURNING id, {{event}} AS event, (extract(epoch FROM captured_at) * 1000000)::bigint AS at
"""

# Note on snapshots $2 of events $1 the instants $3 of captures that confirmed them, which are later
# than those noted before.
_CONFIRM = f"""
UPDATE {{snapshots}} AS s
SET confirmed_at = s.confirmed_at || c.instants, last_confirmed_at = c.last
FROM (
    SELECT event, id, array_agg(at ORDER BY at) AS instants, max(at) AS last
    FROM unnest($1::int[], $2::bigint[], {times(3)}) AS c (event, id, at)
    GROUP BY event, id
) AS c
WHERE s.{{event}} = c.event AND s.id = c.id
"""

# Read the instants of the captures that confirmed snapshot $2 of event $1.
_CONFIRMATIONS = f"""
SELECT {times_text("s.confirmed_at")} FROM {{snapshots}} AS s WHERE s.{{event}} = $1 AND s.id = $2
"""

# Replace the instants of the captures that confirmed snapshot $2 of event $1 by $3, in order.
_SET_CONFIRMATIONS = f"""
UPDATE {{snapshots}} AS s SET confirmed_at = c.instants, last_confirmed_at = c.last
FROM (
    SELECT c.instants, (SELECT max(at) FROM unnest(c.instants) AS at) AS last
    FROM (SELECT {times(3)} AS instants) AS c
) AS c
WHERE s.{{event}} = $1 AND s.id = $2
"""

# Find the snapshot of event $1 after the instant $2. $3 is the bookmaker's id.
_NEXT = """
SELECT s.id, s.captured_at, s.is_complete, s.unknown_markets::text AS unknown
FROM {snapshots} AS s
WHERE s.{event} = $1 {bookmaker} AND s.captured_at > $2
ORDER BY s.captured_at LIMIT 1
"""

# Read the market rows of snapshot $2 of event $1, the newest last.
_ROWS = f"""
SELECT m.id, {IS_GONE} AS is_gone, {", ".join(f"m.{name}" for name in MARKET_SCALARS)},
    '[' || m.outcomes::text || ']' AS outcomes
FROM {{markets}} AS m WHERE m.{{event}} = $1 AND m.snapshot_id = $2
ORDER BY m.id
"""

# Delete the market rows $2 of event $1.
_DELETE = "DELETE FROM {markets} AS m WHERE m.{event} = $1 AND m.id = ANY ($2)"

# Set the keys of the refused markets of snapshot $2 of event $1 to $3.
_SET_UNKNOWN = """
UPDATE {snapshots} AS s SET unknown_markets = $3::text::jsonb WHERE s.{event} = $1 AND s.id = $2
"""


class StoredRow(NamedTuple):
    """A market row that is in the database."""

    id: int
    is_gone: bool
    market: MarketRecord


class StoredSnapshot(NamedTuple):
    """A snapshot that is in the database, with its market rows."""

    id: int
    captured_at: datetime
    is_complete: bool
    #: The keys of the markets that were refused.
    unknown: frozenset[MarketKey]
    rows: dict[MarketKey, StoredRow]


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
        placed = await place_captures(self._connection, self._side, captures, self._bookmaker_id)
        return placed.captures

    def states(
        self, instants: Sequence[tuple[int, datetime]]
    ) -> AbstractAsyncContextManager[AsyncIterator[State]]:
        """Read the state at each (event id, instant), in their order."""
        return aclosing(read_states(self._connection, self._side, instants, self._bookmaker_id))

    def offered_keys(
        self, instants: Sequence[tuple[int, datetime]]
    ) -> AbstractAsyncContextManager[AsyncIterator[set[MarketKey]]]:
        """Read the keys of the markets on offer at each (event id, instant), in their order."""
        keys = read_offered_keys(self._connection, self._side, instants, self._bookmaker_id)
        return aclosing(keys)

    async def state(self, event_id: int, at: datetime) -> State:
        """Read the state of one event."""
        async with self.states([(event_id, at)]) as states:
            return await anext(states)

    async def confirm(self, snapshots: Iterable[PrecedingSnapshot]) -> None:
        """Write the new confirmations of stored snapshots."""
        confirmations = [
            (snapshot.event_id, snapshot.id, at)
            for snapshot in snapshots
            for at in snapshot.confirmed_at
        ]
        if confirmations:
            events, ids, instants = (list(column) for column in zip(*confirmations, strict=True))
            await self._connection.execute(
                self._side.sql(_CONFIRM), events, ids, time_texts(instants)
            )

    async def confirmations(self, snapshot: PrecedingSnapshot) -> list[datetime]:
        """Read the instants of the captures that confirmed a stored snapshot."""
        if not snapshot.confirmations:
            return []
        return read_times(
            await self._connection.fetchval(
                self._side.sql(_CONFIRMATIONS), snapshot.event_id, snapshot.id
            )
        )

    async def set_confirmations(
        self, snapshot: PrecedingSnapshot, instants: Iterable[datetime]
    ) -> None:
        """Replace the confirmations of a stored snapshot."""
        await self._connection.execute(
            self._side.sql(_SET_CONFIRMATIONS),
            snapshot.event_id,
            snapshot.id,
            time_texts(sorted(instants)),
        )

    async def next_snapshot(self, event_id: int, at: datetime) -> StoredSnapshot | None:
        """Read the snapshot after an instant, with its market rows."""
        snapshot = await self._connection.fetchrow(
            self._side.sql(_NEXT, bookmaker="$3"),
            event_id,
            at,
            *self._side.bookmaker_arguments(self._bookmaker_id),
        )
        if snapshot is None:
            return None
        return StoredSnapshot(
            snapshot["id"],
            snapshot["captured_at"],
            snapshot["is_complete"],
            stored_keys(snapshot["unknown"]),
            await self.market_rows(event_id, snapshot["id"]),
        )

    async def market_rows(self, event_id: int, snapshot_id: int) -> dict[MarketKey, StoredRow]:
        """Read the market rows of a snapshot; of rows of one market, the newest."""
        rows = await self._connection.fetch(self._side.sql(_ROWS), event_id, snapshot_id)
        stored = (StoredRow(row["id"], row["is_gone"], stored_market(row)) for row in rows)
        return {market_key(row.market): row for row in stored}

    async def delete_markets(self, event_id: int, row_ids: Sequence[int]) -> None:
        """Delete market rows of an event."""
        if row_ids:
            await self._connection.execute(self._side.sql(_DELETE), event_id, row_ids)

    async def set_unknown(
        self, event_id: int, snapshot_id: int, unknown: frozenset[MarketKey]
    ) -> None:
        """Set the keys of the refused markets of a stored snapshot."""
        document = keys_json(unknown)
        await self._connection.execute(
            self._side.sql(_SET_UNKNOWN),
            event_id,
            snapshot_id,
            None if document is None else document.decode(),
        )

    async def write(self, snapshots: Sequence[NewSnapshot]) -> None:
        """Write new snapshots with their market rows."""
        if not snapshots:
            return
        snapshots = sorted(snapshots, key=attrgetter("event_id", "captured_at"))
        ids = await self._insert([SnapshotRow.of(snapshot) for snapshot in snapshots])
        await self.write_markets(
            [
                MarketRows(
                    snapshot_id,
                    snapshot.event_id,
                    snapshot.captured_at,
                    snapshot.markets,
                    snapshot.gone,
                    snapshot.carried,
                )
                for snapshot_id, snapshot in zip(ids, snapshots, strict=True)
            ]
        )

    async def _insert(self, snapshots: Sequence[SnapshotRow]) -> list[int]:
        """Insert snapshots; return their ids, sorted by event and time. Raises SequenceError."""
        import asyncpg

        arguments: list[Any] = arrays(SnapshotRow, snapshots)
        column = value = ""
        if self._side.has_bookmakers:
            column, value = ", bookmaker_id", f", ${len(arguments) + 1}::int"
            arguments.append(self._bookmaker_id)
        statement = self._side.sql(_INSERT, bookmaker_column=column, bookmaker_value=value)
        try:
            rows = await self._connection.fetch(statement, *arguments)
        except asyncpg.NotNullViolationError as error:
            if error.column_name != "id":
                raise
            raise SequenceError(table=self._side.snapshots, is_owned=False) from error
        return [row["id"] for row in sorted(rows, key=itemgetter("event", "at"))]

    async def write_markets(self, snapshots: Sequence[MarketRows]) -> None:
        """Write market rows for snapshots that are there."""
        count = sum(len(snapshot.markets) + len(snapshot.gone) for snapshot in snapshots)
        self.markets_written += count
        if count or any(snapshot.carried for snapshot in snapshots):
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
