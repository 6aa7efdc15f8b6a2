"""The round trips of deliveries, and their time at a distance.

`python tests/benchmarks/round_trips.py [--delays 0,0.005,0.03]`

A proxy counts the round trips, and delays each by 0, 5 and 30 ms. Measured are deliveries of 1, 10
and 500 events of 17 markets with 5 % of the prices changed: by `ingest` on a new connection, by
`connect` on a kept one, and in a batch that is open. Opening a connection is not counted, and is
part of the seconds of `ingest`. The server is an embedded one, or that of DATABASE_URL, in a new
database that is dropped afterwards. The output is JSON.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import make_url

import oddsschema
from oddsschema import migrations
from oddsschema.database.known_databases import known_database
from oddsschema.embedded import EmbeddedPostgres

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.support.round_trips import counting
from tests.support.scrapes import capture

EVENTS = (1, 10, 500)


class Scrapes:
    """Deliveries that follow one another: each changes 5 % of the prices of the one before."""

    def __init__(self) -> None:
        self._rng = random.Random(1)
        self._captures = [
            capture("sportybet", event, 0, markets=17) for event in range(max(EVENTS))
        ]
        self._minute = 0

    def next(self, events: int) -> list[str]:
        """Make the next delivery of the first events."""
        self._minute += 1
        for each in self._captures[:events]:
            each["captured_at"] = f"2026-02-01T{self._minute // 60:02}:{self._minute % 60:02}:00Z"
            for market in each["markets"]:
                if self._rng.random() < 0.05:
                    market["outcomes"][0]["odds"] = round(self._rng.uniform(1.1, 9), 2)
        return [json.dumps(each) for each in self._captures[:events]]


async def measure(url: str, delays: list[float]) -> list[dict[str, Any]]:
    """Measure every way of delivery at every distance."""
    await migrations.upgrade(url)
    scrapes = Scrapes()
    await oddsschema.ingest(url, scrapes.next(max(EVENTS)))
    return [result for delay in delays for result in await measure_at(delay, url, scrapes)]


async def measure_at(delay: float, url: str, scrapes: Scrapes) -> list[dict[str, Any]]:
    """Measure every way of delivery at a distance."""
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        async with counting(url, Path(directory), delay=delay) as (delayed, traffic):

            async def note(way: str, events: int, deliver: Callable[..., Awaitable[Any]]) -> None:
                delivery = scrapes.next(events)
                traffic.clear()
                began = time.perf_counter()
                await deliver(delivery)
                results.append(
                    {
                        "way": way,
                        "events": events,
                        "delay_ms": delay * 1000,
                        "round_trips": traffic.round_trips,
                        "statements": traffic.statements.total(),
                        "seconds": round(time.perf_counter() - began, 3),
                    }
                )

            async def ingest(delivery: list[str]) -> None:
                await oddsschema.ingest(delayed, delivery)

            for events in EVENTS:
                known_database.cache_clear()
                await note("first of a process", events, ingest)
                await note("new connection", events, ingest)
            async with oddsschema.connect(delayed) as odds:
                for events in EVENTS:
                    await note("kept connection", events, odds.ingest)
                async with odds.batch() as batch:

                    async def commit(delivery: list[str]) -> None:
                        await batch.ingest(delivery)
                        await batch.flush()

                    await note("first commit of a run", 1, commit)
                    for events in EVENTS:
                        await note("further commit", events, commit)
    return results


@contextmanager
def server() -> Iterator[str]:
    """Yield the URL of the server of DATABASE_URL, or of an embedded one."""
    if url := os.environ.get("DATABASE_URL"):
        yield url
        return
    with EmbeddedPostgres() as embedded:
        yield embedded.url


async def in_new_database(url: str, delays: list[float]) -> list[dict[str, Any]]:
    """Measure in a new database, and drop it."""
    name = "round_trips"
    admin = await asyncpg.connect(url)
    await admin.execute(f"DROP DATABASE IF EXISTS {name}")
    await admin.execute(f"CREATE DATABASE {name}")
    try:
        database = make_url(url).set(database=name)
        return await measure(database.render_as_string(hide_password=False), delays)
    finally:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delays", default="0,0.005,0.03", help="in seconds")
    arguments = parser.parse_args()
    with server() as given:
        delays = [float(each) for each in arguments.delays.split(",")]
        print(json.dumps(asyncio.run(in_new_database(given, delays)), indent=1))
