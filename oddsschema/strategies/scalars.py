"""The strategies of text, numbers, times and JSON, within the bounds of their types."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, get_args

from annotated_types import Ge, GroupedMetadata, Gt, Le, Lt, MaxLen, MinLen
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pydantic import AfterValidator, JsonValue

from oddsschema.contracts.countries import ALPHA3
from oddsschema.contracts.scalars import (
    NO_NUL,
    WHITE_SPACE,
    CaptureMark,
    CountryIso,
    sort_specifiers,
)

#: The characters that PostgreSQL's text can store.
CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0")

#: The characters that pydantic trims. Python's own strip() also trims \x1c to \x1f.
_MARGINS = "".join(map(chr, WHITE_SPACE))
#: The mark that identifies country codes among texts.
_COUNTRY = get_args(CountryIso)[-1]
#: The mark that identifies specifiers among texts.
_SPECIFIERS = AfterValidator(sort_specifiers)
#: The latest time of a capture. It does not move on: Hypothesis repeats examples.
_LATEST_CAPTURE = datetime.now(UTC).replace(tzinfo=None)
#: The length of a long text if the contract has no limit.
_LONG = 3000


def scalars(python_type: Any, marks: list[Any]) -> SearchStrategy[Any]:
    """Build the strategy of a type's values within the bounds of its `Annotated`."""
    for mark in marks:
        if isinstance(mark, SearchStrategy):
            return mark
    if python_type is JsonValue:
        return json_values()
    if not isinstance(python_type, type):
        return unknown_type_values(python_type, marks)
    marks = [part for mark in marks for part in _mark_parts(mark)]
    least, most = bound(marks, Ge, "ge"), bound(marks, Le, "le")
    above, below = bound(marks, Gt, "gt"), bound(marks, Lt, "lt")
    if issubclass(python_type, StrEnum):
        return st.sampled_from(python_type)
    if issubclass(python_type, str):
        if _COUNTRY in marks:
            return st.sampled_from(sorted(ALPHA3))
        if _SPECIFIERS in marks:
            return specifiers()
        pattern = next((mark.pattern for mark in marks if getattr(mark, "pattern", None)), NO_NUL)
        shortest = bound(marks, MinLen, "min_length") or 0
        return trimmed_texts(pattern, shortest, bound(marks, MaxLen, "max_length") or _LONG)
    if issubclass(python_type, bool):
        return st.booleans()
    if issubclass(python_type, int) and above is below is None:
        return st.integers(least, most)
    if issubclass(python_type, float) and most is above is below is None:
        start = -10.0 if least is None else least
        ordinary = st.integers(0, 80).map(lambda quarters: start + quarters / 4)
        return ordinary | st.floats(least, most, allow_nan=False, allow_infinity=False)
    if issubclass(python_type, Decimal) and above is below is None:
        return st.decimals(least, most, allow_nan=False, allow_infinity=False)
    if issubclass(python_type, datetime) and most is above is None:
        first = least.replace(tzinfo=None) if least else datetime.min
        last = below.replace(tzinfo=None) - timedelta(microseconds=1) if below else datetime.max
        if any(isinstance(mark, CaptureMark) for mark in marks):
            last = min(last, _LATEST_CAPTURE)
        return st.datetimes(first, last, timezones=st.just(UTC))
    return unknown_type_values(python_type, marks)


def _mark_parts(mark: Any) -> Iterable[Any]:
    """Expand a mark that groups several marks."""
    return mark if isinstance(mark, GroupedMetadata) else [mark]


def bound(marks: list[Any], kind: type[Any], name: str) -> Any:
    """Return the attribute `name` of the first mark of a kind, or None without such a mark."""
    return next((getattr(mark, name) for mark in marks if isinstance(mark, kind)), None)


def unknown_type_values(python_type: Any, marks: list[Any]) -> SearchStrategy[Any]:
    """Build the strategy of a type that only a user's subclass of a contract uses."""
    bounds = [mark for mark in marks if type(mark).__module__ == Ge.__module__]
    annotated: Any = Annotated[(python_type, *bounds)] if bounds else python_type
    return st.from_type(annotated)


def specifiers() -> SearchStrategy[str]:
    """Build the strategy of the specifiers of a market, sorted by name."""
    names = st.sampled_from(["minute", "player", "variant", "quarter"]) | _specifier_parts("=|")
    values = st.sampled_from(["15", "2", "sr:player:38004"]) | _specifier_parts("|")
    return (
        st.dictionaries(names, values, min_size=1, max_size=3)
        .map(lambda pairs: "|".join(f"{name}={pairs[name]}" for name in sorted(pairs)))
        .filter(lambda text: len(text) <= 255)
    )


def _specifier_parts(excluded: str) -> SearchStrategy[str]:
    characters = st.characters(codec="utf-8", exclude_characters="\0" + excluded)
    return st.text(characters, min_size=1, max_size=90).filter(
        lambda text: text == text.strip() and text == text.strip(_MARGINS)
    )


def json_values() -> SearchStrategy[Any]:
    """Build the strategy of all JSON values that JSONB can store."""
    texts = st.text(CHARACTERS, max_size=12)
    leaves = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | texts
    )
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
        max_leaves=8,
    )


@cache
def trimmed_texts(pattern: str, shortest: int, longest: int) -> SearchStrategy[str]:
    """Build the strategy of trimmed texts of a pattern. Many have exactly the longest length."""
    if pattern == NO_NUL:
        short = st.text(CHARACTERS, min_size=shortest, max_size=max(shortest, min(longest, 12)))
    else:
        short = st.from_regex(pattern, fullmatch=True)
    short = short.map(lambda text: text.strip(_MARGINS))
    # The last character is the first one, so that trimming does not shorten the text.
    stretched = short.filter(bool).map(lambda text: (text * longest)[: longest - 1] + text[0])
    return (short | short | stretched).filter(
        lambda text: shortest <= len(text) <= longest and bool(re.fullmatch(pattern, text))
    )
