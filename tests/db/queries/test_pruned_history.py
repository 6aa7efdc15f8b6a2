"""Reads of a pruned history, compared with the same reads before."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from oddsschema import prune, queries
from tests.support.query_model import INSTANTS, KICKOFF, Stored, batches, counted_rows, stored

Run = Callable[..., Any]


@given(parts=batches, cutoff=st.sampled_from([at for at in INSTANTS if at <= KICKOFF]))
def test_reads_from_the_cutoff_on(parts: Any, cutoff: datetime, connection: Any, run: Run) -> None:
    """From the cutoff on, a prune leaves all offers, carried markets and closing prices."""

    async def read(stored: Stored) -> Any:
        offers = {
            (at, offer.model_copy(update={"market_odds_id": 0}))
            for at in [*(at for at in INSTANTS if at >= cutoff), None]
            for offer in await stored.all(queries.offers(at))
        }
        closing = await stored.all(queries.closing_prices())
        return offers, {price for price in closing if price.seen_at >= cutoff}

    async def check(stored: Stored) -> None:
        before = await read(stored)
        await prune(connection, cutoff)
        assert await read(stored) == before
        rows = await stored.all(queries.coverage())
        assert sum(row.markets + row.markets_gone for row in rows) == await counted_rows(connection)

    stored(connection, run, parts, check)
