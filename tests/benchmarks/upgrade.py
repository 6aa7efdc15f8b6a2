"""An upgrade under load: `python tests/benchmarks/upgrade.py [--rows N] [--events N] ...`.

A database at revision 7 has `--rows` market rows. Two in nine are handicaps without a line, and all
SportRadar ids of events have a prefix. It is upgraded while `--writers` sessions write as ingestion
does: each transaction locks an event and inserts a snapshot with markets. The output is the time of
each revision, and the times of the writers' transactions before and during the upgrade.
"""

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import asyncpg

from oddsschema import migrations
from oddsschema.embedded import EmbeddedPostgres
from oddsschema.models.sides import SIDES, Side
from tests.support import bulk_history

REVISIONS = ("oddsschema_0008", "oddsschema_0009")

# In later snapshots, the scraper sends the line.
_HANDICAPS = """
UPDATE {markets} SET handicap_type = 'asian', handicap_home = line, handicap_away = -line,
    line = CASE WHEN snapshot_id > (SELECT max(id) / 2 FROM {snapshots}) THEN line END
WHERE line <= 2
"""

_PREFIXES = """
UPDATE events SET sportradar_id = 'sr:match:' || sportradar_id;
UPDATE competitor_events SET sportradar_id = 'sr:match:' || sportradar_id
"""

_LOCK = "SELECT FROM {events} WHERE id = $1 FOR NO KEY UPDATE"

_INSERT_SNAPSHOT = """
INSERT INTO {snapshots} ({event}, {column} is_complete) VALUES ($1, {value} false) RETURNING id
"""

_INSERT_MARKETS = """
INSERT INTO {markets} ({event}, snapshot_id, betpawa_market_id, betpawa_market_name, line,
    handicap_type, handicap_home, handicap_away, outcomes)
SELECT $1, $2, 3743 + n, 'Market', n, 'asian', n, -n,
    '[{{"name": "Home", "odds": 2.5, "is_active": true}}]'
FROM generate_series(1, 20) AS n
"""


async def write(url: str, events: int, seconds: list[float], stop: asyncio.Event) -> None:
    """Write until `stop` is set; append the seconds of each transaction."""
    connection = await asyncpg.connect(url)
    bookmaker_id = await connection.fetchval("SELECT id FROM bookmakers WHERE slug = 'betpawa'")
    while not stop.is_set():
        side = random.choice(SIDES)
        event_id = random.randint(1, events)
        names = (
            {"column": "bookmaker_id,", "value": f"{bookmaker_id},"}
            if side.has_bookmakers
            else {"column": "", "value": ""}
        )
        began = time.perf_counter()
        async with connection.transaction():
            await connection.execute(side.sql(_LOCK), event_id)
            snapshot_id = await connection.fetchval(side.sql(_INSERT_SNAPSHOT, **names), event_id)
            await connection.execute(side.sql(_INSERT_MARKETS), event_id, snapshot_id)
        seconds.append(time.perf_counter() - began)
        await asyncio.sleep(0.005)
    await connection.close()


def print_transactions(name: str, seconds: list[float]) -> None:
    """Print the number of transactions, and their median and longest times."""
    percentile = statistics.quantiles(seconds, n=1000)[-1]
    print(
        f"{name:<16}{len(seconds):>7,} transactions, median {1000 * statistics.median(seconds):.1f}"
        f" ms, 99.9 % within {1000 * percentile:.0f} ms, longest {1000 * max(seconds):.0f} ms"
    )


async def measure(url: str, arguments: argparse.Namespace) -> None:
    """Fill the database, write, upgrade, and print."""
    await migrations.upgrade(url, "oddsschema_0007")
    connection = await asyncpg.connect(url)
    await bulk_history.fill(connection, arguments.rows, arguments.events)
    for side in SIDES:
        await connection.execute(side.sql(_HANDICAPS))
    await connection.execute(_PREFIXES)
    await connection.execute("VACUUM ANALYZE")
    for side in SIDES:
        print(f"{side.markets}: {await _count(connection, side)}")

    for name in ("before", "during"):
        seconds: list[float] = []
        stop = asyncio.Event()
        writers = [
            asyncio.create_task(write(url, arguments.events, seconds, stop))
            for _ in range(arguments.writers)
        ]
        if name == "before":
            await asyncio.sleep(10)
        else:
            for revision in REVISIONS:
                began = time.perf_counter()
                await migrations.upgrade(url, revision)
                print(f"{revision}: {time.perf_counter() - began:.2f} s")
        stop.set()
        await asyncio.gather(*writers)
        print_transactions(f"{name} it", seconds)
    for side in SIDES:
        print(f"{side.markets}: {await _count(connection, side)}")
    await connection.close()


async def _count(connection: "asyncpg.Connection", side: Side) -> str:
    count = "SELECT count(*), count(*) FILTER (WHERE line IS NULL AND handicap_type IS NOT NULL) "
    rows, without = await connection.fetchrow(side.sql(count + "FROM {markets}"))
    return f"{rows:,} rows, {without:,} handicaps without a line"


def main() -> None:
    """Parse arguments, start a server, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=1000)
    parser.add_argument("--writers", type=int, default=2)
    arguments = parser.parse_args()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        directory.chmod(0o711)  # as root, the server has another user
        server = stack.enter_context(EmbeddedPostgres(directory / "server"))
        asyncio.run(measure(server.url, arguments))


if __name__ == "__main__":
    main()
