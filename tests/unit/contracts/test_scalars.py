"""The scalars: accepted, refused and normalised values of every field."""

import math
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import NoneType
from typing import Any, get_args, get_origin

import pytest
from annotated_types import Ge, Le, Lt, MaxLen, MinLen
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import AllowInfNan, JsonValue, TypeAdapter, ValidationError, WrapValidator
from pydantic.fields import FieldInfo

from oddsschema.contracts import scalars as types
from oddsschema.contracts.base import Contract
from oddsschema.contracts.columns import unwrap_annotation
from oddsschema.contracts.table import Table
from oddsschema.models import metadata
from oddsschema.strategies import contracts, field_values
from tests.support.white_space import WHITE_SPACE


def subclasses(contract: type[Contract]) -> set[type[Contract]]:
    """List all subclasses of a contract, at any depth."""
    below = set(contract.__subclasses__())
    return below.union(*map(subclasses, below)) - {Table}


CONTRACTS = sorted(
    (contract for contract in subclasses(Contract) if contract.metadata is metadata),
    key=lambda contract: contract.__name__,
)

#: Every Annotated scalar of the types module.
SCALARS = {name: scalar for name, scalar in vars(types).items() if hasattr(scalar, "__metadata__")}


def step(bound: Any, up: bool) -> Any:
    """Return the nearest value on one side of a bound."""
    if isinstance(bound, datetime):
        return bound + (1 if up else -1) * timedelta(microseconds=1)
    if isinstance(bound, float):
        return math.nextafter(bound, math.inf if up else -math.inf)
    return bound + (1 if up else -1)


def around_bounds(field: FieldInfo) -> tuple[list[Any], list[Any]]:
    """List values just inside and just outside the bounds of a field's type."""
    python_type, marks = unwrap_annotation(field.rebuild_annotation())
    if any(isinstance(mark, WrapValidator) for mark in marks):
        return [], []  # it replaces values outside its bounds
    is_text = python_type is str
    may_be_blank = any(getattr(mark, "func", None) is types.blank_to_none for mark in marks)
    inside: list[Any] = []
    outside: list[Any] = [object()]
    if NoneType not in get_args(field.annotation):
        outside.append(None)
    for mark in marks:
        if isinstance(mark, Ge):
            inside.append(mark.ge)
            outside.append(step(mark.ge, up=False))
        elif isinstance(mark, Le):
            inside.append(mark.le)
            outside.append(step(mark.le, up=True))
        elif isinstance(mark, Lt):
            inside.append(step(mark.lt, up=False))
            outside.append(mark.lt)
        elif isinstance(mark, AllowInfNan):
            outside += [math.nan, math.inf, -math.inf]
        elif isinstance(mark, MaxLen) and is_text:
            outside.append("x" * (mark.max_length + 1))
        elif isinstance(mark, MinLen) and is_text and not may_be_blank:
            outside += ["", " \t\n"]
    if is_text:
        is_id = any(getattr(mark, "func", None) is types.write_integer for mark in marks)
        outside += [True if is_id else 1, 1.5, "a\0b", "a\ud800b"]
    elif python_type is JsonValue:
        outside += [
            {"a": ["\0"]},
            {"\0": 1},
            ["\ud800"],
            {"\udfff": 1},
            {"a": math.nan},
            [math.inf],
        ]
    elif get_origin(python_type) in (tuple, list):
        outside += [1, [1], [{}]]
    elif issubclass(python_type, bool):
        outside += [2, "maybe"]
    elif issubclass(python_type, int | float):
        outside += [True, False, "many"]
    elif issubclass(python_type, datetime):
        outside += [datetime(2024, 1, 9, 12), "2024-01-09T12:00:00", "soon"]
    elif issubclass(python_type, StrEnum):
        outside += ["", "no such", 1]
    return inside, outside


@pytest.mark.parametrize("contract", CONTRACTS)
@given(data=st.data())
def test_field_bounds(contract: type[Contract], data: st.DataObject) -> None:
    """Every field accepts values just inside its bounds, and refuses values just outside."""
    valid = dict(data.draw(contracts(contract)))
    ruled = {name for rule in contract.__rules__ for name in rule.fields}
    for name, field in contract.model_fields.items():
        inside, outside = around_bounds(field)
        for value in inside:
            if name not in ruled:
                assert getattr(contract(**valid | {name: value}), name) == value
        for value in outside:
            with pytest.raises(ValidationError) as caught:
                contract(**valid | {name: value})
            assert {error["loc"][0] for error in caught.value.errors()} == {name}


@pytest.mark.parametrize("contract", CONTRACTS)
@given(data=st.data())
def test_required_fields(contract: type[Contract], data: st.DataObject) -> None:
    """The error of a missing field names the field."""
    valid = dict(data.draw(contracts(contract)))
    for name, field in contract.model_fields.items():
        if field.is_required():
            with pytest.raises(ValidationError) as caught:
                contract(**{key: value for key, value in valid.items() if key != name})
            assert [(error["type"], error["loc"]) for error in caught.value.errors()] == [
                ("missing", (name,))
            ]


@pytest.mark.parametrize("name", SCALARS)
@given(data=st.data())
def test_scalar_keeps_its_own_values(name: str, data: st.DataObject) -> None:
    """An accepted value is accepted again unchanged, from Python and from JSON."""
    scalar = TypeAdapter(SCALARS[name])
    value = data.draw(field_values(FieldInfo.from_annotation(SCALARS[name])))
    assert scalar.validate_python(value) == value
    assert scalar.validate_json(scalar.dump_json(value)) == value


@pytest.mark.parametrize(
    "name", [name for name in SCALARS if unwrap_annotation(SCALARS[name])[0] is str]
)
@given(data=st.data(), before=st.text(WHITE_SPACE), after=st.text(WHITE_SPACE))
def test_text_is_trimmed(name: str, data: st.DataObject, before: str, after: str) -> None:
    """White space around a text is removed before its length is checked."""
    values = field_values(FieldInfo.from_annotation(SCALARS[name]))
    text = data.draw(values.filter(lambda value: value is not None))
    assert TypeAdapter(SCALARS[name]).validate_python(before + text + after) == text


@given(st.sampled_from([255, 256]), st.sampled_from("x\u00e9\u4e2d\U0001f3b2"))
def test_text_is_counted_in_characters(length: int, character: str) -> None:
    """A length is a number of characters, as in PostgreSQL, not of bytes."""
    text = character * length
    if length > 255:
        with pytest.raises(ValidationError):
            TypeAdapter(types.Name255).validate_python(text)
    else:
        assert TypeAdapter(types.Name255).validate_python(text) == text


@given(st.text())
@example("bet9ja\n")
@example("Bet9ja")
@example("-bet9ja")
@example("\u00ebt\u00e9")
def test_slug(text: str) -> None:
    """A slug has 1 to 20 lower-case ASCII letters and digits; after the first, also "_" and "-"."""
    try:
        slug = TypeAdapter(types.Slug).validate_python(text)
    except ValidationError:
        slug = None
    small = "abcdefghijklmnopqrstuvwxyz0123456789"
    trimmed = text.strip(WHITE_SPACE)
    is_slug = 1 <= len(trimmed) <= 20 and trimmed[0] in small and set(trimmed) <= {*small, "_", "-"}
    assert slug == (trimmed if is_slug else None)


@given(
    st.datetimes(
        datetime(1970, 1, 3), datetime(2200, 12, 29), timezones=st.timezones(no_cache=True)
    )
)
def test_time_is_normalised(time: datetime) -> None:
    """An aware time of any zone becomes the same instant in UTC."""
    normal = TypeAdapter(types.UtcTime).validate_python(time)
    assert normal == time.astimezone(UTC)
    assert normal.tzinfo is UTC


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 12, 31)))
def test_naive_time_is_refused(time: datetime) -> None:
    """A time without a zone is refused, as an object and as text."""
    adapter = TypeAdapter(types.UtcTime)
    for naive in (time, time.isoformat()):
        with pytest.raises(ValidationError):
            adapter.validate_python(naive)


@given(st.from_regex(r"[0-9]{1,3}_[0-9]{1,3}", fullmatch=True))
@pytest.mark.parametrize("name", ["Int4", "Int8", "Count", "Odds", "Line"])
def test_underscores_are_refused(name: str, text: str) -> None:
    """A number in text has no underscores, which Python alone reads as grouping."""
    for value in (text, text.encode()):
        with pytest.raises(ValidationError, match="without underscores"):
            TypeAdapter(SCALARS[name]).validate_python(value)


@given(st.integers(100, 5000), st.booleans())
def test_american_odds_are_refused_with_their_decimal_value(price: int, as_text: bool) -> None:
    """American odds of a favourite are refused with their decimal value."""
    given_ = str(-price) if as_text else -price
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(types.Odds).validate_python(given_)
    stated = caught.value.errors()[0]["msg"].rpartition(f"American odds, -{price} is ")[2]
    assert float(stated) == pytest.approx(1 + 100 / price, abs=0.00051)


@given(st.integers(0, 500), st.integers(1, 100))
def test_fractional_odds_are_refused_with_their_decimal_value(above: int, below: int) -> None:
    """Fractional odds are refused with their decimal value."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(types.Odds).validate_python(f"{above}/{below}")
    stated = caught.value.errors()[0]["msg"].rpartition(f"odds, {above}/{below} is ")[2]
    assert float(stated) == pytest.approx(1 + above / below, abs=0.00051)


@given(st.floats(max_value=1, exclude_max=True, allow_nan=False))
def test_odds_below_1_name_decimal_odds(odds: float) -> None:
    """The reason for refusing odds below 1 is that decimal odds are wanted, with an example."""
    with pytest.raises(ValidationError, match=r"decimal odds of at least 1: .* is [0-9.]+"):
        TypeAdapter(types.Odds).validate_python(odds)


@given(
    st.datetimes(datetime(1973, 4, 1), datetime(2200, 12, 31), timezones=st.just(UTC)),
    st.sampled_from([("seconds", 1), ("milliseconds", 1000)]),
    st.booleans(),
)
def test_epoch_times_are_refused_with_their_unit(
    time: datetime, unit: tuple[str, int], as_text: bool
) -> None:
    """A number that counts from 1970 is refused, with the wanted form and the number's unit."""
    name, per_second = unit
    number = time.timestamp() * per_second
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(types.UtcTime).validate_python(str(number) if as_text else number)
    reason = caught.value.errors()[0]["msg"]
    assert "a time with an offset, as in 2024-01-09T12:00:00Z" in reason
    assert reason.endswith(f"looks like epoch {name}")


@given(st.floats(-1e8, 1e8, exclude_max=True) | st.floats(min_value=1e13))
def test_other_numbers_have_no_unit(number: float) -> None:
    """A number that is hardly a time since 1970 is refused without a guess at its unit."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(types.UtcTime).validate_python(number)
    assert "epoch" not in caught.value.errors()[0]["msg"]
