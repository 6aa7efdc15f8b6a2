"""An event's history: what a capture adds to it, written by COPY, each capture once.

A snapshot is complete (a keyframe: every market that was offered) or holds what has changed since
the snapshot before it: markets that are new or differ, and with `unavailable_at` those that have
gone. A capture that finds nothing changed is noted on the snapshot that it confirms. What an event
offers follows from its last keyframe and the snapshots since: see
`oddsschema.ingestion.storage.state`.

All is decided in the caller's transaction, in which the events' rows are locked.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

from oddsschema.database.connections import Connection
from oddsschema.ingestion.options import StorageOptions
from oddsschema.ingestion.records import Key, key_of
from oddsschema.ingestion.storage import binary_copy as copy
from oddsschema.ingestion.storage.placement import Offer, Snapshot, plan
from oddsschema.ingestion.storage.state import State, Stored, compare, offered_by, states
from oddsschema.models import Market
from oddsschema.models.sides import Side

#: How many captures one snapshot can be confirmed by: each makes its row a little longer.
_MOST_CONFIRMATIONS = 100

#: How many events of a chunk are compared first. Where more than a share of these have more than
#: that share of their markets changed, the rest of the chunk is stored complete, uncompared.
_SAMPLE = 16
_RENEWED = 0.8

_LATEST = datetime(9999, 1, 1, tzinfo=UTC)

_RESERVE = """
SELECT nextval(pg_get_serial_sequence('{snapshots}', 'id')) FROM generate_series(1, $1)
"""

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

_COMPLETE = "UPDATE {snapshots} AS s SET is_complete = true WHERE s.{event} = $1 AND s.id = $2"

_MARKET_KEYS = """
SELECT m.betpawa_market_id, m.line, m.handicap_type, m.handicap_home, m.handicap_away
FROM {markets} AS m WHERE m.{event} = $1 AND m.snapshot_id = $2
"""


@dataclass(slots=True)
class Written:
    """How many captures were new, of these confirmed a snapshot, or were known; rows of markets."""

    stored: int = 0
    confirmed: int = 0
    known: int = 0
    markets: int = 0

    def add(self, other: "Written") -> None:
        """Count in what another part wrote."""
        self.stored += other.stored
        self.confirmed += other.confirmed
        self.known += other.known
        self.markets += other.markets


async def append(
    connection: Connection,
    side: Side,
    storage: StorageOptions,
    run_id: int,
    offers: Sequence[Offer],
    *,
    bookmaker_id: int | None = None,
    before_markets: Callable[[], None],
) -> Written:
    """Add what the offers say to their events' histories.

    Of an instant that is known, the markets that are not there yet are added: those that were
    refused when it was delivered first, and have been put right since.
    """
    writer = _Writer(connection, side, storage, run_id, bookmaker_id)
    known = [offer for offer in offers if offer.is_known]
    late = [offer for offer in offers if offer.is_late and not offer.is_known]
    fresh = [offer for offer in offers if not (offer.is_known or offer.is_late)]
    touched = await writer.complete(known)
    for offer in late:
        await writer.insert(offer)
        touched.add(offer.event_id)
    if moved := [(offer.event_id, offer.capture) for offer in fresh if offer.event_id in touched]:
        again, _ = await plan(connection, side, moved, bookmaker_id)
        fresh = [offer for offer in fresh if offer.event_id not in touched] + again
    await writer.append(fresh, before_markets)
    return writer.written


class _Writer:
    """Adds captures to histories, in one transaction."""

    def __init__(
        self,
        connection: Connection,
        side: Side,
        storage: StorageOptions,
        run_id: int,
        bookmaker_id: int | None,
    ) -> None:
        self.written = Written()
        self._connection = connection
        self._side = side
        self._storage = storage
        self._run_id = run_id
        self._bookmaker_id = bookmaker_id
        #: How many captures of known events had nearly all of their markets changed.
        self._renewed = 0

    # -- captures that are newer than all before ---------------------------------------------------

    async def append(self, offers: Sequence[Offer], before_markets: Callable[[], None]) -> None:
        """Write captures that come after everything that is known of their events, oldest first."""
        if self._storage.store == "complete":
            snapshots = [self._complete_snapshot(offer) for offer in offers]
            self.written.stored += len(snapshots)
            before_markets()
            await self._write(snapshots)
            return
        by_event: dict[int, list[Offer]] = {}
        for offer in offers:
            by_event.setdefault(offer.event_id, []).append(offer)
        self.written.stored += len(offers)
        touched = await self._compared(list(by_event.values()))
        await self._confirm(one for one in touched if one.id is not None)
        before_markets()
        await self._write([one for one in touched if one.id is None])

    async def _compared(self, events: Sequence[Sequence[Offer]]) -> list[Snapshot]:
        """The snapshots that events' captures make, and those there are that they confirm.

        A sample of the events comes first. If nearly all of it has changed, the others are stored
        complete, as most of them would be, without a look at what stands.
        """
        # In no order that the scrape may have.
        in_order = Random(0).sample(events, len(events))
        sample = in_order[:_SAMPLE]
        enough = _RENEWED * sum(map(len, sample))
        asked = [(offers[0].event_id, _LATEST) for offers in in_order]
        compared = 0
        touched: list[Snapshot] = []
        async with self._states(asked) as found:
            # One event after the other: what its state takes is given back before the next one's.
            async for state in found:
                touched += self._appended(in_order[compared], state)
                compared += 1
                if compared == len(sample) and self._renewed > enough:
                    break
        for offers in in_order[compared:]:
            touched += self._appended(offers, State())
        return touched

    def _appended(self, offers: Sequence[Offer], state: State) -> list[Snapshot]:
        """The snapshots that an event's captures make, and the one there is if they confirm it."""
        touched: list[Snapshot] = []
        standing = offers[0].before
        for offer in offers:
            snapshot = self._changes(offer, state)
            if offer is not offers[-1]:
                state.markets = offered_by(offer.capture["markets"])
            if (
                snapshot.rows == 0
                and standing is not None
                and not snapshot.is_complete
                and snapshot.raw_response is None
                and len(standing.confirmed_at) < _MOST_CONFIRMATIONS
            ):
                self.written.confirmed += 1
                standing.confirmed_at.append(offer.at)
            else:
                standing = snapshot
            if not touched or touched[-1] is not standing:
                touched.append(standing)
        return touched

    def _changes(self, offer: Offer, state: State) -> Snapshot:
        """What a capture adds to a state: all of it, or the changes."""
        markets = offer.capture["markets"]
        changed, gone = compare(state, markets)
        rows = len(changed) + len(gone)
        if state.keyframe_at is not None:
            self._renewed += len(changed) > _RENEWED * len(markets)
        if state.keyframe_at is None or (
            rows
            and (
                rows >= len(markets)
                or state.changes + rows > self._storage.keyframe_share * len(markets)
                or offer.at - state.keyframe_at > self._storage.keyframe_age
            )
        ):
            state.keyframe_at, state.changes = offer.at, 0
            return self._complete_snapshot(offer)
        state.changes += rows
        return Snapshot(
            offer.event_id,
            offer.at,
            self._run_id,
            is_complete=False,
            raw_response=offer.capture["raw_response"],
            markets=changed,
            gone=gone,
        )

    def _complete_snapshot(self, offer: Offer) -> Snapshot:
        return Snapshot(
            offer.event_id,
            offer.at,
            self._run_id,
            raw_response=offer.capture["raw_response"],
            markets=offer.capture["markets"],
        )

    # -- captures among those that are known -------------------------------------------------------

    async def complete(self, offers: Sequence[Offer]) -> set[int]:
        """Add what known instants lack; the ids of the events whose history that touched."""
        each = iter(offers)
        async with self._states([(offer.event_id, offer.at) for offer in offers]) as found:
            lacking = [
                offer
                async for state in found
                for offer in [next(each)]
                if any(key_of(market) not in state.markets for market in offer.capture["markets"])
            ]
        for offer in lacking:
            await self.insert(offer)
        return {offer.event_id for offer in lacking}

    async def insert(self, offer: Offer) -> None:
        """Write a capture that is older than others of its event, or lacking in what is there.

        It becomes a keyframe, and so does what comes after it: other instants stay as they were.
        """
        # Others may have been inserted since it was planned.
        ((offer,), _) = await plan(
            self._connection, self._side, [(offer.event_id, offer.capture)], self._bookmaker_id
        )
        state = await self._state(offer.event_id, offer.at)
        before, at = offer.before, offer.at
        markets = offer.capture["markets"]
        is_known = offer.is_known
        self.written.stored += not is_known
        if is_known:
            markets = [market for market in markets if key_of(market) not in state.markets]
        elif (
            not compare(state, markets)
            and before is not None
            and offer.capture["raw_response"] is None
            and self._storage.store == "changes"
        ):
            before.confirmed_at = sorted([*before.confirmed_at, at])
            await self._confirm([before])
            self.written.confirmed += 1
            return
        offered = list(state.markets.items())
        await self._detach(offer, offered)
        if is_known and before is not None and before.captured_at == at:
            before.markets = markets
            await self._write_markets([before])
            return
        snapshot = self._complete_snapshot(offer)
        snapshot.markets = markets
        snapshot.stored = offered if is_known else ()
        await self._write([snapshot])

    async def _detach(self, offer: Offer, offered: Sequence[tuple[Key, Stored]]) -> None:
        """Let what comes after an instant stand on its own: `offered` is what stands at it."""
        before, at = offer.before, offer.at
        if before is not None and before.confirmed_at:
            later = [one for one in before.confirmed_at if one > at]
            before.confirmed_at = [one for one in before.confirmed_at if one < at]
            await self._confirm([before])
            if later:
                first, *rest = later
                follower = Snapshot(offer.event_id, first, before.run_id)
                follower.confirmed_at, follower.stored = rest, offered
                await self._write([follower])
                return
        if offer.after is not None and not offer.after[2]:
            after_id, after_at, _ = offer.after
            state = await self._state(offer.event_id, after_at)
            rows = await self._connection.fetch(
                self._side.sql(_MARKET_KEYS), offer.event_id, after_id
            )
            there = set(map(tuple, rows))
            after = Snapshot(offer.event_id, after_at, None, after_id)
            after.stored = [(key, one) for key, one in state.markets.items() if key not in there]
            await self._write_markets([after])
            await self._connection.execute(self._side.sql(_COMPLETE), offer.event_id, after_id)

    # -- rows --------------------------------------------------------------------------------------

    def _states(
        self, asked: Sequence[tuple[int, datetime]]
    ) -> AbstractAsyncContextManager[AsyncIterator[State]]:
        return aclosing(states(self._connection, self._side, asked, self._bookmaker_id))

    async def _state(self, event_id: int, at: datetime) -> State:
        async with self._states([(event_id, at)]) as found:
            return await anext(found)

    async def _confirm(self, snapshots: Iterable[Snapshot]) -> None:
        """Note on snapshots that are there what confirms them."""
        told: list[tuple[int, int | None, datetime | None]] = []
        for one in snapshots:
            instants: Sequence[datetime | None] = one.confirmed_at or [None]
            told.extend((one.event_id, one.id, instant) for instant in instants)
        if told:
            columns = [list(column) for column in zip(*told, strict=True)]
            await self._connection.execute(self._side.sql(_CONFIRM), *columns)

    async def _write(self, snapshots: Sequence[Snapshot]) -> None:
        """Write new snapshots with their rows."""
        if not snapshots:
            return
        ids = await self._connection.fetch(self._side.sql(_RESERVE), len(snapshots))
        columns = [
            *("id", self._side.event, "captured_at", "scrape_run_id", "raw_response"),
            *("is_complete", "confirmed_at", "last_confirmed_at"),
            *(["bookmaker_id"] if self._side.by_bookmaker else []),
        ]
        for snapshot, (snapshot_id,) in zip(snapshots, ids, strict=True):
            snapshot.id = snapshot_id
        rows = (
            copy.row(
                copy.int8(one.id or 0),
                copy.int4(one.event_id),
                copy.timestamptz(one.captured_at),
                copy.int4(one.run_id),
                copy.jsonb(one.raw_response),
                copy.boolean(one.is_complete),
                copy.timestamptz_array(one.confirmed_at),
                copy.timestamptz(one.confirmed_at[-1] if one.confirmed_at else None),
                *map(copy.int4, self._side.arguments(self._bookmaker_id)),
            )
            for one in snapshots
        )
        await self._copy(self._side.snapshots, columns, rows)
        await self._write_markets(snapshots)

    async def _write_markets(self, snapshots: Sequence[Snapshot]) -> None:
        """Write the rows of snapshots that are there."""
        self.written.markets += sum(snapshot.rows for snapshot in snapshots)
        if any(snapshot.rows for snapshot in snapshots):
            columns = [self._side.event, "snapshot_id", *Market.model_fields, "unavailable_at"]
            await self._copy(self._side.markets, columns, copy.market_rows(snapshots))

    async def _copy(self, table: str, columns: Sequence[str], rows: Iterator[bytes]) -> None:
        async def blocks() -> Any:
            for block in copy.stream(rows):
                yield block

        await self._connection.copy_to_table(
            table, source=blocks(), columns=columns, format="binary"
        )
