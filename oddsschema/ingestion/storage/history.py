"""The history of an event: decides if a capture becomes changes, a keyframe or a confirmation.

A snapshot is complete (a keyframe: every market on offer) or holds the changes since the snapshot
before it: markets that are new or differ, and, with `unavailable_at`, markets that are gone. A
capture that finds no change is noted on the snapshot that it confirms.
`oddsschema.models.keyframes` defines the state that follows from these rows.

Everything is decided in the caller's transaction, which has locked the events' rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

from oddsschema.database.connections import Connection
from oddsschema.ingestion.options import StorageOptions
from oddsschema.ingestion.records import MarketRecord, market_key
from oddsschema.ingestion.storage.history_rows import HistoryRows
from oddsschema.ingestion.storage.placement import (
    MarketRows,
    NewSnapshot,
    PlacedCapture,
    PrecedingSnapshot,
)
from oddsschema.ingestion.storage.state import State, by_key, compare
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
        if self._storage.store == "complete":
            before_markets()
            await self._rows.write([self.keyframe(capture) for capture in captures])
            return
        by_event: dict[int, list[PlacedCapture]] = {}
        for capture in captures:
            by_event.setdefault(capture.event_id, []).append(capture)
        changed = await self.compare_sample_first(list(by_event.values()))
        await self._rows.confirm(each for each in changed if isinstance(each, PrecedingSnapshot))
        before_markets()
        await self._rows.write([each for each in changed if isinstance(each, NewSnapshot)])

    async def compare_sample_first(
        self, events: Sequence[Sequence[PlacedCapture]]
    ) -> list[PrecedingSnapshot | NewSnapshot]:
        """Make the snapshots of events' captures, and find the stored ones that they confirm.

        A sample of the events is compared first. If nearly all markets of the sample have changed,
        the other events are stored complete, without reading their states.
        """
        # In no order that the scrape may have.
        shuffled = Random(0).sample(events, len(events))
        sample = shuffled[:_SAMPLE]
        enough = _RENEWED * sum(map(len, sample))
        instants = [(captures[0].event_id, _LATEST) for captures in shuffled]
        compared = 0
        changed: list[PrecedingSnapshot | NewSnapshot] = []
        async with self._rows.states(instants) as states:
            # Each state's memory is free again before the next state is read.
            async for state in states:
                changed += self.snapshots_of_event(shuffled[compared], state)
                compared += 1
                if compared == len(sample) and self._renewed > enough:
                    break
        for captures in shuffled[compared:]:
            changed += self.snapshots_of_event(captures, State())
        return changed

    def snapshots_of_event(
        self, captures: Sequence[PlacedCapture], state: State
    ) -> list[PrecedingSnapshot | NewSnapshot]:
        """Make the snapshots of one event's captures, and find the stored one that they confirm."""
        changed: list[PrecedingSnapshot | NewSnapshot] = []
        current: PrecedingSnapshot | NewSnapshot | None = captures[0].before
        for capture in captures:
            snapshot = self.changes_or_keyframe(capture, state)
            if capture is not captures[-1]:
                state.markets = by_key(capture.capture.markets)
            if (
                current is not None
                and not (snapshot.markets or snapshot.gone or snapshot.is_complete)
                and snapshot.raw_response is None
                and len(current.confirmed_at) < _MOST_CONFIRMATIONS
            ):
                self.written.confirmed += 1
                current.confirmed_at.append(capture.at)
            else:
                current = snapshot
            if not changed or changed[-1] is not current:
                changed.append(current)
        return changed

    def changes_or_keyframe(self, placed: PlacedCapture, state: State) -> NewSnapshot:
        """Make a snapshot of the changes since a state, or a keyframe when one is due."""
        markets = placed.capture.markets
        changed, gone = compare(state, markets)
        rows = len(changed) + len(gone)
        if state.keyframe_at is not None:
            self._renewed += len(changed) > _RENEWED * len(markets)
        if state.keyframe_at is None or (
            rows
            and (
                rows >= len(markets)
                or state.changes + rows > self._storage.keyframe_share * len(markets)
                or placed.at - state.keyframe_at > self._storage.keyframe_age
            )
        ):
            state.keyframe_at, state.changes = placed.at, 0
            return self.keyframe(placed)
        state.changes += rows
        return NewSnapshot(
            placed.event_id,
            placed.at,
            self._run_id,
            is_complete=False,
            raw_response=placed.capture.raw_response,
            markets=changed,
            gone=gone,
        )

    def keyframe(self, placed: PlacedCapture) -> NewSnapshot:
        """Make a snapshot of all markets of a capture."""
        return NewSnapshot(
            placed.event_id,
            placed.at,
            self._run_id,
            raw_response=placed.capture.raw_response,
            markets=placed.capture.markets,
        )

    # -- captures among those that are known -------------------------------------------------------

    async def add_missing_markets(self, captures: Sequence[PlacedCapture]) -> set[int]:
        """Add the markets that known instants lack; return the ids of the events that changed."""
        remaining = iter(captures)
        async with self._rows.states(
            [(capture.event_id, capture.at) for capture in captures]
        ) as states:
            lacking = [
                placed
                async for state in states
                for placed in [next(remaining)]
                if not state.markets.keys() >= set(map(market_key, placed.capture.markets))
            ]
        for placed in lacking:
            await self.insert(placed)
        return {placed.event_id for placed in lacking}

    async def insert(self, placed: PlacedCapture) -> None:
        """Write a capture that is older than others of its event, or markets that a known one
        lacks.

        It becomes a keyframe, and so does its follower: every other instant reads as before.
        """
        # Others may have been inserted since it was placed.
        (placed,) = await self._rows.place([(placed.event_id, placed.capture)])
        state = await self._rows.state(placed.event_id, placed.at)
        before, at, is_known = placed.before, placed.at, placed.is_known
        markets: Sequence[MarketRecord] = placed.capture.markets
        self.written.stored += not is_known
        if is_known:
            markets = [market for market in markets if market_key(market) not in state.markets]
        elif (
            not compare(state, markets)
            and before is not None
            and placed.capture.raw_response is None
            and self._storage.store == "changes"
        ):
            before.confirmed_at = sorted([*before.confirmed_at, at])
            await self._rows.confirm([before])
            self.written.confirmed += 1
            return
        offered = list(state.markets.values())
        await self.detach_follower(placed, offered)
        if is_known and before is not None and before.captured_at == at:
            await self._rows.write_markets([MarketRows(before.id, before.event_id, at, markets)])
            return
        snapshot = self.keyframe(placed)
        snapshot.markets = [*markets, *offered] if is_known else markets
        await self._rows.write([snapshot])

    async def detach_follower(self, placed: PlacedCapture, offered: Sequence[MarketRecord]) -> None:
        """Make the follower of an instant independent of it; `offered` is the state at the instant.

        The follower is the next confirmation of the snapshot before, or the snapshot after.
        """
        event_id, at = placed.event_id, placed.at
        before, after = placed.before, placed.after
        if before is not None and before.confirmed_at:
            later = [instant for instant in before.confirmed_at if instant > at]
            before.confirmed_at = [instant for instant in before.confirmed_at if instant < at]
            await self._rows.confirm([before])
            if later:
                first, *rest = later
                follower = NewSnapshot(event_id, first, before.run_id, rest, markets=offered)
                await self._rows.write([follower])
                return
        if after is not None and not after.is_complete:
            state = await self._rows.state(event_id, after.captured_at)
            present = await self._rows.market_keys(event_id, after.id)
            lacking = [market for key, market in state.markets.items() if key not in present]
            await self._rows.write_markets(
                [MarketRows(after.id, event_id, after.captured_at, lacking)]
            )
            await self._rows.make_keyframe(event_id, after.id)
