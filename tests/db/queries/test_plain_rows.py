"""The rows of selects as plain tuples and dicts, fetched at once or streamed."""

import asyncio
import gc
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy import (
    DateTime,
    Integer,
    bindparam,
    column,
    event,
    literal,
    select,
    table,
    union_all,
)
from sqlalchemy.exc import DBAPIError
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from oddsschema import create_engine, ingest, queries, sync
from oddsschema.contracts.outcomes import stored_outcomes
from oddsschema.database.statements import compile_select
from oddsschema.errors import NotMigratedError
from oddsschema.queries import Offer
from oddsschema.queries.plain_rows import CHUNK_ROWS
from tests.support.histories import KICKOFF, START, capture
from tests.support.sessions import execute

Run = Callable[..., Any]

LATER = START + timedelta(minutes=5)


def captures(markets: int = 2) -> list[Any]:
    """Return two captures of an event at each of two platforms, with different prices."""
    return [
        capture(
            platform,
            at,
            [
                {
                    "betpawa_market_id": str(number),
                    "betpawa_market_name": "Total",
                    "line": 2.5,
                    "outcomes": [{"name": "1", "odds": odds}, {"name": "2", "odds": 3}],
                }
                for number in range(markets)
            ],
            kickoff=KICKOFF,
        )
        for platform in ("betpawa", "bet9ja")
        for at, odds in ((START, 1.5), (LATER, 1.75))
    ]


async def streamed(target: Any, statement: Any, *arguments: Any, **options: Any) -> list[Any]:
    """Return all rows of a stream."""
    return [row async for row in queries.stream_rows(target, statement, *arguments, **options)]


def test_plain_rows_are_those_of_objects(database: str, run: Run) -> None:
    """Every kind of target gives the rows that a session gives as objects."""

    async def body() -> None:
        await ingest(database, captures())
        statement = queries.offers().order_by(Offer.bookmaker, Offer.betpawa_market_id)
        engine = create_engine(database)
        async with AsyncSession(engine) as session:
            objects = (await session.exec(statement)).all()
        expected = [dict(offer) for offer in objects]
        assert len(expected) == 4
        connection = await asyncpg.connect(database)
        async with asyncpg.create_pool(database, min_size=1) as pool, engine.connect() as ours:
            for target in (database, engine, ours, pool, connection):
                for read in (queries.fetch_rows, streamed):
                    dicts = await read(target, statement, as_dicts=True)
                    assert [type(row["outcomes"]) for row in dicts] == [list] * 4
                    found = [row | {"outcomes": stored_outcomes(row["outcomes"])} for row in dicts]
                    assert found == expected
                    tuples = await read(target, statement)
                    assert tuples == [tuple(row.values()) for row in dicts]
        await connection.close()
        await engine.dispose()

    run(body())


def test_statements_are_kept_with_parameters(database: str, run: Run) -> None:
    """A statement with parameters is compiled once, and each call has its own values."""

    async def body() -> None:
        await ingest(database, captures())
        at = bindparam("at", type_=DateTime(timezone=True))
        event = bindparam("event", type_=Integer)
        kept = queries.offers(at).where(col(Offer.event_id) == event)
        found = [
            await queries.fetch_rows(database, kept, {"at": instant, "event": 1}, as_dicts=True)
            for instant in (START, LATER)
        ]
        prices = [{row["outcomes"][0]["odds"] for row in rows} for rows in found]
        assert prices == [{1.5}, {1.75}]
        assert await queries.fetch_rows(database, kept, {"at": LATER, "event": 2}) == []

    run(body())


def test_synchronous_programs_fetch_rows(database: str, run: Run) -> None:
    """A synchronous program fetches the same rows, without an event loop of its own."""
    run(ingest(database, captures()))
    statement = queries.offers().where(Offer.bookmaker == bindparam("bookmaker"))
    rows = sync.fetch_rows(database, statement, {"bookmaker": "bet9ja"}, as_dicts=True)
    assert rows == run(
        queries.fetch_rows(database, statement, {"bookmaker": "bet9ja"}, as_dicts=True)
    )
    assert [row["bookmaker"] for row in rows] == ["bet9ja"] * 2


def test_a_read_is_one_statement(database: str, run: Run) -> None:
    """A connection of the caller's sends the select alone, and prepares it once."""

    async def body() -> None:
        await ingest(database, captures())
        kept = queries.offers().where(Offer.bookmaker == bindparam("bookmaker"))
        connection = await asyncpg.connect(database)
        queried = []
        connection.add_query_logger(lambda record: queried.append(record.query))
        for bookmaker in ("betpawa", "bet9ja", "sportybet"):
            await queries.fetch_rows(connection, kept, {"bookmaker": bookmaker})
        await asyncio.sleep(0)  # loggers run after the last await
        text = compile_select(kept).text
        assert queried == [text] * 3
        prepared = "SELECT count(*) FROM pg_prepared_statements WHERE statement = $1"
        assert await connection.fetchval(prepared, text) == 1
        await connection.close()

    run(body())


def test_two_instants_in_one_statement(database: str, run: Run) -> None:
    """The selects of a union, and two subqueries, keep their own instants."""

    async def body() -> None:
        await ingest(database, captures(markets=1))
        both = union_all(*(queries.offers(at) for at in (START, LATER, None)))
        rows = await queries.fetch_rows(database, both, as_dicts=True)
        assert sorted(row["outcomes"][0]["odds"] for row in rows) == [1.5] * 2 + [1.75] * 4
        engine = create_engine(database)
        async with engine.connect() as connection:
            loaded = (await connection.execute(both)).all()
        assert {type(row.outcomes[0]).__name__ for row in loaded} == {"Outcome"}
        margins = union_all(queries.overround_history(), queries.overround_history(2))
        assert len(await queries.fetch_rows(database, margins)) == 8
        await engine.dispose()

    run(body())


def test_streams_fetch_chunks(database: str, run: Run) -> None:
    """A stream asks for 1,000 rows at a time, and can be closed before its end."""

    async def body() -> None:
        await ingest(database, captures(markets=CHUNK_ROWS // 2 + 1))
        connection = await asyncpg.connect(database)
        queried = []
        connection.add_query_logger(lambda record: queried.append(record.query))
        rows = await streamed(connection, queries.offers())
        assert len(rows) == CHUNK_ROWS + 2
        assert sum(query.startswith("FETCH FORWARD 1000 ") for query in queried) == 3
        stream = queries.stream_rows(connection, queries.offers())
        async for _ in stream:
            break
        await stream.aclose()  # type: ignore[attr-defined]
        assert not connection.is_in_transaction()
        assert len(await queries.fetch_rows(connection, queries.offers())) == CHUNK_ROWS + 2
        await connection.close()

    run(body())


def test_results_restore_the_threshold(database: str, run: Run) -> None:
    """The collector has its own threshold again after a read, in every mode."""

    async def body() -> None:
        await ingest(database, captures())
        engine = create_engine(database)
        before = gc.get_threshold()
        async with AsyncSession(engine) as session:
            assert len((await session.exec(queries.offers())).all()) == 4
            assert gc.get_threshold() == before
            (await session.exec(queries.overround_history())).first()
            assert gc.get_threshold() == before
        await queries.fetch_rows(engine, queries.offers())
        await streamed(engine, queries.offers())
        assert gc.get_threshold() == before
        await engine.dispose()

    run(body())


@pytest.mark.parametrize("is_sync", [False, True])
def test_engines_collect_less_while_rows_arrive(database: str, run: Run, is_sync: bool) -> None:
    """The threshold is raised during a statement, and restored after it, also after an error."""
    before, seen = gc.get_threshold(), []

    def ask(connection: Any) -> None:
        event.listen(
            connection.engine, "before_cursor_execute", lambda *_: seen.append(gc.get_threshold())
        )
        connection.execute(select(literal(1)))
        with pytest.raises(DBAPIError) as failure:
            connection.execute(select(literal(1) / literal(0)))
        assert gc.get_threshold() == before
        assert failure.value is not None

    async def body() -> None:
        engine = create_engine(database)
        async with engine.connect() as connection:
            await connection.run_sync(ask)
        await engine.dispose()

    if is_sync:
        engine = create_engine(database, sync=True)
        with engine.connect() as connection:
            ask(connection)
        engine.dispose()
    else:
        run(body())
    assert [threshold[0] for threshold in seen] == [400_000, 400_000]


def test_a_database_without_tables(empty_database: str, run: Run) -> None:
    """A database without the tables is refused in words."""
    with pytest.raises(NotMigratedError):
        run(queries.fetch_rows(empty_database, queries.offers()))


def test_columns_of_other_types(database: str, run: Run) -> None:
    """Each statement has the types of its own columns, also after a change of the table."""

    async def body() -> None:
        texts = select(literal("text").label("value"))
        numbers = select(literal(1.5).label("value"))
        assert await streamed(database, texts) == [("text",)]
        assert await streamed(database, numbers) == [(1.5,)]
        await execute(database, "CREATE TABLE own AS SELECT 7::int8 AS value")
        own = select(column("value")).select_from(table("own"))
        assert await queries.fetch_rows(database, own) == [(7,)]
        await execute(database, "ALTER TABLE own ALTER value TYPE float8")
        assert await queries.fetch_rows(database, own) == [(7.0,)]

    run(body())
