"""Batches in the database, and a model with the rows that a query must yield.

The captures have markets that differ only in specifiers, closed outcomes without a price, and
markets that are refused. A refused market keeps the state that it had at the instant before.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

from oddsschema import IngestOptions, Outcome, ingest
from oddsschema.ingestion.records import MarketKey
from oddsschema.models.odds import MARKET_KEY
from oddsschema.models.sides import SIDES
from tests.support.histories import START, STORAGE, State, captured, plain
from tests.support.market_keys import market_key

Run = Callable[..., Any]

PLATFORMS = ("betpawa", "mozzart", "bet9ja", "sportybet")
EVENTS = ("1", "2")
#: A kickoff among the captures' instants, so that some captures are later.
KICKOFF = START + timedelta(minutes=5)
#: The captures' instants, and instants between them.
INSTANTS = [START + timedelta(seconds=30 * at) for at in range(-1, 20)]

#: Values that no market may have, each with the part of the market's key that stays readable.
DAMAGES: list[tuple[dict[str, Any], slice]] = [
    ({"outcomes": [{"name": "1", "odds": 0.5}]}, slice(None)),
    ({"line": "2,5"}, slice(1)),
    ({"betpawa_market_id": None}, slice(0)),
]


class Delivery(NamedTuple):
    """A capture, its markets that are accepted, and the readable keys of those that are not."""

    capture: dict[str, Any]
    accepted: list[dict[str, Any]]
    unknown: set[MarketKey]


def realistic(market: dict[str, Any]) -> dict[str, Any]:
    """Give a market specifiers, and take prices of closed outcomes away, by its values.

    The line of a handicap becomes `handicap_home`.
    """
    is_special = market["betpawa_market_id"] == "b"
    outcomes = [
        outcome | {"odds": None} if outcome["odds"] == 1 and not outcome["is_active"] else outcome
        for outcome in market["outcomes"]
    ]
    return market | {
        "betpawa_market_id": "a",
        "line": market["line"] if market["handicap_type"] is None else market["handicap_home"],
        "specifiers": "minute=15" if is_special else None,
        "outcomes": outcomes,
    }


@st.composite
def delivered(draw: st.DrawFn) -> list[Delivery]:
    """Draw captures, some of whose markets are refused."""
    found = []
    for capture in draw(captured(PLATFORMS, EVENTS, KICKOFF)):
        markets = [realistic(market) for market in capture["markets"]]
        accepted, refused, unknown = [], [], set()
        for market in markets:
            # Most captures have no refusal, so that some confirm others.
            damage = draw(st.sampled_from([None] * 9 + DAMAGES))
            if damage is None:
                accepted.append(market)
            else:
                refused.append(market | damage[0])
                unknown.add(market_key(market)[damage[1]])
        if refused and not accepted:  # such a capture would be refused as a whole
            accepted, refused, unknown = markets, [], set()
        unknown -= set(map(market_key, accepted))
        markets = draw(st.permutations([*accepted, *refused]))
        found.append(Delivery(capture | {"markets": markets}, accepted, unknown))
    return found


#: Batches of captures, each with its options of storage.
batches = st.lists(st.tuples(delivered(), STORAGE), min_size=1, max_size=4)


class Instant(NamedTuple):
    """The markets that were accepted at an instant, and the keys of those that were refused."""

    accepted: State
    unknown: set[MarketKey]


class Model:
    """Every delivered capture, as plain values."""

    def __init__(self, deliveries: Iterable[Delivery]) -> None:
        #: The captures by instant, by platform and event.
        self.deliveries: defaultdict[tuple[str, str], dict[datetime, Instant]] = defaultdict(dict)
        for delivery in deliveries:
            self._take(delivery)
        #: The state at each instant, by platform and event.
        self.instants = {of: states(instants) for of, instants in self.deliveries.items()}

    def _take(self, delivery: Delivery) -> None:
        """Add a capture. The first delivery of a market at an instant wins."""
        capture = delivery.capture
        event = capture.get("event") or capture["competitor_event"]
        platform = event.get("bookmaker") or event["source"]
        instants = self.deliveries[platform, event["sportradar_id"]]
        markets = {market_key(market): plain(market) for market in delivery.accepted}
        known = instants.setdefault(capture["captured_at"], Instant({}, delivery.unknown))
        known.unknown.difference_update(markets)
        known.accepted.update({key: markets[key] for key in markets.keys() - known.accepted.keys()})

    def at(self, platform: str, instant: datetime, event: str = "1") -> State:
        """Return the offer at an instant: that of the last capture until then."""
        instants = self.instants[platform, event]
        past = [at for at in instants if at <= instant]
        return instants[max(past)] if past else {}

    def carried(self, platform: str, instant: datetime, event: str = "1") -> set[MarketKey]:
        """Return the keys of the markets on offer that the last capture had refused."""
        deliveries = self.deliveries[platform, event]
        last = deliveries[max(at for at in deliveries if at <= instant)]
        return self.at(platform, instant, event).keys() - last.accepted.keys()


def states(instants: Mapping[datetime, Instant]) -> dict[datetime, State]:
    """Return the state at each instant: the accepted markets, and the refused ones as before."""
    found: dict[datetime, State] = {}
    before: State = {}
    for at in sorted(instants):
        accepted, unknown = instants[at]
        kept = {key: state for key, state in before.items() if covers(unknown, key)}
        before = found[at] = kept | accepted
    return found


def covers(unknown: Collection[MarketKey], key: MarketKey) -> bool:
    """Return whether the readable keys of refused markets include a market."""
    return any(key[: len(known)] == known for known in unknown)


class Stored:
    """Batches in the database, and the model of them."""

    def __init__(self, connection: AsyncConnection, model: Model) -> None:
        self.connection = connection
        self.session = AsyncSession(connection, expire_on_commit=False)
        self.model = model
        self.batch_ids: list[int] = []
        self.captures: list[list[dict[str, Any]]] = []

    async def take(self, deliveries: list[Delivery], options: IngestOptions) -> None:
        """Store a batch."""
        captures = [delivery.capture for delivery in deliveries]
        report = await ingest(self.connection, captures, options=options)
        assert report.total.captures_refused == report.total.captures_lost == 0, report
        self.batch_ids.append(report.batch_id)
        self.captures.append(captures)

    async def all(self, statement: Any) -> Any:
        """Return the rows of a query."""
        return (await self.session.exec(statement)).all()

    @property
    def listings(self) -> Any:
        """The states by instant of each captured platform and event."""
        return self.model.instants


def stored(
    connection: AsyncConnection, run: Run, parts: Any, check: Callable[[Stored], Awaitable[None]]
) -> None:
    """Store batches, run the check, and roll back."""

    async def body() -> None:
        transaction = await connection.begin()
        try:
            model = Model(delivery for deliveries, _ in parts for delivery in deliveries)
            everything = Stored(connection, model)
            for deliveries, options in parts:
                await everything.take(deliveries, options)
            await check(everything)
        finally:
            await transaction.rollback()

    run(body())


#: The keys of all market rows, each with those of the refused markets of its snapshot.
STORED_ROWS = " UNION ALL ".join(
    f"SELECT {', '.join(f'm.{name}' for name in MARKET_KEY)}, s.unknown_markets "
    f"FROM {side.markets} AS m JOIN {side.snapshots} AS s ON s.id = m.snapshot_id"
    for side in SIDES
)


async def counted_rows(connection: AsyncConnection) -> int:
    """Count the market rows that were captured: all but those that a snapshot carries."""
    rows = (await connection.execute(text(STORED_ROWS))).all()
    return sum(list(market) not in (unknown or ()) for *market, unknown in rows)


def listing(row: Any) -> tuple[str, str]:
    """Return a row's bookmaker and event."""
    return row.bookmaker, row.sportradar_id


def key(row: Any) -> MarketKey:
    """Return the key of a row's market."""
    return market_key(row.model_dump())


def prices(row: Any) -> Any:
    """Return the prices of a row's outcomes by name."""
    return {outcome.name: (outcome.odds, outcome.is_active) for outcome in row.outcomes}


def points(instants: dict[datetime, Any], market: MarketKey) -> list[tuple[datetime, bool, Any]]:
    """Return a market's price history in the model: instants, availability, last known prices."""
    found: list[tuple[datetime, bool, Any]] = []
    for at in sorted(instants):
        known = instants[at].get(market)
        if known is not None and (not found or not found[-1][1] or found[-1][2] != known[1]):
            found.append((at, True, known[1]))
        elif known is None and found and found[-1][1]:
            found.append((at, False, found[-1][2]))
    last = max(instants)
    if found[-1][0] < last:
        found.append((last, *found[-1][1:]))
    return found


def open_prices(outcomes: tuple[Outcome, ...]) -> list[float]:
    """List the odds of the open outcomes."""
    return [outcome.odds for outcome in outcomes if outcome.is_active and outcome.odds is not None]


def overround(outcomes: tuple[Outcome, ...], winners: int = 1) -> float | None:
    """Return the overround of complete outcomes, or None."""
    odds = open_prices(outcomes)
    if len(odds) < 2 or len(odds) < len(outcomes):
        return None
    return sum(1 / price for price in odds) / winners - 1
