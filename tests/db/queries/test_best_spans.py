"""The best prices and the best overrounds over time, compared with those of each instant."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given

from oddsschema import queries
from tests.db.queries.test_price_spans import bounds, check_spans, some_instants, within
from tests.support.query_model import Stored, batches, key, stored

Run = Callable[..., Any]


@given(parts=batches, between=bounds)
def test_best_prices_are_those_of_each_instant(
    parts: Any, between: Any, connection: Any, run: Run
) -> None:
    """At each instant, the best prices are those of the offers then; no span could be longer."""

    async def check(stored: Stored) -> None:
        spans = await stored.all(queries.best_price_spans(queries.prices(*between)))
        margins = await stored.all(queries.best_overrounds(queries.prices(*between)))
        outcomes: dict[Any, set[str]] = {}
        for span in spans:
            outcomes.setdefault((span.sportradar_id, key(span)), set()).add(span.outcome)
        for at in some_instants(*between):
            best = {
                (row.event_id, row.sportradar_id, key(row), row.outcome): (row.odds, row.bookmakers)
                for row in await stored.all(queries.best_prices(queries.offers(at)))
            }
            found = within(spans, at)
            assert {
                (row.event_id, row.sportradar_id, key(row), row.outcome): (row.odds, row.bookmakers)
                for row in found
            } == best
            assert len(found) == len(best)
            wanted = {}
            for (event, market), names in outcomes.items():
                odds = [
                    price
                    for (_, of, known, _), (price, _) in best.items()
                    if (of, known) == (event, market)
                ]
                if len(odds) == len(names) > 1:
                    wanted[event, market] = sum(1 / price for price in odds) - 1
            assert {
                (row.sportradar_id, key(row)): row.overround for row in within(margins, at)
            } == pytest.approx(wanted)
        check_spans(
            spans,
            lambda row: (row.sportradar_id, key(row), row.outcome),
            lambda row: (row.odds, row.bookmakers),
            between,
        )
        check_spans(
            margins,
            lambda row: (row.sportradar_id, key(row)),
            lambda row: (row.overround, row.outcome_count),
            between,
        )

    stored(connection, run, parts, check)
