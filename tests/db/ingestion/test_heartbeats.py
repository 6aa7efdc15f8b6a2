"""Signs of life: only dead runs are closed as stale, and a living one is right in the end."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

import oddsschema
from oddsschema import ScrapeStatus
from oddsschema.ingestion import heartbeat
from oddsschema.scrapes import close_stale, stale_batches
from tests.support.scrapes import scrapes
from tests.support.sessions import execute, fetch

Run = Callable[..., Any]

#: Let everything on record have happened some hours ago.
HOURS_LATER = """
UPDATE scrape_runs SET started_at = started_at - interval '2 hours',
    heartbeat_at = heartbeat_at - interval '2 hours';
UPDATE scrape_batches SET started_at = started_at - interval '2 hours';
"""

STATUSES = """
SELECT b.status, b.completed_at IS NULL, r.status, r.completed_at IS NULL,
    r.events_scraped, r.events_failed
FROM scrape_batches AS b JOIN scrape_runs AS r ON r.batch_id = b.id ORDER BY r.id
"""

ERRORS = "SELECT error_type, error_message FROM scrape_errors ORDER BY id"


def test_commits_are_signs_of_life(database: str, run: Run) -> None:
    """A scrape of many hours that commits now and then is not stale."""

    async def body() -> None:
        async with oddsschema.batch(database) as batch, batch.run("bet9ja") as bet9ja:
            for minute in range(3):
                await execute(database, HOURS_LATER)
                assert len(await stale_batches(database)) == 1
                await bet9ja.ingest(scrapes([0], [minute], ["bet9ja"]))
                await bet9ja.flush()
                assert await stale_batches(database) == []
                assert await close_stale(database) == 0
                assert await fetch(database, STATUSES) == [
                    ("running", True, "running", True, minute + 1, 0)
                ]

    run(body())
    assert run(fetch(database, STATUSES)) == [("completed", False, "completed", False, 3, 0)]


def test_silent_run_has_a_heartbeat(
    database: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that commits nothing for a long time is not stale while its process lives."""
    monkeypatch.setattr(heartbeat, "INTERVAL", 0.05)

    async def body() -> None:
        async with oddsschema.batch(database) as batch:
            async with batch.run("bet9ja"), batch.run("sportybet"):
                await execute(database, HOURS_LATER)
                async with asyncio.timeout(10):
                    while await stale_batches(database):  # noqa: ASYNC110 - no event
                        await asyncio.sleep(0.02)
            ended = await fetch(database, "SELECT heartbeat_at FROM scrape_runs ORDER BY id")
            await asyncio.sleep(0.2)
            # A run that has ended gives no more signs of life.
            after = await fetch(database, "SELECT heartbeat_at FROM scrape_runs ORDER BY id")
            assert after == ended

    run(body())
    assert run(fetch(database, STATUSES)) == [("completed", False, "completed", False, 0, 0)] * 2


def test_borrowed_connection_is_left_alone(
    database: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a connection of the caller's, no timer writes: commits alone are signs of life."""
    monkeypatch.setattr(heartbeat, "INTERVAL", 0.01)

    async def body() -> None:
        connection = await asyncpg.connect(database)
        try:
            async with oddsschema.batch(connection) as batch, batch.run("bet9ja") as bet9ja:
                await asyncio.sleep(0.2)
                heartbeats = "SELECT heartbeat_at FROM scrape_runs"
                assert await connection.fetchval(heartbeats) is None
                await bet9ja.ingest(scrapes([0], [0], ["bet9ja"]))
                await bet9ja.flush()
                assert await connection.fetchval(heartbeats) is not None
        finally:
            await connection.close()

    run(body())


@pytest.mark.parametrize("captures", [0, 1, 2], ids=["ends", "commits", "commits again"])
def test_run_that_goes_on_after_it_was_closed(database: str, run: Run, captures: int) -> None:
    """A living run that was closed as stale runs again at its next commit; its record is right."""

    async def body() -> None:
        async with oddsschema.batch(database) as batch, batch.run("bet9ja") as bet9ja:
            await bet9ja.ingest(scrapes([0], [0], ["bet9ja"]))
            await bet9ja.flush()
            for minute in range(1, captures + 1):
                assert await close_stale(database, timedelta(0)) == 1
                assert await fetch(database, STATUSES) == [
                    ("failed", False, "failed", False, minute, 0)
                ]
                assert await fetch(database, ERRORS) == [("stale", "no sign of life: closed")]
                await bet9ja.ingest(scrapes([0], [minute], ["bet9ja"]))
                await bet9ja.flush()
                assert await fetch(database, STATUSES) == [
                    ("running", True, "running", True, minute + 1, 0)
                ]
                assert await fetch(database, ERRORS) == []
            assert await close_stale(database, timedelta(0)) == 1
        assert bet9ja.status is batch.status is ScrapeStatus.COMPLETED

    run(body())
    scraped = captures + 1
    assert run(fetch(database, STATUSES)) == [("completed", False, "completed", False, scraped, 0)]
    assert run(fetch(database, ERRORS)) == []


def test_failed_run_that_was_closed(database: str, run: Run) -> None:
    """A living run that was closed as stale and then fails has its own error alone."""

    async def body() -> None:
        async with oddsschema.batch(database) as batch, batch.run("bet9ja"):
            assert await close_stale(database, timedelta(0)) == 1
            raise RuntimeError("the scraper's own")

    run(body())
    assert run(fetch(database, STATUSES)) == [("failed", False, "failed", False, 0, 0)]
    assert run(fetch(database, ERRORS)) == [("RuntimeError", "RuntimeError: the scraper's own")]


def test_batch_without_runs(database: str, run: Run) -> None:
    """A stale batch whose process died before its first run is failed."""
    run(execute(database, "INSERT INTO scrape_batches (status) VALUES ('running')"))
    assert run(close_stale(database, timedelta(0))) == 0
    assert run(stale_batches(database, timedelta(0))) == []
    statuses = "SELECT status, completed_at IS NULL FROM scrape_batches"
    assert run(fetch(database, statuses)) == [("failed", False)]


def test_closing_beside_commits(database: str, run: Run) -> None:
    """Runs that are closed as stale again and again, beside their commits, are right in the end."""
    captures = scrapes(range(4), range(10))

    async def close() -> None:
        while True:
            await close_stale(database, timedelta(0))

    async def body() -> None:
        closing = asyncio.create_task(close())
        report = await oddsschema.ingest(
            database, captures, options=oddsschema.IngestOptions(chunk_rows=10)
        )
        closing.cancel()
        await asyncio.wait([closing])
        assert report.all_stored, report

    run(body())
    assert run(close_stale(database, timedelta(0))) == 0
    assert run(fetch(database, STATUSES)) == [("completed", False, "completed", False, 40, 0)] * 3
    assert run(fetch(database, "SELECT * FROM scrape_errors WHERE error_type <> 'doubt'")) == []


def test_runs_without_a_batch(database: str, run: Run) -> None:
    """A run that has no batch is stale by itself; a living one is not."""

    async def body() -> None:
        async with oddsschema.batch(database) as batch, batch.run("bet9ja") as living:
            await execute(
                database,
                "INSERT INTO scrape_runs (platform, status) VALUES ('mozzart', 'running')",
            )
            await execute(database, HOURS_LATER)
            await execute(database, f"DELETE FROM scrape_batches WHERE id = {batch.id}")
            assert [str(summary) for summary in await stale_batches(database)] == [
                "No batch  mozzart … 0 events 0 market rows",
                "No batch  bet9ja … 0 events 0 market rows",
            ]
            await living.record_sign_of_life()
            (stale,) = await stale_batches(database)
            assert (stale.batch_id, stale.runs[0].platform) == (None, "mozzart")
            assert await close_stale(database) == 1
            assert await stale_batches(database) == []
            assert await fetch(
                database, "SELECT platform, status FROM scrape_runs ORDER BY id"
            ) == [
                ("bet9ja", "running"),
                ("mozzart", "failed"),
            ]
            assert await fetch(database, ERRORS) == [("stale", "no sign of life: closed")]
            await execute(database, f"INSERT INTO scrape_batches (id) VALUES ({batch.id})")

    run(body())
