"""Selects as Arrow tables: the values are those of the rows, whatever the target is."""

import asyncio
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sqlalchemy import (
    ARRAY,
    JSON,
    Float,
    Integer,
    LargeBinary,
    String,
    cast,
    func,
    literal,
    select,
)
from sqlmodel.ext.asyncio.session import AsyncSession

from oddsschema import create_engine, frames, queries
from oddsschema.queries import Offer, PriceSpan

Run = Callable[..., Any]


STATEMENTS = {
    "prices": queries.prices(),
    "offers": queries.offers(),
    "closing prices": queries.closing_prices(),
    "best prices": queries.best_prices(),
}


def plain(value: Any) -> Any:
    """Return a value of a row as Arrow gives it."""
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value.model_dump() if hasattr(value, "model_dump") else value


@pytest.mark.parametrize("name", STATEMENTS)
def test_tables_have_the_rows(name: str, hard_names: str, run: Run) -> None:
    """A table has the rows of the select, with its names, values and types."""
    statement = STATEMENTS[name]

    async def rows() -> Any:
        engine = create_engine(hard_names)
        async with AsyncSession(engine) as session:
            found = (await session.exec(statement)).all()
        await engine.dispose()
        return found

    wanted = [{key: plain(value) for key, value in row} for row in run(rows())]
    table = run(frames.read_table(hard_names, statement))
    assert table.schema == frames.schema_of(statement)
    assert wanted

    def by_text(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return sorted(found, key=repr)

    zone = [
        name
        for name, kind in zip(table.schema.names, table.schema.types, strict=True)
        if pa.types.is_timestamp(kind)
    ]
    found = table.to_pylist()
    for row in found:
        for key in zone:
            row[key] = row[key] and row[key].astimezone(UTC)
    assert by_text(found) == by_text(wanted)


def test_batches_are_of_one_statement(hard_names: str, run: Run) -> None:
    """Small blocks make many batches with the rows of the table; a reader may stop early."""

    async def read() -> tuple[int, int]:
        sizes = [
            batch.num_rows
            async for batch in frames.read_batches(hard_names, queries.prices(), block_size=2_000)
        ]
        connection = await asyncpg.connect(hard_names)
        for target in [hard_names, connection] * 5:
            stream = frames.read_batches(target, queries.prices(), block_size=2_000)
            async for _ in stream:
                break
            await stream.aclose()
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()
        return len(sizes), sum(sizes)

    batches, rows = run(read())
    assert batches > 3
    assert rows == run(frames.read_table(hard_names, queries.prices())).num_rows


def test_memory_is_bounded(database: str, run: Run) -> None:
    """A stream of 40 MB holds a few blocks at a time: a slow consumer makes the server wait."""
    number = func.generate_series(1, 1_000_000, type_=Integer).column_valued("n")
    statement = select(number.label("n"), func.md5(cast(number, String), type_=String).label("md5"))

    async def read() -> tuple[int, int]:
        rows = 0
        async for batch in frames.read_batches(database, statement, block_size=200_000):
            if rows == 0:
                await asyncio.sleep(0.5)
            rows += batch.num_rows
        return rows, tracemalloc.get_traced_memory()[1]

    tracemalloc.start()
    rows, most = run(read())
    tracemalloc.stop()
    assert rows == 1_000_000
    assert most < 5_000_000


def test_targets(hard_names: str, run: Run) -> None:
    """An engine, a pool with codecs, and a caller's transaction are targets, as URLs are."""
    statement = queries.offers().where(Offer.bookmaker == "betpawa")

    async def counts() -> set[int]:
        engine = create_engine(hard_names)
        connection = await asyncpg.connect(hard_names)
        await connection.set_type_codec(
            "timestamptz", schema="pg_catalog", encoder=str, decoder=lambda text: f"<{text}>"
        )
        await connection.execute("SET TimeZone = 'Africa/Lagos'; SET DateStyle = 'German'")
        found = set()
        async with connection.transaction():
            for target in (hard_names, engine, connection):
                found.add((await frames.read_table(target, statement)).num_rows)
            # The caller's transaction is usable, with its own settings.
            await connection.execute("DELETE FROM event_bookmakers")
            assert (await frames.read_table(connection, statement)).num_rows == 0
            assert await connection.fetchval("SHOW DateStyle") == "German, DMY"
        await connection.close()
        await engine.dispose()
        return found

    (count,) = run(counts())
    assert count > 0


def test_libraries_take_the_tables(hard_names: str, run: Run) -> None:
    """pandas, polars and DuckDB have the columns, with the time zone."""
    prices = run(frames.read_table(hard_names, queries.prices(markets=["3743"])))
    in_pandas, in_polars = prices.to_pandas(), pl.from_arrow(prices)
    assert isinstance(in_polars, pl.DataFrame)
    assert len(in_pandas) == len(in_polars) == prices.num_rows > 0
    assert str(in_pandas["valid_from"].dtype) == "datetime64[us, UTC]"
    assert in_polars.schema["valid_from"] == pl.Datetime("us", "UTC")
    assert isinstance(in_pandas["bookmaker"].dtype, pd.CategoricalDtype)
    found = duckdb.sql(
        "SELECT bookmaker, count(*), avg(odds), epoch_us(min(valid_from)) FROM prices GROUP BY 1"
    ).fetchall()
    in_pandas["valid_from"] = in_pandas["valid_from"].dt.as_unit("us").astype("int64")
    wanted = in_pandas.groupby("bookmaker", observed=True).agg(
        {"home_team": "size", "odds": "mean", "valid_from": "min"}
    )
    assert {name: pytest.approx(values) for name, *values in found} == {
        name: [*values] for name, *values in wanted.itertuples()
    }


def test_hard_values(database: str, run: Run) -> None:
    """NULL and an empty text differ; arrays, JSON and extreme numbers keep their values."""
    statement = select(
        literal("", String(9)).label("empty"),
        literal(None, String(9)).label("missing"),
        literal("NULL", String(9)).label("word"),
        literal(1e-300, Float).label("small"),
        literal(None, Integer).label("number"),
        literal(["a,b", 'c"', ""], ARRAY(String)).label("names"),
    )
    (row,) = run(frames.read_table(database, statement)).to_pylist()
    assert row == {
        "empty": "",
        "missing": None,
        "word": "NULL",
        "small": 1e-300,
        "number": None,
        "names": ["a,b", 'c"', ""],
    }
    empty = run(frames.read_table(database, queries.prices()))
    assert empty.num_rows == 0
    assert empty.schema == frames.schema_of(queries.prices())
    with pytest.raises(TypeError, match="column 'data'"):
        frames.schema_of(select(literal(b"", LargeBinary).label("data")))
    assert frames.schema_of(select(literal({}, JSON).label("json"))).types == [pa.string()]


def test_bounds_reach_the_server(hard_names: str, run: Run) -> None:
    """A select with times and lists of parameters is read: they are literals of the COPY."""
    since = datetime(2026, 1, 1, tzinfo=UTC)
    statement = queries.prices(
        since, since + timedelta(days=60), bookmakers=["betpawa", "it's"], events=["x' OR '1'='1"]
    ).where(PriceSpan.kickoff > since)
    assert run(frames.read_table(hard_names, statement)).num_rows == 0
