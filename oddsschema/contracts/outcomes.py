"""The outcomes of a market, and the JSONB column that stores them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import MaxLen, MinLen
from msgspec import DecodeError, Struct
from msgspec.json import Decoder
from pydantic import ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import PydanticCustomError, PydanticKnownError, core_schema
from sqlalchemy import ColumnElement, Dialect, Text, cast, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql import operators
from sqlalchemy.sql.operators import OperatorType
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field

from oddsschema.contracts import json_schema
from oddsschema.contracts.base import Contract, Rule, loader
from oddsschema.contracts.bulk import FieldGetter, Validator, with_plain_variant
from oddsschema.contracts.columns import unwrap_annotation
from oddsschema.contracts.odds_formats import other_format
from oddsschema.contracts.scalars import (
    FLOAT_MAX,
    LEAST_ODDS,
    Flag,
    Name255,
    Price,
    ValidatorWithCheck,
)


def check_price(odds: float | None, is_active: bool) -> dict[str, None] | None:
    """Check that an open outcome has decimal odds; fill in None for a closed one without a price.

    Feeds write the missing price of a closed outcome as null, 0, "0.00" or 0.98, or leave it out.
    """
    if odds is not None and odds >= LEAST_ODDS:
        return None
    if not is_active:
        return None if odds is None else {"odds": None}
    if odds is None:
        raise ValueError("An open outcome should have odds: only a closed one may lack a price")
    raise ValueError(other_format(odds))


_PRICED: Any = {"properties": {"odds": json_schema.odds(LEAST_ODDS)}, "required": ["odds"]}
_CLOSED: Any = {"properties": {"is_active": json_schema.falsehood()}, "required": ["is_active"]}


class Outcome(Contract):
    """An outcome of a market with its price: an element of the market's JSONB array.

    It is immutable and refuses unknown keys.
    """

    __rules__ = (
        Rule(
            ("odds", "is_active"),
            check_price,
            json_schema={"anyOf": [_PRICED, _CLOSED]},
            culprit="odds",
        ),
    )

    name: Name255 = Field(
        description="The name of the outcome, as the bookmaker writes it: 'Home', 'Over'."
    )
    odds: Price | None = Field(
        default=None,
        description="Decimal odds: finite, at least 1.0. None if a closed outcome has no price.",
    )
    is_active: Flag = Field(
        default=True,
        description="False if the outcome is closed; its odds are then the last price, or None.",
    )


if TYPE_CHECKING:
    Operators = JSONB.Comparator[Any]
else:
    # SQLAlchemy 2.0 cannot subscript it at runtime.
    Operators = JSONB.Comparator


class OutcomesOperators(Operators):
    """The operators of a column of outcomes: equality is that of outcomes, all others JSONB's.

    The operand of JSONB's operators is plain JSON, and so is their result.
    """

    def __init__(self, expr: ColumnElement[Any]) -> None:
        super().__init__(type_coerce(expr, JSONB()))
        self._of_outcomes: Operators = JSONB.Comparator(expr)

    def operate(self, op: OperatorType, *other: Any, **options: Any) -> ColumnElement[Any]:
        """Apply an operator to the column."""
        if op in _EQUALITY:
            return self._of_outcomes.operate(op, *other, **options)
        return super().operate(op, *other, **options)


_EQUALITY = {
    operators.eq,
    operators.ne,
    operators.is_distinct_from,
    operators.is_not_distinct_from,
    operators.in_op,
    operators.not_in_op,
}


class OutcomesJSONB(TypeDecorator[tuple[Outcome, ...]]):
    """A tuple of `Outcome` in Python, a JSONB array in PostgreSQL.

    Bound values are validated, as objects or as dicts (Core inserts). Loaded values are not
    validated: keys that only other releases know are dropped.
    """

    impl = JSONB
    cache_ok = True
    comparator_factory = OutcomesOperators

    def process_bind_param(self, value: Any, dialect: Dialect) -> list[dict[str, Any]] | None:
        """Validate outcomes (objects or dicts) and convert them to a list of dicts."""
        if value is None:
            return None
        return [dict(outcome) for outcome in _OUTCOMES.validate_python(value)]

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """Select the text of the column: drivers decode JSONB to dicts, which take longer."""
        return type_coerce(cast(column, Text), self)

    def process_result_value(self, value: Any, dialect: Dialect) -> tuple[Outcome, ...] | None:
        """Build outcomes, without unknown keys and without validation.

        The value is JSON text, unless a driver has decoded it as a part of another value.
        """
        try:
            return tuple(map(_build, _decode(value)))
        except DecodeError:
            # The types of older rows, from before the CHECK.
            return stored_outcomes(json.loads(value))
        except TypeError:
            return None if value is None else stored_outcomes(value)


class _Stored(Struct, frozen=True, gc=False):
    """An outcome in a row. Rows that are older than the CHECK may lack `is_active`."""

    name: str
    odds: float | None
    is_active: bool = True


# JSONB returns 2 for 2e0, and this a float.
_decode = Decoder(tuple[_Stored, ...]).decode


def stored_outcomes(outcomes: Sequence[Mapping[str, Any]]) -> tuple[Outcome, ...]:
    """Build the outcomes of a decoded array, without unknown keys and without validation."""
    return tuple(
        [
            stored_outcome(outcome["name"], outcome["odds"], outcome.get("is_active", True))
            for outcome in outcomes
        ]
    )


def stored_outcome(name: str, odds: float | None, is_active: bool) -> Outcome:
    """Build an outcome as it is stored, without validation."""
    return _build(_Stored(name, None if odds is None else float(odds), is_active))


# Outcomes are immutable, and a result repeats the same few names and prices.
@lru_cache(maxsize=16_384)
def _build(stored: _Stored) -> Outcome:
    return _load({"name": stored.name, "odds": stored.odds, "is_active": stored.is_active})


_load = loader(Outcome)


def stored_price(outcome: Mapping[str, Any]) -> float | None:
    """Return the price of an outcome as it is stored."""
    odds = outcome["odds"]
    return None if odds is None else float(odds)  # JSONB returns 2 for 2e0


def distinct_names_validator(getter: FieldGetter) -> Validator:
    """Build the validator that refuses two outcomes of a market with the same name."""
    name_of = getter("name")

    def validate(outcomes: Sequence[Any]) -> Sequence[Any]:
        if len(set(map(name_of, outcomes))) < len(outcomes):
            names = list(map(name_of, outcomes))
            repeated = next(name for name in names if names.count(name) > 1)
            raise PydanticCustomError(
                "outcome_names",
                "Outcome names must differ: {name} is given more than once",
                {"name": repr(repeated)},
            )
        return outcomes

    return validate


# -- the CHECK -------------------------------------------------------------------------------------


def key_predicates(name: str, field: FieldInfo) -> Iterator[str]:
    """Yield SQL/JSON path predicates for the type and the bounds of a key of the outcomes.

    In strict mode, a predicate is unknown if the key is missing or its value has another type.
    """
    python_type, _ = unwrap_annotation(field.rebuild_annotation())
    if python_type is bool:
        yield f'!($[*].{name}.type() != "boolean")'
    elif python_type is float:
        # Comparisons with null are false, comparisons with text are unknown. The + makes those with
        # null unknown too: most markets have all prices, and need no search for closed outcomes.
        all_priced = f"!(+$[*].{name} < {LEAST_ODDS})"
        closed = f"!($[*].{name} < {LEAST_ODDS}) && !($[*] ? (@.{name} == null).is_active != false)"
        yield f"({all_priced} || {closed}) && !($[*].{name} > {FLOAT_MAX})"
    else:
        # A regular expression for white space around the text would cost more than all the rest.
        yield f'!($[*].{name}.type() != "string") && !($[*].{name} == "")'


def length_conditions(name: str, field: FieldInfo) -> Iterator[str]:
    """Yield the SQL conditions for the longest text of a key of the outcomes.

    The size of the whole column is cheap to read, the regular expression is expensive. Therefore
    the regular expression runs only if the column is large enough to break the bound.
    """
    for mark in unwrap_annotation(field.rebuild_annotation())[1]:
        if isinstance(mark, MaxLen):
            most = mark.max_length
            yield (
                f"(pg_column_compression({{}}) IS NULL AND pg_column_size({{}}) <= {most} OR "
                f'NOT {{}} @? \'$[*].{name} ? (@ like_regex "^.{{{most}}}." flag "s")\')'
            )


def outcomes_condition(least: int, most: int) -> str:
    """Build the SQL condition of the outcomes' contract, for `least` to `most` outcomes.

    It leaves out the parts that are too expensive to check for every row.
    """
    fields = Outcome.model_fields
    shape = " && ".join(
        predicate for name, field in fields.items() for predicate in key_predicates(name, field)
    )
    rest = [
        f"jsonb_array_length({{}}) BETWEEN {least} AND {most}",
        *(length for name, field in fields.items() for length in length_conditions(name, field)),
    ]
    return f"CASE WHEN {{}} @@ 'strict {shape}' THEN {' AND '.join(rest)} ELSE false END"


class LeastLength(MinLen):
    """The least length of a sequence, checked after its items.

    pydantic's own check counts only the good items: a bad outcome would be a second error.
    """

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, core: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(core), "minItems": self.min_length}

    def check(self, items: Sequence[Any]) -> Sequence[Any]:
        """Check the length; the error is the one that pydantic raises for a list without items."""
        if len(items) >= self.min_length:
            return items
        lengths = {"min_length": self.min_length, "actual_length": len(items)}
        raise PydanticKnownError("too_short", {"field_type": "Tuple", **lengths})


_LEAST, _MOST = LeastLength(1), MaxLen(500)

if TYPE_CHECKING:

    class Outcomes:
        """The outcomes of a market, for type checkers: set as dicts too, read as objects."""

        def __get__(self, market: object, owner: Any = None) -> tuple[Outcome, ...]: ...
        def __set__(self, market: object, outcomes: Sequence[Outcome | Any]) -> None: ...

else:
    #: The outcomes of a market with their prices: 1 to 500 outcomes with different names.
    Outcomes = Annotated[
        tuple[Outcome, ...],
        _MOST,
        _LEAST,
        ValidatorWithCheck(
            with_plain_variant(distinct_names_validator),
            outcomes_condition(_LEAST.min_length, _MOST.max_length),
        ),
        OutcomesJSONB(),
    ]

_OUTCOMES: TypeAdapter[Any] = TypeAdapter(Outcomes, config=ConfigDict(defer_build=True))
