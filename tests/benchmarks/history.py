"""The savings of storing only changes: `python tests/benchmarks/history.py [--events N] ...`.

Successive scrapes of the same events, with a share of changed markets each, are stored in two
databases in turns: complete, and changes only. Measured are the bytes on disk, the WAL, the rows,
and the time from JSON bytes to commit.
"""

import argparse
import asyncio
import gc
import json
import random
import tempfile
import time
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import workload
from sqlalchemy import make_url

import oddsschema
from oddsschema import IngestOptions, migrations
from oddsschema.embedded import EmbeddedPostgres

STORES = ("complete", "changes")

SIZE = """
SELECT sum(pg_total_relation_size(name::regclass))
FROM unnest('{competitor_odds_snapshots,competitor_market_odds}'::text[]) AS name
"""


def scrapes(events: int, number: int, share: float) -> Any:
    """Make `number` scrapes of the events, five minutes apart."""
    rng = random.Random(7)
    captures = [json.loads(line) for line in workload.captures(events * workload.MARKETS)]
    for _ in range(number):
        yield [json.dumps(capture).encode() for capture in captures]
        for capture in captures:
            at = datetime.fromisoformat(capture["captured_at"]) + timedelta(minutes=5)
            capture["captured_at"] = at.isoformat()
            for market in rng.sample(capture["markets"], round(share * workload.MARKETS)):
                outcome = rng.choice(market["outcomes"])
                outcome["odds"] = round(outcome["odds"] + 0.01, 2)


async def measure(server: str, arguments: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Return bytes, WAL, rows and seconds of each kind of storage."""
    found = {store: {"bytes": 0.0, "wal": 0.0, "rows": 0.0, "seconds": 0.0} for store in STORES}
    admin = await asyncpg.connect(server)
    urls = {}
    for store in STORES:
        await admin.execute(f"DROP DATABASE IF EXISTS history_{store} WITH (FORCE)")
        await admin.execute(f"CREATE DATABASE history_{store}")
        url = make_url(server).set(database=f"history_{store}")
        urls[store] = url.render_as_string(hide_password=False)
        await migrations.upgrade(urls[store])
    for lines in scrapes(arguments.events, arguments.scrapes, arguments.share):
        for store in STORES:
            gc.collect()
            before = await admin.fetchval("SELECT pg_current_wal_lsn()")
            begin = time.perf_counter()
            await oddsschema.ingest(urls[store], lines, options=IngestOptions(store=store))
            found[store]["seconds"] += time.perf_counter() - begin
            found[store]["wal"] += float(
                await admin.fetchval("SELECT pg_current_wal_lsn() - $1", before)
            )
    for store in STORES:
        connection = await asyncpg.connect(urls[store])
        found[store]["bytes"] = float(await connection.fetchval(SIZE))
        found[store]["rows"] = await connection.fetchval(
            "SELECT count(*) FROM competitor_market_odds"
        )
        await connection.close()
    await admin.close()
    return found


def main() -> None:
    """Parse arguments, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=500)
    parser.add_argument("--scrapes", type=int, default=20)
    parser.add_argument("--share", type=float, default=0.05, help="of the markets that change")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/tmp")))
        directory.chmod(0o711)  # as root, the server has another user
        server = stack.enter_context(EmbeddedPostgres(directory / "server")).url
        found = asyncio.run(measure(server, arguments))
    markets = arguments.events * workload.MARKETS
    print(f"{arguments.scrapes} scrapes of {markets:,} markets, {arguments.share:.0%} changing")
    for measure_name in ("bytes", "wal", "rows", "seconds"):
        complete, changes = (found[store][measure_name] for store in STORES)
        print(f"{measure_name:<8}{complete:>16,.1f}{changes:>16,.1f}{changes / complete:>8.3f}")


if __name__ == "__main__":
    main()
