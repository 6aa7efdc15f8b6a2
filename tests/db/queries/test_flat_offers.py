"""The flat rows of offers, opening and closing prices, compared with the markets they are of."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given

from oddsschema import queries
from oddsschema.models import MarketType
from oddsschema.queries import lined_up
from oddsschema.queries.availability import SeenOffer
from oddsschema.queries.sides import AtBookmaker
from tests.support.query_model import INSTANTS, KICKOFF, Stored, batches, stored

Run = Callable[..., Any]

_OF_MARKET = (*AtBookmaker.model_fields, *MarketType.model_fields)
_OF_OFFER = (*_OF_MARKET, *SeenOffer.model_fields)
_OF_PRICE = (*_OF_MARKET, "kickoff", "seen_at", "age")


def values(row: Any, names: tuple[str, ...], outcome: Any, name: str) -> tuple[Any, ...]:
    """Return the columns of a market, and its outcome."""
    return (*(getattr(row, column) for column in names), name, outcome.odds, outcome.is_active)


@given(parts=batches)
def test_rows_are_the_outcomes_of_markets(parts: Any, connection: Any, run: Run) -> None:
    """Each outcome of a market has a row with its common name and the data of its event."""

    async def check(stored: Stored) -> None:
        of_time = [
            (queries.offered_outcomes(at), queries.offers(at), _OF_OFFER) for at in INSTANTS[2::5]
        ]
        for flat, markets, names in (
            *of_time,
            (queries.offered_outcomes(), queries.offers(), _OF_OFFER),
            (queries.opening_outcomes(), queries.opening_prices(), _OF_PRICE),
            (queries.closing_outcomes(), queries.closing_prices(), _OF_PRICE),
        ):
            rows = await stored.all(flat)
            found = [values(row, names, row, row.outcome) for row in rows]
            wanted = [
                values(market, names, outcome, outcome.name)
                for market in await stored.all(markets)
                for outcome in lined_up(market)
            ]
            assert sorted(found, key=repr) == sorted(wanted, key=repr)
            assert {(row.sport, row.kickoff) for row in rows} <= {("football", KICKOFF)}
            assert all(row.country and row.tournament for row in rows)

    stored(connection, run, parts, check)


def test_an_instant_has_a_zone() -> None:
    """An instant without a zone is refused."""
    with pytest.raises(ValueError, match="at must have a time zone"):
        queries.offered_outcomes(datetime(2026, 1, 1))
