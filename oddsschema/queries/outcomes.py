"""Outcomes in SQL: a row for each, their margin and probabilities, and their comparison."""

from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic import Field as Bounds
from sqlalchemy import (
    Boolean,
    ColumnElement,
    Double,
    FromClause,
    TableValuedAlias,
    Text,
    and_,
    case,
    column,
    func,
    literal_column,
    select,
    true,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import JSONB

from oddsschema.contracts.outcomes import Outcome
from oddsschema.contracts.scalars import refuse_boolean

#: A column of outcomes: `Offer.outcomes`, `MarketOdds.outcomes`, ... (For a type checker, an
#: attribute of a class has the type that it has on objects.)
OutcomesColumn = ColumnElement[tuple[Outcome, ...]] | tuple[Outcome, ...]

#: The overround of a market, the bookmaker's margin: 0.07 is 7 %.
Overround = Annotated[float, Bounds(allow_inf_nan=False), BeforeValidator(refuse_boolean)]

#: The number of outcomes of a market that win: one number for all markets, or an expression.
Winners = int | ColumnElement[int]

#: An SQL/JSON path to the open outcomes of a market, as an SQL literal. Rows that are older than
#: the CHECK may lack the key.
_OPEN = "'$[*] ? (!(@.is_active == false))'"


def jsonb(column: Any) -> ColumnElement[Any]:
    """Return a column of a table as plain JSONB, with PostgreSQL's operators for it.

    Type checkers know the operators. Operands and results are plain JSON:
    `jsonb(MarketOdds.outcomes).contains([{"name": "Over"}])`.
    """
    return type_coerce(column, JSONB)


def outcome_rows(outcomes: Any, name: str = "outcome") -> TableValuedAlias:
    """Return the outcomes of a market as a table: name, odds, is_active."""
    return (
        func.jsonb_to_recordset(outcomes)
        .table_valued(column("name", Text), column("odds", Double), column("is_active", Boolean))
        .render_derived(name, with_types=True)
    )


def is_active(outcome: FromClause) -> ColumnElement[bool]:
    """Return whether an outcome is active. Rows that are older than the CHECK may lack the key."""
    return func.coalesce(outcome.c.is_active, true())


def has_open(outcomes: Any) -> ColumnElement[bool]:
    """Return whether an outcome of a market is open; a market without one is suspended."""
    # Two functions cost more than the comparison of a market's id, so that PostgreSQL runs that
    # first. (jsonb_path_exists would be run for the rows of all markets.)
    return func.jsonb_path_query_array(outcomes, literal_column(_OPEN)) != literal_column("'[]'")


def prices(outcomes: Any) -> ColumnElement[Any]:
    """Return a value that is the same for equal outcomes, in any order.

    A closed outcome without a price differs from one that keeps its last price.
    """
    outcome = outcome_rows(outcomes)
    price = func.jsonb_build_array(outcome.c.odds, is_active(outcome), type_=JSONB)
    return select(func.jsonb_object_agg(outcome.c.name, price, type_=JSONB)).scalar_subquery()


def overround(outcomes: OutcomesColumn, winners: Winners = 1) -> ColumnElement[float | None]:
    """Return a market's overround, the margin: the sum of 1 / odds, less 1. 0.07 is 7 %.

    `winners` is the number of outcomes that win together (Double Chance: 2); the sum is divided by
    it. The overround is NULL unless the market has two or more outcomes, all open: a book with a
    closed side, or with one side only, shows no margin.
    """
    outcome = outcome_rows(outcomes)
    booksum = func.sum(1 / outcome.c.odds) / winners
    return select(case((is_book(outcome), booksum - 1))).scalar_subquery()


def implied_probabilities(
    outcomes: OutcomesColumn, winners: Winners = 1
) -> ColumnElement[dict[str, float] | None]:
    """Return the probability of each outcome that its price implies, by name.

    It is 1 / odds, less the overround in proportion: the probabilities add up to `winners`. NULL
    where `overround` is NULL.
    """
    outcome = outcome_rows(outcomes)
    booksum = outcome_rows(outcomes, "booksum")
    share = winners / outcome.c.odds / select(func.sum(1 / booksum.c.odds)).scalar_subquery()
    by_name = func.jsonb_object_agg(outcome.c.name, share, type_=JSONB)
    return select(case((is_book(outcome), by_name))).scalar_subquery()


def is_book(outcome: TableValuedAlias) -> ColumnElement[bool]:
    """Return whether outcomes make a book with a margin: two or more, all open."""
    return and_(func.count() > 1, func.bool_and(is_active(outcome)))
