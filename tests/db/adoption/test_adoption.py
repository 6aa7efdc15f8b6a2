"""The odds of the plan's tables are stored in ours, and read back as the source held them."""

from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, suppress
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


#: Values that a column of a type can have in the plan's tables, and that the contracts refuse.
_ODD_VALUES = {
    "varchar": ["NULL", "''", "'  '", "'x|y'", "repeat('é', least({length}, 90))"],
    "text": ["NULL", "''"],
    "timestamp": ["NULL", "'infinity'", "'-infinity'", "'1960-01-01'", "'2500-01-01'"],
    "int4": ["NULL", "-1", "2147483647"],
    "float8": ["NULL", "'NaN'", "'-Infinity'", "0.1", "-0.0"],
    "json": [
        *("NULL", "'null'", "'{}'", "'[]'", "'[1]'", "'\"x\"'", "'[{}]'"),
        '\'[{"name": "\\u0000", "odds": 2}]\'',
        '\'[{"name": "\\ud800", "odds": 2}]\'',
        '\'[{"name": "a", "odds": 1e400}]\'',
        '\'[{"name": "a", "odds": 0.5, "odds": 2}]\'',
    ],
}

#: The columns of the plan's tables that take any value of their type.
_FREE_COLUMNS = """
SELECT c.relname, a.attname, t.typname, greatest(a.atttypmod - 4, 0) AS length
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
JOIN pg_type AS t ON t.oid = a.atttypid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attname <> 'id'
ORDER BY 1, a.attnum
"""


async def damage(connection: asyncpg.Connection, data: st.DataObject) -> None:
    """Set a column of some rows to an odd value, or delete some rows of a table."""
    columns = await connection.fetch(_FREE_COLUMNS)
    table, column, sql_type, length = data.draw(st.sampled_from(columns))
    some = f"WHERE id % {data.draw(st.integers(1, 3))} = 0"
    with suppress(asyncpg.IntegrityConstraintViolationError):
        if sql_type not in _ODD_VALUES or data.draw(st.booleans()):
            await connection.execute(f"DELETE FROM {table} {some}")
        else:
            value = data.draw(st.sampled_from(_ODD_VALUES[sql_type]))
            value = value.replace("{length}", str(length))
            await connection.execute(f"UPDATE {table} SET {column} = {value} {some}")


@given(batch=batches(), data=st.data())
def test_damaged_source(
    batch: list[Capture],
    data: st.DataObject,
    connection: AsyncConnection,
    plan_database: str,
    plan_connection: asyncpg.Connection,
    run: Run,
) -> None:
    """Whatever rows a source has, each is counted once, and all that is stored is equal."""

    async def body() -> None:
        await clear(plan_connection)
        writer = PlanWriter(plan_connection, LAGOS)
        batch_id = await writer.insert("scrape_batches", status="completed")
        run_id = await writer.insert("scrape_runs", status="completed", batch_id=batch_id)
        await writer.insert(
            "scrape_errors", scrape_run_id=run_id, error_type="old", error_message="an error"
        )
        await writer.store(map(of_plan, batch), run_id=run_id)
        for _ in range(data.draw(st.integers(1, 4))):
            await damage(plan_connection, data)
        report = await adopt(connection, plan_database, timezone=LAGOS)
        assert report.different == ()
        for table in report.tables:
            *each, missing = counts(report, table.name)[1:]
            assert (missing, min(each) >= 0, sum(each)) == (0, True, table.source), table
            rows = await plan_connection.fetchval(f"SELECT count(*) FROM {table.name}")
            assert rows == table.source
        assert len(await read_back(connection)) == sum(
            table.stored for table in report.tables if table.name.endswith("odds_snapshots")
        )

    try:
        run(body())
    finally:
        run(connection.rollback())
