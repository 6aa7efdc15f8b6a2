"""The cost of the synchronous functions: `python tests/benchmarks/synchronous.py [--items N] …`.

Each contestant opens a batch with a run, ingests the same captures, each by a call of its own
(`each`) or all from one generator (`generator`), and commits. The asynchronous ones have `async_`
before their names. The output is the least of several rounds, since other programs only add to it:
the time for an item until the last one was taken, and the whole time with the commit, which the
batch's end includes. The contestants take turns. The server is a durable embedded one (fsync on),
or the empty database of DATABASE_URL.
"""

import argparse
import asyncio
import gc
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import asyncpg
import workload

import oddsschema
from oddsschema import IngestOptions, sync
from oddsschema.embedded import EmbeddedPostgres

#: Nothing is written before the end: the time for an item is that of its validation and hand-over.
OPTIONS = IngestOptions(flush_after=timedelta(0), chunk_rows=10_000_000)

TRUNCATE = """
TRUNCATE scrape_batches, scrape_runs, competitor_tournaments, competitor_events,
    competitor_odds_snapshots, competitor_market_odds RESTART IDENTITY CASCADE
"""

#: The seconds until the last item was taken, and those until the end of the batch.
Times = tuple[float, float]


def each(url: str, items: list[bytes]) -> Times:
    """Ingest each item by a synchronous call."""
    began = time.perf_counter()
    with sync.batch(url, options=OPTIONS) as batch, batch.run("sportybet") as run:
        first = time.perf_counter()
        for item in items:
            run.ingest([item])
        taken = time.perf_counter() - first
    return taken, time.perf_counter() - began


def generator(url: str, items: list[bytes]) -> Times:
    """Ingest a generator by a synchronous call."""
    began = time.perf_counter()
    with sync.batch(url, options=OPTIONS) as batch, batch.run("sportybet") as run:
        first = time.perf_counter()
        run.ingest(pages(items))
        taken = time.perf_counter() - first
    return taken, time.perf_counter() - began


def async_each(url: str, items: list[bytes]) -> Times:
    """Ingest each item by an asynchronous call."""

    async def ingest() -> Times:
        began = time.perf_counter()
        async with (
            oddsschema.batch(url, options=OPTIONS) as batch,
            batch.run("sportybet") as run,
        ):
            first = time.perf_counter()
            for item in items:
                await run.ingest([item])
            taken = time.perf_counter() - first
        return taken, time.perf_counter() - began

    return asyncio.run(ingest())


def async_generator(url: str, items: list[bytes]) -> Times:
    """Ingest a generator by an asynchronous call."""

    async def ingest() -> Times:
        began = time.perf_counter()
        async with (
            oddsschema.batch(url, options=OPTIONS) as batch,
            batch.run("sportybet") as run,
        ):
            first = time.perf_counter()
            await run.ingest(pages(items))
            taken = time.perf_counter() - first
        return taken, time.perf_counter() - began

    return asyncio.run(ingest())


def pages(items: list[bytes]) -> Iterator[bytes]:
    """Yield items as a scraper does."""
    yield from items


CONTESTANTS: tuple[Callable[[str, list[bytes]], Times], ...] = (
    *(each, async_each),
    *(generator, async_generator),
)


async def empty(url: str) -> None:
    """Empty the tables."""
    connection = await asyncpg.connect(url)
    await connection.execute(TRUNCATE)
    await connection.execute("CHECKPOINT")
    await connection.close()


def main() -> None:
    """Parse arguments, race, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=500)
    parser.add_argument("--markets", type=int, default=20, help="markets of an item, 170 at most")
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()

    events = workload.captures(workload.MARKETS * arguments.items)
    items = [of_size(event, arguments.markets) for event in events]
    times: dict[str, list[Times]] = {}
    with ExitStack() as stack:
        url = os.environ.get("DATABASE_URL") or embedded(stack)
        sync.upgrade(url)
        for _ in range(arguments.rounds + 1):
            for contestant in CONTESTANTS:
                asyncio.run(empty(url))
                gc.collect()
                times.setdefault(contestant.__name__, []).append(contestant(url, items))
    print(f"{len(items)} items of {arguments.markets} markets, the least of {arguments.rounds}")
    # The first round warms up: the loop starts, the server reads its catalogs.
    least = {
        name: [min(column) for column in zip(*taken[1:], strict=True)]
        for name, taken in times.items()
    }
    for name in ("each", "generator"):
        (taken, whole), (async_taken, async_whole) = least[name], least[f"async_{name}"]
        more = (taken - async_taken) / len(items) * 1000
        print(
            f"{name:<10} {taken / len(items) * 1000:.3f} ms an item, {more:+.3f} ms more than "
            f"async; {whole * 1000:.0f} ms to the commit, {whole / async_whole:.2f} x async"
        )


def of_size(event: bytes, markets: int) -> bytes:
    """Return a capture of the event's first markets."""
    capture = json.loads(event)
    capture["markets"] = capture["markets"][:markets]
    return json.dumps(capture).encode()


def embedded(stack: ExitStack) -> str:
    """Start a durable server."""
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/tmp")))
    directory.chmod(0o711)  # as root, the server has another user
    return stack.enter_context(EmbeddedPostgres(directory / "server")).url


if __name__ == "__main__":
    main()
