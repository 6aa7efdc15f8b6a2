"""The placement of captures in their events' histories: the snapshots before and after each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from msgspec.structs import replace

from oddsschema.database.arrays import time_texts, times
from oddsschema.database.connections import Connection
from oddsschema.database.revision import fetch_keeping_migrated
from oddsschema.ingestion.records import CaptureRecord, MarketKey, MarketRecord, market_key
from oddsschema.ingestion.storage.unknown_markets import stored_keys
from oddsschema.models.keyframes import LAST_SEEN
from oddsschema.models.sides import Side

# Place captures: for each event $1 and instant $2, the snapshot in force at the instant, the id of
# the snapshot after it, and the time of the event's last capture. $3 is the bookmaker's id.
_PLACES = f"""
SELECT c.event, before.id, before.captured_at, before.last_confirmed_at,
    cardinality(before.confirmed_at) AS confirmations,
    c.at = ANY (before.confirmed_at) AS is_confirmation,
    before.scrape_run_id,
    before.unknown_markets::text AS unknown, after.id AS next_id, latest.at AS latest
FROM unnest($1::int[], {times(2)}) WITH ORDINALITY AS c (event, at, position)
LEFT JOIN LATERAL (
    SELECT * FROM {{snapshots}} AS s
    WHERE s.{{event}} = c.event {{bookmaker}} AND s.captured_at <= c.at
    ORDER BY s.captured_at DESC LIMIT 1
) AS before ON true
LEFT JOIN LATERAL (
    SELECT s.id FROM {{snapshots}} AS s
    WHERE s.{{event}} = c.event {{bookmaker}} AND s.captured_at > c.at
    ORDER BY s.captured_at LIMIT 1
) AS after ON true
LEFT JOIN LATERAL (
    SELECT {LAST_SEEN} AS at FROM {{snapshots}} AS s
    WHERE s.{{event}} = c.event {{bookmaker}}
    ORDER BY s.captured_at DESC LIMIT 1
) AS latest ON true
ORDER BY c.position
"""

# Place captures as _PLACES does, with more columns.
_PLACES_AND_MORE = f"SELECT places.*, {{more}} FROM ({_PLACES}) AS places"


@dataclass(slots=True)
class PrecedingSnapshot:
    """A snapshot that is in the database."""

    id: int
    event_id: int
    captured_at: datetime
    run_id: int | None
    #: The time of the last stored capture that confirmed it.
    last_confirmed_at: datetime | None
    #: The number of captures that confirm it: those stored, and those of `confirmed_at`.
    confirmations: int
    #: The keys of the markets that were refused.
    unknown: frozenset[MarketKey]
    #: The times of captures that confirm it and are still to be written.
    confirmed_at: list[datetime] = field(default_factory=list)

    def confirm(self, at: datetime) -> None:
        """Add a capture that is newer than all before."""
        self.confirmed_at.append(at)
        self.confirmations += 1


@dataclass(slots=True)
class NewSnapshot:
    """A snapshot that is still to be written, with its market rows."""

    event_id: int
    captured_at: datetime
    run_id: int | None
    confirmed_at: list[datetime] = field(default_factory=list)
    is_complete: bool = True
    raw_response: bytes | None = None
    #: Markets on offer.
    markets: Sequence[MarketRecord] = ()
    #: Markets that are no longer on offer.
    gone: Sequence[MarketRecord] = ()
    #: Markets on offer that were refused: a keyframe has a copy of their last rows.
    carried: Sequence[MarketRecord] = ()
    #: The keys of the markets that were refused.
    unknown: frozenset[MarketKey] = frozenset()

    @property
    def confirmations(self) -> int:
        """The number of captures that confirm it."""
        return len(self.confirmed_at)

    def confirm(self, at: datetime) -> None:
        """Add a capture that is newer than all before."""
        self.confirmed_at.append(at)


class Placed(NamedTuple):
    """The captures of a side in their places."""

    #: In order of time.
    captures: "list[PlacedCapture]"
    #: The time of each event's last stored capture.
    latest: dict[int, datetime]
    #: The rows of captures, with the columns that were asked for.
    rows: Sequence[Any]


class MarketRows(NamedTuple):
    """Market rows that are to be written for a snapshot."""

    snapshot_id: int
    event_id: int
    captured_at: datetime
    #: Markets on offer.
    markets: Sequence[MarketRecord]
    #: Markets that are no longer on offer.
    gone: Sequence[MarketRecord] = ()
    #: Markets on offer that were refused.
    carried: Sequence[MarketRecord] = ()


@dataclass(slots=True)
class PlacedCapture:
    """A capture with its place in the history of its event."""

    event_id: int
    capture: CaptureRecord
    #: The snapshot in force at its instant.
    before: PrecedingSnapshot | None
    #: Whether a stored capture of its instant confirms that snapshot.
    is_confirmation: bool
    #: Whether a snapshot of a later instant is stored.
    has_follower: bool

    @property
    def at(self) -> datetime:
        """The instant of the capture."""
        return self.capture.captured_at

    @property
    def is_known(self) -> bool:
        """Whether this event was captured at this instant before."""
        before = self.before
        return before is not None and (before.captured_at == self.at or self.is_confirmation)

    @property
    def unknown(self) -> frozenset[MarketKey]:
        """The keys of the markets that were refused at its instant before."""
        before = self.before
        is_own = before is not None and before.captured_at == self.at
        return before.unknown if before is not None and is_own else frozenset()

    @property
    def is_late(self) -> bool:
        """Whether a capture of a later instant is stored already."""
        last = None if self.before is None else self.before.last_confirmed_at
        return self.has_follower or (last is not None and last > self.at)


async def place_captures(
    connection: Connection,
    side: Side,
    captures: Iterable[tuple[int, CaptureRecord]],
    bookmaker_id: int | None = None,
    columns: Sequence[str] | None = None,
) -> Placed:
    """Place captures, given as (event id, capture), in the histories of their events.

    The caller has locked the events' rows: nobody else adds to the histories meanwhile. The first
    placement of a transaction gives `columns`, more columns to read, as SQL on `places.event`: it
    also keeps migrations away, and raises NotMigratedError.
    """
    by_instant: dict[tuple[int, datetime], CaptureRecord] = {}
    for event_id, capture in captures:
        key = event_id, capture.captured_at
        by_instant[key] = (
            merge_deliveries(by_instant[key], capture) if key in by_instant else capture
        )
    arguments = [
        [event_id for event_id, _ in by_instant],
        time_texts(captured_at for _, captured_at in by_instant),
        *side.bookmaker_arguments(bookmaker_id),
    ]
    if columns is None:
        rows = await connection.fetch(side.sql(_PLACES, bookmaker="$3"), *arguments)
    else:

        def with_revisions(revisions: str) -> str:
            more = ", ".join([revisions, *columns])
            return side.sql(_PLACES_AND_MORE, bookmaker="$3", more=more)

        rows = await fetch_keeping_migrated(connection, side.snapshots, with_revisions, arguments)
    placed = []
    latest: dict[int, datetime] = {}
    for ((event_id, _), capture), row in zip(by_instant.items(), rows, strict=True):
        before = None
        if row["id"] is not None:
            before = PrecedingSnapshot(
                row["id"],
                event_id,
                row["captured_at"],
                row["scrape_run_id"],
                row["last_confirmed_at"],
                row["confirmations"],
                stored_keys(row["unknown"]),
            )
        placed.append(
            PlacedCapture(
                event_id,
                capture,
                before,
                bool(row["is_confirmation"]),
                row["next_id"] is not None,
            )
        )
        if row["latest"] is not None:
            latest[event_id] = row["latest"]
    return Placed(sorted(placed, key=lambda capture: capture.at), latest, rows)


def merge_deliveries(first: CaptureRecord, again: CaptureRecord) -> CaptureRecord:
    """Join two deliveries of one instant: of a market in both, the first delivery counts."""
    keys = set(map(market_key, first.markets))
    more = {key: market for market in again.markets if (key := market_key(market)) not in keys}
    if not more:
        return first
    return replace(
        first,
        markets=(*first.markets, *more.values()),
        unknown=first.unknown.difference(more),
    )
