"""Four processes that ingest at the same time: `python tests/benchmarks/processes.py [--rows N]`.

The same number of market rows is written in turns by one process, by four processes of four
platforms, and by four processes of one platform, each with a quarter of its events. The clock runs
from the moment at which all processes have connected to the last commit. The output is JSON: median
seconds, rows per second, and the time of the single process against each. The server is a durable
embedded one.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import asyncpg
import ingest
import workload

import oddsschema
from oddsschema import migrations
from oddsschema.embedded import EmbeddedPostgres

PROCESSES = 4
PLATFORMS = ("sportybet", "bet9ja", "betking", "msport")


def shares(way: str, rows: int) -> list[list[bytes]]:
    """Return the captures of each process."""
    lines = workload.captures(rows)
    if way == "one_process":
        return [lines]
    parts = [lines[number::PROCESSES] for number in range(PROCESSES)]
    if way == "one_platform":
        return parts
    return [
        [line.replace(b'"sportybet"', json.dumps(platform).encode()) for line in part]
        for platform, part in zip(PLATFORMS, parts, strict=True)
    ]


def ingest_share(url: str, lines: Sequence[bytes], start: Any) -> None:
    """Connect, wait for the other processes, and ingest."""

    async def body() -> None:
        async with oddsschema.connect(url) as odds:
            await asyncio.to_thread(start.wait)
            report = await odds.ingest(lines)
        assert report.total.captures_stored == len(lines)

    asyncio.run(body())


def run(url: str, way: str, rows: int) -> float:
    """Run the processes of a way; return the seconds until all of them have ended."""
    spawn = multiprocessing.get_context("spawn")
    parts = shares(way, rows)
    start = spawn.Barrier(len(parts) + 1)
    processes = [spawn.Process(target=ingest_share, args=(url, part, start)) for part in parts]
    for process in processes:
        process.start()
    start.wait()
    begin = time.perf_counter()
    for process in processes:
        process.join()
    assert all(process.exitcode == 0 for process in processes)
    return time.perf_counter() - begin


async def empty(url: str) -> None:
    """Empty the tables."""
    connection = await asyncpg.connect(url)
    await connection.execute(ingest.TRUNCATE)
    await connection.execute("CHECKPOINT")
    await connection.close()


def measure(url: str, rows: int, rounds: int) -> dict[str, Any]:
    """Measure the ways in turns."""
    asyncio.run(migrations.upgrade(url))
    ways = ("one_process", "four_platforms", "one_platform")
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way in ways:
            asyncio.run(empty(url))
            taken[way].append(run(url, way, rows))
    single = statistics.median(taken["one_process"])
    return {
        way: {
            "seconds": round(median := statistics.median(seconds), 3),
            "rows_per_second": round(rows / median),
            "speedup": round(single / median, 2),
        }
        for way, seconds in taken.items()
    }


def main() -> None:
    """Parse arguments, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=170_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/tmp")))
        directory.chmod(0o711)  # as root, the server has another user
        url = stack.enter_context(EmbeddedPostgres(directory / "server")).url
        found = measure(url, arguments.rows, arguments.rounds)
    print(json.dumps({"arguments": vars(arguments), "cores": os.cpu_count()} | found, indent=2))


if __name__ == "__main__":
    main()
