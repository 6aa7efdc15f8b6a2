"""JSON values near the bounds of a JSON Schema, and damaged documents."""

import sys
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from oddsschema.contracts.countries import ALPHA3, ALPHA3_OF_ALPHA2
from oddsschema.schema import CONTRACTS
from oddsschema.strategies import contracts

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
    """Draw numbers as text: plain, in all forms that Python allows, or longer than any type."""
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
    """Draw times of day and offsets, in usual and unusual notations."""
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
    """Draw a text with an addition before, after or in it, or a text near some field's length."""
    changed = draw(
        st.just(text) | _ANY_TEXT | st.sampled_from(["", "bet9ja", "Bet9ja", "_", "asian"])
    )
    if draw(st.booleans()):
        changed = ((changed or "x") * 1001)[: draw(st.sampled_from(_LENGTHS))]
    middle = draw(st.sampled_from([""] * 6 + ["\0", "\ud800", "\udfff", "\U0001f3b2", "\n"]))
    return draw(_SPACES) + changed[:7] + middle + changed[7:] + draw(_SPACES)


ANYTHING = (
    _ANY_JSON
    | _texts()
    | _numerals()
    | _NUMBERS
    | _times()
    | _any_case(_FLAGS)
    | st.builds("{}{}{}".format, _SPACES, _any_case(_CODES), _SPACES)
)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """List every key or index of a JSON document, with its object or array."""
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


@st.composite
def damaged_documents(draw: st.DrawFn, name: str) -> Any:
    """Draw a contract's JSON with values that are arbitrary, missing, or too many."""
    value = draw(contracts(CONTRACTS[name])).model_dump(mode="json")
    for _ in range(draw(st.integers(0, 3))):
        places = list(_places(value))
        if not places:
            break
        container, key = draw(st.sampled_from(places))
        change = draw(st.sampled_from(["replace"] * 6 + ["null", "remove", "add"]))
        if change == "replace":
            near = _texts(container[key]) if isinstance(container[key], str) else ANYTHING
            container[key] = draw(near | ANYTHING)
        elif change == "null":
            container[key] = None
        elif change == "remove":
            del container[key]
        elif isinstance(container, list):
            container.extend([container[key]] * draw(st.sampled_from([1, 500])))
        else:
            container[draw(_ANY_TEXT)] = draw(_ANY_JSON)
    return value
