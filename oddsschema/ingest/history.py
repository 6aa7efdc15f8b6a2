"""Snapshots and markets: appended by COPY, each capture once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from oddsschema.capture import MARKET_KEY
from oddsschema.ingest import copy
from oddsschema.ingest.door import PlainCapture
from oddsschema.models import Market

if TYPE_CHECKING:
    import asyncpg


@dataclass(frozen=True)
class Side:
    """BetPawa's pair of tables, or the competitors'."""

    snapshots: str
    markets: str
    #: The column that holds the event, in both tables.
    event: str
    #: Whether an event's snapshots are those of one bookmaker among others.
    by_bookmaker: bool


COMPETITORS = Side(
    "competitor_odds_snapshots", "competitor_market_odds", "competitor_event_id", False
)
BETPAWA = Side("odds_snapshots", "market_odds", "event_id", True)

# For each offered snapshot: when its event was last captured, whether it is there, and its id.
_PLAN = """
SELECT latest.captured_at AS latest, s.id IS NULL AS is_new,
    COALESCE(s.id, nextval(pg_get_serial_sequence('{snapshots}', 'id'))) AS id
FROM unnest($1::int[], $2::timestamptz[]) WITH ORDINALITY AS c (event, captured_at, position)
LEFT JOIN {snapshots} AS s
    ON s.{event} = c.event AND s.captured_at = c.captured_at {bookmaker}
LEFT JOIN LATERAL (
    SELECT captured_at FROM {snapshots} AS s
    WHERE s.{event} = c.event {bookmaker} ORDER BY captured_at DESC LIMIT 1
) AS latest ON true
ORDER BY c.position
"""


_MARKET_KEYS = """
SELECT m.snapshot_id, {key}
FROM unnest($1::int[], $2::bigint[]) AS s (event, id)
JOIN {markets} AS m ON m.{event} = s.event AND m.snapshot_id = s.id
"""

_market_key = itemgetter(*MARKET_KEY)


@dataclass(slots=True)
class Written:
    """How many captures and markets went into the database, and how many had been there."""

    stored: int = 0
    known: int = 0
    markets: int = 0

    def add(self, other: "Written") -> None:
        """Count in what another part wrote."""
        self.stored += other.stored
        self.known += other.known
        self.markets += other.markets


@dataclass(frozen=True, slots=True)
class Offer:
    """A capture that is to be appended to an event's history."""

    event_id: int
    capture: PlainCapture
    #: The snapshot that it will be, or is already.
    snapshot_id: int
    is_new: bool


async def plan(
    connection: "asyncpg.Connection[Any]",
    side: Side,
    captures: Iterable[tuple[int, PlainCapture]],
    bookmaker_id: int | None = None,
) -> tuple[list[Offer], dict[int, datetime]]:
    """What is to be done with captures of (event id, capture), and when events were last captured.

    The events' rows must be locked, so that nobody else appends to them meanwhile.
    """
    offered: dict[tuple[int, datetime], PlainCapture] = {}
    for event_id, capture in captures:
        key = event_id, capture["captured_at"]
        offered[key] = _joined(offered[key], capture) if key in offered else capture
    bookmaker = "AND s.bookmaker_id = $3" if side.by_bookmaker else ""
    rows = await connection.fetch(
        _PLAN.format(snapshots=side.snapshots, event=side.event, bookmaker=bookmaker),
        [event_id for event_id, _ in offered],
        [captured_at for _, captured_at in offered],
        *([bookmaker_id] if side.by_bookmaker else []),
    )
    offers = []
    latest: dict[int, datetime] = {}
    for ((event_id, _), capture), row in zip(offered.items(), rows, strict=True):
        offers.append(Offer(event_id, capture, row["id"], row["is_new"]))
        if row["latest"] is not None:
            latest[event_id] = row["latest"]
    return offers, latest


def _joined(first: PlainCapture, again: PlainCapture) -> PlainCapture:
    """One event at one instant, delivered twice: of a market that is in both, the first stands."""
    there = set(map(_market_key, first["markets"]))
    more = [market for market in again["markets"] if _market_key(market) not in there]
    return {**first, "markets": (*first["markets"], *more)} if more else first


async def append(
    connection: "asyncpg.Connection[Any]",
    side: Side,
    run_id: int,
    offers: Sequence[Offer],
    *,
    bookmaker_id: int | None = None,
    before_markets: Callable[[], None],
) -> Written:
    """Write the snapshots and markets of the offers that are not there yet.

    A snapshot that is there gets the markets that it lacks: those that were refused when it was
    delivered first, and have been put right since.
    """
    new = [offer for offer in offers if offer.is_new]
    if new:
        columns = ["id", side.event, "captured_at", "scrape_run_id", "raw_response"]
        of_bookmaker = []
        if side.by_bookmaker:
            columns.append("bookmaker_id")
            of_bookmaker.append(copy.int4(bookmaker_id))
        snapshots = (
            copy.row(
                copy.int8(offer.snapshot_id),
                copy.int4(offer.event_id),
                copy.timestamptz(offer.capture["captured_at"]),
                copy.int4(run_id),
                copy.jsonb(offer.capture["raw_response"]),
                *of_bookmaker,
            )
            for offer in new
        )
        await _copy_rows(connection, side.snapshots, columns, snapshots)
    lacking = await _lacking(connection, side, [offer for offer in offers if not offer.is_new])
    markets = [
        *((offer.event_id, offer.snapshot_id, offer.capture["markets"]) for offer in new),
        *lacking,
    ]
    before_markets()
    if markets:
        columns = [side.event, "snapshot_id", *Market.model_fields]
        await _copy_rows(connection, side.markets, columns, copy.market_rows(markets))
    return Written(stored=len(new), markets=sum(len(ones) for _, _, ones in markets))


async def _lacking(
    connection: "asyncpg.Connection[Any]", side: Side, known: Sequence[Offer]
) -> list[tuple[int, int, Sequence[Any]]]:
    """The markets that snapshots lack, of captures that were delivered again."""
    if not known:
        return []
    key = ", ".join(f"m.{column}" for column in MARKET_KEY)
    rows = await connection.fetch(
        _MARKET_KEYS.format(markets=side.markets, event=side.event, key=key),
        [offer.event_id for offer in known],
        [offer.snapshot_id for offer in known],
    )
    there = {tuple(row) for row in rows}
    lacking: list[tuple[int, int, Sequence[Any]]] = []
    for offer in known:
        markets = [
            market
            for market in offer.capture["markets"]
            if (offer.snapshot_id, *_market_key(market)) not in there
        ]
        if markets:
            lacking.append((offer.event_id, offer.snapshot_id, markets))
    return lacking


async def _copy_rows(
    connection: "asyncpg.Connection[Any]",
    table: str,
    columns: Sequence[str],
    rows: Iterator[bytes],
) -> None:
    async def blocks() -> Any:
        for block in copy.stream(rows):
            yield block

    await connection.copy_to_table(table, source=blocks(), columns=columns, format="binary")
