"""Time limits, locks, deadlocks and migrations of other sessions during an ingestion."""

import asyncio
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

import oddsschema
from oddsschema import ChunkError, IngestOptions, IngestReport, ScrapeStatus, migrations
from oddsschema.errors import TransactionError
from tests.support.contents import content, expected
from tests.support.interrupted_ingestion import (
    MANY,
    RUNS,
    SMALL_CHUNKS,
    assert_completed,
    of,
    repeatedly,
)
from tests.support.scrapes import scrapes
from tests.support.sessions import fetch, holding, waiting

Run = Callable[..., Any]

LOCK_AN_EVENT = """
SELECT FROM competitor_events WHERE source = 'sportybet' AND external_id = 'sportybet:7' FOR UPDATE
"""


#: Options with which an error is final soon.
SOON = IngestOptions(retry_for=timedelta(seconds=0.2))


async def set_for_all(url: str, setting: str) -> None:
    """Set a parameter for new sessions of this database."""
    connection = await asyncpg.connect(url)
    try:
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute(f'ALTER DATABASE "{name}" SET {setting}')
    finally:
        await connection.close()


def test_statement_timeout(database: str, run: Run) -> None:
    """A statement that times out again and again fails its run, with an error about one capture."""
    first, second = scrapes(range(10), [0]), scrapes(range(10), [1])

    async def ingest() -> IngestReport:
        await oddsschema.ingest(database, first)
        await set_for_all(database, "statement_timeout = '300ms'")
        async with holding(database, LOCK_AN_EVENT):
            return await oddsschema.ingest(database, second, options=SOON)

    report = run(ingest())
    assert report.status is ScrapeStatus.PARTIAL
    statuses = {
        platform_run.platform: (platform_run.status, platform_run.captures_stored)
        for platform_run in report.runs
    }
    assert statuses == {
        "betpawa": (ScrapeStatus.COMPLETED, 10),
        "sportybet": (ScrapeStatus.FAILED, 7),
        "bet9ja": (ScrapeStatus.COMPLETED, 10),
    }
    assert report.total.captures_lost == 3
    assert ("sportybet", "failed", 7, 3, 7) in run(fetch(database, RUNS))
    [(kind, message)] = run(fetch(database, "SELECT error_type, error_message FROM scrape_errors"))
    assert kind == "ChunkError"
    for part in ("captures:18 to captures:18 of sportybet", "raise statement_timeout"):
        assert part in message
    lost = of("sportybet", second)[7:]
    known = first + [capture for capture in second if capture not in lost]
    assert run(content(database)) == expected(known)
    again = run(oddsschema.ingest(database, first + second))
    assert (again.total.captures_stored, again.total.captures_known) == (3, 57)
    assert run(content(database)) == expected(first + second)


def test_chunk_error(database: str, run: Run) -> None:
    """A caller of a run gets the error itself, with the captures that are not stored."""
    first, second = (scrapes(range(10), [minute], ["sportybet"]) for minute in (0, 1))

    async def ingest() -> tuple[oddsschema.Run, ChunkError]:
        await oddsschema.ingest(database, first)
        await set_for_all(database, "statement_timeout = '300ms'")
        options = IngestOptions(chunk_rows=30, retry_for=SOON.retry_for)
        async with (
            holding(database, LOCK_AN_EVENT),
            oddsschema.batch(database, options=options) as batch,
            batch.run("sportybet") as sportybet,
        ):
            with pytest.raises(ChunkError) as caught:
                await sportybet.ingest(second * 2)
        return sportybet, caught.value

    sportybet, error = run(ingest())
    assert (error.platform, error.run_id) == ("sportybet", sportybet.id)
    assert (error.first, error.last) == ("captures:8", "captures:8")
    assert isinstance(error.__cause__, TransactionError)
    assert sportybet.status is ScrapeStatus.FAILED
    assert run(content(database)) == expected(first + second[:7])


def test_deadlock(database: str, run: Run) -> None:
    """The victim of a deadlock tries again."""
    first, second = (scrapes(range(10), [minute], ["sportybet"]) for minute in (0, 1))
    lock_another = LOCK_AN_EVENT.replace(":7", ":0")

    async def ingest() -> IngestReport:
        await oddsschema.ingest(database, first)
        # A long timeout here, so that the other session is the victim.
        patient = "SET LOCAL deadlock_timeout = '60s'"
        async with holding(database, patient, LOCK_AN_EVENT) as other:
            ingesting = asyncio.create_task(oddsschema.ingest(database, second))
            await waiting(other)
            await other.execute(lock_another)
        return await ingesting

    report = run(ingest())
    assert (report.status, report.retries) == (ScrapeStatus.COMPLETED, 1)
    assert run(content(database)) == expected(first + second)


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_other_isolation_level(database: str, run: Run, level: str) -> None:
    """Transactions that cannot be serialized are repeated."""
    parts = [scrapes(range(6), range(at, at + 4)) for at in range(4)]

    async def at_once() -> list[IngestReport]:
        await set_for_all(database, f"default_transaction_isolation = '{level}'")
        options = IngestOptions(chunk_rows=40)
        return await asyncio.gather(
            *(oddsschema.ingest(database, part, options=options) for part in parts)
        )

    reports = run(at_once())
    assert [platform_run.error for report in reports for platform_run in report.runs] == [None] * 12
    assert run(content(database)) == expected(capture for part in parts for capture in part)


def test_migration_at_the_same_time(database: str, run: Run) -> None:
    """Added and dropped columns, and a repeated upgrade, do not disturb an ingestion."""

    async def ingest() -> IngestReport:
        admin = await asyncpg.connect(database)

        async def migrate() -> None:
            for change in ("ADD COLUMN later INTEGER DEFAULT 1", "DROP COLUMN later"):
                async with admin.transaction():
                    for table in ("competitor_events", "competitor_odds_snapshots"):
                        await admin.execute(f"ALTER TABLE {table} {change}")
                    await admin.execute(f"ALTER TABLE competitor_market_odds {change}")
                    await admin.execute(f"ALTER TABLE market_odds {change}")
                    await asyncio.sleep(0.02)
            await migrations.upgrade(database)

        try:
            async with repeatedly(migrate, 5, random.Random(1)):
                return await oddsschema.ingest(database, MANY, options=SMALL_CHUNKS)
        finally:
            await admin.close()

    report = run(ingest())
    assert (report.total.captures_stored, report.total.captures_known) == (len(MANY), 0)
    assert_completed(run, database, MANY)


def test_table_locked_for_a_while(database: str, run: Run) -> None:
    """A locked table only delays an ingestion."""
    captures = MANY[:60]

    async def ingest() -> IngestReport:
        lock = "LOCK TABLE competitor_market_odds IN ACCESS EXCLUSIVE MODE"
        async with holding(database, lock) as other:
            ingesting = asyncio.create_task(oddsschema.ingest(database, captures))
            await waiting(other)
        return await ingesting

    assert run(ingest()).retries == 0
    assert_completed(run, database, captures)
