"""Upgrades under load, as JSON: `python tests/benchmarks/upgrade.py [--rows N] [--events N] ...`.

A database at revision 3 has `--rows` market rows. Two in nine are handicaps without a line, and all
SportRadar ids of events have a prefix. Another process upgrades it, a revision at a time, while a
reader and a writer of each of seven tables take its lock every 20 ms, and `--writers` sessions
write as ingestion does: each transaction locks an event and inserts a snapshot with markets. The
output has the time of each revision and the longest waits, in milliseconds, before the upgrade and
during each revision.
"""

import argparse
import asyncio
import json
import random
import statistics
import tempfile
import time
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import asyncpg

from oddsschema import migrations
from oddsschema.embedded import EmbeddedPostgres
from oddsschema.migrations.scripts import known_revisions
from oddsschema.models.sides import SIDES
from tests.support import bulk_history
from tests.support.lock_waits import Waits, sampled

#: The revision before the first one that changes stored tables.
FIRST = "oddsschema_0003"

#: The tables whose readers and writers are measured.
TABLES = (
    "scrape_runs",
    *(name for side in SIDES for name in (side.events, side.snapshots, side.markets)),
)

#: The seconds of the measurement before the upgrade.
_BEFORE = 10

# Leave nothing that a downgrade would expand or delete.
_SIMPLIFY = """
UPDATE {snapshots} SET is_complete = true;
UPDATE {markets} SET specifiers = NULL, unavailable_at = NULL
WHERE num_nonnulls(specifiers, unavailable_at) > 0
"""

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
INSERT INTO {snapshots} ({event}{column}) VALUES ($1{value}) RETURNING id
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
            {"column": ", bookmaker_id", "value": f", {bookmaker_id}"}
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


def upgrade(url: str, revision: str) -> float:
    """Upgrade to a revision; return the seconds."""
    began = time.perf_counter()
    asyncio.run(migrations.upgrade(url, revision))
    return time.perf_counter() - began


async def measure(url: str, arguments: argparse.Namespace, upgrading: Executor) -> dict[str, Any]:
    """Fill the database, and upgrade it beside sessions that write and sample."""
    await fill(url, arguments)
    filled = await count_rows(url)
    run = asyncio.get_running_loop().run_in_executor
    # The process imports everything that it needs.
    await run(upgrading, upgrade, url, FIRST)
    revisions = [revision for revision in known_revisions() if revision > FIRST]
    periods = []
    for revision in (None, *revisions):
        seconds: list[float] = []
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as writers, sampled(url, TABLES) as waits:
            for _ in range(arguments.writers):
                writers.create_task(write(url, arguments.events, seconds, stop))
            # All sessions are connected, and have run their statements once.
            await asyncio.sleep(1)
            waits.clear()
            seconds.clear()
            if revision is None:
                took = await asyncio.sleep(_BEFORE, float(_BEFORE))
            else:
                took = await run(upgrading, upgrade, url, revision)
            # Statements that wait until the end are counted.
            await asyncio.sleep(0.2)
            stop.set()
        periods.append(
            {
                "revision": revision,
                "seconds": round(took, 2),
                **{kind: longest(waits, kind) for kind in ("reader", "writer")},
                "ingestion": {
                    "transactions": len(seconds),
                    "median": in_milliseconds(statistics.median(seconds)),
                    "longest": in_milliseconds(max(seconds)),
                },
            }
        )
    return {
        "rows": {"before": filled, "after": await count_rows(url)},
        "events": arguments.events,
        "periods": periods,
    }


async def fill(url: str, arguments: argparse.Namespace) -> None:
    """Fill a database, and leave it at an early revision."""
    await migrations.upgrade(url)
    connection = await asyncpg.connect(url)
    await bulk_history.fill(connection, arguments.rows, arguments.events)
    for side in SIDES:
        await connection.execute(side.sql(_SIMPLIFY))
    await migrations.downgrade(url, FIRST)
    for side in SIDES:
        await connection.execute(side.sql(_HANDICAPS))
    await connection.execute(_PREFIXES)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


async def count_rows(url: str) -> int:
    """Count the market rows."""
    connection = await asyncpg.connect(url)
    rows = [await connection.fetchval(side.sql("SELECT count(*) FROM {markets}")) for side in SIDES]
    await connection.close()
    return sum(rows)


def longest(waits: Waits, kind: str) -> dict[str, Any]:
    """Return the longest wait of a kind of session, with its table."""
    wait, table = max((wait, table) for (of, table), wait in waits.items() if of == kind)
    return {"longest": in_milliseconds(wait), "table": table}


def in_milliseconds(seconds: float) -> float:
    """Convert seconds."""
    return round(1000 * seconds, 1)


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
        # The waits are those of locks, and not of one interpreter.
        upgrading = stack.enter_context(ProcessPoolExecutor(1, get_context("spawn")))
        print(json.dumps(asyncio.run(measure(server.url, arguments, upgrading)), indent=2))


if __name__ == "__main__":
    main()
