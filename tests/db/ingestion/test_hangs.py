"""Connections, backends and servers that do not answer: no ingestion waits for ever."""

import asyncio
import contextlib
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

import oddsschema
from oddsschema import IngestOptions, IngestReport, OddsSchemaError, ScrapeStatus
from oddsschema.database.connections import sqlalchemy_connect
from tests.support.contents import assert_whole
from tests.support.crashing_server import Server
from tests.support.interrupted_ingestion import (
    CRASHES,
    MANY,
    PATIENCE,
    assert_completed,
    patient_ingest,
    redeliver,
)
from tests.support.proxy import MESSAGES, Proxy
from tests.support.scrapes import Capture, capture, scrapes
from tests.support.sessions import execute, fetch, holding
from tests.support.settings import FAST_ROWS, SLOW_ROWS
from tests.support.stopped_backends import backend_at_work, stopped, stopping_backend
from tests.support.targets import KINDS

Run = Callable[..., Any]

#: The time in seconds for an answer in these tests, and for all repetitions.
ANSWER, RETRY = 1.0, 3.0

OPTIONS = IngestOptions(
    chunk_rows=300, answer_within=timedelta(seconds=ANSWER), retry_for=timedelta(minutes=1)
)
IMPATIENT = IngestOptions(
    chunk_rows=300, answer_within=timedelta(seconds=ANSWER), retry_for=timedelta(seconds=RETRY)
)

#: Captures whose COPY is larger than all buffers between a client and its server.
WIDE = [capture("sportybet", event, 0, markets=160) for event in range(40)]


@pytest.mark.sampled(6)
@pytest.mark.parametrize("silently", [True, False], ids=["silent", "cut"])
@pytest.mark.parametrize("before", [True, False], ids=["unsent", "unanswered"])
@pytest.mark.parametrize("message", MESSAGES)
def test_connection_that_fails(
    database: str, run: Run, short_path: Path, message: str, before: bool, silently: bool
) -> None:
    """A connection that is cut or falls silent is replaced; nothing is lost or stored twice."""
    proxy = Proxy(
        database,
        short_path,
        1,
        before=before,
        message=MESSAGES[message],
        silently=silently,
    )

    async def ingest() -> IngestReport:
        async with proxy.serving() as url:
            return await patient_ingest(url, WIDE, OPTIONS)

    began = time.monotonic()
    report = run(ingest())
    assert time.monotonic() - began > (ANSWER if silently else 0)
    assert proxy.found > 0
    assert report.retries == 1
    assert (report.total.captures_stored, report.total.captures_known) == (len(WIDE), 0)
    assert_completed(run, database, WIDE)


@pytest.mark.parametrize("silently", [True, False], ids=["silent", "cut"])
@pytest.mark.parametrize("seed", range(CRASHES))
def test_any_message(database: str, run: Run, short_path: Path, seed: int, silently: bool) -> None:
    """A connection that fails at any message, in any direction, changes nothing of the result."""
    rng = random.Random(seed)
    captures = scrapes(range(6), range(2), ["sportybet"])
    # From the opening of the first connection to the last commit.
    fail_at, before = rng.randint(1, 35), rng.random() < 0.5
    proxy = Proxy(database, short_path, fail_at, before=before, message=b"", silently=silently)
    options = IngestOptions(
        chunk_rows=30, answer_within=OPTIONS.answer_within, retry_for=OPTIONS.retry_for
    )

    async def ingest() -> IngestReport:
        async with proxy.serving() as url:
            return await patient_ingest(url, captures, options)

    report = run(ingest())
    assert proxy.found > 35
    assert (report.total.captures_stored, report.total.captures_known) == (len(captures), 0)
    assert_completed(run, database, captures)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("message", ["begin", "copied rows", "commit"])
@pytest.mark.parametrize("kind", ["AsyncEngine", "pool with text codecs", "function"])
def test_other_targets(database: str, run: Run, short_path: Path, kind: str, message: str) -> None:
    """A connection of an engine, a pool or a function that falls silent is replaced as a URL's."""
    proxy = Proxy(
        database, short_path, 3, before=message != "begin", message=MESSAGES[message], silently=True
    )

    async def ingest() -> IngestReport:
        async with proxy.serving() as url, KINDS[kind](url) as target:
            return await patient_ingest(target, WIDE, OPTIONS)

    report = run(ingest())
    assert proxy.found > 3
    assert report.retries == 1
    assert (report.total.captures_stored, report.total.captures_known) == (len(WIDE), 0)
    assert_completed(run, database, WIDE)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("seed", range(CRASHES))
def test_stopped_backend(server: Server, run: Run, seed: int) -> None:
    """A backend that is stopped for a time (SIGSTOP) costs time, and nothing else."""
    rng = random.Random(seed)
    url = run(server.new_database())
    stop_at = rng.randint(50, len(MANY) - 100)
    stops: list[asyncio.Task[None]] = []

    async def stop() -> None:
        with stopped(await backend_at_work(url)):
            await asyncio.sleep(rng.uniform(0.5, 3))

    async def source() -> AsyncIterator[Capture]:
        for at, each in enumerate(MANY):
            if at == stop_at:
                stops.append(asyncio.create_task(stop()))
            yield each

    async def ingest() -> IngestReport:
        options = IngestOptions(chunk_rows=300, answer_within=timedelta(seconds=0.4))
        report = await patient_ingest(url, source(), options)
        await stops[0]
        return report

    report = run(ingest())
    assert (report.total.captures_stored, report.total.captures_known) == (len(MANY), 0)
    assert_completed(run, url, MANY)
    run(server.drop(url))


@pytest.mark.nightly
def test_backend_stopped_for_good(server: Server, run: Run) -> None:
    """A stopped backend that keeps its locks ends the run in a bounded time, as unreachable."""
    url = run(server.new_database())
    run(execute(url, *SLOW_ROWS))
    captures = scrapes(range(10), range(6), ["sportybet"], markets=20)

    async def ingest() -> IngestReport:
        # The odds are written after the locks on their events were taken.
        async with stopping_backend(url, "COPY%market_odds%"):
            return await patient_ingest(url, captures, IMPATIENT)

    began = time.monotonic()
    report = run(ingest())
    assert time.monotonic() - began > RETRY
    [failed] = report.runs
    assert failed.status is ScrapeStatus.CONNECTION_FAILED
    assert failed.error is not None
    assert "the server did not answer within 1s" in failed.error
    assert report.retries > 0
    assert run(fetch(url, "SELECT status FROM scrape_runs")) == [("connection_failed",)]
    run(assert_whole(url, captures))
    run(execute(url, *FAST_ROWS))
    run(redeliver(url, captures))
    run(server.drop(url))


def test_frozen_server(server: Server, run: Run) -> None:
    """An ingestion whose server does not answer for a time continues, and ends completed."""
    url = run(server.new_database())

    async def source() -> AsyncIterator[Capture]:
        for at, each in enumerate(MANY):
            if at == 200:
                with server.frozen():
                    await asyncio.sleep(2.5)
            yield each

    report = run(patient_ingest(url, source(), OPTIONS))
    assert (report.total.captures_stored, report.total.captures_known) == (len(MANY), 0)
    assert_completed(run, url, MANY)
    run(server.drop(url))


@pytest.mark.nightly
def test_server_frozen_for_good(server: Server, run: Run) -> None:
    """A server that never answers again ends an ingestion with an error in a bounded time."""
    url = run(server.new_database())

    async def source() -> AsyncIterator[Capture]:
        for at, each in enumerate(MANY):
            if at == 200:
                stack.enter_context(server.frozen())
            yield each

    with contextlib.ExitStack() as stack, pytest.raises(OddsSchemaError, match="did not answer"):
        run(patient_ingest(url, source(), IMPATIENT))
    run(assert_whole(url, MANY))
    run(redeliver(url, MANY))
    run(server.drop(url))


def test_command(server: Server, run: Run) -> None:
    """The command says in one sentence that the server does not answer, and exits with 2."""
    url = run(server.new_database())
    limits = "--answer-within", "1s", "--retry-for", "2s"
    with server.frozen():
        done = subprocess.run(
            [sys.executable, "-m", "oddsschema", "ingest", *limits, "-"],
            env={"DATABASE_URL": url},
            input="",
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "did not answer within 1s" in done.stderr
    run(server.drop(url))


def test_cancelled_beside_a_stopped_backend(server: Server, run: Run) -> None:
    """The end of a cancelled run is on record although its backend does not answer."""
    url = run(server.new_database())
    lock = "LOCK TABLE competitor_odds_snapshots IN SHARE MODE"

    async def body() -> None:
        async with holding(url, lock):
            options = IngestOptions(close_within=timedelta(seconds=0.5))
            ingesting = asyncio.create_task(oddsschema.ingest(url, WIDE, options=options))
            with stopped(await backend_at_work(url, "%INSERT INTO competitor_odds_snapshots%")):
                ingesting.cancel()
                done, _ = await asyncio.wait([ingesting], timeout=15)
            assert done
            assert ingesting.cancelled()

    run(body())
    runs = "SELECT status, events_scraped, events_failed FROM scrape_runs"
    assert run(fetch(url, runs)) == [("failed", 0, len(WIDE))]
    assert run(fetch(url, "SELECT status FROM scrape_batches")) == [("failed",)]
    run(server.drop(url))


def test_cancelled_read(server: Server, run: Run) -> None:
    """A read that is cancelled ends soon if its backend does not answer."""
    url = run(server.new_database())

    async def read() -> None:
        async with sqlalchemy_connect(url) as connection:
            raw: Any = (await connection.get_raw_connection()).driver_connection
            await raw.execute("BEGIN; SELECT pg_sleep(60)")

    async def body() -> None:
        reading = asyncio.create_task(read())
        with stopped(await backend_at_work(url, "%pg_sleep%")):
            reading.cancel()
            done, _ = await asyncio.wait([reading], timeout=7)
        assert done
        assert reading.cancelled()

    run(body())
    run(server.drop(url))


def test_statement_that_fails(database: str, run: Run) -> None:
    """The time for an answer ends with a statement that fails: the connection stays open."""

    async def body() -> None:
        limit = timedelta(seconds=0.5)
        async with sqlalchemy_connect(database, answer_within=limit) as connection:
            with pytest.raises(DBAPIError):
                await connection.exec_driver_sql("SELECT 1 / 0")
            await connection.rollback()
            await asyncio.sleep(2 * limit.total_seconds())
            assert (await connection.exec_driver_sql("SELECT 1")).scalar_one() == 1

    run(body())
