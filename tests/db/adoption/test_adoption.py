"""The odds of the plan's tables are stored in ours, and read back as the source held them."""

from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncConnection

from oddsschema import Capture, IngestOptions, Market, adopt
from oddsschema.adoption import AdoptReport
from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.models.odds import MARKET_KEY
from oddsschema.strategies import batches
from tests.support.plan_tables import PlanWriter, clear
from tests.support.stored_captures import keyed, read_back

Run = Callable[..., Any]

#: An hour ahead of UTC all year, since 1919.
LAGOS = ZoneInfo("Africa/Lagos")


@pytest.fixture
def connection(database: str, run: Run) -> Iterator[AsyncConnection]:
    """Open a connection to our database for all examples of a test. Each example rolls back."""
    stack = AsyncExitStack()
    yield run(stack.enter_async_context(sqlalchemy_connect(database)))
    run(stack.aclose())


@pytest.fixture
def plan_connection(plan_database: str, run: Run) -> Iterator[asyncpg.Connection]:
    """Open a connection to the plan's database."""
    opened = run(asyncpg.connect(plan_database))
    yield opened
    run(opened.close())


def of_plan(capture: Capture) -> Capture:
    """Return a capture as the plan can store it: without specifiers and raw responses."""
    markets: dict[Any, Market] = {}
    for market in capture.markets:
        plain = market.model_copy(update={"specifiers": None})
        markets.setdefault(tuple(getattr(plain, name) for name in MARKET_KEY), plain)
    return capture.model_copy(update={"markets": tuple(markets.values()), "raw_response": None})


def counts(report: AdoptReport, table: str) -> tuple[int, ...]:
    """Return the counts of a table: source, stored, merged, refused, left, missing."""
    (found,) = (each for each in report.tables if each.name == table)
    return (
        *(found.source, found.stored, found.merged),
        *(found.refused, found.left, found.missing),
    )


@given(batch=batches(), data=st.data())
def test_source_reads_back(
    batch: list[Capture],
    data: st.DataObject,
    connection: AsyncConnection,
    plan_database: str,
    plan_connection: asyncpg.Connection,
    run: Run,
) -> None:
    """Every snapshot is read back; of two at one instant, the first counts, market by market."""
    captures = [of_plan(capture) for capture in batch]

    async def body() -> None:
        await clear(plan_connection)
        writer = PlanWriter(plan_connection, LAGOS)
        merged = 0
        for capture in captures:
            markets = capture.model_dump()["markets"]
            cut = data.draw(st.integers(0, len(markets)))
            await writer.store_snapshot(capture, markets[:cut])
            if cut < len(markets) or data.draw(st.booleans()):
                # The other snapshot of the instant repeats markets, at other prices.
                again = [
                    {**market, "outcomes": [{"name": "again", "odds": 7.5, "is_active": True}]}
                    for market in markets[:cut]
                ]
                await writer.store_snapshot(capture, [*again, *markets[cut:]])
                merged += 1
        report = await adopt(
            connection,
            plan_database,
            timezone=LAGOS,
            options=IngestOptions(chunk_rows=data.draw(st.integers(1, 20))),
        )
        assert (report.different, report.ingestion.refusals, report.refusals) == ((), (), ())
        assert report.all_stored
        assert keyed(await read_back(connection)) == keyed(captures)
        assert sum(table.merged for table in report.tables if "snapshots" in table.name) == merged
        assert sum(table.stored for table in report.tables if "snapshots" in table.name) == len(
            captures
        )

    try:
        run(body())
    finally:
        run(connection.rollback())
