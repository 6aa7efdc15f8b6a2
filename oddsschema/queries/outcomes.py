"""Outcomes in SQL: a row for each, what their prices imply, and what makes them the same."""

from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Double,
    TableValuedAlias,
    Text,
    and_,
    case,
    column,
    func,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB

from oddsschema.contracts.outcomes import Outcome

#: A column of outcomes: `Offer.outcomes`, `MarketOdds.outcomes`, ... To a type checker, a class'
#: attribute is what its objects' is.
OutcomesColumn = ColumnElement[tuple[Outcome, ...]] | tuple[Outcome, ...]

#: How many outcomes of a market win: of all markets, or as an expression, of each.
Winners = int | ColumnElement[int]


def each(outcomes: Any, name: str = "outcome") -> TableValuedAlias:
    """The outcomes of a market as a table: name, odds, is_active."""
    return (
        func.jsonb_to_recordset(outcomes)
        .table_valued(column("name", Text), column("odds", Double), column("is_active", Boolean))
        .render_derived(name, with_types=True)
    )


def is_active(outcome: TableValuedAlias) -> ColumnElement[bool]:
    """Whether an outcome is on offer. Rows that are older than their CHECK may not say."""
    return func.coalesce(outcome.c.is_active, true())


def prices(outcomes: Any) -> ColumnElement[Any]:
    """What outcomes have in common that are the same, in whatever order."""
    outcome = each(outcomes)
    price = func.jsonb_build_array(outcome.c.odds, is_active(outcome), type_=JSONB)
    return select(func.jsonb_object_agg(outcome.c.name, price, type_=JSONB)).scalar_subquery()


def overround(outcomes: OutcomesColumn, winners: Winners = 1) -> ColumnElement[float | None]:
    """A market's overround, the bookmaker's margin: the sum of 1 / odds, less 1. 0.07 is 7 %.

    Where several outcomes win together (Double Chance: 2), `winners` says how many, and the sum is
    divided by it. NULL unless there are two outcomes or more and all of them are active: what a
    book with a closed side, or with one side only, adds up to tells no margin.
    """
    outcome = each(outcomes)
    booksum = func.sum(1 / outcome.c.odds) / winners
    return select(case((_is_book(outcome), booksum - 1))).scalar_subquery()


def implied_probabilities(
    outcomes: OutcomesColumn, winners: Winners = 1
) -> ColumnElement[dict[str, float] | None]:
    """How likely each outcome is by its price, by name: 1 / odds, without the overround.

    The overround is taken off in proportion, so that the probabilities add up to `winners`. NULL
    where `overround` is.
    """
    outcome = each(outcomes)
    booksum = each(outcomes, "booksum")
    share = winners / outcome.c.odds / select(func.sum(1 / booksum.c.odds)).scalar_subquery()
    by_name = func.jsonb_object_agg(outcome.c.name, share, type_=JSONB)
    return select(case((_is_book(outcome), by_name))).scalar_subquery()


def _is_book(outcome: TableValuedAlias) -> ColumnElement[bool]:
    return and_(func.count() > 1, func.bool_and(is_active(outcome)))
