"""Servers that are killed, stay away, start up or have a full disk."""

import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

import oddsschema
from oddsschema import IngestOptions, IngestReport, OddsSchemaError, ScrapeStatus
from oddsschema.scrapes.stale import close_stale, stale_batches
from tests.support.contents import assert_whole
from tests.support.crashing_server import Server
from tests.support.interrupted_ingestion import (
    CRASHES,
    MANY,
    RUNS,
    SMALL_CHUNKS,
    assert_completed,
    of,
    redeliver,
)
from tests.support.proxy import Proxy
from tests.support.scrapes import Capture, scrapes
from tests.support.sessions import execute, fetch
from tests.support.small_disk import mounted

Run = Callable[..., Any]


@pytest.mark.parametrize("seed", range(CRASHES))
def test_server_killed_and_restarted(server: Server, run: Run, seed: int) -> None:
    """The ingestion waits for the server, continues and ends completed."""
    rng = random.Random(seed)
    url = run(server.new_database())
    crash_at = rng.randint(50, len(MANY) - 100)
    crashes: list[asyncio.Task[None]] = []

    async def crash() -> None:
        await asyncio.sleep(rng.uniform(0, 0.01))
        server.kill()
        await asyncio.sleep(rng.uniform(0, 0.7))
        await asyncio.to_thread(server.start)

    async def source() -> AsyncIterator[Capture]:
        for at, capture in enumerate(MANY):
            if at == crash_at:
                crashes.append(asyncio.create_task(crash()))
            yield capture

    async def ingest() -> IngestReport:
        report = await oddsschema.ingest(url, source(), options=SMALL_CHUNKS)
        await crashes[0]
        return report

    report = run(ingest())
    assert report.retries > 0
    assert (report.total.captures_stored, report.total.captures_known) == (len(MANY), 0)
    assert_completed(run, url, MANY)


@pytest.mark.parametrize("commit", range(4, 8))
def test_server_killed_at_a_commit(server: Server, run: Run, short_path: Path, commit: int) -> None:
    """A chunk that a crash has undone is written again, even if its transaction id was reused."""
    url = run(server.new_database())
    captures = scrapes(range(6), range(2), ["sportybet"])

    async def crash() -> None:
        server.kill()
        await asyncio.to_thread(server.start)
        # The server reuses ids that it had not written to disk.
        admin = await asyncpg.connect(url)
        for _ in range(50):
            await admin.execute("SELECT pg_current_xact_id()")
        await admin.close()

    async def ingest() -> IngestReport:
        proxy = Proxy(url, short_path, commit, before=True, meanwhile=crash)
        async with proxy.serving() as proxied:
            return await oddsschema.ingest(proxied, captures, options=IngestOptions(chunk_rows=30))

    report = run(ingest())
    assert report.retries > 0
    assert (report.total.captures_stored, report.total.captures_known) == (len(captures), 0)
    assert_completed(run, url, captures)


def test_server_that_stays_away(server: Server, run: Run) -> None:
    """An absence longer than `retry_for` is an error; open runs are found as stale."""
    url = run(server.new_database())
    captures = of("sportybet", MANY)

    def source() -> Iterator[Capture]:
        for at, capture in enumerate(captures):
            if at == 100:
                server.kill()
            yield capture

    began = time.monotonic()
    with pytest.raises(OddsSchemaError, match="cannot connect"):
        run(
            oddsschema.ingest(
                url,
                source(),
                options=IngestOptions(chunk_rows=300, retry_for=timedelta(seconds=0.3)),
            )
        )
    took = time.monotonic() - began
    server.start()
    assert 0.3 < took < 10
    run(assert_whole(url, captures))
    [stale] = run(stale_batches(url, timedelta(0)))
    assert [platform_run.status for platform_run in stale.runs] == [ScrapeStatus.RUNNING]
    assert run(close_stale(url, timedelta(0))) == 1
    run(redeliver(url, captures))


def test_server_that_is_starting_up(server: Server, run: Run) -> None:
    """An ingestion that begins during a server's recovery waits for it."""
    url = run(server.new_database())
    captures = MANY[:60]

    async def ingest() -> IngestReport:
        async with server.starting_up():
            ingesting = asyncio.create_task(oddsschema.ingest(url, captures))
            await asyncio.sleep(0.5)
        return await ingesting

    report = run(ingest())
    assert report.retries > 0
    assert_completed(run, url, captures)


@pytest.fixture
def small_disk(short_path: Path) -> Iterator[Path]:
    """Mount a directory of 2 MB, which `mount -o remount,size=` changes."""
    with mounted(short_path / "disk", "2m") as path:
        yield path


ERRORS = "SELECT error_type FROM scrape_errors WHERE error_type <> 'doubt'"


def test_disk_full(server: Server, run: Run, small_disk: Path) -> None:
    """A full disk ends the run with an error; with more room, everything can be stored."""
    url = run(server.new_database())
    # 4 MB of odds.
    captures = scrapes(range(40), range(6), ["sportybet"], markets=60)
    owner = server.data.stat()
    os.chown(small_disk, owner.st_uid, owner.st_gid)

    async def ingest() -> IngestReport:
        connection = await asyncpg.connect(url)
        await connection.execute(f"CREATE TABLESPACE small LOCATION '{small_disk}'")
        await connection.execute("ALTER TABLE competitor_market_odds SET TABLESPACE small")
        await connection.close()
        return await oddsschema.ingest(url, captures, options=IngestOptions(chunk_rows=1000))

    report = run(ingest())
    [failed] = report.runs
    assert (failed.status, report.retries) == (ScrapeStatus.FAILED, 0)
    assert failed.error is not None and "No space left on device" in failed.error
    assert failed.captures_stored > 0
    assert failed.captures_stored + failed.captures_lost == len(captures)
    assert len(run(assert_whole(url, captures))) == failed.captures_stored
    stored, lost = failed.captures_stored, failed.captures_lost
    assert run(fetch(url, RUNS)) == [("sportybet", "failed", stored, lost, stored)]
    assert run(fetch(url, ERRORS)) == [("ChunkError",)]

    subprocess.run(["mount", "-o", "remount,size=50m", small_disk], check=True)
    run(redeliver(url, captures))
    run(server.drop(url))


def test_data_directory_full(run: Run, short_path: Path) -> None:
    """A run that fails since the server's whole disk is full has ended, also on record."""
    # 4 MB of odds.
    captures = scrapes(range(40), range(6), ["sportybet"], markets=60)
    scrape = short_path / "scrape.ndjson"
    scrape.write_text("".join(json.dumps(each) + "\n" for each in captures))
    with mounted(short_path / "disk", "200m") as disk:
        server = Server(disk / "db")
        try:
            url = run(server.new_database())
            # The tables of batches and runs have pages with room then, that of errors has none.
            run(oddsschema.ingest(url, captures[:1]))
            # Segments of the WAL that are there already keep the server from a crash.
            run(execute(url, "CHECKPOINT"))
            filler = disk / "filler"
            filler.write_bytes(bytes(shutil.disk_usage(disk).free))
            arguments = "ingest", "--retry-for", "2s", str(scrape)
            done = subprocess.run(
                [sys.executable, "-m", "oddsschema", *arguments],
                env={"DATABASE_URL": url},
                capture_output=True,
                text=True,
                timeout=60,
            )
            filler.unlink()
            assert done.returncode == 1
            assert "No space left on device" in done.stderr
            assert "Traceback" not in done.stderr
            _, (_, status, counted, lost, stored) = run(fetch(url, RUNS))
            assert (status, counted + lost) == ("failed", len(captures))
            # The first capture was known.
            assert counted in (stored, stored + 1)
            batches = run(fetch(url, "SELECT status FROM scrape_batches ORDER BY id"))
            assert batches == [("completed",), ("failed",)]
            run(redeliver(url, captures))
        finally:
            server.stop()
