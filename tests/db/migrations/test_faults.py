"""Migrations whose connections fail, and migrations whose server is busy or away for a while."""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from oddsschema import ingest, migrations
from oddsschema.errors import DatabaseUnavailableError, LockTimeoutError
from oddsschema.migrations import CheckState
from tests.support.crashing_server import Server
from tests.support.interrupted_ingestion import CRASHES, NIGHTLY
from tests.support.proxy import Proxy
from tests.support.scrapes import capture
from tests.support.sessions import holding
from tests.support.settings import END_SESSIONS, role_setting

Run = Callable[..., Any]

#: The time in seconds after which a test takes a migration for one that hangs.
PATIENCE = 120

SHORT = timedelta(milliseconds=100)
#: Locks of a session that reads the tables, for which every downgrade waits.
BLOCK = """
    LOCK TABLE competitor_market_odds, market_odds, competitor_odds_snapshots, odds_snapshots,
    competitor_events, events, scrape_runs, scrape_batches IN ACCESS SHARE MODE"""


async def patient(migration: Coroutine[Any, Any, Any]) -> None:
    """Run a migration, and raise TimeoutError if it hangs."""
    async with asyncio.timeout(PATIENCE):
        await migration


def assert_migrated(run: Run, url: str) -> None:
    """Check that the database is as an upgrade without a fault leaves it."""
    report = run(migrations.check(url))
    assert report.state is CheckState.CLEAN, str(report)


@pytest.mark.parametrize(
    "silently",
    [
        pytest.param(True, marks=[] if NIGHTLY else pytest.mark.skip("it takes a minute")),
        False,
    ],
    ids=["silent", "cut"],
)
@pytest.mark.parametrize("seed", range(CRASHES))
def test_any_message(
    empty_database: str, run: Run, short_path: Path, seed: int, silently: bool
) -> None:
    """An upgrade whose connection fails at any message is repeated, and ends as without that."""
    rng = random.Random(seed)
    fail_at, before = rng.randint(1, 60), rng.random() < 0.5
    proxy = Proxy(
        empty_database, short_path, fail_at, before=before, message=b"", silently=silently
    )

    async def upgrade() -> None:
        async with proxy.serving() as url:
            await patient(migrations.upgrade(url, statement_timeout=SHORT * 50))

    run(upgrade())
    assert proxy.found > 60
    assert_migrated(run, empty_database)


@pytest.mark.parametrize("message", [b"DROP COLUMN unavailable_at", b"DROP COLUMN specifiers"])
def test_notes_of_a_repeated_downgrade(
    database: str, run: Run, short_path: Path, message: bytes
) -> None:
    """Losses are counted once, also if the connection fails after they were counted."""
    lossy = capture("sportybet", 1, 0)
    for market in lossy["markets"]:
        market["specifiers"] = "minute=15"
    run(ingest(database, [lossy]))
    proxy = Proxy(database, short_path, 1, before=True, message=message)

    async def downgrade() -> tuple[str, ...]:
        async with proxy.serving() as url:
            return await migrations.downgrade(url, "oddsschema_0005")

    assert run(downgrade()) == (
        "competitor_market_odds: 4 rows of markets with specifiers were deleted",
    )
    assert proxy.found > 1


@pytest.mark.parametrize("seed", range(CRASHES))
def test_blocked(database: str, run: Run, seed: int) -> None:
    """A migration that waits too long for a lock tries again, until another session is done."""
    rng = random.Random(seed)

    async def downgrade() -> None:
        migration = migrations.downgrade(database, "base", lock_timeout=SHORT)
        async with holding(database, BLOCK):
            task = asyncio.create_task(patient(migration))
            await asyncio.sleep(rng.uniform(0.3, 1.5))
            assert not task.done()
        await task

    run(downgrade())
    assert run(migrations.current(database)) is None


def test_blocked_for_good(database: str, run: Run) -> None:
    """A migration that never gets a lock ends after `retry_for`, between two revisions."""
    retry_for = timedelta(seconds=1)

    async def downgrade() -> None:
        async with holding(database, BLOCK):
            await patient(
                migrations.downgrade(database, "base", lock_timeout=SHORT, retry_for=retry_for)
            )

    began = time.monotonic()
    with pytest.raises(LockTimeoutError):
        run(downgrade())
    assert 0.5 < time.monotonic() - began < 10
    run(migrations.upgrade(database))
    assert_migrated(run, database)


def test_failover(empty_database: str, run: Run) -> None:
    """An upgrade waits while the server accepts no writes."""

    async def upgrade() -> None:
        name = "default_transaction_read_only"
        async with role_setting(empty_database, name, "on") as session:
            task = asyncio.create_task(patient(migrations.upgrade(empty_database)))
            await asyncio.sleep(0.5)
            await session.execute(END_SESSIONS)
            await asyncio.sleep(0.5)
            assert not task.done()
        await task

    run(upgrade())
    assert_migrated(run, empty_database)


def test_server_that_starts_late(server: Server, run: Run) -> None:
    """A migration that begins before its server waits for it; reads report it at once."""
    url = run(server.new_database())

    async def downgrade() -> None:
        server.stop()
        task = asyncio.create_task(patient(migrations.downgrade(url, "base")))
        try:
            await asyncio.sleep(1)
            began = time.monotonic()
            for read in (migrations.current, migrations.check):
                with pytest.raises(DatabaseUnavailableError):
                    await read(url)
            assert time.monotonic() - began < 1
        finally:
            await asyncio.to_thread(server.start)
        await task

    run(downgrade())
    assert run(migrations.current(url)) is None
    run(server.drop(url))
