"""The places and reasons of a contract's refusal."""

import json
from typing import Any

import pytest
from hypothesis import assume, given
from pydantic import ValidationError

from oddsschema import Capture, Market, Outcome, problems
from oddsschema.ingestion import Item, validate
from oddsschema.strategies import captures, damaged_captures


@given(damaged_captures())
def test_same_refusals_as_ingestion(capture: dict[str, Any]) -> None:
    """The typed API and ingestion refuse the same captures, in the same places."""
    text = json.dumps(capture).encode()
    refusal = validate(Item("-", 1, text)).refusal
    try:
        Capture.model_validate_json(text)
    except ValidationError as error:
        assert refusal is not None
        # (For repeated markets, ingestion also names the second market.)
        places = [problem.path for problem in refusal.problems]
        for problem in problems(error):
            assert any(place.startswith(problem.path) for place in places)
            assert problem.reason
        assert all(str(problem).isprintable() for problem in problems(error))
    else:
        assert refusal is None


@given(captures())
def test_path_of_each_problem(capture: Capture) -> None:
    """Each problem has its own path, relative to the validated value."""
    assume(capture.markets)
    value = capture.model_dump(mode="json")
    bad = {"odds": 0.9, "is_active": True}
    outcomes = [{**outcome, **bad} for outcome in value["markets"][0]["outcomes"]]
    value["markets"][0]["outcomes"] = outcomes
    inner = [f"outcomes[{at}].odds" for at in range(len(outcomes))]
    for contract, given_, prefix in (
        (Capture, value, "$.markets[0]."),
        (Market, value["markets"][0], "$."),
    ):
        with pytest.raises(ValidationError) as refused:
            contract.model_validate(given_)
        assert [problem.path for problem in problems(refused.value)] == [
            prefix + place for place in inner
        ]
    with pytest.raises(ValidationError) as refused:
        Outcome(**outcomes[0])
    (problem,) = problems(refused.value)
    assert str(problem) == (
        "$.odds: Input should be decimal odds of at least 1: as fractional odds, 0.9 is 1.9"
    )


def test_no_json() -> None:
    """Text that is no JSON is one problem of the whole."""
    with pytest.raises(ValidationError) as refused:
        Market.model_validate_json("{")
    (problem,) = problems(refused.value)
    assert problem.path == "$"
    assert problem.reason.startswith("Invalid JSON")
