"""The overround of outcomes in SQL, compared with Python and with published values."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import literal
from sqlmodel import select

from oddsschema import Outcome, queries, strategies
from oddsschema.contracts.outcomes import OutcomesJSONB
from tests.support.query_model import overround

Run = Callable[..., Any]


@given(books=st.lists(strategies.outcomes(), min_size=1, max_size=20), winners=st.integers(1, 3))
def test_margin_is_of_complete_books(
    books: list[tuple[Outcome, ...]], winners: int, connection: Any, run: Run
) -> None:
    """Overround and probabilities exist for two or more outcomes that are all active."""

    async def body() -> None:
        for book in books:
            column = literal(book, OutcomesJSONB())
            statement = select(
                queries.overround(column, winners), queries.implied_probabilities(column, winners)
            )
            margin, probabilities = (await connection.execute(statement)).one()
            wanted = overround(book, winners)
            assert margin == (None if wanted is None else pytest.approx(wanted, abs=1e-9))
            if wanted is None:
                assert probabilities is None
            else:
                booksum = sum(1 / outcome.odds for outcome in book)
                shares = {outcome.name: winners / outcome.odds / booksum for outcome in book}
                assert probabilities == pytest.approx(shares)
        await connection.rollback()

    run(body())


def test_margin_is_that_of_the_literature(connection: Any, run: Run) -> None:
    """The values are those in the manual of the R package `implied`."""
    book = tuple(
        Outcome(name=name, odds=odds)
        for name, odds in (("Home", 4.20), ("Draw", 3.70), ("Away", 1.95))
    )

    async def body() -> None:
        column = literal(book, OutcomesJSONB())
        statement = select(queries.overround(column), queries.implied_probabilities(column))
        margin, probabilities = (await connection.execute(statement)).one()
        assert margin == pytest.approx(0.02118602)
        assert probabilities == pytest.approx(
            {"Home": 0.2331556, "Draw": 0.2646631, "Away": 0.5021813}
        )
        await connection.rollback()

    run(body())
