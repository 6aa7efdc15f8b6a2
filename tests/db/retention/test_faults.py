"""Prunes whose connections fail, and prunes on servers that are read-only or slow for a while."""

import asyncio
import random
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from oddsschema import PruneOptions, PruneReport, ingest, prune
from tests.support.crashing_server import Server
from tests.support.interrupted_ingestion import PATIENCE
from tests.support.proxy import Proxy
from tests.support.prune_checks import assert_pruned, assert_states
from tests.support.pruned_histories import CHANGES, MINUTES, ROUNDS, at, scraped
from tests.support.sessions import execute, fetch
from tests.support.settings import END_SESSIONS, role_setting
from tests.support.stopped_backends import backend_at_work, stopped

Run = Callable[..., Any]

CUTOFF = at(30)
SMALL = PruneOptions(chunk_rows=100, answer_within=timedelta(seconds=0.5))


async def patient_prune(url: str, options: PruneOptions = SMALL) -> PruneReport:
    """Prune, and raise TimeoutError if that hangs."""
    async with asyncio.timeout(PATIENCE):
        return await prune(url, CUTOFF, options=options)


@pytest.mark.parametrize("silently", [True, False], ids=["silent", "cut"])
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_any_message(database: str, run: Run, short_path: Path, seed: int, silently: bool) -> None:
    """A prune whose connection fails at any message deletes all old rows, and no other ones."""
    rng = random.Random(seed)
    going_on, over, captures = scraped(seed)
    run(ingest(database, captures, options=CHANGES))
    fail_at, before = rng.randint(1, 200), rng.random() < 0.5
    proxy = Proxy(database, short_path, fail_at, before=before, message=b"", silently=silently)

    async def body() -> None:
        async with proxy.serving() as url:
            await patient_prune(url)

    run(body())
    assert proxy.found > 200
    over.prune(CUTOFF)
    run(assert_states(database, going_on, range(30, MINUTES)))
    run(assert_states(database, over, range(30, MINUTES)))
    run(assert_pruned(database, CUTOFF))


@pytest.mark.sampled(1)
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_stopped_backend(server: Server, run: Run, seed: int) -> None:
    """A prune whose backend is stopped for a time (SIGSTOP) deletes all old rows."""
    rng = random.Random(seed)
    url = run(server.new_database())
    going_on, _, captures = scraped(seed)
    run(ingest(url, captures, options=CHANGES))

    async def body() -> PruneReport:
        pruning = asyncio.create_task(patient_prune(url))
        await asyncio.sleep(rng.uniform(0, 0.2))
        with stopped(await backend_at_work(url)):
            await asyncio.sleep(rng.uniform(1, 2))
        return await pruning

    assert run(body()).retries > 0
    run(assert_states(url, going_on, range(30, MINUTES)))
    run(assert_pruned(url, CUTOFF))
    run(server.drop(url))


def test_cancelled_beside_a_stopped_backend(server: Server, run: Run) -> None:
    """A prune that is cancelled ends soon, and as cancelled, if its backend does not answer."""
    url = run(server.new_database())

    async def body() -> None:
        locks = await asyncpg.connect(url)
        await locks.execute("BEGIN; LOCK TABLE odds_snapshots IN ACCESS EXCLUSIVE MODE")
        await locks.execute("SELECT 'locked'")
        options = PruneOptions(answer_within=timedelta(seconds=8), retry_for=timedelta(minutes=1))
        pruning = asyncio.create_task(prune(url, CUTOFF, options=options))
        try:
            with stopped(await backend_at_work(url, "%odds_snapshots%")):
                pruning.cancel()
                done, _ = await asyncio.wait([pruning], timeout=7)
            assert done
            assert pruning.cancelled()
        finally:
            await locks.close()

    run(body())
    run(server.drop(url))


@pytest.mark.sampled(1)
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_failover(database: str, run: Run, seed: int) -> None:
    """A prune waits while the server accepts no writes, after that has ended all sessions."""
    rng = random.Random(seed)
    going_on, _, captures = scraped(seed)
    run(ingest(database, captures, options=CHANGES))

    async def body() -> PruneReport:
        pruning = asyncio.create_task(patient_prune(database))
        await asyncio.sleep(rng.uniform(0, 0.1))
        async with role_setting(database, "default_transaction_read_only", "on") as session:
            await session.execute(END_SESSIONS)
            await asyncio.sleep(rng.uniform(0.5, 1.5))
            assert not pruning.done()
        return await pruning

    assert run(body()).retries > 0
    run(assert_states(database, going_on, range(30, MINUTES)))
    run(assert_pruned(database, CUTOFF))


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("operation", "row"), [("DELETE", "OLD"), ("UPDATE", "NEW")])
def test_time_limit(database: str, run: Run, operation: str, row: str) -> None:
    """A prune changes fewer rows at a time when a statement_timeout of the role ends it."""
    going_on, _, captures = scraped(1)
    run(ingest(database, captures, options=CHANGES))
    run(
        execute(
            database,
            # The snapshots that stay lose their references to these runs.
            "UPDATE scrape_runs SET started_at = '2020-01-01', completed_at = '2020-01-01'",
            f"""CREATE FUNCTION be_slow() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN PERFORM pg_sleep(0.005); RETURN {row}; END $$""",
            f"""CREATE TRIGGER slow BEFORE {operation} ON competitor_odds_snapshots
            FOR EACH ROW EXECUTE FUNCTION be_slow()""",
        )
    )

    async def body() -> PruneReport:
        async with role_setting(database, "statement_timeout", "500ms"):
            return await patient_prune(database, PruneOptions(retry_for=timedelta(seconds=2)))

    began = time.monotonic()
    report = run(body())
    assert time.monotonic() - began > 0.5
    assert report.kept == ()
    run(execute(database, "DROP TRIGGER slow ON competitor_odds_snapshots"))
    run(assert_states(database, going_on, range(30, MINUTES)))
    run(assert_pruned(database, CUTOFF))
    references = "SELECT count(*) FROM competitor_odds_snapshots WHERE scrape_run_id IS NOT NULL"
    assert run(fetch(database, references)) == [(0,)]


def test_server_that_starts_late(server: Server, run: Run) -> None:
    """A prune that begins before its server waits for it."""
    url = run(server.new_database())
    _, _, captures = scraped(1)
    run(ingest(url, captures, options=CHANGES))

    async def body() -> PruneReport:
        server.stop()
        pruning = asyncio.create_task(patient_prune(url))
        try:
            await asyncio.sleep(1)
        finally:
            await asyncio.to_thread(server.start)
        return await pruning

    assert run(body()).retries > 0
    run(assert_pruned(url, CUTOFF))
    run(server.drop(url))
