"""Captures that make histories, and a model that keeps every captured state.

The model is a dict of instants for each event at each platform. An instant holds all markets that
were on offer then.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from oddsschema import IngestOptions
from oddsschema.ingestion.storage.state import read_states
from oddsschema.models.sides import Side
from tests.support.market_keys import market_key

START = datetime(2024, 1, 9, 12, tzinfo=UTC)
KICKOFF = datetime(2024, 1, 20, 17, tzinfo=UTC)

#: Platforms with captures of reference events.
REFERENCES = ("betpawa", "mozzart")

#: Keys of markets that a history uses.
KEYS = [
    *((market_id, line, None, None) for market_id in "ab" for line in (None, 0.0, 2.5)),
    *(("a", line, kind, None) for kind in ("european", "asian") for line in (0.0, 1.0)),
    *(("a", line, None, f"minute={minute}") for line in (None, 2.5) for minute in (5, 15)),
]
#: Odds, and whether the outcome is open.
PRICES = [*((odds, True) for odds in (1.0, 1.5, 2, 1e16)), (1.5, False), (2, False), (None, False)]
#: Names of a market, and of its outcomes.
NAMES = ["Total", "Total", "Goals"]
OUTCOMES = [["1"], ["1", "2"], ['é"\\\n!']]

#: Damages of a market: the changed fields, and the number of values of the key that stay readable.
DAMAGES = (
    ({"outcomes": [{"name": "1", "odds": 0.5}]}, 4),
    ({"line": "far"}, 1),
    ({"betpawa_market_id": ""}, 0),
)


@st.composite
def offered(draw: st.DrawFn, older: bool = False) -> list[dict[str, Any]]:
    """Draw markets of few kinds, prices and names, so that they often stay unchanged.

    With `older`, the schema of older releases can hold them.
    """
    keys, prices = form_of(older)
    return [
        market(
            key,
            draw(st.sampled_from(NAMES)),
            draw(
                st.permutations(
                    [
                        (name, *draw(st.sampled_from(prices)))
                        for name in draw(st.sampled_from(OUTCOMES))
                    ]
                )
            ),
        )
        for key in draw(st.lists(st.sampled_from(keys), max_size=4, unique=True))
    ]


def form_of(older: bool) -> tuple[list[Any], list[Any]]:
    """List the keys of markets and the prices that the schema of a release can hold."""
    if not older:
        return KEYS, PRICES
    return [key for key in KEYS if not key[-1]], [price for price in PRICES if price[0] is not None]


def market(key: Any, name: str, outcomes: Sequence[tuple[str, Any, bool]]) -> dict[str, Any]:
    """Build a market of a capture from its key, its name, and names and prices of outcomes."""
    market_id, line, kind, specifiers = key
    return {
        "betpawa_market_id": market_id,
        "betpawa_market_name": name,
        "line": line,
        "handicap_type": kind,
        "handicap_home": None if kind is None else line,
        "handicap_away": None if kind is None else -line,
        "specifiers": specifiers,
        "outcomes": [
            dict(zip(("name", "odds", "is_active"), outcome, strict=True)) for outcome in outcomes
        ],
    }


@st.composite
def damaged(draw: st.DrawFn, markets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Draw markets of which some are refused. The first one stays good."""
    return [
        market | draw(st.sampled_from(DAMAGES))[0] if place and draw(st.booleans()) else market
        for place, market in enumerate(markets)
    ]


def refused_key(market: dict[str, Any]) -> Any:
    """Return the key of a damaged market as far as it is readable; None of a good market."""
    for damage, readable in DAMAGES:
        if market.items() >= damage.items():
            return market_key(market)[:readable]
    return None


@st.composite
def captured(
    draw: st.DrawFn,
    platforms: Sequence[str] = ("betpawa", "bet9ja"),
    events: Sequence[str] = ("1",),
    kickoff: datetime = KICKOFF,
    refusals: bool = False,
    older: bool = False,
) -> list[dict[str, Any]]:
    """Draw captures of the platforms and events, at few instants, in any order.

    With `refusals`, some have markets that are refused. `older` is as for `offered`.
    """
    offers = [draw(offered(older)) for _ in range(3)]
    found = []
    for _ in range(draw(st.integers(1, 10))):
        at = START + timedelta(minutes=draw(st.integers(0, 8)))
        markets = draw(st.sampled_from(offers) | offered(older))
        if refusals and draw(st.booleans()):
            markets = draw(damaged(markets))
        platform, event = draw(st.sampled_from(platforms)), draw(st.sampled_from(events))
        found.append(capture(platform, at, markets, event, kickoff))
    return found


def capture(
    platform: str,
    at: datetime,
    markets: list[dict[str, Any]],
    event: str = "1",
    kickoff: datetime = KICKOFF,
) -> dict[str, Any]:
    """Build a platform's capture of an event at an instant; `REFERENCES` get reference events."""
    fixture = {
        "sportradar_id": event,
        "name": "A - B",
        "home_team": "A",
        "away_team": "B",
        "kickoff": kickoff,
    }
    sport = {"slug": "football", "name": "Football"}
    if platform in REFERENCES:
        listing = {"bookmaker": platform, "external_event_id": event}
        tournament = {"name": "Cup", "country": "Nigeria", "sport": sport}
        event_part = {"event": fixture | listing | {"tournament": tournament}}
    else:
        listing = {"source": platform, "external_id": event}
        tournament = {"name": "Cup", "external_id": event, "sport": sport}
        event_part = {"competitor_event": fixture | listing | {"tournament": tournament}}
    return {"captured_at": at, "markets": markets, **event_part}


#: Options of storage that make keyframes, changes and confirmations of few captures.
STORAGE = st.builds(
    IngestOptions,
    store=st.sampled_from(["changes", "changes", "complete"]),
    keyframe_share=st.sampled_from([0.0, 0.5, 1.0, 10.0]),
    keyframe_age=st.sampled_from([timedelta(minutes=2), timedelta(days=1)]),
    chunk_rows=st.integers(1, 20),
)

#: An offer: name and prices of each market, by its key.
State = dict[Any, Any]


class Model:
    """Every delivered capture, as plain values."""

    def __init__(self) -> None:
        #: The state at each instant, by platform and event.
        self.instants: defaultdict[tuple[str, str], dict[datetime, State]] = defaultdict(dict)
        #: The accepted markets, and the keys of the refused ones, of each listing and instant.
        self._captures: dict[Any, tuple[State, set[Any]]] = {}
        #: The keys of the markets that keep an older state, of each listing and instant.
        self.carried: dict[Any, set[Any]] = {}

    def take(self, capture: dict[str, Any]) -> None:
        """Add a capture. The first delivery of a market at an instant wins."""
        event = capture.get("event") or capture["competitor_event"]
        listing = event.get("bookmaker") or event["source"], event["sportradar_id"]
        refused = set(filter(lambda key: key is not None, map(refused_key, capture["markets"])))
        markets = {
            market_key(market): plain(market)
            for market in capture["markets"]
            if refused_key(market) is None
        }
        at, instants = capture["captured_at"], self.instants[listing]
        markets_before, refused_before = self._captures.get((listing, at), ({}, refused))
        self._captures[listing, at] = markets | markets_before, refused_before
        for instant in sorted({at, *(known for known in instants if known > at)}):
            accepted, refused = self._captures[listing, instant]
            before = max((known for known in instants if known < instant), default=None)
            kept = {} if before is None else instants[before]
            carried = {
                key: market
                for key, market in kept.items()
                if key not in accepted and refused & {key, key[:1], ()}
            }
            instants[instant] = accepted | carried
            self.carried[listing, instant] = set(carried)

    def forget(self, listing: tuple[str, str]) -> None:
        """Forget every capture of an event: a later delivery of any of them is the first again."""
        del self.instants[listing]
        for captures in (self._captures, self.carried):
            for key in [key for key in captures if key[0] == listing]:
                del captures[key]

    def at(self, platform: str, instant: datetime, event: str = "1") -> State:
        """Return the offer at an instant: the content of the last capture until then."""
        instants = self.instants[platform, event]
        past = [at for at in instants if at <= instant]
        return instants[max(past)] if past else {}


def plain(market: dict[str, Any]) -> Any:
    """Return a market's name and its prices without an order."""
    prices = {
        outcome["name"]: (outcome["odds"], outcome["is_active"]) for outcome in market["outcomes"]
    }
    return market["betpawa_market_name"], prices


async def read_model_states(
    connection: Any, side: Side, asked: Sequence[tuple[int, datetime]], bookmaker_id: int | None
) -> list[State]:
    """Read each (event id, instant) as ingestion reads it, in the form of the model."""
    return [
        {
            key: (
                market.betpawa_market_name,
                {outcome.name: (outcome.odds, outcome.is_active) for outcome in market.outcomes},
            )
            for key, market in state.markets.items()
        }
        async for state in read_states(connection, side, asked, bookmaker_id)
    ]
