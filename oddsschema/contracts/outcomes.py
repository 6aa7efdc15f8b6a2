"""Outcomes: the elements of a market, and the JSONB column that holds them."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from annotated_types import Ge, MaxLen, MinLen
from pydantic import ConfigDict, TypeAdapter
from pydantic import Field as Bounds
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError
from sqlalchemy import Dialect
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field

from oddsschema.contracts.base import Contract
from oddsschema.contracts.bulk import Check, Getter, on_objects_and_dicts
from oddsschema.contracts.columns import unwrapped
from oddsschema.contracts.scalars import FLOAT_MAX, Flag, Keeps, Name255, Odds


class Outcome(Contract):
    """One price of a market, an element of its JSONB array. Immutable; unknown keys are refused."""

    name: Name255 = Field(description="What is bet on, in the bookmaker's words: 'Home', 'Over'.")
    odds: Odds = Field(description="Decimal odds: finite, at least 1.0.")
    is_active: Flag = Field(
        default=True, description="False when closed: the odds are then the last price."
    )


class OutcomesJSONB(TypeDecorator[tuple[Outcome, ...]]):
    """A tuple of `Outcome` in Python, a JSONB array in PostgreSQL.

    What is bound is held to the contract, as objects or as dicts (Core inserts). What is loaded is
    not: rows written by other releases come back without the keys that this one does not know.
    """

    impl = JSONB
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> list[dict[str, Any]] | None:
        """Outcomes, as objects or dicts, as what JSONB takes."""
        if value is None:
            return None
        return [dict(outcome) for outcome in _OUTCOMES.validate_python(value)]

    def process_result_value(self, value: Any, dialect: Dialect) -> tuple[Outcome, ...] | None:
        """A JSONB array as outcomes, without the keys that this release does not know."""
        if value is None:
            return None
        return tuple(
            Outcome.model_construct(
                name=outcome["name"],
                odds=float(outcome["odds"]),  # JSONB gives 2 for 2e0
                is_active=outcome.get("is_active", True),
            )
            for outcome in value
        )


def _distinct(getter: Getter) -> Check:
    """Two outcomes of a market with one name could not be told apart."""
    name = getter("name")

    def check(outcomes: Sequence[Any]) -> Sequence[Any]:
        if len(set(map(name, outcomes))) < len(outcomes):
            names = list(map(name, outcomes))
            twice = next(name for name in names if names.count(name) > 1)
            raise PydanticCustomError(
                "outcome_names",
                "Outcome names must differ: {name} stands twice",
                {"name": repr(twice)},
            )
        return outcomes

    return check


def _predicates(name: str, field: FieldInfo) -> Iterator[str]:
    """What a key of the outcomes is held to, as SQL/JSON path predicates.

    Each is neither true nor false, in strict mode, when the key is missing or its value is of
    another type: `+` is there for null, which would compare with a number.
    """
    python_type, marks = unwrapped(field.rebuild_annotation())
    if python_type is bool:
        yield f'!($[*].{name}.type() != "boolean")'
    elif python_type is float:
        least = next(mark.ge for mark in marks if isinstance(mark, Ge))
        yield f"!(+$[*].{name} < {least}) && !($[*].{name} > {FLOAT_MAX})"
    else:
        # A regular expression that finds white space around it would cost more than all the rest.
        yield f'!($[*].{name}.type() != "string") && !($[*].{name} == "")'


def _lengths(name: str, field: FieldInfo) -> Iterator[str]:
    """That a key's texts are not too long: the regular expression is dear, their size is not."""
    for mark in unwrapped(field.rebuild_annotation())[1]:
        if isinstance(mark, MaxLen):
            most = mark.max_length
            yield (
                f"(pg_column_compression({{}}) IS NULL AND pg_column_size({{}}) <= {most} OR "
                f'NOT {{}} @? \'$[*].{name} ? (@ like_regex "^.{{{most}}}." flag "s")\')'
            )


def _condition(size: FieldInfo) -> str:
    """The outcomes' contract as SQL: all of it that a row can be asked at an acceptable cost."""
    (least,) = (mark.min_length for mark in size.metadata if isinstance(mark, MinLen))
    (most,) = (mark.max_length for mark in size.metadata if isinstance(mark, MaxLen))
    fields = Outcome.model_fields
    shape = " && ".join(one for name, field in fields.items() for one in _predicates(name, field))
    rest = [
        f"jsonb_array_length({{}}) BETWEEN {least} AND {most}",
        *(length for name, field in fields.items() for length in _lengths(name, field)),
    ]
    return f"CASE WHEN {{}} @@ 'strict {shape}' THEN {' AND '.join(rest)} ELSE false END"


_SIZE = Bounds(min_length=1, max_length=500)

#: What can be bet on in a market, with its prices: 1 to 500 outcomes of different names.
Outcomes = Annotated[
    tuple[Outcome, ...],
    _SIZE,
    Keeps(on_objects_and_dicts(_distinct), _condition(_SIZE)),
    OutcomesJSONB(),
]

_OUTCOMES: TypeAdapter[tuple[Outcome, ...]] = TypeAdapter(
    Outcomes, config=ConfigDict(defer_build=True)
)
