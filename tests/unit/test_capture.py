"""The capture: the rules between its parts."""

import gzip
import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from oddsschema import Capture, HandicapType, Market
from oddsschema.capture import CapturedCompetitorEvent, CapturedEvent
from oddsschema.models.odds import MARKET_KEY
from oddsschema.strategies import captures, contracts
from tests.support.paths import REAL_ODDS

COMPETITORS = """
{"captured_at": "2024-01-09T12:00:00+00:00",
 "competitor_event": {"source": "bet9ja", "external_id": "889652939", "event_url": null,
    "sportradar_id": "07767614", "name": "Basel - Zurich", "home_team": "Basel",
    "away_team": "Zurich",
    "kickoff": "2024-01-20T17:00:00+00:00",
    "tournament": {"source": "bet9ja", "external_id": "2768340", "name": "Super League",
                   "country_raw": "Switzerland", "country_iso": null,
                   "sport": {"slug": "football", "name": "Football"}}},
 "markets": [{"betpawa_market_id": "3743", "betpawa_market_name": "1X2 - Full Time", "line": null,
              "handicap_type": null, "handicap_home": null, "handicap_away": null,
              "outcomes": [{"name": "1", "odds": 1.46, "is_active": true},
                           {"name": "2", "odds": 6.1, "is_active": false}]}],
 "raw_response": {"D": {"E": 1}}}
"""

BETPAWAS = """
{"captured_at": "2024-01-09T12:00:00Z",
 "event": {"bookmaker": "betpawa", "external_event_id": "32299257", "event_url": null,
    "sportradar_id": "07767614", "name": "Basel - Zurich", "home_team": "Basel",
    "away_team": "Zurich", "kickoff": "2024-01-20T17:00:00+00:00",
    "tournament": {"name": "Super League", "country": "Switzerland", "sportradar_id": null,
                   "sport": {"slug": "football", "name": "Football"}}}, "markets": []}
"""


def places(error: ValidationError) -> list[tuple[Any, ...]]:
    """List the places of an error's problems."""
    return [detail["loc"] for detail in error.errors()]


def test_documented_captures() -> None:
    """Both examples of the format are captures of their bookmakers."""
    competitors = Capture.model_validate_json(COMPETITORS)
    assert competitors.source == "bet9ja"
    assert competitors.markets[0].outcomes[0].odds == 1.46
    betpawas = Capture.model_validate_json(BETPAWAS)
    assert betpawas.source == "betpawa"
    assert betpawas.captured_at == competitors.captured_at


@given(captures())
def test_json_round_trip(capture: Capture) -> None:
    """A capture that was written as JSON is read as the same capture."""
    assert Capture.model_validate_json(capture.model_dump_json()) == capture


@given(contracts(CapturedEvent), contracts(CapturedCompetitorEvent))
def test_one_event(event: CapturedEvent, other: CapturedCompetitorEvent) -> None:
    """A capture has BetPawa's event or a competitor's, not both."""
    when = {"captured_at": event.kickoff, "markets": ()}
    assert Capture(**when, event=event).source == event.bookmaker
    assert Capture(**when, competitor_event=other).source == other.source
    for events in ({}, {"event": None}, {"event": event, "competitor_event": other}):
        with pytest.raises(ValidationError, match="either event"):
            Capture(**when, **events)


@given(contracts(CapturedCompetitorEvent), st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True))
def test_source_of_tournament(event: CapturedCompetitorEvent, source: str) -> None:
    """A tournament's source is its event's, or is left out."""
    values = event.model_dump()
    for same in (None, event.source):
        values["tournament"]["source"] = same
        assert CapturedCompetitorEvent(**values).source == event.source
    del values["tournament"]["source"]
    assert CapturedCompetitorEvent(**values).source == event.source
    assume(source != event.source)
    values["tournament"]["source"] = source
    with pytest.raises(
        ValidationError, match=r"tournament\.source must be the source of the event"
    ):
        CapturedCompetitorEvent(**values)


@given(contracts(Market), st.sets(st.sampled_from([*MARKET_KEY, "betpawa_market_name"])), st.data())
def test_markets_differ(market: Market, changed: set[str], data: st.DataObject) -> None:
    """Two markets of a capture differ in id, line or handicap; another name is not enough."""
    other = data.draw(contracts(Market))
    mixed = market.model_dump() | {name: getattr(other, name) for name in changed}
    try:
        second = Market(**mixed)
    except ValidationError:  # half a handicap
        return
    values = {**json.loads(BETPAWAS), "markets": [market, second]}
    if all(getattr(market, name) == getattr(second, name) for name in MARKET_KEY):
        with pytest.raises(ValidationError) as caught:
            Capture(**values)
        assert places(caught.value) == [("markets",)]
    else:
        assert Capture(**values).markets == (market, second)


def test_lines_of_zero_are_one_line() -> None:
    """No line and a line of 0 are different markets; 0 and -0 are the same line."""
    values = json.loads(COMPETITORS)
    market = values["markets"][0]
    values["markets"] = [market, market | {"line": 0.0}]
    assert len(Capture(**values).markets) == 2
    values["markets"] = [market | {"line": -0.0}, market | {"line": 0.0}]
    with pytest.raises(ValidationError, match="Markets must differ"):
        Capture(**values)


@pytest.mark.parametrize(
    ("kind", "home", "away"), list(product((None, "asian"), (None, 0.5), (None, -0.5)))
)
def test_handicap_is_whole(kind: str | None, home: float | None, away: float | None) -> None:
    """A handicap has its kind and both sides, or is left out."""
    market = json.loads(COMPETITORS)["markets"][0]
    market |= {"handicap_type": kind, "handicap_home": home, "handicap_away": away}
    parts = [part is not None for part in (kind, home, away)]
    if all(parts) or not any(parts):
        assert Market(**market).handicap_type == (HandicapType(kind) if kind else None)
    else:
        with pytest.raises(ValidationError, match="must be given together"):
            Market(**market)


@given(captures(), st.data())
def test_missing_parts(capture: Capture, data: st.DataObject) -> None:
    """A capture needs a time and a list of markets, which may be empty."""
    values = capture.model_dump()
    name = data.draw(st.sampled_from(["captured_at", "markets"]))
    del values[name]
    with pytest.raises(ValidationError) as caught:
        Capture(**values)
    assert places(caught.value) == [(name,)]


def test_path_of_an_error() -> None:
    """An error has the path of the bad value, at any depth."""
    values = json.loads(COMPETITORS)
    values["markets"][0]["outcomes"][0]["odds"] = 0.5
    values["competitor_event"]["tournament"]["sport"]["slug"] = " "
    with pytest.raises(ValidationError) as caught:
        Capture(**values)
    assert places(caught.value) == [
        ("competitor_event", "tournament", "sport", "slug"),
        ("markets", 0, "outcomes", 0, "odds"),
    ]


@pytest.mark.skipif(not REAL_ODDS, reason="the files of real odds are not part of the project")
@pytest.mark.parametrize("path", REAL_ODDS, ids=lambda path: path.name)
def test_real_odds(path: Path) -> None:
    """The real captures are valid."""
    with gzip.open(path) as lines:
        sources = {Capture.model_validate_json(line).source for line in lines}
    assert sources == {path.name.partition("-")[0]}
