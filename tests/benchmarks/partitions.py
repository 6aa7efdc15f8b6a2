"""Partitions compared with a prune: `python tests/benchmarks/partitions.py [--rows N] ...`.

The keys allow only the tables of markets to be partitioned, by `id`. The second database has such
partitions and the same rows. Both databases ingest the same scrapes and answer the same queries, in
turns. Then the older half is pruned in the first database, and dropped as partitions in the second.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import asyncpg
from prune import FIRST, scrapes
from sqlalchemy import make_url

import oddsschema
from oddsschema import migrations, queries
from oddsschema.embedded import EmbeddedPostgres
from tests.support import bulk_history
from tests.support.statements import explain

TABLES = {
    "market_odds": ("event_id", "odds_snapshots"),
    "competitor_market_odds": ("competitor_event_id", "competitor_odds_snapshots"),
}


async def partition(url: str, parts: int) -> None:
    """Partition the tables of markets by id, for the existing rows and for new ones."""
    connection = await asyncpg.connect(url)
    for table, (event, snapshots) in TABLES.items():
        last = await connection.fetchval(f"SELECT max(id) FROM {table}")
        bounds = [1 + last * part // parts for part in range(parts + 1)]
        await connection.execute(f"""
            ALTER TABLE {table} RENAME TO whole;
            CREATE TABLE {table} (LIKE whole INCLUDING ALL) PARTITION BY RANGE (id);
            CREATE TABLE {table}_new PARTITION OF {table} FOR VALUES FROM ({last + 1}) TO (MAXVALUE)
        """)
        for part, (begin, end) in enumerate(pairwise(bounds)):
            await connection.execute(
                f"CREATE TABLE {table}_{part} PARTITION OF {table} "
                f"FOR VALUES FROM ({begin}) TO ({end})"
            )
        await connection.execute(f"""
            INSERT INTO {table} SELECT * FROM whole ORDER BY id;
            ALTER TABLE {table} ADD FOREIGN KEY ({event}, snapshot_id)
                REFERENCES {snapshots} ({event}, id) ON DELETE CASCADE;
            ALTER SEQUENCE {table}_id_seq OWNED BY {table}.id;
            DROP TABLE whole
        """)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


async def measure(server: str, arguments: argparse.Namespace) -> None:
    """Fill both databases, and print the time of each step."""
    urls = {
        name: make_url(server).set(database=name).render_as_string(hide_password=False)
        for name in ("plain", "partitioned")
    }
    admin = await asyncpg.connect(server)
    await admin.execute("CREATE DATABASE plain")
    await migrations.upgrade(urls["plain"])
    connection = await asyncpg.connect(urls["plain"])
    number = await bulk_history.fill(connection, arguments.rows, arguments.events)
    await connection.close()
    await admin.execute("CREATE DATABASE partitioned TEMPLATE plain")
    await admin.close()
    await partition(urls["partitioned"], arguments.parts)

    connections = {name: await asyncpg.connect(url) for name, url in urls.items()}
    taken: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    offers, history = queries.Offer, queries.PricePoint
    for turn in range(arguments.turns):
        questions = {
            "state of an event": queries.offers().where(offers.event_id == turn % 50 + 1),
            "history of a market": queries.price_history().where(
                history.event_id == turn % 50 + 1, history.betpawa_market_id == "3743"
            ),
        }
        for name, connection in connections.items():
            for asked, statement in questions.items():
                explained = await explain(connection, statement)
                taken[asked][name].append(explained["Planning Time"] + explained["Execution Time"])
    source = scrapes(arguments.events, 0.05)
    for turn in range(arguments.turns // 2):
        lines = next(source)
        for name, url in urls.items():
            began = time.perf_counter()
            report = await oddsschema.ingest(url, lines)
            if turn > 1:  # the first scrape is a keyframe
                taken["ingest of a scrape"][name].append(1000 * (time.perf_counter() - began))
            assert report.all_stored

    print(f"{arguments.rows:,} rows of markets, {arguments.parts} partitions of each table")
    for asked, by_name in taken.items():
        times = ", ".join(f"{name} {statistics.median(ms):,.1f} ms" for name, ms in by_name.items())
        factor = statistics.median(by_name["partitioned"]) / statistics.median(by_name["plain"])
        print(f"{asked:<22}{times}: {factor:.2f} x")
    began = time.perf_counter()
    cutoff = FIRST + number / 2 * timedelta(minutes=5)
    pruned = await oddsschema.prune(urls["plain"], cutoff)
    print(f"prune of half: {pruned.total.rows:,} rows in {time.perf_counter() - began:.1f} s")
    began = time.perf_counter()
    dropped = [f"{table}_{part}" for table in TABLES for part in range(arguments.parts // 2)]
    await connections["partitioned"].execute(f"DROP TABLE {', '.join(dropped)}")
    print(f"drop of half the partitions: {time.perf_counter() - began:.2f} s, then")
    await _lost(connections["partitioned"])
    for connection in connections.values():
        await connection.close()


async def _lost(connection: Any) -> None:
    for table, (event, snapshots) in TABLES.items():
        left = await connection.fetchval(f"""
            SELECT count(*) FROM {snapshots} AS s WHERE NOT EXISTS (
                SELECT FROM {table} AS m WHERE m.{event} = s.{event} AND m.snapshot_id = s.id
            )
        """)
        print(f"  {left:,} rows of {snapshots} have no market left")


def main() -> None:
    """Parse arguments, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--events", type=int, default=200)
    parser.add_argument("--parts", type=int, default=14, help="one for each day that is kept")
    parser.add_argument("--turns", type=int, default=20)
    arguments = parser.parse_args()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        directory.chmod(0o711)  # as root, the server has another user
        server = stack.enter_context(EmbeddedPostgres(directory / "server"))
        asyncio.run(measure(server.url, arguments))


if __name__ == "__main__":
    main()
