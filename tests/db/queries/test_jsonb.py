"""PostgreSQL's JSONB operators on the outcomes of markets."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from sqlalchemy import func, literal, select
from sqlalchemy.dialects.postgresql import JSONB, array
from sqlmodel import col

from oddsschema import CompetitorMarketOdds, MarketOdds, Outcome, queries
from oddsschema.contracts.outcomes import OutcomesJSONB
from oddsschema.strategies import json_values, outcomes
from tests.support.example_world import MARKET, opened, stored

Run = Callable[..., Any]

#: Expressions on a JSONB column, by operator. The last argument is any JSON array or object.
OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "contains": lambda column, value: column.contains(value),
    "contained_by": lambda column, value: column.contained_by(value),
    "has_key": lambda column, value: column.has_key("name"),
    "has_any": lambda column, value: column.has_any(array(["name", "odds"])),
    "path_exists": lambda column, value: column.path_exists("$[*] ? (@.odds > 3)"),
    "path_match": lambda column, value: column.path_match("$[0].odds > 3"),
    "index": lambda column, value: column[0],
    "indexes": lambda column, value: column[0]["odds"],
    "as text": lambda column, value: column[-1]["name"].astext,
    "concatenation": lambda column, value: column + column,
    "is null": lambda column, value: column.is_(None),
}


#: SQLAlchemy takes other values than lists and dicts for SQL's, on any JSONB column.
DOCUMENTS = json_values().map(lambda value: value if isinstance(value, list | dict) else [value])


def column_of(book: Any, sql_type: Any = OutcomesJSONB) -> Any:
    """Return a column with these outcomes."""
    return select(literal(book, sql_type).label("outcomes")).cte().c.outcomes


@given(book=outcomes(), value=DOCUMENTS)
def test_operators_are_those_of_jsonb(
    book: tuple[Outcome, ...], value: Any, connection: Any, run: Run
) -> None:
    """Each operator has its result on a JSONB column, with any document as its operand."""
    plain = column_of([outcome.model_dump() for outcome in book], JSONB)
    column = column_of(book)

    async def body() -> None:
        for name, apply in OPERATORS.items():
            found = [
                (await connection.execute(select(apply(each, value)))).scalar_one()
                for each in (plain, column, queries.jsonb(column))
            ]
            assert found == [found[0]] * 3, name

    try:
        run(body())
    finally:
        run(connection.rollback())


@given(book=outcomes(), other=outcomes())
def test_equality_is_that_of_outcomes(
    book: tuple[Outcome, ...], other: tuple[Outcome, ...], connection: Any, run: Run
) -> None:
    """A column of outcomes equals outcomes, as objects or as dicts with their defaults left out."""
    column = column_of(book)
    short = [outcome.model_dump(exclude_defaults=True) for outcome in book]

    async def body() -> None:
        equal = select(column == book, column == short, column.is_distinct_from(book))
        assert (await connection.execute(equal)).one() == (True, True, False)
        unlike = select(column == other, column != other)
        assert (await connection.execute(unlike)).one() == (book == other, book != other)
        await connection.rollback()

    run(body())


@pytest.mark.parametrize("table", [MarketOdds, CompetitorMarketOdds])
def test_rows_by_their_outcomes(table: Any, database: str, run: Run) -> None:
    """Conditions on the outcomes of a table select its rows; results are plain JSON."""

    async def body() -> None:
        async with opened(database) as session:
            await stored(session)
            first, second = MARKET["outcomes"]
            for column in (queries.jsonb(table.outcomes), col(table.outcomes)):
                for condition, count in (
                    (column.contains([{"name": "1"}]), 1),
                    (column.contains([{"name": "2"}]), 0),
                    (column.path_exists("$[*] ? (@.odds > 4)"), 1),
                    (column.path_exists("$[*] ? (@.odds > 5)"), 0),
                    (column[0]["odds"].as_float() > 1.4, 1),
                    (column[0]["name"].astext == "X", 0),
                ):
                    found = await session.execute(
                        select(func.count()).select_from(table).where(condition)
                    )
                    assert found.scalar_one() == count
                assert (await session.execute(select(column[1]))).scalar_one() == dict(second)
            assert (await session.scalars(select(table.outcomes))).one() == (first, second)

    run(body())
