"""The measurements of daily scrapes: `python tests/benchmarks/life.py [--events N] ...`.

Real sizes: 18 markets an event, 2.7 outcomes a market. Printed as one JSON document:

- `scrapes`: successive scrapes with a share of changed markets, stored in turns as changes,
  complete, and by the rival that people build instead (one JSONB row a capture).
- `redelivery`: a scrape that is delivered again, against its first delivery.
- `confirmations`: scrapes without a change: the share of HOT updates, the bytes of the heap
  against those of its rows, and the time of the ten scrapes before the hundredth confirmation
  against that of the ten after the first. VACUUM runs after each tenth scrape, as autovacuum would.
"""

import argparse
import asyncio
import gc
import json
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import rivals
import workload
from sqlalchemy import make_url

import oddsschema
from oddsschema import IngestOptions, migrations
from oddsschema.embedded import EmbeddedPostgres

#: The rivals of the scrapes, in the order of their turns.
STORES = ("changes", "complete", "jsonb")

_RIVAL_TABLE = """
CREATE TABLE captures (
    id bigserial PRIMARY KEY,
    source text NOT NULL,
    external_id text NOT NULL,
    captured_at timestamptz NOT NULL,
    document jsonb NOT NULL,
    UNIQUE (source, external_id, captured_at)
)
"""

_RIVAL_INSERT = """
INSERT INTO captures (source, external_id, captured_at, document)
SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::jsonb[])
ON CONFLICT DO NOTHING
"""

_BYTES = """
SELECT sum(pg_total_relation_size(name::regclass))::float8
FROM unnest($1::text[]) AS name
"""

_OURS = ["competitor_odds_snapshots", "competitor_market_odds"]

_CONFIRMATIONS = """
SELECT n_tup_hot_upd::float8 / n_tup_upd AS hot,
    pg_relation_size(relid)::float8 / (
        -- with the line pointer and the alignment
        SELECT sum(pg_column_size(s.*) + 8) FROM competitor_odds_snapshots AS s
    ) AS heap_to_rows
FROM pg_stat_user_tables WHERE relname = 'competitor_odds_snapshots'
"""


def scrapes(events: int, number: int, share: float, markets: int) -> Iterator[list[bytes]]:
    """Make `number` scrapes of the events, five minutes apart. A share of the markets changes."""
    rng = random.Random(7)
    captures = [json.loads(line) for line in workload.captures(events * workload.MARKETS)]
    for capture in captures:
        capture["markets"] = capture["markets"][:markets]
        for market in capture["markets"]:
            if rng.random() < 0.3:
                market["outcomes"].pop()  # 2.7 outcomes on average
    every_market = [market for capture in captures for market in capture["markets"]]
    for scrape in range(number):
        for event, capture in enumerate(captures):
            at = workload.CAPTURED_AT + timedelta(minutes=5 * scrape, milliseconds=event)
            capture["captured_at"] = at.isoformat()
        yield [json.dumps(capture).encode() for capture in captures]
        for market in rng.sample(every_market, round(share * len(every_market))):
            outcome = rng.choice(market["outcomes"])
            outcome["odds"] = round(outcome["odds"] + 0.01, 2)


async def store_jsonb(url: str, lines: Sequence[bytes]) -> None:
    """Store captures in the way that people build instead: validated, one JSONB row each."""
    captures = rivals.validated(lines)
    connection = await asyncpg.connect(url)
    await connection.execute(
        _RIVAL_INSERT,
        [capture.competitor_event.source for capture in captures],
        [capture.competitor_event.external_id for capture in captures],
        [capture.captured_at for capture in captures],
        [line.decode() for line in lines],
    )
    await connection.close()


async def store(kind: str, url: str, lines: Sequence[bytes]) -> float:
    """Store a scrape, and return the seconds from its bytes to the commit."""
    gc.collect()
    begin = time.perf_counter()
    if kind == "jsonb":
        await store_jsonb(url, lines)
    else:
        options = IngestOptions(store="complete" if kind == "complete" else "changes")
        await oddsschema.ingest(url, lines, options=options)
    return time.perf_counter() - begin


@asynccontextmanager
async def new_database(server: str, name: str) -> AsyncIterator[str]:
    """Create a migrated database, and drop it at the end."""
    admin = await asyncpg.connect(server)
    await admin.execute(f"CREATE DATABASE {name}")
    url = make_url(server).set(database=name).render_as_string(hide_password=False)
    await migrations.upgrade(url)
    try:
        yield url
    finally:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()


async def measure_scrapes(server: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure the rivals in turns: seconds a scrape, WAL and bytes on disk.

    The first scrape, of new events, has figures of its own.
    """
    seconds: dict[str, list[float]] = {kind: [] for kind in STORES}
    wal: dict[str, float] = dict.fromkeys(STORES, 0.0)
    found: dict[str, Any] = {}
    async with (
        new_database(server, "life_changes") as changes,
        new_database(server, "life_complete") as complete,
        new_database(server, "life_jsonb") as jsonb,
    ):
        urls = dict(zip(STORES, (changes, complete, jsonb), strict=True))
        reader = await asyncpg.connect(jsonb)
        await reader.execute(_RIVAL_TABLE)
        made = scrapes(arguments.events, arguments.scrapes, arguments.share, arguments.markets)
        for number, lines in enumerate(made):
            # Each is first in turn.
            for kind in STORES[number % 3 :] + STORES[: number % 3]:
                before = await reader.fetchval("SELECT pg_current_wal_lsn()")
                seconds[kind].append(await store(kind, urls[kind], lines))
                if number:
                    wal[kind] += float(
                        await reader.fetchval("SELECT pg_current_wal_lsn() - $1", before)
                    )
        await reader.close()
        for kind, url in urls.items():
            connection = await asyncpg.connect(url)
            size = await connection.fetchval(_BYTES, ["captures"] if kind == "jsonb" else _OURS)
            await connection.close()
            later = seconds[kind][1:]
            quarter = -(-len(later) // 4)
            found[kind] = {
                "first_seconds": round(seconds[kind][0], 3),
                "median_seconds": round(statistics.median(later), 3),
                "first_quarter_seconds": round(statistics.median(later[:quarter]), 3),
                "last_quarter_seconds": round(statistics.median(later[-quarter:]), 3),
                "wal": wal[kind],
                "bytes": size,
            }
    found["ratios"] = {
        f"{measure}_to_{rival}": round(found["changes"][measure] / found[rival][measure], 3)
        for rival in ("complete", "jsonb")
        for measure in ("median_seconds", "wal", "bytes")
    }
    return found


async def measure_redelivery(server: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure the first delivery of scrapes, each followed by a second one."""
    first, again = [], []
    async with new_database(server, "life_again") as url:
        for lines in scrapes(arguments.events, 5, 0.6, arguments.markets):
            first.append(await store("changes", url, lines))
            again.append(await store("changes", url, lines))
    return {
        "first_seconds": round(statistics.median(first), 3),
        "again_seconds": round(statistics.median(again), 3),
        "ratio": round(statistics.median(again) / statistics.median(first), 3),
        "ratio_of_new_events": round(again[0] / first[0], 3),
    }


async def measure_confirmations(server: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure scrapes without a change."""
    seconds = []
    async with new_database(server, "life_confirmed") as url:
        for number, lines in enumerate(scrapes(arguments.events, arguments.confirmations, 0, 1)):
            seconds.append(await store("changes", url, lines))
            if number % 10 == 9:
                connection = await asyncpg.connect(url)
                await connection.execute("VACUUM competitor_odds_snapshots")
                await connection.close()
        connection = await asyncpg.connect(url)
        found = await connection.fetchrow(_CONFIRMATIONS)
        await connection.close()
    later = statistics.median(seconds[90:100]) / statistics.median(seconds[2:12])
    return {name: round(value, 3) for name, value in {**found, "later_to_first": later}.items()}


MEASUREMENTS = {
    "scrapes": measure_scrapes,
    "redelivery": measure_redelivery,
    "confirmations": measure_confirmations,
}


def main() -> None:
    """Parse arguments, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("measurements", nargs="*", default=list(MEASUREMENTS))
    parser.add_argument("--events", type=int, default=500)
    parser.add_argument("--markets", type=int, default=18, help="of an event, at most 170")
    parser.add_argument("--scrapes", type=int, default=40)
    parser.add_argument("--share", type=float, default=0.05, help="of the markets that change")
    parser.add_argument(
        "--confirmations", type=int, default=200, help="scrapes without a change, 100 or more"
    )
    arguments = parser.parse_args()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/tmp")))
        directory.chmod(0o711)  # as root, the server has another user
        server = stack.enter_context(EmbeddedPostgres(directory / "server")).url
        found = {
            name: asyncio.run(MEASUREMENTS[name](server, arguments))
            for name in arguments.measurements
        }
    print(json.dumps({"arguments": vars(arguments)} | found, indent=2))


if __name__ == "__main__":
    main()
