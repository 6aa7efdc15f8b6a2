"""The comparison of a JSON Schema with its contract."""

import json
import re
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from annotated_types import Ge, Lt
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError as SchemaError
from pydantic import TypeAdapter, ValidationError

from oddsschema.contracts import scalars as types
from oddsschema.contracts.columns import unwrap_annotation
from oddsschema.schema import CONTRACTS as CLASSES
from oddsschema.schema import json_schema

#: The first and the last time that a contract accepts.
FIRST, END = (
    next(
        getattr(mark, name)
        for mark in unwrap_annotation(types.UtcTime)[1]
        if isinstance(mark, kind)
    )
    for name, kind in (("ge", Ge), ("lt", Lt))
)

Errors = dict[tuple[Any, ...], set[str]]

#: Values that a contract refuses and its schema accepts: predicates on pydantic's error.
ONLY_SCHEMA: dict[str, Callable[[Any], bool]] = {
    "two outcomes of a market with one name": lambda error: error["type"] == "outcome_names",
    "two markets of a capture that are the same": lambda error: error["type"] == "markets_equal",
    "a tournament whose `source` is another than its event's": lambda error: (
        "tournament.source must be" in error["msg"]
    ),
    "a time in UTC's 1969 or 2201 by its offset": lambda error: _is_past_bound(error),
    "a handicap whose line or away goals do not follow from its home goals": lambda error: (
        "must be -handicap_home" in error["msg"] or "line must be handicap_home" in error["msg"]
    ),
    "specifiers with one name twice": lambda error: error["type"] == "specifiers_equal",
    "JSON that is nested deeper than Python's parser goes": lambda error: (
        "recursion limit" in error["msg"]
    ),
    "an id of -2^63 that is written as a float": lambda error: error["input"] == -(2.0**63),
}

#: Values that a contract accepts and its schema refuses: predicates on the given value, the
#: contract's value, and the schema's keywords that refuse it.
ONLY_CONTRACT: dict[str, Callable[[Any, Any, set[str]], bool]] = {
    "a number in other words than plain digits": lambda given, kept, by: (
        isinstance(given, str) and _is_number(kept) and not PLAIN.fullmatch(given.strip())
    ),
    "a time in another year than UTC's": lambda given, kept, by: _is_near_bound(given, kept),
    "text that is short enough once it is trimmed": lambda given, kept, by: by == {"maxLength"},
    "blank text in the place of a SportRadar id that may be left out": lambda given, kept, by: (
        isinstance(given, str) and not given.strip() and by <= {"pattern", "minLength"}
    ),
    "an integer that is rounded to the greatest float": lambda given, kept, by: (
        isinstance(given, int) and abs(given) > sys.float_info.max
    ),
}

#: Numbers with so few digits that they are within the bounds of any field.
PLAIN = re.compile(r"[+-]?[0-9]{1,9}(\.[0-9]*)?")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_past_bound(error: Any) -> bool:
    if error["type"] not in ("greater_than_equal", "less_than") or ":" not in str(error["input"]):
        return False
    time = TypeAdapter(datetime).validate_python(error["input"])
    return bool(FIRST.year <= time.year < END.year)


def _is_near_bound(given: Any, kept: Any) -> bool:
    try:
        time = TypeAdapter(datetime).validate_python(kept)
    except ValidationError:
        return False
    day = timedelta(days=1)
    return isinstance(given, str) and (time < FIRST + day or time >= END - day)


class Contract:
    """The results of pydantic and JSON Schema on JSON for one type."""

    def __init__(self, of: Any, schema: Any) -> None:
        Draft202012Validator.check_schema(schema)
        self.validator = Draft202012Validator(schema)
        self._adapter = TypeAdapter(of)
        self._validate = of.model_validate_json if hasattr(of, "model_fields") else None

    def keep(self, value: Any) -> Any:
        """Return the contract's value as JSON. Raises pydantic.ValidationError."""
        kept_value = (self._validate or self._adapter.validate_json)(json.dumps(value))
        return self._adapter.dump_python(kept_value, mode="json")

    def assert_agreed(self, given: Any) -> None:
        """Check that the contract and the schema both accept a value or both refuse it."""
        given = json.loads(json.dumps(given))  # two surrogates can be one character
        blamed = self.blamed(given)
        try:
            kept = self.keep(given)
        except ValidationError as error:
            excused = all(
                any(is_it(detail) for is_it in ONLY_SCHEMA.values()) for detail in error.errors()
            )
            assert blamed or excused, f"only the schema accepts {given!r}: {error}"
            return
        assert self.validator.is_valid(kept), f"{kept!r}, of {given!r}"
        if blamed:
            assert self.validator.is_valid(_with_exceptions(given, kept, blamed)), (
                f"{given!r}: {blamed}"
            )

    def blamed(self, given: Any) -> Errors:
        """Return the places of the schema's errors, and their keywords."""
        found: Errors = {}
        for error in _leaves(self.validator.iter_errors(given)):
            found.setdefault(tuple(error.absolute_path), set()).add(error.validator)
        return found


def _leaves(errors: Any) -> Iterator[SchemaError]:
    for error in errors:
        if error.context:
            # The second error of an optional value, "not null", is no fault.
            yield from (leaf for leaf in _leaves(error.context) if leaf.validator_value != "null")
        else:
            yield error


def _with_exceptions(given: Any, kept: Any, blamed: Errors, path: tuple[Any, ...] = ()) -> Any:
    """Replace values by the contract's values wherever an exception applies."""
    if isinstance(given, dict) and isinstance(kept, dict):
        return {key: _with_exceptions(given[key], kept[key], blamed, (*path, key)) for key in given}
    if isinstance(given, list) and isinstance(kept, list):
        return [
            _with_exceptions(element, kept_element, blamed, (*path, at))
            for at, (element, kept_element) in enumerate(zip(given, kept, strict=True))
        ]
    by = blamed.get(path, set())
    return kept if any(is_it(given, kept, by) for is_it in ONLY_CONTRACT.values()) else given


CONTRACTS = {name: Contract(accepted, json_schema(name)) for name, accepted in CLASSES.items()}

SCALARS = {
    name: Contract(scalar, TypeAdapter(scalar).json_schema())
    for name, scalar in vars(types).items()
    if hasattr(scalar, "__metadata__")
}
