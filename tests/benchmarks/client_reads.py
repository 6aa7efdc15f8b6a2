"""The client's time of a read: `python tests/benchmarks/client_reads.py [--rounds N] [--json]`.

The offers of 100 events and of one event at three platforms with 170 markets each, and the closing
prices of 85,000 markets, read in turns in each way: the records of asyncpg, plain rows of this
package, a stream of them, and objects of a session. For each way, the output is the least wall time
and the least CPU time of the client, and their ratio to asyncpg's. The wall time contains the
server's. The server is an embedded one.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from oddsschema import create_engine, migrations, queries
from oddsschema.database.statements import compiled
from oddsschema.embedded import EmbeddedPostgres
from oddsschema.queries import Offer, Price
from tests.support import bulk_history

EVENTS = 500
ROWS = 300_000

READS: dict[str, Any] = {
    "100 events": queries.offers().where(col(Offer.event_id).in_(range(1, 101))),
    "one event": queries.offers().where(Offer.event_id == 7),
    "85,000 closing prices": queries.closing_prices().where(Price.bookmaker == "sportybet"),
}


async def measure(url: str, rounds: int) -> dict[str, dict[str, dict[str, float]]]:
    """Return, for each read, the least seconds of each way, and their ratios to asyncpg's."""
    await migrations.upgrade(url)
    connection = await asyncpg.connect(url)
    await bulk_history.fill(connection, ROWS, EVENTS)
    found = {
        name: await measure_read(url, connection, statement, rounds)
        for name, statement in READS.items()
    }
    await connection.close()
    return found


async def measure_read(
    url: str, connection: Any, statement: Any, rounds: int
) -> dict[str, dict[str, float]]:
    """Return the least seconds of each way of a read, and their ratios to asyncpg's."""
    text, arguments = compiled(statement)
    engine = create_engine(url)
    async with AsyncSession(engine) as session:

        async def objects() -> Any:
            return (await session.exec(statement)).all()

        async def stream() -> int:
            return sum([1 async for _ in queries.stream_rows(connection, statement)])

        ways: dict[str, Callable[[], Awaitable[Any]]] = {
            "asyncpg": lambda: connection.fetch(text, *arguments),
            "tuples": lambda: queries.fetch_rows(connection, statement),
            "dicts": lambda: queries.fetch_rows(connection, statement, as_dicts=True),
            "stream": stream,
            "objects": objects,
        }
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, read in ways.items():
                begin = time.perf_counter(), time.process_time()
                await read()
                wall, cpu = time.perf_counter() - begin[0], time.process_time() - begin[1]
                taken[name].append((wall, cpu))
    await engine.dispose()
    least = {name: [min(times) for times in zip(*taken[name], strict=True)] for name in taken}
    return {
        name: {
            "wall": wall,
            "wall_ratio": wall / least["asyncpg"][0],
            "cpu": cpu,
            "cpu_ratio": cpu / least["asyncpg"][1],
        }
        for name, (wall, cpu) in least.items()
    }


def main() -> None:
    """Parse arguments, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        Path(directory).chmod(0o711)  # as root, the server has another user
        with EmbeddedPostgres(Path(directory) / "server") as server:
            found = asyncio.run(measure(server.url, arguments.rounds))
    if arguments.json:
        print(json.dumps(found, indent=2))
        return
    for name, ways in found.items():
        print(f"{name:<22}{'wall, ms':>9}{'ratio':>7}{'CPU, ms':>9}{'ratio':>7}")
        for way, times in ways.items():
            print(
                f"  {way:<20}{times['wall'] * 1e3:>9.2f}{times['wall_ratio']:>7.2f}"
                f"{times['cpu'] * 1e3:>9.2f}{times['cpu_ratio']:>7.2f}"
            )


if __name__ == "__main__":
    main()
