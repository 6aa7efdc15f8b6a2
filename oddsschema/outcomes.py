"""Outcomes: the elements of a market, and the JSONB column that holds them. The only JSON code."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter
from pydantic_core import PydanticCustomError, to_json
from sqlalchemy import Dialect
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator

from oddsschema.base import Check, Contract, Getter, on_objects_and_dicts
from oddsschema.types import Name255, Odds


class Outcome(Contract):
    """One price of a market, an element of its JSONB array. Immutable; unknown keys are refused."""

    name: Name255 = Field(description="What is bet on, in the bookmaker's words: 'Home', 'Over'.")
    odds: Odds = Field(description="Decimal odds: finite, at least 1.0.")
    is_active: bool = Field(
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


#: What can be bet on in a market, with its prices: 1 to 500 outcomes of different names.
Outcomes = Annotated[
    tuple[Outcome, ...],
    Field(min_length=1, max_length=500),
    AfterValidator(on_objects_and_dicts(_distinct)),
    OutcomesJSONB(),
]

_OUTCOMES: TypeAdapter[tuple[Outcome, ...]] = TypeAdapter(
    Outcomes, config=ConfigDict(defer_build=True)
)


def outcomes_json(outcomes: Sequence[dict[str, Any]]) -> bytes:
    """The JSON text of already validated plain outcomes, for COPY."""
    return to_json(outcomes)
