"""JSON Schema and contract: what the one accepts of JSON, the other does, and the reverse.

What is left are the exceptions, which docs/contracts.md tells as well.
"""

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from annotated_types import Ge, Lt
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError as SchemaError
from pydantic import TypeAdapter, ValidationError

from oddsschema import Capture
from oddsschema.contracts import scalars as types
from oddsschema.contracts.columns import unwrapped
from oddsschema.contracts.countries import ALPHA3, ALPHA3_OF_ALPHA2
from oddsschema.schema import ACCEPTED, json_schema
from oddsschema.strategies import captures, contracts, damaged_captures, json_values

DOCS = Path(__file__).parents[2] / "docs"

#: The first and the last of the times that a contract takes.
FIRST, END = (
    next(getattr(mark, name) for mark in unwrapped(types.UtcTime)[1] if isinstance(mark, kind))
    for name, kind in (("ge", Ge), ("lt", Lt))
)

Errors = dict[tuple[Any, ...], set[str]]

#: What a contract refuses and its schema accepts: told from one of pydantic's errors.
ONLY_SCHEMA: dict[str, Callable[[Any], bool]] = {
    "two outcomes of a market with one name": lambda error: error["type"] == "outcome_names",
    "two markets of a capture that are the same": lambda error: error["type"] == "markets_equal",
    "a tournament whose `source` is another than its event's": lambda error: (
        "tournament.source must be" in error["msg"]
    ),
    "a time in UTC's 1969 or 2201 by its offset": lambda error: _is_past_bound(error),
    "JSON that is nested deeper than Python's parser goes": lambda error: (
        "recursion limit" in error["msg"]
    ),
    "an id of -2^63 that is written as a float": lambda error: error["input"] == -(2.0**63),
}

#: What a contract takes and its schema does not: told from what was given, what the contract makes
#: of it, and which keywords of the schema refuse it.
ONLY_CONTRACT: dict[str, Callable[[Any, Any, set[str]], bool]] = {
    "a number in other words than plain digits": lambda given, kept, by: (
        isinstance(given, str) and _is_number(kept) and not PLAIN.fullmatch(given.strip())
    ),
    "a time in another year than UTC's": lambda given, kept, by: _is_near_bound(given, kept),
    "text that is short enough once it is trimmed": lambda given, kept, by: by == {"maxLength"},
    "an integer that is rounded to the greatest float": lambda given, kept, by: (
        isinstance(given, int) and abs(given) > sys.float_info.max
    ),
}

#: Digits of so few places that they are within the bounds of whatever they are for.
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


# -- both sides ------------------------------------------------------------------------------------


class Contract:
    """What pydantic and JSON Schema make of JSON for one type."""

    def __init__(self, of: Any, schema: Any) -> None:
        Draft202012Validator.check_schema(schema)
        self.validator = Draft202012Validator(schema)
        self._adapter = TypeAdapter(of)
        self._validate = of.model_validate_json if hasattr(of, "model_fields") else None

    def keep(self, value: Any) -> Any:
        """What the contract makes of a value, as JSON. Raises pydantic.ValidationError."""
        made = (self._validate or self._adapter.validate_json)(json.dumps(value))
        return self._adapter.dump_python(made, mode="json")

    def assert_agreed(self, given: Any) -> None:
        """The contract and the schema both accept a value or both refuse it."""
        given = json.loads(json.dumps(given))  # two surrogates can be one character
        blamed = self.blamed(given)
        try:
            kept = self.keep(given)
        except ValidationError as error:
            excused = all(
                any(is_it(one) for is_it in ONLY_SCHEMA.values()) for one in error.errors()
            )
            assert blamed or excused, f"only the schema accepts {given!r}: {error}"
            return
        assert self.validator.is_valid(kept), f"{kept!r}, of {given!r}"
        if blamed:
            assert self.validator.is_valid(_mended(given, kept, blamed)), f"{given!r}: {blamed}"

    def blamed(self, given: Any) -> Errors:
        """The places that the schema finds fault with, and the keywords that do."""
        found: Errors = {}
        for error in _leaves(self.validator.iter_errors(given)):
            found.setdefault(tuple(error.absolute_path), set()).add(error.validator)
        return found


def _leaves(errors: Any) -> Iterator[SchemaError]:
    for error in errors:
        if error.context:
            # That it is not null either is no fault.
            yield from (leaf for leaf in _leaves(error.context) if leaf.validator_value != "null")
        else:
            yield error


def _mended(given: Any, kept: Any, blamed: Errors, path: tuple[Any, ...] = ()) -> Any:
    """A value with what the contract makes of it wherever that is one of the exceptions."""
    if isinstance(given, dict) and isinstance(kept, dict):
        return {key: _mended(given[key], kept[key], blamed, (*path, key)) for key in given}
    if isinstance(given, list) and isinstance(kept, list):
        return [
            _mended(one, other, blamed, (*path, at))
            for at, (one, other) in enumerate(zip(given, kept, strict=True))
        ]
    by = blamed.get(path, set())
    return kept if any(is_it(given, kept, by) for is_it in ONLY_CONTRACT.values()) else given


CONTRACTS = {name: Contract(one, json_schema(name)) for name, one in ACCEPTED.items()}

SCALARS = {
    name: Contract(scalar, TypeAdapter(scalar).json_schema())
    for name, scalar in vars(types).items()
    if hasattr(scalar, "__metadata__")
}


# -- values that are good, nearly good, or anything ------------------------------------------------

_ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=20)
_SPACES = st.sampled_from(["", "", " ", "\t", "\n", "\x1c", "\x85", "\xa0", "\u2003", "\u200b"])
_ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.just(10**400)
    | _ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_ANY_TEXT, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def _any_case(draw: st.DrawFn, words: Any) -> str:
    word = draw(st.sampled_from(sorted(words)))
    return "".join(char.upper() if draw(st.booleans()) else char.lower() for char in word)


@st.composite
def _numerals(draw: st.DrawFn) -> str:
    """Numbers as text: plain, with all that Python allows, or longer than any type."""
    digits = draw(
        st.from_regex(
            r"[0-9]{0,4}(_[0-9]{1,3})?(\.[0-9]{0,3})?([eE][+-]?[0-9]{1,3})?", fullmatch=True
        )
        | st.sampled_from([1, 8, 9, 10, 11, 18, 19, 20, 307, 308, 309, 310]).flatmap(
            lambda size: st.sampled_from("019").map(lambda digit: digit * size)
        )
        | st.integers(-(2**64), 2**64).map(str)
        | st.sampled_from(["2147483647", "2147483648", "9223372036854775807", "inf", "NaN", "0x1"])
    )
    signed = draw(st.sampled_from(["", "", "+", "-", "--"])) + digits
    return (
        draw(_SPACES)
        + signed
        + draw(st.sampled_from(["", "", ".0", ".", ".5", "_"]))
        + draw(_SPACES)
    )


_NUMBERS = (
    st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-3, 3)
    | st.integers(-(2**65), 2**65).map(float)
    | st.sampled_from([0.5, -0.0, 1.0, 0.9999, 2**31, -(2**31) - 1, 2**63, -(2.0**63), 10**400])
    | st.sampled_from([2**1024 - 2**970 - 1, 2**1024 - 2**970, sys.float_info.max])
)


_OFFSETS = (
    *("Z", "z", "+00:00", "-00:00", "+0530", "+5:30", "\u221201:00", "+23:59", "-23:59"),
    *("+24:00", "+01:60", "+01", " Z", ""),
)


@st.composite
def _times(draw: st.DrawFn) -> str:
    """Times of day and offsets, in all the ways that people write them, and some more."""
    year = draw(st.sampled_from([1969, 1970, 1972, 2000, 2023, 2024, 2100, 2199, 2200, 2201]))
    month, day = draw(st.integers(0, 13) | st.just(2)), draw(st.integers(0, 32))
    date = f"{year:04}-{month:02}-{day:02}"
    clock = draw(st.sampled_from(["00:00", "23:59", "24:00", "12:60", "7:05", "12"]))
    second = draw(st.sampled_from(["", ":00", ":59", ":60", ":5"]))
    fraction = draw(st.sampled_from(["", "", ".5", ",5", ".", ".999999", ".9999999", ".123456789"]))
    offset = draw(st.sampled_from(_OFFSETS))
    between = draw(st.sampled_from(["T", "T", "t", " ", "_", "", "\n"]))
    around = draw(st.sampled_from([("", "")] * 5 + [("", "\n"), (" ", ""), ("", " ")]))
    return around[0] + date + between + clock + second + fraction + offset + around[1]


_FLAGS = ("true", "t", "yes", "y", "on", "1", "false", "f", "no", "n", "off", "0", "tru", "2")
_CODES = (*ALPHA3, *ALPHA3_OF_ALPHA2, "XX", "XXX", "C", "CHEE")
_LENGTHS = (20, 21, 50, 51, 100, 101, 255, 256, 500, 501, 1000, 1001)


@st.composite
def _texts(draw: st.DrawFn, text: str = "x") -> str:
    """A text with something before, after or in it; or as long as some field's may be."""
    changed = draw(
        st.just(text) | _ANY_TEXT | st.sampled_from(["", "bet9ja", "Bet9ja", "_", "asian"])
    )
    if draw(st.booleans()):
        changed = ((changed or "x") * 1001)[: draw(st.sampled_from(_LENGTHS))]
    middle = draw(st.sampled_from([""] * 6 + ["\0", "\ud800", "\udfff", "\U0001f3b2", "\n"]))
    return draw(_SPACES) + changed[:7] + middle + changed[7:] + draw(_SPACES)


_ANYTHING = (
    _ANY_JSON
    | _texts()
    | _numerals()
    | _NUMBERS
    | _times()
    | _any_case(_FLAGS)
    | st.builds("{}{}{}".format, _SPACES, _any_case(_CODES), _SPACES)
)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every key or index of a JSON document, with the object or array that it is in."""
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


@st.composite
def _damaged(draw: st.DrawFn, name: str) -> Any:
    """The JSON of a contract in which some values are anything, or missing, or too many."""
    value = draw(contracts(ACCEPTED[name])).model_dump(mode="json")
    for _ in range(draw(st.integers(0, 3))):
        places = list(_places(value))
        if not places:
            break
        container, key = draw(st.sampled_from(places))
        what = draw(st.sampled_from(["replace"] * 6 + ["null", "remove", "add"]))
        if what == "replace":
            near = _texts(container[key]) if isinstance(container[key], str) else _ANYTHING
            container[key] = draw(near | _ANYTHING)
        elif what == "null":
            container[key] = None
        elif what == "remove":
            del container[key]
        elif isinstance(container, list):
            container.extend([container[key]] * draw(st.sampled_from([1, 500])))
        else:
            container[draw(_ANY_TEXT)] = draw(_ANY_JSON)
    return value


# -- the schema accepts what the contract accepts --------------------------------------------------


@pytest.mark.parametrize("name", SCALARS)
@given(value=_ANYTHING)
def test_scalars(name: str, value: Any) -> None:
    """Of any JSON value, a scalar and its schema think the same."""
    SCALARS[name].assert_agreed(value)


@pytest.mark.parametrize("name", CONTRACTS)
@given(data=st.data())
def test_contracts(name: str, data: st.DataObject) -> None:
    """Of a contract's JSON, whole or damaged, the contract and its schema think the same."""
    CONTRACTS[name].assert_agreed(data.draw(_damaged(name)))


@pytest.mark.parametrize("number", [1704801600, 1704801600000, 1704801600.5])
@pytest.mark.parametrize("as_text", [False, True])
def test_times_are_no_numbers(number: float, as_text: bool) -> None:
    """A number is no time, for the contract and its schema: nobody knows in which unit it is."""
    given_ = {"captured_at": str(number) if as_text else number}
    assert CONTRACTS["Snapshot"].blamed(given_)
    with pytest.raises(ValidationError, match="a time with an offset, as in 2024"):
        CONTRACTS["Snapshot"].keep(given_)


TEXTS = [
    pattern
    for definition in json_schema("Capture")["$defs"].values()
    if (pattern := definition.get("pattern"))
    and definition["title"].startswith(("Name", "Text", "Slug"))
]


@pytest.mark.parametrize("pattern", sorted(set(TEXTS)))
def test_patterns_are_quick_to_make_texts_of(pattern: str) -> None:
    """Hypothesis makes texts of a pattern in a moment, for those who test by the schema."""
    began = time.process_time()
    once = settings(max_examples=1, phases=[Phase.generate], database=None)
    find(st.from_regex(pattern), lambda text: True, settings=once)
    assert time.process_time() - began < 2


@given(captures())
def test_captures(capture: Capture) -> None:
    """Every capture holds the schema of captures."""
    CONTRACTS["Capture"].validator.validate(json.loads(capture.model_dump_json()))


@given(damaged_captures())
def test_damaged_captures(capture: dict[str, Any]) -> None:
    """The schema refuses the damaged captures that the contract refuses, and no others."""
    try:
        text = json.dumps(capture, allow_nan=False)
    except ValueError:  # what is no JSON has no JSON Schema
        return
    CONTRACTS["Capture"].assert_agreed(json.loads(text))


@given(json_values())
def test_anything_is_no_capture(value: Any) -> None:
    """Whatever is no object at all is refused by both."""
    CONTRACTS["Capture"].assert_agreed(value)


def _capture(**changed: Any) -> dict[str, Any]:
    """A capture of a competitor's, with other values for some of its parts."""
    return {
        "captured_at": "2024-01-09T12:00:00Z",
        "competitor_event": {
            "source": "bet9ja",
            "external_id": "1",
            "sportradar_id": "2",
            "name": "A - B",
            "home_team": "A",
            "away_team": "B",
            "kickoff": "2024-01-20T17:00:00Z",
            "tournament": {
                "external_id": "3",
                "name": "Cup",
                "sport": {"slug": "football", "name": "Football"},
            }
            | changed.pop("tournament", {}),
        },
        "markets": [],
    } | changed


def _market(*names: str, **changed: Any) -> dict[str, Any]:
    outcomes = [{"name": name, "odds": 2.5} for name in names or ["1"]]
    return {"betpawa_market_id": "1", "betpawa_market_name": "1X2", "outcomes": outcomes} | changed


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


#: For each of the exceptions, a value of a contract that it is about.
EXAMPLES: dict[str, tuple[str, Any]] = {
    "two outcomes of a market with one name": ("Market", _market("1", "1")),
    "two markets of a capture that are the same": (
        "Capture",
        _capture(markets=[_market("1"), _market("2")]),
    ),
    "a tournament whose `source` is another than its event's": (
        "Capture",
        _capture(tournament={"source": "sportybet"}),
    ),
    "a time in UTC's 1969 or 2201 by its offset": (
        "Snapshot",
        {"captured_at": "1970-01-01T00:30:00+01:00"},
    ),
    "JSON that is nested deeper than Python's parser goes": (
        "Snapshot",
        {"raw_response": _nested(250)},
    ),
    "a number in other words than plain digits": ("Market", _market(line="1e2")),
    "a time in another year than UTC's": (
        "Snapshot",
        {"captured_at": "1969-12-31T23:30:00-01:00"},
    ),
    "text that is short enough once it is trimmed": (
        "Market",
        _market(betpawa_market_id=" " * 50 + "1"),
    ),
    "an id of -2^63 that is written as a float": ("MarketOdds", _market(id=-(2.0**63))),
    "an integer that is rounded to the greatest float": (
        "Market",
        _market(line=2**1024 - 2**970 - 1),
    ),
}


@pytest.mark.parametrize("exception", [*ONLY_SCHEMA, *ONLY_CONTRACT])
def test_exceptions(exception: str) -> None:
    """Each exception is one: the schema alone accepts its example, or the contract alone."""
    name, value = EXAMPLES[exception]
    contract = CONTRACTS[name]
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)
    try:
        assert bool(contract.blamed(value)) == (exception in ONLY_CONTRACT)
    finally:
        sys.setrecursionlimit(limit)
    if exception in ONLY_CONTRACT:
        contract.keep(value)
    else:
        with pytest.raises(ValidationError):
            contract.keep(value)


def test_exceptions_are_documented() -> None:
    """The documentation tells these exceptions, in this order, and no others."""
    text = (DOCS / "contracts.md").read_text(encoding="utf-8")
    told = re.findall(r"^- (.*)$", text.partition("### What it cannot say")[2], re.MULTILINE)
    known = [*ONLY_SCHEMA, *ONLY_CONTRACT]
    assert len(told) == len(known)
    assert all(line.startswith(one) for line, one in zip(told, known, strict=True))
