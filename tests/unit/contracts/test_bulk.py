"""The agreement of bulk validation with the contracts' objects."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import oddsschema
from oddsschema.contracts.base import Contract
from oddsschema.contracts.bulk import plain_validator
from oddsschema.strategies import captures, damaged_captures

PLAIN = plain_validator(oddsschema.Capture)


def outcome_of(validate: Any, value: Any) -> Any:
    """Return a validator's plain values, or the places of its errors."""
    try:
        found = validate(value)
    except ValidationError as error:
        # (The order of errors differs between versions of pydantic.)
        return sorted((detail["loc"] for detail in error.errors()), key=repr)
    return found.model_dump() if isinstance(found, Contract) else found


@given(captures())
def test_plain_validator_accepts_good_captures(capture: oddsschema.Capture) -> None:
    """Bulk validation returns the values of the capture's object."""
    assert PLAIN.validate_python(capture.model_dump()) == capture.model_dump()
    assert PLAIN.validate_json(capture.model_dump_json()) == capture.model_dump()


@given(st.lists(damaged_captures(), min_size=1))
def test_plain_validator_refuses_bad_captures(damaged: list[dict[str, Any]]) -> None:
    """Bulk validation and objects agree on every capture and on the places of errors."""
    for capture in damaged:
        assert outcome_of(PLAIN.validate_python, capture) == outcome_of(
            oddsschema.Capture.model_validate, capture
        )
        text = json.dumps(capture)
        assert outcome_of(PLAIN.validate_json, text) == outcome_of(
            oddsschema.Capture.model_validate_json, text
        )
