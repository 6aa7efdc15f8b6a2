"""Outcomes: their contract, a market's outcomes, and their JSONB column."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from sqlalchemy.dialects import postgresql

from oddsschema import MarketOdds, Outcome
from oddsschema.contracts.outcomes import Outcomes, OutcomesJSONB
from oddsschema.strategies import contracts, outcomes

OUTCOMES: TypeAdapter[tuple[Outcome, ...]] = TypeAdapter(Outcomes)
COLUMN = OutcomesJSONB()
DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def numbered(count: int) -> tuple[Outcome, ...]:
    """Build outcomes with different names."""
    return tuple(Outcome(name=f"{number}", odds=2.0) for number in range(count))


def test_defaults() -> None:
    """An outcome is active by default."""
    assert Outcome(name="1", odds=1.0).is_active is True


@given(contracts(Outcome), st.data())
def test_outcomes_are_immutable(outcome: Outcome, data: st.DataObject) -> None:
    """No field of an outcome can be changed."""
    name = data.draw(st.sampled_from(list(Outcome.model_fields)))
    before = outcome.model_dump()
    with pytest.raises(ValidationError, match="frozen"):
        setattr(outcome, name, getattr(outcome, name))
    assert outcome.model_dump() == before


@given(contracts(Outcome))
def test_unknown_keys_are_refused(outcome: Outcome) -> None:
    """An unknown key is an error, in Python and in JSON."""
    values = outcome.model_dump() | {"probability": 0.5}
    with pytest.raises(ValidationError, match="probability"):
        Outcome(**values)
    with pytest.raises(ValidationError, match="probability"):
        Outcome.model_validate_json(json.dumps(values))


@pytest.mark.parametrize("odds", ["evens", math.nan, math.inf, 0.999, 0, -1.5, True, None])
def test_bad_odds(odds: Any) -> None:
    """Odds are a finite number of at least 1."""
    with pytest.raises(ValidationError) as caught:
        Outcome(name="1", odds=odds)
    assert [error["loc"] for error in caught.value.errors()] == [("odds",)]


@pytest.mark.parametrize(("count", "is_valid"), [(0, False), (1, True), (500, True), (501, False)])
def test_how_many(count: int, is_valid: bool) -> None:
    """A market has 1 to 500 outcomes."""
    given_outcomes = numbered(count)
    if is_valid:
        assert OUTCOMES.validate_python(given_outcomes) == given_outcomes
    else:
        with pytest.raises(ValidationError):
            OUTCOMES.validate_python(given_outcomes)


@given(outcomes(), st.data())
def test_an_error_for_each_bad_outcome(some: tuple[Outcome, ...], data: st.DataObject) -> None:
    """Each bad outcome is one error, also if no good one is left."""
    is_bad = data.draw(st.lists(st.booleans(), min_size=len(some), max_size=len(some)))
    is_bad[0] = True
    given = [
        outcome.model_dump() | ({"odds": "evens"} if bad else {})
        for outcome, bad in zip(some, is_bad, strict=True)
    ]
    with pytest.raises(ValidationError) as raised:
        MarketOdds(betpawa_market_id="1", betpawa_market_name="1X2", outcomes=given)
    assert [error["loc"] for error in raised.value.errors()] == [
        ("outcomes", place, "odds") for place, bad in enumerate(is_bad) if bad
    ]


@given(outcomes(), st.data())
def test_names_are_distinct(some: tuple[Outcome, ...], data: st.DataObject) -> None:
    """A repeated name is an error that quotes the name."""
    twice = data.draw(st.sampled_from(some))
    other = twice.model_copy(update={"odds": 2.0})
    with pytest.raises(ValidationError) as caught:
        OUTCOMES.validate_python([*some[:499], other] if twice in some[:499] else [twice, other])
    assert caught.value.errors()[0]["type"] == "outcome_names"
    assert repr(twice.name) in caught.value.errors()[0]["msg"]


@given(outcomes())
def test_column_takes_objects_and_dicts(some: tuple[Outcome, ...]) -> None:
    """Objects and dicts are bound alike, and are loaded from JSON as objects."""
    bound = COLUMN.process_bind_param(some, DIALECT)
    assert COLUMN.process_bind_param([outcome.model_dump() for outcome in some], DIALECT) == bound
    document = json.dumps(bound)
    for value in (document, json.loads(document)):
        loaded = COLUMN.process_result_value(value, DIALECT)
        assert loaded == some
        assert all(isinstance(outcome, Outcome) for outcome in loaded)


@pytest.mark.parametrize(
    "value",
    [[], [{"name": "1", "odds": 0.5}], [{"name": "1", "odds": 2.0, "extra": 1}], [{}], "1"],
)
def test_column_validates(value: Any) -> None:
    """The column validates every bound value."""
    with pytest.raises(ValidationError):
        COLUMN.process_bind_param(value, DIALECT)


def test_column_holds_null() -> None:
    """NULL is None, in both directions."""
    assert COLUMN.process_bind_param(None, DIALECT) is None
    assert COLUMN.process_result_value(None, DIALECT) is None


@given(outcomes(), st.dictionaries(st.sampled_from(["margin", "id", "x"]), st.integers()))
def test_old_rows_load(some: tuple[Outcome, ...], extra: dict[str, Any]) -> None:
    """Loading ignores unknown keys, and fills in a missing one."""
    stored = [
        {name: value for name, value in outcome.model_dump().items() if value is not True} | extra
        for outcome in some
    ]
    assert COLUMN.process_result_value(stored, DIALECT) == some
    assert COLUMN.process_result_value(json.dumps(stored), DIALECT) == some


@pytest.mark.parametrize("odds", ["2", "2.0", '"2"'])
def test_odds_load_as_floats(odds: str) -> None:
    """Odds are floats, also those of rows that are older than the CHECK of their type."""
    loaded = COLUMN.process_result_value(f'[{{"name": "1", "odds": {odds}}}]', DIALECT)
    assert loaded == (Outcome(name="1", odds=2.0),)
    assert type(loaded[0].odds) is float
