"""The fast path gives the same results as the full validator."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json

from oddsschema import Capture, Market, Outcome
from oddsschema.ingestion.limits import Limits
from oddsschema.ingestion.records import (
    MARKET_SCALARS,
    MarketRecord,
    OutcomeRecord,
    capture_record,
    outcomes_json,
    stored_outcomes,
)
from oddsschema.ingestion.validation.bounded_validator import UnknownKeyError, bounded_validator
from oddsschema.ingestion.validation.fast_path import FastPath
from oddsschema.ingestion.validation.validator import count_empty, validate_capture, validate_text
from oddsschema.simulate import simulate, stream
from oddsschema.strategies import captures, damaged_captures, outcomes

LIMITS = Limits()

#: Values in the place of a good one: other spellings, and values of other types.
OTHERS = [
    True,
    False,
    0,
    1,
    2,
    1.5,
    0.98,
    "0.00",
    "1.5",
    " 2 ",
    "yes",
    "",
    "a\0b",
    " a ",
    None,
    [],
    {},
    10**400,
]


def result_of(validator: Any, *payload: Any) -> Any:
    """Return the result for a payload, with the types, or "refused"."""
    try:
        return repr(validator(*payload))
    except (ValueError, UnknownKeyError):
        return "refused"


def record(validated: dict[str, Any]) -> Any:
    """Build the record of a capture, and return it with its raw_response."""
    return capture_record(validated), validated["raw_response"]


def by_either(payload: Any, limits: Limits = LIMITS) -> Any:
    """Validate by the fast path, or by the full validator where that rejects."""
    validated = validate_text(payload, limits)
    return record(validate_capture(from_json(payload), limits) if validated is None else validated)


def by_full_validator(payload: Any, limits: Limits = LIMITS) -> Any:
    """Validate by pydantic alone."""
    validated = bounded_validator(Capture, limits).validate_json(payload)
    return record({**validated, "markets_empty": count_empty(from_json(payload))})


def spots(document: Any) -> list[tuple[Any, Any]]:
    """List every place in a document: its container and its key."""
    inner = document.items() if isinstance(document, dict) else enumerate(document)
    return [
        spot
        for key, value in inner
        for spot in ((document, key), *(spots(value) if isinstance(value, dict | list) else ()))
    ]


@given(captures(), st.data(), st.sampled_from([str, str.encode]))
def test_other_values(capture: Capture, data: st.DataObject, text: Any) -> None:
    """JSON text gives the same by either, whatever some of its values are replaced by."""
    document = json.loads(capture.model_dump_json())
    for _ in range(data.draw(st.integers(0, 3))):
        places = spots(document)
        container, key = data.draw(st.sampled_from(places))
        container[key] = data.draw(st.sampled_from(OTHERS))
    for ensure_ascii in (True, False):
        payload = text(json.dumps(document, ensure_ascii=ensure_ascii))
        assert result_of(by_either, payload) == result_of(by_full_validator, payload)


@given(damaged_captures(), st.sampled_from([Limits(), Limits(markets=1), Limits(outcomes=2)]))
def test_damage(document: dict[str, Any], limits: Limits) -> None:
    """Damaged captures give the same by either: extra or missing keys, equal markets, limits."""
    payload = json.dumps(document)
    assert result_of(by_either, payload, limits) == result_of(by_full_validator, payload, limits)


@given(captures(), st.data())
def test_broken_text(capture: Capture, data: st.DataObject) -> None:
    """Text with some bytes replaced gives the same by either."""
    payload = capture.model_dump_json().encode()
    at = data.draw(st.integers(0, len(payload)))
    odd = [b"\\", b'\\ud800"', b'"', b"-0", b"e5", b"\xff"]
    junk = data.draw(st.sampled_from(odd) | st.binary(max_size=4))
    payload = payload[:at] + junk + payload[at + data.draw(st.integers(0, 3)) :]
    assert result_of(by_either, payload) == result_of(by_full_validator, payload)


@given(captures())
def test_good_captures_take_the_fast_path(capture: Capture) -> None:
    """A good capture in its usual spelling never needs the full validator."""
    payload = capture.model_dump_json()
    if "\\u0000" not in payload:
        assert repr(record(FastPath(LIMITS).validate(payload))) == repr(by_full_validator(payload))


def test_memory_of_markets_is_bounded() -> None:
    """The fast path forgets the markets that it has seen when they become many, and continues."""
    path = FastPath(LIMITS, remembered=10)
    for capture in stream(simulate(events=20, scrapes=2)):
        most = 10 + sum(len(market["outcomes"]) for market in capture["markets"])
        payload = json.dumps(capture)
        assert repr(record(path.validate(payload))) == repr(by_full_validator(payload))
        assert 0 < sum(map(len, path._outcomes)) <= most


def test_fields() -> None:
    """Records have the contracts' fields, and their defaults."""
    for plain, contract in ((MarketRecord, Market), (OutcomeRecord, Outcome)):
        assert set(plain.__struct_fields__) == set(contract.model_fields)
    outcome = OutcomeRecord("1", 1.5)
    market = MarketRecord("1", "1X2", (outcome,))
    for plain_one, one in (
        (outcome, Outcome(name="1", odds=1.5)),
        (market, Market(betpawa_market_id="1", betpawa_market_name="1X2", outcomes=[outcome])),
    ):
        for field in type(one).model_fields:
            if field != "outcomes":
                assert getattr(plain_one, field) == getattr(one, field)


def test_rules() -> None:
    """No rule connects a market's fields with its outcomes, which are validated apart."""
    assert {field for rule in Market.__rules__ for field in rule.fields} <= set(MARKET_SCALARS)
    # `require_closed` checks this rule for each outcome.
    assert [rule.fields for rule in Outcome.__rules__] == [("odds", "is_active")]


@given(outcomes())
def test_outcomes_as_json(some: tuple[Outcome, ...]) -> None:
    """The JSON text that COPY sends has the outcomes' values, and is read back unchanged."""
    plain = tuple(OutcomeRecord(**one.model_dump()) for one in some)
    document = outcomes_json(plain).decode()
    assert tuple(map(Outcome.model_validate, json.loads(document))) == some
    assert stored_outcomes(f"[{document}]") == [plain]


@pytest.mark.parametrize("odds", ["true", '"1.5"', '"1,5"', "1", "1e400", "NaN"])
def test_spellings_of_odds(odds: str) -> None:
    """Numbers, and text that pydantic reads as a number, are accepted by either; booleans not."""
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
    found = result_of(by_either, payload)
    assert found == result_of(by_full_validator, payload)
    assert (found != "refused") == (odds in ('"1.5"', "1"))
