"""Values of single fields: text, numbers, times, JSON, within the bounds that their types state."""

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
from pydantic import JsonValue

from oddsschema.contracts.countries import ALPHA3
from oddsschema.contracts.scalars import NO_NUL, WHITE_SPACE, CountryIso

#: What PostgreSQL's text can hold.
CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0")

#: What pydantic trims. Python's own strip() would take \x1c to \x1f as well.
_MARGINS = "".join(map(chr, WHITE_SPACE))
#: The mark by which a country's code is known among other texts.
_COUNTRY = get_args(CountryIso)[-1]
#: The length of a long text where the contract sets no limit.
_LONG = 3000


def scalars(python_type: Any, marks: list[Any]) -> SearchStrategy[Any]:
    """The values of a type within the bounds that its `Annotated` states."""
    for mark in marks:
        if isinstance(mark, SearchStrategy):
            return mark
    if python_type is JsonValue:
        return json_values()
    if not isinstance(python_type, type):
        return _foreign(python_type, marks)
    marks = [one for mark in marks for one in _parts(mark)]
    least, most = bound(marks, Ge, "ge"), bound(marks, Le, "le")
    above, below = bound(marks, Gt, "gt"), bound(marks, Lt, "lt")
    if issubclass(python_type, StrEnum):
        return st.sampled_from(python_type)
    if issubclass(python_type, str):
        if _COUNTRY in marks:
            return st.sampled_from(sorted(ALPHA3))
        pattern = next((mark.pattern for mark in marks if getattr(mark, "pattern", None)), NO_NUL)
        shortest = bound(marks, MinLen, "min_length") or 0
        return _texts(pattern, shortest, bound(marks, MaxLen, "max_length") or _LONG)
    if issubclass(python_type, bool):
        return st.booleans()
    if issubclass(python_type, int) and above is below is None:
        return st.integers(least, most)
    if issubclass(python_type, float) and most is above is below is None:
        start = -10.0 if least is None else least
        usual = st.integers(0, 80).map(lambda quarters: start + quarters / 4)
        return usual | st.floats(least, most, allow_nan=False, allow_infinity=False)
    if issubclass(python_type, Decimal) and above is below is None:
        return st.decimals(least, most, allow_nan=False, allow_infinity=False)
    if issubclass(python_type, datetime) and most is above is None:
        first = least.replace(tzinfo=None) if least else datetime.min
        last = below.replace(tzinfo=None) - timedelta(microseconds=1) if below else datetime.max
        return st.datetimes(first, last, timezones=st.just(UTC))
    return _foreign(python_type, marks)


def _parts(mark: Any) -> Iterable[Any]:
    return mark if isinstance(mark, GroupedMetadata) else [mark]


def bound(marks: list[Any], kind: type[Any], name: str) -> Any:
    """What the mark of that kind says, None when there is none."""
    return next((getattr(mark, name) for mark in marks if isinstance(mark, kind)), None)


def _foreign(python_type: Any, marks: list[Any]) -> SearchStrategy[Any]:
    """The values of a type that no contract of ours has, but somebody's subclass may."""
    bounds = [mark for mark in marks if type(mark).__module__ == Ge.__module__]
    annotated: Any = Annotated[(python_type, *bounds)] if bounds else python_type
    return st.from_type(annotated)


def json_values() -> SearchStrategy[Any]:
    """Any JSON value that JSONB can hold."""
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
def _texts(pattern: str, shortest: int, longest: int) -> SearchStrategy[str]:
    """Trimmed texts within a pattern and bounds; many of them exactly as long as they may be."""
    if pattern == NO_NUL:
        short = st.text(CHARACTERS, min_size=shortest, max_size=max(shortest, min(longest, 12)))
    else:
        short = st.from_regex(pattern, fullmatch=True)
    short = short.map(lambda text: text.strip(_MARGINS))
    # Ends as it begins, so that trimming takes nothing away.
    stretched = short.filter(bool).map(lambda text: (text * longest)[: longest - 1] + text[0])
    return (short | short | stretched).filter(
        lambda text: shortest <= len(text) <= longest and bool(re.fullmatch(pattern, text))
    )
