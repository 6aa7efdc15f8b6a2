"""Values at the bounds of a table's fields and beyond them."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, get_origin

from annotated_types import Ge, Le, Lt, MaxLen, MinLen
from hypothesis import strategies as st
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, JsonValue
from pydantic.fields import FieldInfo
from sqlalchemy import ARRAY, Enum, Integer
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel.main import FieldInfoMetadata

from oddsschema import Market, Outcome, Table
from oddsschema.contracts.columns import unwrap_annotation
from oddsschema.contracts.json_schema import ScalarJsonSchema
from oddsschema.contracts.outcomes import OutcomesJSONB
from oddsschema.contracts.scalars import (
    FLOAT_MAX,
    NO_NUL,
    WHITE_SPACE,
    CaptureMark,
    ValidatorWithCheck,
    sort_specifiers,
)
from oddsschema.strategies import field_values
from tests.support.check_rows import GOOD, NOW, OUTCOMES, fields_of, is_array, is_json, plain

_ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=20)
_SPACES = st.sampled_from(["", " ", "\t", "\n", "\x0b", "\x1c", "\x85", "\xa0", "\u2003", "\u200b"])
_TIMES = st.datetimes(timezones=st.none() | st.just(UTC)) | st.datetimes(
    datetime(1969, 12, 31), datetime(1970, 1, 2), timezones=st.just(timezone(timedelta(hours=5)))
)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.sampled_from(
        [
            0,
            1,
            -1,
            2**31,
            -(2**31) - 1,
            2**63,
            10**400,
            0.5,
            -0.0,
            1e308,
            FLOAT_MAX,
            float(FLOAT_MAX),
        ]
    )
    | st.floats()
    | _ANY_TEXT
    | st.sampled_from(["2.15", "1", "true", "NaN", "asian", "CHE", "ch", "che", "Bet9ja", "a" * 21])
    | _TIMES
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _ANY_TEXT | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_ANY_TEXT, inner, max_size=3),
    max_leaves=6,
)


def _lengthened(text: str, field: FieldInfo) -> str:
    longest = _mark(field, MaxLen, "max_length") or 3000
    return (text or "x") * longest


def _mark(field: FieldInfo, kind: type[Any], name: str) -> Any:
    _, marks = unwrap_annotation(field.rebuild_annotation())
    return next((getattr(mark, name) for mark in marks if isinstance(mark, kind)), None)


@st.composite
def _texts_beyond(draw: st.DrawFn, field: FieldInfo) -> str:
    """Draw a good text with white space around it, or a text near the longest allowed length."""
    text = draw(_SPACES) + str(draw(field_values(field)) or "") + draw(_SPACES)
    longest = _mark(field, MaxLen, "max_length") or 3000
    return draw(
        st.just(text)
        | st.integers(-1, 2).map(lambda more: ((text or "x") * longest)[: longest + more])
    )


_JUNK_OUTCOME = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["1", "x" * 255, "x" * 256, "\U0001f600" * 255, "", " ", "x "])
        | _JSON,
        "odds": st.sampled_from([1, 1.0, 0.99, 1.5, float(FLOAT_MAX), 10**309, "2.15", None, True])
        | _JSON,
        "is_active": st.sampled_from([True, False, None, 0, 1, "true"]) | _JSON,
        "extra": _JSON,
    },
)
_GOOD_OUTCOMES = field_values(Market.model_fields["outcomes"]).map(plain)


@st.composite
def _outcomes_beyond(draw: st.DrawFn) -> Any:
    """Draw outcomes: good ones with junk among them, too many, or none."""
    found = draw(_GOOD_OUTCOMES)
    junk = draw(st.none() | _JUNK_OUTCOME | _JSON)
    if junk is not None:
        found.insert(draw(st.integers(0, len(found))), junk)
    many = draw(st.sampled_from([None, None, 0, 499, 500, 501]))
    if many is not None:
        found = [{"name": str(at), "odds": 2.5, "is_active": True} for at in range(many)]
    return found


@st.composite
def arbitrary_rows(draw: st.DrawFn, table: type[Table]) -> dict[str, Any]:
    """Draw a good row of a table in which some values are arbitrary."""
    fields = fields_of(table)
    ruled = {name for rule in table.__rules__ for name in rule.fields}
    row = dict(GOOD[table.__tablename__])
    names = draw(st.lists(st.sampled_from(sorted(fields)), min_size=1, max_size=3, unique=True))
    if ruled & set(names):
        names = sorted({*names, *ruled})
    for name in names:
        field = fields[name]
        python_type, _ = unwrap_annotation(field.rebuild_annotation())
        good = field_values(field).map(plain)
        if name == "outcomes":
            values = _outcomes_beyond() | _JSON
        elif is_json(field):
            values = _JSON
        elif is_array(field):
            values = good | st.lists(_TIMES, max_size=3) | _SCALARS | _JSON
        elif isinstance(python_type, type) and issubclass(python_type, str):
            values = good | _texts_beyond(field) | _SCALARS | _JSON
        else:
            values = good | _SCALARS | _JSON
        row[name] = draw(values)
    return row


def beyond(field: FieldInfo) -> Iterator[tuple[str, Any, Any]]:
    """List each bound of a field: its name, a value just inside and a value just outside."""
    python_type, marks = unwrap_annotation(field.rebuild_annotation())
    is_text = python_type is str
    pattern = next((mark.pattern for mark in marks if getattr(mark, "pattern", None)), None)
    is_code = any(isinstance(mark, ValidatorWithCheck) for mark in marks) and is_text
    # Specifiers are text of a form: their value is the text.
    start = "a=" if any(getattr(mark, "func", None) is sort_specifiers for mark in marks) else ""
    if python_type == tuple[Outcome, ...]:
        yield from _beyond_outcomes()
    for mark in marks:
        match mark:
            case MinLen() if is_text:
                yield "min_length", start + "x" * mark.min_length, "x" * (mark.min_length - 1)
            case MaxLen() if is_text:
                longest = start + "x" * (mark.max_length - len(start))
                yield "max_length", longest, f"{longest}x"
            case MinLen():
                yield "fewest", OUTCOMES * mark.min_length, OUTCOMES * (mark.min_length - 1)
            case MaxLen():
                many = [{**OUTCOMES[0], "name": str(at)} for at in range(mark.max_length + 1)]
                yield "most", many[1:], many
            case Ge():
                step = {int: 1, float: 1e-9, datetime: timedelta(microseconds=1)}[python_type]
                yield "ge", mark.ge, mark.ge - step
            case Le():
                yield "le", mark.le, mark.le + 1
            case Lt():
                yield "lt", mark.lt - timedelta(microseconds=1), mark.lt
            case Enum():
                yield "enum", mark.enums[-1], "other"
            case ValidatorWithCheck() if python_type is JsonValue:
                yield "number", {"a": [FLOAT_MAX]}, {"a": [-FLOAT_MAX - 1]}
            case ValidatorWithCheck() if get_origin(python_type) is list:
                yield "array", [["1"]], {"a": 1}
                yield "keys", [["1"]], ["1"]
                yield "number", [[FLOAT_MAX]], [[-FLOAT_MAX - 1]]
            case ValidatorWithCheck() if is_code:
                yield "code", "CHE", "CHX"
            case _ if getattr(mark, "allow_inf_nan", None) is False:
                for odd in (math.inf, -math.inf, math.nan):
                    yield "finite", float(FLOAT_MAX), odd
            case _ if getattr(mark, "strip_whitespace", None):
                if pattern == NO_NUL:
                    yield "no_nul", f"{start}x", f"{start}\0"
                    for space in map(chr, WHITE_SPACE):
                        yield "trimmed", f"{start}x{space}x", f"{start}x{space}"
                        yield "trimmed", f"{start}x{space}x", f"{space}{start}x"
                elif pattern is not None:
                    yield "pattern", "a_-0", "-a"
            case ARRAY():
                first = datetime(1970, 1, 1, tzinfo=UTC)
                last = datetime(2201, 1, 1, tzinfo=UTC)
                instant = timedelta(microseconds=1)
                yield "earliest", [first, NOW], [first - instant, NOW]
                yield "latest", [NOW, last - instant], [NOW, last]
                yield "null", [NOW], [NOW, None]
            case Integer() | JSONB() | OutcomesJSONB() | ValidatorWithCheck():
                pass  # SQL types; the rules for outcomes are above
            case AfterValidator() | BeforeValidator() | FieldInfoMetadata() | ScalarJsonSchema():
                pass  # converters, and metadata of keys, defaults and JSON Schema
            case CaptureMark():
                pass  # of times that are past: no CHECK compares them with a clock
            case _:
                assert mark is AwareDatetime, f"a mark that this test does not know: {mark!r}"


def _beyond_outcomes() -> Iterator[tuple[str, Any, Any]]:
    (good,) = OUTCOMES
    for name, field in Outcome.model_fields.items():
        for bound, inside, outside in beyond(field):
            if bound == "trimmed":
                continue  # one of the EXCEPTIONS
            if (name, bound) == ("odds", "ge"):
                inside, outside = 1.0, 1 - 1e-9
            yield f"{name}-{bound}", [{**good, name: inside}], [{**good, name: outside}]
        yield f"{name}-null", OUTCOMES, [{**good, name: None}]
        yield f"{name}-list", OUTCOMES, [{**good, name: [good[name]]}]
        yield (
            f"{name}-missing",
            OUTCOMES,
            [{key: value for key, value in good.items() if key != name}],
        )
    closed = {**good, "is_active": False}
    no_price = {**good, "odds": None}
    yield "closed-no price", [{**closed, "odds": None}], [no_price]
    yield "closed-low", [closed, {**closed, "name": "2", "odds": None}], [{**closed, "odds": 0.5}]
    yield "one open", [good, {**closed, "name": "2", "odds": None}], [closed, no_price]
    yield "no array", OUTCOMES, good
    yield "nested", OUTCOMES, [OUTCOMES]
