"""Events that a scraper could not fetch, the timings of its steps, and its progress."""

import asyncio
import json
import math
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import oddsschema
from oddsschema import IngestOptions, IngestReport, ScrapeStatus
from oddsschema.ingestion.report import MOST_LISTED, IngestProgress
from tests.support.hostile_texts import HOSTILE
from tests.support.proxy import Proxy
from tests.support.scrapes import capture
from tests.support.sessions import fetch, rolled_back

Run = Callable[..., Any]

ERRORS = """
SELECT error_type, error_message, b.slug, sportradar_id
FROM scrape_errors AS s
LEFT JOIN bookmakers AS b ON b.id = s.bookmaker_id
LEFT JOIN events AS e ON e.id = s.event_id
ORDER BY s.id
"""
RUNS = "SELECT status, events_scraped, events_failed FROM scrape_runs ORDER BY id"


def status(captures: int, failures: int) -> ScrapeStatus:
    """Return the status of a run with so many captures and failures."""
    if not failures:
        return ScrapeStatus.COMPLETED
    return ScrapeStatus.PARTIAL if captures else ScrapeStatus.FAILED


@given(is_failure=st.lists(st.booleans(), max_size=12), chunk_rows=st.sampled_from((1, 5, 10_000)))
def test_failures_among_captures(
    is_failure: list[bool], chunk_rows: int, connection: Any, run: Run
) -> None:
    """Each failure is a row and a failed event of its run, which ends as partial or failed."""

    async def body() -> None:
        options = IngestOptions(chunk_rows=chunk_rows)
        async with (
            oddsschema.batch(connection, options=options) as batch,
            batch.run("bet9ja") as scrape,
        ):
            for number, failed in enumerate(is_failure):
                if failed:
                    await scrape.failed(TimeoutError(f"event {number}"))
                else:
                    await scrape.ingest([capture("bet9ja", number, 0)])
        failures, captures = sum(is_failure), len(is_failure) - sum(is_failure)
        (report,) = batch.report().runs
        assert (report.captures_stored, report.captures_failed) == (captures, failures)
        assert report.status is status(captures, failures)
        rows = [tuple(row) for row in await connection.fetch(RUNS)]
        assert rows == [(report.status, captures, failures)]
        messages = [row["error_message"] for row in await connection.fetch(ERRORS)]
        assert messages == [
            f"TimeoutError: event {number}" for number, failed in enumerate(is_failure) if failed
        ]

    run(rolled_back(connection, body()))


@pytest.mark.parametrize(
    ("sportradar_id", "is_known"),
    [
        *((None, False), ("sr:match:1", True), ("1", True), (1, True), (" 1 ", True)),
        *(("2", False), ("", False), ("1\0", False), ("\ud800", False), ("1" * 200, False)),
    ],
)
def test_event_of_a_failure(connection: Any, run: Run, sportradar_id: Any, is_known: bool) -> None:
    """A failure refers to BetPawa's event of its SportRadar id, if that is known."""

    async def body() -> None:
        known = capture("betpawa", 1, 0)
        known["event"]["sportradar_id"] = "1"
        await oddsschema.ingest(connection, [known])
        async with oddsschema.batch(connection) as batch, batch.run("betpawa") as scrape:
            await scrape.failed("no answer", sportradar_id=sportradar_id, external_id=7)
        ((kind, message, bookmaker, event),) = await connection.fetch(ERRORS)
        assert (kind, bookmaker) == ("not_fetched", "betpawa")
        assert message.endswith("external id 7: no answer")
        assert event == ("1" if is_known else None)

    run(rolled_back(connection, body()))


def test_hostile_failures(connection: Any, run: Run) -> None:
    """An error is stored whatever text it has."""

    async def body() -> None:
        async with oddsschema.batch(connection) as batch, batch.run("bet9ja") as scrape:
            for text in (*HOSTILE, "", "\0", "\ud800", "x" * 10_000):
                await scrape.failed(text, sportradar_id=text, external_id=text)
        assert batch.report().runs[0].error is None
        assert len(await connection.fetch(ERRORS)) == len(HOSTILE) + 4

    run(rolled_back(connection, body()))


@pytest.mark.sampled(4)
@pytest.mark.parametrize("before", [True, False], ids=["before it", "after it"])
@pytest.mark.parametrize("commit", range(1, 7))
def test_connection_cut_at_a_commit(
    database: str, run: Run, short_path: Path, commit: int, before: bool
) -> None:
    """A commit of captures and failures whose answer is lost counts once."""
    proxy = Proxy(database, short_path, commit, before=before)

    async def scrape() -> IngestReport:
        async with (
            proxy.serving() as url,
            oddsschema.batch(url, options=IngestOptions(chunk_rows=4)) as batch,
            batch.run("bet9ja") as scrape,
        ):
            for number in range(6):
                await scrape.failed("no answer")
                await scrape.ingest([capture("bet9ja", number, 0)])
        return batch.report()

    report = run(scrape())
    assert proxy.found > commit
    assert (report.total.captures_stored, report.total.captures_failed) == (6, 6)
    assert run(fetch(database, RUNS)) == [("partial", 6, 6)]
    assert len(run(fetch(database, ERRORS))) == 6


def test_many_failures(database: str, run: Run) -> None:
    """All failures are counted, and the first are listed."""

    async def scrape() -> None:
        async with oddsschema.batch(database) as batch, batch.run("bet9ja") as scrape:
            for _ in range(MOST_LISTED + 5):
                await scrape.failed("no answer")

    run(scrape())
    assert run(fetch(database, RUNS)) == [("failed", 0, MOST_LISTED + 5)]
    rows = run(fetch(database, ERRORS))
    assert len(rows) == MOST_LISTED + 1
    assert rows[-1][:2] == ("unlisted", "5 more fetch failures are not listed")


@pytest.mark.parametrize(
    ("timings", "stored"),
    [
        ({}, None),
        ({"fetch": 1.5, "steps": [1, {"parse": 2}]}, {"fetch": 1.5, "steps": [1, {"parse": 2}]}),
        ({"fetch": math.nan}, None),
        ({"fetch\0": 1}, None),
        ({"fetch": object()}, None),
    ],
)
def test_timings(database: str, run: Run, timings: dict[str, Any], stored: Any) -> None:
    """Timings are stored when the run ends; without any, or if they are no JSON, NULL is."""

    async def scrape() -> None:
        async with oddsschema.batch(database) as batch, batch.run("bet9ja") as scrape:
            scrape.timings.update(timings)

    run(scrape())
    ((status, found),) = run(fetch(database, "SELECT status, platform_timings FROM scrape_runs"))
    assert status == "completed"
    assert (found is None) == (stored is None)
    assert found is None or json.loads(found) == stored


def test_progress(database: str, run: Run) -> None:
    """The progress of a run is a stream of growing counts that ends with the run."""
    found: list[IngestProgress] = []

    async def scrape() -> None:
        async with oddsschema.batch(database) as batch:
            async with batch.run("bet9ja") as scrape:

                async def follow() -> None:
                    async for counts in scrape.progress(every=timedelta(milliseconds=5)):
                        found.append(counts)

                following = asyncio.create_task(follow())
                for number in range(5):
                    await scrape.ingest([capture("bet9ja", number, 0), {}])
                    await scrape.failed("no answer")
                    await asyncio.sleep(0.02)
            await asyncio.wait_for(following, 5)

    run(scrape())
    assert len(found) > 2
    assert found == sorted(found, key=lambda counts: counts.captures)
    assert (found[-1].captures, found[-1].refused, found[-1].failed) == (10, 5, 5)
