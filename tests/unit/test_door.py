"""What comes in by the narrow way is what comes in by the whole door."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from oddsschema import Capture
from oddsschema.ingest.door import UnknownKeyError, admit, door
from oddsschema.ingest.limits import Limits
from oddsschema.strategies import captures

LIMITS = Limits()

#: What stands in the place of a good value: other spellings of it, and what is none.
OTHERS = [True, False, 0, 1, 2, 1.5, "1.5", " 2 ", "yes", "", "a\0b", " a ", None, [], {}, 10**400]


def told(way: Any, *payload: Any) -> Any:
    """What a way makes of a payload, to the types, or that it refuses it."""
    try:
        return repr(way(*payload))
    except (ValidationError, UnknownKeyError):
        return "refused"


def spots(document: Any) -> list[tuple[Any, Any]]:
    """Every place in a document: its container and its key."""
    inner = document.items() if isinstance(document, dict) else enumerate(document)
    return [
        spot
        for key, value in inner
        for spot in ((document, key), *(spots(value) if isinstance(value, dict | list) else ()))
    ]


@given(captures(), st.data(), st.sampled_from([str, str.encode]))
def test_narrow_way(capture: Capture, data: st.DataObject, text: Any) -> None:
    """JSON text gives the same by either, whatever stands in the place of some of its values."""
    document = json.loads(capture.model_dump_json())
    for _ in range(data.draw(st.integers(0, 3))):
        places = spots(document)
        container, key = data.draw(st.sampled_from(places))
        container[key] = data.draw(st.sampled_from(OTHERS))
    for ensure_ascii in (True, False):
        payload = text(json.dumps(document, ensure_ascii=ensure_ascii))
        assert told(admit, payload, LIMITS) == told(door(Capture, LIMITS).validate_json, payload)


@pytest.mark.parametrize("odds", ["true", '"1.5"', '"1,5"', "1", "1e400", "NaN"])
def test_spellings_of_odds(odds: str) -> None:
    """What pydantic takes for a number comes in, and a boolean does not, by either way."""
    payload = f"""
        {{"captured_at": "2024-01-09T12:00:00Z",
          "competitor_event": {{"source": "bet9ja", "external_id": "1", "sportradar_id": "1",
            "name": "A - B", "home_team": "A", "away_team": "B",
            "kickoff": "2024-01-20T17:00:00Z",
            "tournament": {{"external_id": "1", "name": "Super League",
                            "sport": {{"slug": "football", "name": "Football"}}}}}},
          "markets": [{{"betpawa_market_id": "1", "betpawa_market_name": "1X2",
                        "outcomes": [{{"name": "1", "odds": {odds}}}]}}]}}
        """
    found = told(admit, payload, LIMITS)
    assert found == told(door(Capture, LIMITS).validate_json, payload)
    assert (found != "refused") == (odds in ('"1.5"', "1"))
