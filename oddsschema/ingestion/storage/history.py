"""The history of an event: decides if a capture becomes changes, a keyframe or a confirmation.

A snapshot is complete (a keyframe: every market on offer) or holds the changes since the snapshot
before it: markets that are new or differ, and, with `unavailable_at`, markets that are gone. A
capture that finds no change is noted on the snapshot that it confirms.
`oddsschema.models.keyframes` defines the state that follows from these rows.

Everything is decided in the caller's transaction, which has locked the events' rows.
"""

from collections.abc import Callable, Collection, Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from oddsschema.database.connections import Connection
from oddsschema.ingestion.options import StorageOptions
from oddsschema.ingestion.records import MarketKey, MarketRecord, market_key
from oddsschema.ingestion.storage.history_rows import HistoryRows
from oddsschema.ingestion.storage.placement import (
    MarketRows,
    NewSnapshot,
    PlacedCapture,
    PrecedingSnapshot,
)
from oddsschema.ingestion.storage.state import (
    Difference,
    OfferedMarkets,
    State,
    by_key,
    compare,
)
from oddsschema.ingestion.storage.state_changes import StateChanges
from oddsschema.models.sides import Side

#: The number of captures that can confirm one snapshot: each makes its row a little longer.
_MOST_CONFIRMATIONS = 100

#: The number of a chunk's events that are compared first. Where more than a share of these have
#: more than that share of their markets changed, the rest of the chunk is stored complete.
_SAMPLE = 16
_RENEWED = 0.8

_LATEST = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class WriteCounts:
    """The counts of captures and market rows that were written."""

    #: New captures, those that confirm a snapshot included.
    stored: int = 0
    confirmed: int = 0
    #: Captures that had been stored before.
    known: int = 0
    #: Market rows.
    markets: int = 0

    def add(self, other: "WriteCounts") -> None:
        """Add the counts of another part."""
        self.stored += other.stored
        self.confirmed += other.confirmed
        self.known += other.known
        self.markets += other.markets


async def append(
    connection: Connection,
    side: Side,
    storage: StorageOptions,
    run_id: int,
    captures: Sequence[PlacedCapture],
    *,
    bookmaker_id: int | None = None,
    before_markets: Callable[[], None],
) -> WriteCounts:
    """Add captures to the histories of their events.

    At a known instant, markets that are not there yet are added: they were refused at the first
    delivery, and have been corrected since. `before_markets` is called before the large COPY.
    """
    rows = HistoryRows(connection, side, bookmaker_id)
    writer = HistoryWriter(rows, storage, run_id)
    known = [capture for capture in captures if capture.is_known]
    late = [capture for capture in captures if capture.is_late and not capture.is_known]
    fresh = [capture for capture in captures if not (capture.is_known or capture.is_late)]
    changed = await writer.add_missing_markets(known)
    for capture in late:
        await writer.insert(capture)
        changed.add(capture.event_id)
    moved = [
        (capture.event_id, capture.capture) for capture in fresh if capture.event_id in changed
    ]
    if moved:
        again = await rows.place(moved)
        fresh = [capture for capture in fresh if capture.event_id not in changed] + again
    await writer.append(fresh, before_markets)
    writer.written.markets = rows.markets_written
    return writer.written


class HistoryWriter:
    """The writer of one transaction: decides on the snapshots of captures, and writes them."""

    def __init__(self, rows: HistoryRows, storage: StorageOptions, run_id: int) -> None:
        self.written = WriteCounts()
        self._rows = rows
        self._storage = storage
        self._run_id = run_id
        #: The number of captures of known events with nearly all of their markets changed.
        self._renewed = 0

    # -- captures that are newer than all before ---------------------------------------------------

    async def append(
        self, captures: Sequence[PlacedCapture], before_markets: Callable[[], None]
    ) -> None:
        """Write captures that are newer than every stored capture of their events, oldest first."""
        self.written.stored += len(captures)
        by_event: dict[int, list[PlacedCapture]] = {}
        for capture in captures:
            by_event.setdefault(capture.event_id, []).append(capture)
        refusing = {each.event_id for each in captures if each.capture.unknown}
        complete: list[NewSnapshot] = []
        if self._storage.store == "complete":
            complete = [self.keyframe(each) for each in captures if each.event_id not in refusing]
            by_event = {event_id: by_event[event_id] for event_id in refusing}
        changed = await self.compare_sample_first(by_event, refusing)
        await self._rows.confirm(each for each in changed if isinstance(each, PrecedingSnapshot))
        before_markets()
        new = [each for each in changed if isinstance(each, NewSnapshot)]
        await self._rows.write([*complete, *new])

    async def compare_sample_first(
        self, by_event: Mapping[int, Sequence[PlacedCapture]], refusing: Collection[int]
    ) -> list[PrecedingSnapshot | NewSnapshot]:
        """Make the snapshots of events' captures, and find the stored ones that they confirm.

        A sample of the events is compared first. If nearly all markets of the sample have changed,
        the other events are stored complete, without reading their states. The events `refusing`,
        which have refused markets that keep their state, are always compared. Events without a
        snapshot have no state.
        """
        known = [event_id for event_id, captures in by_event.items() if captures[0].before]
        new = [event_id for event_id, captures in by_event.items() if not captures[0].before]
        accepting = [event_id for event_id in known if event_id not in refusing]
        refusing = [event_id for event_id in known if event_id in refusing]
        # In no order that the scrape may have.
        events = [*refusing, *Random(0).sample(accepting, len(accepting))]
        sample = len(refusing) + _SAMPLE
        enough = _RENEWED * sum(len(by_event[event_id]) for event_id in events[:sample])
        compared = 0
        changed: list[PrecedingSnapshot | NewSnapshot] = []
        async with self._rows.states([(event_id, _LATEST) for event_id in events]) as states:
            # Each state's memory is free again before the next state is read.
            async for state in states:
                changed += self.snapshots_of_event(by_event[events[compared]], state)
                compared += 1
                if compared == sample and self._renewed > enough:
                    break
        for event_id in (*events[compared:], *new):
            changed += self.snapshots_of_event(by_event[event_id], State())
        return changed

    def snapshots_of_event(
        self, captures: Sequence[PlacedCapture], state: State
    ) -> list[PrecedingSnapshot | NewSnapshot]:
        """Make the snapshots of one event's captures, and find the stored one that they confirm."""
        changed: list[PrecedingSnapshot | NewSnapshot] = []
        current: PrecedingSnapshot | NewSnapshot | None = captures[0].before
        for capture in captures:
            difference = compare(state, capture.capture)
            snapshot = self.changes_or_keyframe(capture, state, difference)
            if capture is not captures[-1]:
                state.markets = by_key([*capture.capture.markets, *difference.carried])
            if (
                current is not None
                and not (snapshot.markets or snapshot.gone or snapshot.is_complete)
                and snapshot.raw_response is None
                and not (snapshot.unknown or current.unknown)
                and current.confirmations < _MOST_CONFIRMATIONS
            ):
                self.written.confirmed += 1
                current.confirm(capture.at)
            else:
                current = snapshot
            if not changed or changed[-1] is not current:
                changed.append(current)
        return changed

    def changes_or_keyframe(
        self, placed: PlacedCapture, state: State, difference: Difference
    ) -> NewSnapshot:
        """Make a snapshot of the changes since a state, or a keyframe when one is due."""
        changed, gone, carried = difference
        markets = placed.capture.markets
        rows, offered = len(changed) + len(gone), len(markets) + len(carried)
        if state.keyframe_at is not None:
            self._renewed += len(changed) > _RENEWED * len(markets)
        if (
            state.keyframe_at is None
            or self._storage.store == "complete"
            or (
                rows
                and (
                    rows >= offered
                    or state.changes + rows > self._storage.keyframe_share * offered
                    or placed.at - state.keyframe_at
                    > keyframe_age(placed.event_id, self._storage.keyframe_age)
                )
            )
        ):
            state.keyframe_at, state.changes = placed.at, 0
            return self.keyframe(placed, carried)
        state.changes += rows
        return NewSnapshot(
            placed.event_id,
            placed.at,
            self._run_id,
            is_complete=False,
            raw_response=placed.capture.raw_response,
            markets=changed,
            gone=gone,
            unknown=placed.capture.unknown.union(map(market_key, carried)),
        )

    def keyframe(self, placed: PlacedCapture, carried: Sequence[MarketRecord] = ()) -> NewSnapshot:
        """Make a snapshot of all markets of a capture, and of the refused ones that it carries."""
        return NewSnapshot(
            placed.event_id,
            placed.at,
            self._run_id,
            raw_response=placed.capture.raw_response,
            markets=placed.capture.markets,
            carried=carried,
            unknown=placed.capture.unknown.union(map(market_key, carried)),
        )

    # -- captures among those that are known -------------------------------------------------------

    async def add_missing_markets(self, captures: Sequence[PlacedCapture]) -> set[int]:
        """Add the markets that known instants lack; return the ids of the events that changed.

        The states are read only where a market is missing. A second delivery has none.
        """
        remaining = iter(captures)
        async with self._rows.offered_keys(
            [(capture.event_id, capture.at) for capture in captures]
        ) as offered:
            lacking = [
                placed
                async for keys in offered
                for placed in [next(remaining)]
                if missing_markets(placed, keys)
            ]
        for placed in lacking:
            # Others may have been inserted since it was placed.
            (again,) = await self._rows.place([(placed.event_id, placed.capture)])
            await self.complement(again)
        return {placed.event_id for placed in lacking}

    async def complement(self, placed: PlacedCapture) -> None:
        """Add the markets that a known instant lacks, and those that were refused there."""
        event_id, at, before = placed.event_id, placed.at, placed.before
        assert before is not None  # the instant is known
        state = await self._rows.state(event_id, at)
        missing = missing_markets(placed, state.markets)
        after = state.markets | missing
        if before.captured_at < at:
            # The instant confirmed a snapshot. It becomes a keyframe of its own.
            await self.detach_followers(placed, state.markets, after)
            snapshot = self.keyframe(placed)
            snapshot.markets, snapshot.unknown = list(after.values()), frozenset()
            await self._rows.write([snapshot])
            return
        if corrected := before.unknown & missing.keys():
            rows = await self._rows.market_rows(event_id, before.id)
            carried = [rows[key].id for key in corrected if key in rows]
            await self._rows.delete_markets(event_id, carried)
            await self._rows.set_unknown(event_id, before.id, before.unknown - corrected)
        await self.detach_followers(placed, state.markets, after)
        await self._rows.write_markets(
            [MarketRows(before.id, event_id, at, list(missing.values()))]
        )

    async def insert(self, placed: PlacedCapture) -> None:
        """Write a capture that is older than others of its event.

        It becomes a keyframe. Every other instant reads as before, but for markets that were
        refused there.
        """
        # Others may have been inserted since it was placed.
        (placed,) = await self._rows.place([(placed.event_id, placed.capture)])
        capture, before = placed.capture, placed.before
        state = await self._rows.state(placed.event_id, placed.at)
        difference = compare(state, capture)
        self.written.stored += 1
        if (
            not difference
            and before is not None
            and capture.raw_response is None
            and not (capture.unknown or before.unknown)
            and self._storage.store == "changes"
        ):
            instants = await self._rows.confirmations(before)
            await self._rows.set_confirmations(before, [*instants, placed.at])
            self.written.confirmed += 1
            return
        after = by_key([*capture.markets, *difference.carried])
        await self.detach_followers(placed, state.markets, after)
        await self._rows.write([self.keyframe(placed, difference.carried)])

    async def detach_followers(
        self, placed: PlacedCapture, before: OfferedMarkets, after: OfferedMarkets
    ) -> None:
        """Keep the states of later instants when the state of an instant changes.

        The follower is the next confirmation of the snapshot in force, or the next snapshot. It
        gets rows for the markets whose state would change with the instant's. A market that was
        refused there does change: it keeps the state before, also in the snapshots after it.
        """
        event_id, at = placed.event_id, placed.at
        in_force = placed.before
        if in_force is not None and (instants := await self._rows.confirmations(in_force)):
            later = [instant for instant in instants if instant > at]
            earlier = [instant for instant in instants if instant < at]
            await self._rows.set_confirmations(in_force, earlier)
            if later:
                first, *rest = later
                follower = NewSnapshot(
                    event_id, first, in_force.run_id, rest, markets=list(before.values())
                )
                await self._rows.write([follower])
                return
        changes = StateChanges.between(before, after)
        while changes and (snapshot := await self._rows.next_snapshot(event_id, at)):
            correction = changes.follow(snapshot)
            await self._rows.delete_markets(event_id, correction.deleted)
            await self._rows.write_markets(
                [
                    MarketRows(
                        snapshot.id,
                        event_id,
                        snapshot.captured_at,
                        correction.markets,
                        correction.gone,
                        correction.carried,
                    )
                ]
            )
            if correction.unknown != snapshot.unknown:
                await self._rows.set_unknown(event_id, snapshot.id, correction.unknown)
            at = snapshot.captured_at


def keyframe_age(event_id: int, longest: timedelta) -> timedelta:
    """Return the age of the last keyframe above which an event gets another one.

    It is between half of `longest` and all of it, by the event's id: events that were captured
    first in the same scrape get their keyframes in different ones.
    """
    # Fibonacci hashing: ids that follow each other are far apart, and evenly spread.
    share = event_id * 2654435769 % 2**32 / 2**32
    return longest * (1 + share) / 2


def missing_markets(placed: PlacedCapture, offered: Container[MarketKey]) -> OfferedMarkets:
    """Find the markets of a known capture that its instant lacks or has refused.

    `offered` has the keys of the markets on offer at the instant.
    """
    unknown = placed.unknown
    return {
        key: market
        for key, market in by_key(placed.capture.markets).items()
        if key not in offered or key in unknown
    }
