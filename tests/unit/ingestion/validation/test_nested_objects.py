"""Contracts' objects and tables' rows in the place of dicts, anywhere in a capture."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from oddsschema import (
    Capture,
    CompetitorEvent,
    CompetitorMarketOdds,
    CompetitorTournament,
    Market,
    MarketOdds,
    Outcome,
    Sport,
)
from oddsschema.ingestion.item import Item
from oddsschema.ingestion.validation.validator import Validated, validate
from oddsschema.strategies import captures


def validated(payload: Any) -> Validated:
    """Validate a capture as an ingestion does."""
    return validate(Item("captures", 1, payload))


def with_objects(capture: Capture, data: st.DataObject) -> dict[str, Any]:
    """Turn some parts of a capture into objects, the rest into dicts."""
    payload = capture.model_dump()
    payload["markets"] = list(payload["markets"])
    for place, market in enumerate(payload["markets"]):
        if data.draw(st.booleans()):
            market["outcomes"] = [Outcome(**outcome) for outcome in market["outcomes"]]
        if row := data.draw(st.sampled_from([None, Market, MarketOdds, CompetitorMarketOdds])):
            payload["markets"][place] = row(**market)
    event = payload["event"] or payload["competitor_event"]
    tournament = event["tournament"]
    if data.draw(st.booleans()):
        tournament["sport"] = Sport(**tournament["sport"])
        if payload["competitor_event"] is not None and data.draw(st.booleans()):
            # A row needs its source; in a capture, the event's source is enough.
            tournament["source"] = event["source"]
            event["tournament"] = CompetitorTournament(**tournament)
            if data.draw(st.booleans()):
                payload["competitor_event"] = CompetitorEvent(**event)
    return payload


@given(captures(), st.data())
def test_objects(capture: Capture, data: st.DataObject) -> None:
    """A capture with objects in it is stored like the same capture of dicts."""
    found = validated(with_objects(capture, data))
    assert found == validated(capture.model_dump())
    assert found.refusal is None


def test_refused_beside_objects() -> None:
    """A bad market beside rows is refused alone, as a dict that can be written to a file."""
    capture = {
        "captured_at": "2024-01-09T12:00:00Z",
        "competitor_event": CompetitorEvent(
            source="bet9ja",
            external_id="1",
            sportradar_id="1",
            name="Basel - Zurich",
            home_team="Basel",
            away_team="Zurich",
            kickoff="2024-01-20T17:00:00Z",
            tournament=CompetitorTournament(
                source="bet9ja",
                external_id="1",
                name="Super League",
                sport=Sport(slug="football", name="Football"),
            ),
        ),
        "markets": [
            Market(
                betpawa_market_id="1", betpawa_market_name="A", outcomes=[{"name": "1", "odds": 2}]
            ),
            {"betpawa_market_id": "2", "betpawa_market_name": "B", "outcomes": [{"name": "1"}]},
        ],
    }
    found = validated(capture)
    assert found.capture is not None and len(found.capture.markets) == 1
    assert found.refusal is not None
    assert [problem.path for problem in found.refusal.problems] == ["$.markets[1].outcomes[0].odds"]
    assert found.refusal.capture["markets"] == capture["markets"][1:]
    assert found.refusal.capture["competitor_event"]["tournament"]["sport"]["slug"] == "football"
