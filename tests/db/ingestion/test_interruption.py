"""An interrupted ingestion leaves whole chunks, and a new delivery stores the rest."""

import asyncio
import logging
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

import oddsschema
from oddsschema import IngestOptions
from oddsschema.scrapes.stale import close_stale, stale_batches
from tests.support.contents import assert_whole, content, expected
from tests.support.interrupted_ingestion import (
    CANCELS,
    COMMITTED,
    KILLS,
    MANY,
    RUNS,
    SMALL_CHUNKS,
    of,
    redeliver,
    scrape,
)
from tests.support.paths import ROOT
from tests.support.scrapes import PLATFORMS, Capture
from tests.support.sessions import fetch, holding, settled

Run = Callable[..., Any]

#: Delivers the captures to argv[1] and prints its progress. A timer would commit a report without
#: its capture.
CLIENT = """
import asyncio, sys
from datetime import timedelta
from oddsschema import IngestOptions
from tests.support.interrupted_ingestion import MANY, scrape
options = IngestOptions(
    chunk_rows=300,
    flush_after=timedelta(0),
    on_progress=lambda progress: print(progress.captures, flush=True),
)
asyncio.run(scrape(sys.argv[1], MANY, options))
"""


@pytest.mark.parametrize("seed", range(KILLS))
def test_client_killed(database: str, run: Run, seed: int) -> None:
    """After a SIGKILL chunks are whole and counted, and the batch is found as stale."""
    rng = random.Random(seed)
    with subprocess.Popen(
        [sys.executable, "-c", CLIENT, database], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as client:
        assert client.stdout is not None
        for _ in range(rng.randint(1, len(MANY))):
            client.stdout.readline()
        time.sleep(rng.uniform(0, 0.03))
        client.kill()
    run(settled(database))

    assert run(assert_whole(database, MANY)) is not None
    for _, scraped, failed, snapshots, failures, reports in run(fetch(database, COMMITTED)):
        assert (scraped, failed, scraped) == (snapshots, failures, reports)
    runs = run(fetch(database, RUNS))
    still_open = [row for row in runs if row[1] == "running"]
    stale = run(stale_batches(database, timedelta(0)))
    assert len(stale) == bool(still_open)
    assert run(close_stale(database, timedelta(0))) == len(still_open)
    assert run(stale_batches(database, timedelta(0))) == []
    assert {row[1] for row in run(fetch(database, RUNS))} <= {"failed", "partial"}
    run(redeliver(database, MANY))


async def cancelled(
    database: str, source: Callable[[asyncio.Task[Any]], Iterator[Capture]]
) -> None:
    """Ingest from a source that cancels its task."""

    async def ingest() -> None:
        task = asyncio.current_task()
        assert task is not None
        await oddsschema.ingest(database, source(task), options=IngestOptions(chunk_rows=100))
        await asyncio.sleep(1)  # the ingestion ended before the timer

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(ingest())


@pytest.mark.parametrize("seed", range(CANCELS))
def test_cancelled(database: str, run: Run, seed: int) -> None:
    """A cancelled run is failed, and each capture is counted once: scraped or failed."""
    rng = random.Random(seed)
    captures = of("sportybet", MANY)
    handed_over: list[Capture] = []
    # The first capture is taken when its run is open.
    at = rng.randint(2, len(captures) - 1)

    def source(task: asyncio.Task[Any]) -> Iterator[Capture]:
        for capture in captures:
            handed_over.append(capture)
            if len(handed_over) == at:
                asyncio.get_running_loop().call_later(rng.uniform(0, 0.03), task.cancel)
            yield capture

    run(cancelled(database, source))
    stored = run(assert_whole(database, captures))
    [(_, status, scraped, failed, snapshots)] = run(fetch(database, RUNS))
    assert (scraped, snapshots) == (len(stored), len(stored))
    assert scraped + failed == len(handed_over)
    if len(handed_over) < len(captures):
        assert status == "failed"
        assert run(fetch(database, "SELECT status FROM scrape_batches")) == [("failed",)]
    run(redeliver(database, captures))


@pytest.mark.sampled(3)
@pytest.mark.parametrize("seed", range(CANCELS))
def test_cancelled_at_the_end(database: str, run: Run, seed: int) -> None:
    """After a cancellation behind the last capture, all runs end, and each capture is counted."""
    rng = random.Random(seed)

    def source(task: asyncio.Task[Any]) -> Iterator[Capture]:
        yield from MANY[:-1]
        asyncio.get_running_loop().call_later(rng.uniform(0, 0.05), task.cancel)
        yield MANY[-1]

    run(cancelled(database, source))
    stored = run(assert_whole(database, MANY))
    runs = run(fetch(database, RUNS))
    assert {status for _, status, *_ in runs} <= {"completed", "failed"}
    assert sum(scraped for _, _, scraped, *_ in runs) == len(stored)
    assert sum(scraped + failed for _, _, scraped, failed, _ in runs) == len(MANY)
    assert run(stale_batches(database, timedelta(0))) == []
    run(redeliver(database, MANY))


@pytest.mark.sampled(3)
@pytest.mark.parametrize("seed", range(CANCELS))
def test_cancelled_event_by_event(database: str, run: Run, seed: int) -> None:
    """After a cancellation each fetch failure and each report that was made is counted once."""
    rng = random.Random(seed)
    handed_over: list[Capture] = []

    def source(task: asyncio.Task[Any]) -> Iterator[Capture]:
        at = rng.randint(2, len(MANY) - 1)
        for capture in MANY:
            handed_over.append(capture)
            if len(handed_over) == at:
                asyncio.get_running_loop().call_later(rng.uniform(0, 0.03), task.cancel)
            yield capture

    async def body() -> None:
        task = asyncio.current_task()
        assert task is not None
        await scrape(database, source(task), IngestOptions(chunk_rows=100))
        await asyncio.sleep(1)  # the scrape ended before the timer

    async def cancelling() -> None:
        with pytest.raises(asyncio.CancelledError):
            await asyncio.create_task(body())

    run(cancelling())
    runs = run(fetch(database, COMMITTED))
    for _, scraped, _, snapshots, _, _ in runs:
        assert scraped == snapshots
    made = len(handed_over)
    assert sum(row[5] for row in runs) in (made - 1, made)
    assert sum(row[4] for row in runs) in (made // 3, -(-made // 3))


def test_cancelled_between_captures(database: str, run: Run) -> None:
    """A source that never awaits is asked for no capture after a cancellation."""
    captures = of("sportybet", MANY)
    handed_over: list[Capture] = []

    def source(task: asyncio.Task[Any]) -> Iterator[Capture]:
        for capture in captures:
            handed_over.append(capture)
            if len(handed_over) == 5:
                task.cancel()
            yield capture

    async def ingest() -> None:
        task = asyncio.current_task()
        assert task is not None
        await oddsschema.ingest(database, source(task))

    async def body() -> None:
        with pytest.raises(asyncio.CancelledError):
            await asyncio.create_task(ingest())

    run(body())
    assert len(handed_over) == 5
    assert run(content(database)) == expected(handed_over)
    assert run(fetch(database, RUNS)) == [("sportybet", "failed", 5, 0, 5)]


def test_cancelled_before_a_platform_is_known(database: str, run: Run) -> None:
    """Lines that wait for their platform are refused and recorded when the source fails."""

    def source() -> Iterator[str]:
        yield "not JSON"
        yield "[]"
        raise RuntimeError("the scraper's own")

    refusals: list[oddsschema.Refusal] = []
    options = IngestOptions(on_refusal=refusals.append)
    with pytest.raises(RuntimeError, match="the scraper's own"):
        run(oddsschema.ingest(database, source(), options=options))
    assert [refusal.line for refusal in refusals] == [1, 2]
    assert run(fetch(database, RUNS)) == [(None, "failed", 0, 2, 0)]


#: A captured event that another session locks.
LOCK = "SELECT FROM competitor_events FOR NO KEY UPDATE"


@pytest.mark.parametrize("close_within", [0, 0.5])
def test_commit_that_takes_too_long(database: str, run: Run, close_within: float) -> None:
    """A cancelled run that cannot commit in time is failed, and its captures are lost ones."""
    captures = of("sportybet", MANY)
    events = len({capture["competitor_event"]["external_id"] for capture in captures})
    run(oddsschema.ingest(database, captures[:events]))
    options = IngestOptions(flush_after=timedelta(0), close_within=timedelta(seconds=close_within))

    async def ingest() -> None:
        async with (
            oddsschema.batch(database, options=options) as batch,
            batch.run("sportybet") as sportybet,
        ):
            await sportybet.ingest(captures[events:])
            await sportybet.ingest(["not JSON"])
            await asyncio.sleep(60)

    async def body() -> float:
        ingesting = asyncio.create_task(ingest())
        await asyncio.sleep(0.5)
        async with holding(database, LOCK):
            ingesting.cancel()
            began = time.monotonic()
            with pytest.raises(asyncio.CancelledError):
                await ingesting
            return time.monotonic() - began

    assert close_within <= run(body()) < close_within + 5
    # The refused capture is on record as well.
    assert run(fetch(database, RUNS)) == [
        ("sportybet", "completed", events, 0, events),
        ("sportybet", "failed", 0, len(captures) - events + 1, 0),
    ]
    kinds = """
        SELECT error_type FROM scrape_errors
        WHERE scrape_run_id = 2 AND error_type <> 'doubt' ORDER BY id"""
    assert run(fetch(database, kinds)) == [("refused",), ("CancelledError",)]
    assert run(fetch(database, "SELECT status FROM scrape_batches ORDER BY id")) == [
        ("completed",),
        ("failed",),
    ]
    run(redeliver(database, captures))


class SomethingThatNobodyWouldEverExpectToHappenInAScraper(Exception):
    """An error with a name that is longer than `error_type`."""


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("the scraper's own"),
        SomethingThatNobodyWouldEverExpectToHappenInAScraper("it did"),
        RuntimeError("text that PostgreSQL cannot store: caf\udce9, \0"),
    ],
    ids=["plain", "long name", "odd text"],
)
def test_source_that_raises(
    database: str, run: Run, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """A source's error is raised; earlier captures are stored, and the runs fail with the error."""
    # Text that is no Unicode would break the test's own report.
    caplog.set_level(logging.CRITICAL, "oddsschema")
    captures = MANY[:100]

    def source() -> Iterator[Capture]:
        yield from captures
        raise error

    raised: object = None
    try:
        run(oddsschema.ingest(database, source(), options=SMALL_CHUNKS))
    except Exception as caught:
        raised = caught
    assert raised is error
    assert run(content(database)) == expected(captures)
    runs = run(fetch(database, RUNS))
    assert sorted(row[:4] for row in runs) == [
        (platform, "failed", len(of(platform, captures)), 0) for platform in sorted(PLATFORMS)
    ]
    kinds = run(fetch(database, "SELECT error_type FROM scrape_errors"))
    assert kinds == [(type(error).__name__[:50],)] * 3
    assert run(fetch(database, "SELECT status FROM scrape_batches")) == [("failed",)]
