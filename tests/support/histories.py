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

_NO_HANDICAP = (None, None, None)
_KEYS = [
    *((market_id, line, *_NO_HANDICAP) for market_id in "ab" for line in (None, 0.0, 2.5)),
    *(("a", 0.0, kind, home, -home) for kind in ("european", "asian") for home in (0.0, 1.0)),
]
_ODDS = st.sampled_from([1.0, 1.5, 2, 1e16])
_ACTIVE = st.sampled_from([True, True, True, False])


@st.composite
def offered(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw markets of few kinds, prices and names, so that they often stay unchanged."""
    keys = draw(st.lists(st.sampled_from(_KEYS), max_size=4, unique=True))
    return [
        {
            "betpawa_market_id": market_id,
            "betpawa_market_name": draw(st.sampled_from(["Total", "Total", "Goals"])),
            "line": line,
            "handicap_type": kind,
            "handicap_home": home,
            "handicap_away": away,
            "outcomes": draw(
                st.permutations(
                    [
                        {"name": name, "odds": draw(_ODDS), "is_active": draw(_ACTIVE)}
                        for name in draw(st.sampled_from([["1"], ["1", "2"], ['é"\\\n!']]))
                    ]
                )
            ),
        }
        for market_id, line, kind, home, away in keys
    ]


@st.composite
def captured(
    draw: st.DrawFn,
    platforms: Sequence[str] = ("betpawa", "bet9ja"),
    events: Sequence[str] = ("1",),
    kickoff: datetime = KICKOFF,
) -> list[dict[str, Any]]:
    """Draw captures of the platforms and events, at few instants, in any order."""
    offers = [draw(offered()) for _ in range(3)]
    found = []
    for _ in range(draw(st.integers(1, 10))):
        at = START + timedelta(minutes=draw(st.integers(0, 8)))
        markets = draw(st.sampled_from(offers) | offered())
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

    def take(self, capture: dict[str, Any]) -> None:
        """Add a capture. The first delivery of a market at an instant wins."""
        event = capture.get("event") or capture["competitor_event"]
        platform = event.get("bookmaker") or event["source"]
        markets = {market_key(market): plain(market) for market in capture["markets"]}
        instants = self.instants[platform, event["sportradar_id"]]
        instants[capture["captured_at"]] = markets | instants.get(capture["captured_at"], {})

    def at(self, platform: str, instant: datetime, event: str = "1") -> State:
        """Return the offer at an instant: the content of the last capture until then."""
        instants = self.instants[platform, event]
        past = [at for at in instants if at <= instant]
        return instants[max(past)] if past else {}


def plain(market: dict[str, Any]) -> Any:
    """Return a market's name and its prices without an order."""
    prices = {
        outcome["name"]: (float(outcome["odds"]), outcome["is_active"])
        for outcome in market["outcomes"]
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
