"""The speed of ingestion: `python tests/benchmarks/ingest.py [--rows N] [--rounds N] [--json]`.

Every contestant starts from the same JSON bytes and ends with committed rows in the real, migrated
tables, with their keys and indexes. `ceiling` alone starts from validated and encoded rows, and
commits as often as oddsschema does;
`ceiling_busy` is the same while another process keeps a second core busy with JSON. `mixed` is
oddsschema on a scrape with integers as ids, 40 percent specifiers and 5 percent closed outcomes
without a price; `mixed_per_byte` is its time a byte, against that of the other scrape. `unchecked`
is oddsschema without the tables' CHECKs: the difference is their cost.
The contestants take turns, so that a noisy machine affects all of them. The output is medians and
ratios. The server is a durable embedded one (fsync on), or the server of DATABASE_URL, in a new
database that is dropped afterwards.
"""

import argparse
import asyncio
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import rivals
import workload
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

import oddsschema
from oddsschema import IngestOptions, migrations
from oddsschema.embedded import EmbeddedPostgres

TRUNCATE = """
TRUNCATE scrape_batches, scrape_runs, competitor_tournaments, competitor_events,
    competitor_odds_snapshots, competitor_market_odds RESTART IDENTITY CASCADE
"""

#: The CHECKs, and the statements that add and drop them.
CHECKS = """
SELECT format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname,
              pg_get_constraintdef(oid)) AS add,
       format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS drop
FROM pg_constraint WHERE contype = 'c' AND connamespace = 'public'::regnamespace
"""

FAST = (
    *("ceiling", "ceiling_busy", "oddsschema", "mixed", "unchecked"),
    *("copy_records", "psycopg_copy"),
)

#: A program that keeps a core busy with parsing and writing JSON.
BUSY = """
import json
document = [{"name": str(n), "odds": n / 7, "is_active": True} for n in range(20000)]
while True:
    json.loads(json.dumps(document))
"""
#: Contestants that are too slow for a million rows.
SLOW = ("unnest", "executemany", "core_insert", "add_all")


class Contest:
    """The contestants, each ready to write the same rows into empty tables."""

    def __init__(self, url: str, rows: int) -> None:
        self.url = url
        self.lines = workload.captures(rows)
        #: The same with integers as ids, specifiers and missing prices.
        self.mixed = workload.captures(rows, mixed=True)

    async def __aenter__(self) -> "Contest":
        self.stack = AsyncExitStack()
        self.connection = await asyncpg.connect(self.url)
        self.stack.push_async_callback(self.connection.close)
        await rivals.set_jsonb_codec(self.connection)
        # executemany and unnest send JSON as text, in the form of asyncpg's own codec.
        self.plain = await asyncpg.connect(self.url)
        self.stack.push_async_callback(self.plain.close)
        self.psycopg = await psycopg.AsyncConnection.connect(self.url)
        self.stack.push_async_callback(self.psycopg.close)
        self.engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=lambda: asyncpg.connect(self.url),
            poolclass=NullPool,
        )
        self.stack.push_async_callback(self.engine.dispose)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.stack.aclose()

    def contestants(self) -> dict[str, Callable[[], Awaitable[object]]]:
        """Return the timed functions by name."""
        plain, lines = self.plain, self.lines
        return {
            "ceiling": self.ceiling,
            "ceiling_busy": self.ceiling,
            "oddsschema": lambda: oddsschema.ingest(self.url, lines),
            "mixed": lambda: oddsschema.ingest(self.url, self.mixed),
            "unchecked": lambda: oddsschema.ingest(self.url, lines),
            "copy_records": lambda: rivals.copy_records(self.connection, lines),
            "psycopg_copy": lambda: rivals.psycopg_copy(plain, lines, self.psycopg),
            "unnest": lambda: rivals.unnest(plain, lines),
            "executemany": lambda: rivals.executemany(plain, lines),
            "core_insert": lambda: rivals.core_insert(plain, lines, self.engine),
            "add_all": lambda: rivals.add_all(plain, lines, self.engine),
        }

    async def prepare(self, name: str) -> None:
        """Empty the tables; for the ceiling, insert the rows that the snapshots refer to."""
        await self.plain.execute(TRUNCATE)
        if name == "unchecked":
            self.checks = await self.plain.fetch(CHECKS)
            await self.plain.execute(";".join(check["drop"] for check in self.checks))
        if name.startswith("ceiling"):
            await self.prepare_ceiling()
        await self.plain.execute("CHECKPOINT")
        gc.collect()

    async def prepare_ceiling(self) -> None:
        """Do everything except the two COPYs: validate, encode, look up ids."""
        captures = rivals.validated(self.lines)
        ids = await rivals.write_parents(self.plain, captures)
        await self.plain.execute("TRUNCATE competitor_odds_snapshots CASCADE")
        size = IngestOptions().chunk_rows // (workload.MARKETS + 1) + 1
        self.chunks = []
        for start in range(0, len(captures), size):
            chunk, keys = captures[start : start + size], ids[start : start + size]
            snapshots = [
                (snapshot_id, event_id, capture.captured_at)
                for (event_id, snapshot_id), capture in zip(keys, chunk, strict=True)
            ]
            self.chunks.append((snapshots, rivals.market_tuples(chunk, keys)))

    async def ceiling(self) -> None:
        """Run asyncpg's COPY alone, with a commit for each chunk of oddsschema's."""
        for snapshots, markets in self.chunks:
            async with self.connection.transaction():
                await self.connection.copy_records_to_table(
                    "competitor_odds_snapshots",
                    records=snapshots,
                    columns=("id", "competitor_event_id", "captured_at"),
                )
                await self.connection.copy_records_to_table(
                    "competitor_market_odds", records=markets, columns=rivals.COLUMNS
                )

    async def verify(self, name: str, rows: int) -> None:
        """Check that the contestant stored everything."""
        stored = await self.plain.fetchval("SELECT count(*) FROM competitor_market_odds")
        assert stored == rows, f"{name} stored {stored} of {rows} rows"
        if name == "unchecked":
            await self.plain.execute(";".join(check["add"] for check in self.checks))


@contextmanager
def busy_core() -> Iterator[None]:
    """Keep another core busy."""
    process = subprocess.Popen([sys.executable, "-c", BUSY])
    time.sleep(0.5)
    try:
        yield
    finally:
        process.kill()
        process.wait()


async def race(url: str, rows: int, rounds: int, only: Sequence[str]) -> dict[str, float]:
    """Return the median seconds of each contestant."""
    await migrations.upgrade(url)
    taken: dict[str, list[float]] = {}
    async with Contest(url, rows) as contest:
        contestants = contest.contestants()
        for _ in range(rounds):
            for name in only:
                await contest.prepare(name)
                with busy_core() if name == "ceiling_busy" else nullcontext():
                    begin = time.perf_counter()
                    await contestants[name]()
                    taken.setdefault(name, []).append(time.perf_counter() - begin)
                await contest.verify(name, rows)
        medians = {name: statistics.median(seconds) for name, seconds in taken.items()}
        if {"oddsschema", "mixed"} <= medians.keys():
            bytes_ratio = sum(map(len, contest.mixed)) / sum(map(len, contest.lines))
            medians["mixed_per_byte"] = medians["mixed"] / medians["oddsschema"] / bytes_ratio
        return medians


def main() -> None:
    """Parse arguments, race, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=85_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", help="names of contestants")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()

    names = arguments.only or (FAST if arguments.rows > 500_000 else FAST + SLOW)
    with ExitStack() as stack:
        url = os.environ.get("DATABASE_URL") or _embedded(stack)
        medians = asyncio.run(_in_own_database(url, arguments.rows, arguments.rounds, names))
    ratio = {}
    if {"ceiling", "oddsschema"} <= medians.keys():
        ratio = {"ceiling_ratio": medians["ceiling"] / medians["oddsschema"]}
    if arguments.json:
        print(json.dumps(medians | ratio, indent=2))
        return
    print(f"{arguments.rows:,} rows, median of {arguments.rounds}")
    if (per_byte := medians.pop("mixed_per_byte", None)) is not None:
        print(f"mixed takes {per_byte:.2f} times as long a byte as oddsschema")
    for name, seconds in sorted(medians.items(), key=lambda pair: pair[1]):
        speed = f"{arguments.rows / seconds:>10,.0f} rows/s"
        ours = medians.get("oddsschema")
        against = f"{seconds / ours:>7.2f} x oddsschema's time" if ours else ""
        print(f"{name:<14}{seconds:>8.3f} s{speed}{against}")


def _embedded(stack: ExitStack) -> str:
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/tmp")))
    directory.chmod(0o711)  # as root, the server has another user
    return stack.enter_context(EmbeddedPostgres(directory / "server")).url


async def _in_own_database(url: str, rows: int, rounds: int, only: Sequence[str]) -> dict[str, Any]:
    from sqlalchemy import make_url

    connection = await asyncpg.connect(url)
    await connection.execute("DROP DATABASE IF EXISTS oddsschema_benchmark WITH (FORCE)")
    await connection.execute("CREATE DATABASE oddsschema_benchmark")
    own = make_url(url).set(database="oddsschema_benchmark").render_as_string(hide_password=False)
    try:
        return await race(own, rows, rounds, only)
    finally:
        await connection.execute("DROP DATABASE oddsschema_benchmark WITH (FORCE)")
        await connection.close()


if __name__ == "__main__":
    main()
