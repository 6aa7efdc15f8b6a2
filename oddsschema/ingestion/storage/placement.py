"""Where captures fall in their events' histories: what stands there, and what follows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from oddsschema.database.connections import Connection
from oddsschema.ingestion.records import Key, PlainCapture, PlainMarket, key_of
from oddsschema.ingestion.storage.state import Stored
from oddsschema.models.sides import Side

# Where each capture falls: the snapshot that stands at its instant, the one that comes after it,
# and when the event was last captured.
_PLACES = """
SELECT before.id, before.captured_at, before.confirmed_at, before.scrape_run_id,
    after.id AS next_id, after.captured_at AS next_at, after.is_complete AS next_is_complete,
    latest.at AS latest
FROM unnest($1::int[], $2::timestamptz[]) WITH ORDINALITY AS c (event, at, position)
LEFT JOIN LATERAL (
    SELECT * FROM {snapshots} AS s
    WHERE s.{event} = c.event {bookmaker} AND s.captured_at <= c.at
    ORDER BY s.captured_at DESC LIMIT 1
) AS before ON true
LEFT JOIN LATERAL (
    SELECT * FROM {snapshots} AS s
    WHERE s.{event} = c.event {bookmaker} AND s.captured_at > c.at
    ORDER BY s.captured_at LIMIT 1
) AS after ON true
LEFT JOIN LATERAL (
    SELECT COALESCE(s.last_confirmed_at, s.captured_at) AS at FROM {snapshots} AS s
    WHERE s.{event} = c.event {bookmaker}
    ORDER BY s.captured_at DESC LIMIT 1
) AS latest ON true
ORDER BY c.position
"""


@dataclass(slots=True)
class Snapshot:
    """A snapshot: one that is there, or one that is to be written, with its rows."""

    event_id: int
    captured_at: datetime
    run_id: int | None
    #: None until it is written.
    id: int | None = None
    confirmed_at: list[datetime] = field(default_factory=list)
    is_complete: bool = True
    raw_response: bytes | None = None
    markets: Sequence[PlainMarket] = ()
    #: Rows as they were stored before.
    stored: Sequence[tuple[Key, Stored]] = ()
    #: Markets that have gone.
    gone: Sequence[tuple[Key, Stored]] = ()

    @property
    def rows(self) -> int:
        """How many rows of markets it writes."""
        return len(self.markets) + len(self.stored) + len(self.gone)


@dataclass(slots=True)
class Offer:
    """A capture that is to be added to an event's history, and where it falls in it."""

    event_id: int
    capture: PlainCapture
    #: The snapshot that stands at its instant.
    before: Snapshot | None
    #: The snapshot after it: its id, its instant, whether it is complete.
    after: tuple[int, datetime, bool] | None

    @property
    def at(self) -> datetime:
        """When it was captured."""
        at: datetime = self.capture["captured_at"]
        return at

    @property
    def is_known(self) -> bool:
        """Whether this event was captured at this instant before."""
        before = self.before
        return before is not None and (
            before.captured_at == self.at or self.at in before.confirmed_at
        )

    @property
    def is_late(self) -> bool:
        """Whether the event was captured later before."""
        before = self.before
        return self.after is not None or (
            before is not None and any(one > self.at for one in before.confirmed_at)
        )


async def plan(
    connection: Connection,
    side: Side,
    captures: Iterable[tuple[int, PlainCapture]],
    bookmaker_id: int | None = None,
) -> tuple[list[Offer], dict[int, datetime]]:
    """Where captures of (event id, capture) fall, oldest first; when events were last captured.

    The events' rows must be locked, so that nobody else adds to them meanwhile.
    """
    offered: dict[tuple[int, datetime], PlainCapture] = {}
    for event_id, capture in captures:
        key = event_id, capture["captured_at"]
        offered[key] = _joined(offered[key], capture) if key in offered else capture
    rows = await connection.fetch(
        side.sql(_PLACES, "$3"),
        [event_id for event_id, _ in offered],
        [captured_at for _, captured_at in offered],
        *side.arguments(bookmaker_id),
    )
    offers = []
    latest: dict[int, datetime] = {}
    for ((event_id, _), capture), row in zip(offered.items(), rows, strict=True):
        before = after = None
        if row["id"] is not None:
            before = Snapshot(
                event_id, row["captured_at"], row["scrape_run_id"], row["id"], row["confirmed_at"]
            )
        if row["next_id"] is not None:
            after = row["next_id"], row["next_at"], row["next_is_complete"]
        offers.append(Offer(event_id, capture, before, after))
        if row["latest"] is not None:
            latest[event_id] = row["latest"]
    return sorted(offers, key=lambda offer: offer.at), latest


def _joined(first: PlainCapture, again: PlainCapture) -> PlainCapture:
    """One event at one instant, delivered twice: of a market that is in both, the first stands."""
    there = set(map(key_of, first["markets"]))
    more = [market for market in again["markets"] if key_of(market) not in there]
    return {**first, "markets": (*first["markets"], *more)} if more else first
