"""Prices as frames: `python tests/benchmarks/frames.py [--rows 1000000] [--rounds N]`.

The rows of `queries.prices()` are kept in a table, so that the server has little to do, and are
read in turns in each way: the records of asyncpg, an Arrow table, frames of pandas and polars made
of an Arrow table, `pandas.read_sql` and `polars.read_database` with psycopg. Prints JSON: for each
way, the least wall time and the least CPU time of the client, with the ratio of each to asyncpg's.
"""

import argparse
import asyncio
import gc
import json
import time
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pandas
import polars
import psycopg
import sqlalchemy
from sqlalchemy import Column, MetaData, Table, select

from oddsschema import frames, migrations, queries
from oddsschema.database.literals import sql_with_literals
from oddsschema.database.statements import compiled
from oddsschema.embedded import ephemeral
from oddsschema.queries import PriceSpan
from tests.support import bulk_history

EVENTS = 50


async def fill(url: str, rows: int) -> Any:
    """Keep so many prices in a table; return the select of them."""
    await migrations.upgrade(url)
    connection = await asyncpg.connect(url)
    # A market row has three outcomes; a few leave the offer.
    await bulk_history.fill(connection, int(rows / 3 * 1.3), EVENTS)
    prices = sql_with_literals(queries.prices().limit(rows))
    await connection.execute(f"CREATE TABLE kept AS {prices}")
    count = await connection.fetchval("SELECT count(*) FROM kept")
    if count < rows:
        raise SystemExit(f"the history has only {count:,} prices")
    await connection.execute("VACUUM ANALYZE kept")
    await connection.close()
    columns = [Column(column.name, column.type) for column in PriceSpan.__source__.c]
    return select(*Table("kept", MetaData(), *columns).c)


async def measure(url: str, rows: int, rounds: int) -> dict[str, dict[str, float]]:
    """Return the least seconds of each way, and their ratios to asyncpg's."""
    statement = await fill(url, rows)
    text, _ = compiled(statement)
    connection = await asyncpg.connect(url)
    engine = sqlalchemy.create_engine(sqlalchemy.make_url(url).set(drivername="postgresql+psycopg"))
    other = psycopg.connect(url)

    async def fetch() -> Any:
        return await connection.fetch(text)

    async def arrow() -> Any:
        return await frames.read_table(connection, statement)

    async def to_pandas() -> Any:
        return (await frames.read_table(connection, statement)).to_pandas()

    async def to_polars() -> Any:
        return polars.from_arrow(await frames.read_table(connection, statement))

    async def read_sql() -> Any:
        return pandas.read_sql(text, engine)

    async def read_database() -> Any:
        return polars.read_database(text, other, infer_schema_length=None)

    ways: dict[str, Callable[[], Awaitable[Any]]] = {
        "asyncpg": fetch,
        "read_table": arrow,
        "read_table, pandas": to_pandas,
        "read_table, polars": to_polars,
        "pandas.read_sql": read_sql,
        "polars.read_database": read_database,
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, read in ways.items():
            gc.collect()
            begin = time.perf_counter(), time.process_time()
            found = await read()
            taken[name].append((time.perf_counter() - begin[0], time.process_time() - begin[1]))
            if len(found) != rows:
                raise SystemExit(f"{name} read {len(found):,} rows")
            del found
    await connection.close()
    other.close()
    engine.dispose()
    least = {name: [min(times) for times in zip(*taken[name], strict=True)] for name in taken}
    return {
        name: {
            "wall": round(wall, 3),
            "wall_ratio": round(wall / least["asyncpg"][0], 2),
            "cpu": round(cpu, 3),
            "cpu_ratio": round(cpu / least["asyncpg"][1], 2),
        }
        for name, (wall, cpu) in least.items()
    }


def main() -> None:
    """Parse arguments, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)
    with ephemeral() as server:
        print(
            json.dumps(asyncio.run(measure(server.url, arguments.rows, arguments.rounds)), indent=2)
        )


if __name__ == "__main__":
    main()
