"""The load that this machine carries: `python tests/benchmarks/load.py [--events N ...]`.

Simulated scrapes of three bookmakers, five minutes apart, are stored one after the other, each as
one batch, on the embedded server (durable). The first scrape, in which everything is new, is not
counted. Printed as one JSON document for each number of events: the markets of a scrape, the rate
at which they are stored, the part of the five minutes that this takes, and the growth in a day of
such scrapes, with indexes.
"""

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import asyncpg

import oddsschema
from oddsschema import migrations
from oddsschema.embedded import EmbeddedPostgres
from oddsschema.models import metadata
from oddsschema.simulate import simulate

_EVERY = 300
_DAY = 24 * 60 * 60

_BYTES = (
    "SELECT sum(pg_total_relation_size(name::regclass))::bigint FROM unnest($1::text[]) AS name"
)


async def measure(url: str, events: int, scrapes: int) -> dict[str, Any]:
    """Store scrapes, and measure all but the first one."""
    await migrations.upgrade(url)
    connection = await asyncpg.connect(url)
    seconds = markets = grown = 0.0
    for number, scrape in enumerate(simulate(seed=1, events=events, scrapes=scrapes + 1)):
        captures = [capture for platform in scrape.values() for capture in platform]
        before = await connection.fetchval(_BYTES, list(metadata.tables))
        began = time.perf_counter()
        await oddsschema.ingest(url, captures)
        if number:
            seconds += time.perf_counter() - began
            markets += sum(len(capture["markets"]) for capture in captures)
            grown += await connection.fetchval(_BYTES, list(metadata.tables)) - before
    await connection.close()
    return {
        "events": events,
        "markets a scrape": round(markets / scrapes),
        "markets a second": round(markets / seconds),
        "part of the five minutes": round(seconds / scrapes / _EVERY, 4),
        "MB a day": round(grown / scrapes * _DAY / _EVERY / 1e6),
    }


def main() -> None:
    """Measure each number of events in a database of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--scrapes", type=int, default=12)
    given = parser.parse_args()
    for events in given.events:
        with tempfile.TemporaryDirectory(prefix="oddsschema-", dir="/tmp") as directory:
            # The server may run as another user.
            Path(directory).chmod(0o711)
            with EmbeddedPostgres(Path(directory) / "db") as server:
                print(json.dumps(asyncio.run(measure(server.url, events, given.scrapes))))


if __name__ == "__main__":
    main()
