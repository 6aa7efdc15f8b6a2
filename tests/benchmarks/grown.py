"""The speed of ingestion into a long history: `python tests/benchmarks/grown.py [--rows N] ...`.

The same scrapes are ingested, in turns, into a database with `--rows` rows of markets and into a
database with a single scrape of the same events. The output is the time from JSON bytes to commit
in each.
"""

import argparse
import asyncio
import gc
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import asyncpg
from prune import COUNT, scrapes
from sqlalchemy import make_url

import oddsschema
from oddsschema import migrations
from oddsschema.embedded import EmbeddedPostgres
from tests.support import bulk_history


async def created(server: str, name: str, rows: int, events: int) -> str:
    """Create a database with a history of so many rows, at least a scrape; return its URL."""
    admin = await asyncpg.connect(server)
    await admin.execute(f"CREATE DATABASE {name}")
    await admin.close()
    url = make_url(server).set(database=name).render_as_string(hide_password=False)
    await migrations.upgrade(url)
    connection = await asyncpg.connect(url)
    await bulk_history.fill(connection, rows, events)
    await connection.execute("CHECKPOINT")
    print(f"{name}: {await connection.fetchval(COUNT):,} rows of markets")
    await connection.close()
    return url


async def measure(server: str, arguments: argparse.Namespace) -> None:
    """Fill the databases, ingest in turns, and print."""
    urls = {
        "short": await created(server, "short", 0, arguments.events),
        "grown": await created(server, "grown", arguments.rows, arguments.events),
    }
    seconds: dict[str, list[float]] = {name: [] for name in urls}
    source = scrapes(arguments.events, arguments.share)
    for number in range(arguments.rounds + 2):
        lines = next(source)
        for name, url in urls.items():
            gc.collect()
            begin = time.perf_counter()
            report = await oddsschema.ingest(url, lines)
            if number > 1:  # the first scrape is a keyframe
                seconds[name].append(time.perf_counter() - begin)
            assert report.all_stored
    markets = arguments.events * bulk_history.MARKETS
    print(f"a scrape of {markets:,} markets, {arguments.share:.0%} changing, ingested:")
    short, grown = (statistics.median(found) for found in seconds.values())
    for name, median in (("short", short), ("grown", grown)):
        print(f"{name:<8}{median:8.3f} s{median / short:8.2f}")


def main() -> None:
    """Parse arguments, start a server, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--events", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--share", type=float, default=0.05, help="of the markets that change")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        directory.chmod(0o711)  # as root, the server has another user
        server = stack.enter_context(EmbeddedPostgres(directory / "server")).url
        asyncio.run(measure(server, arguments))


if __name__ == "__main__":
    main()
