"""An interrupted ingestion leaves whole chunks, and a new delivery stores the rest."""

import asyncio
import contextlib
import logging
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import oddsschema
from oddsschema import IngestOptions
from oddsschema.scrapes.stale import close_stale, stale_batches
from tests.support.contents import assert_whole, content, expected
from tests.support.interrupted_ingestion import (
    CANCELS,
    KILLS,
    MANY,
    RUNS,
    SMALL_CHUNKS,
    of,
    redeliver,
)
from tests.support.scrapes import PLATFORMS, Capture, ndjson, written
from tests.support.sessions import fetch, settled

Run = Callable[..., Any]

#: Ingests the file argv[2] into argv[1], and prints its progress.
CLIENT = """
import asyncio, sys
import oddsschema
options = oddsschema.IngestOptions(
    chunk_rows=300, on_progress=lambda progress: print(progress.captures, flush=True)
)
asyncio.run(oddsschema.ingest(sys.argv[1], sys.argv[2], options=options))
"""


@pytest.mark.parametrize("seed", range(KILLS))
def test_client_killed(database: str, run: Run, tmp_path: Path, seed: int) -> None:
    """After a SIGKILL chunks are whole and counted, and the batch is found as stale."""
    rng = random.Random(seed)
    file = written(tmp_path / "captures.ndjson", MANY)
    with subprocess.Popen(
        [sys.executable, "-c", CLIENT, database, file], stdout=subprocess.PIPE, text=True
    ) as client:
        assert client.stdout is not None
        for _ in range(rng.randint(1, len(MANY))):
            client.stdout.readline()
        time.sleep(rng.uniform(0, 0.03))
        client.kill()
    run(settled(database))

    assert run(assert_whole(database, MANY)) is not None
    runs = run(fetch(database, RUNS))
    assert [scraped + failed for _, _, scraped, failed, _ in runs] == [row[4] for row in runs]
    still_open = [row for row in runs if row[1] == "running"]
    stale = run(stale_batches(database, timedelta(0)))
    assert len(stale) == bool(still_open)
    assert run(close_stale(database, timedelta(0))) == len(still_open)
    assert run(stale_batches(database, timedelta(0))) == []
    assert {row[1] for row in run(fetch(database, RUNS))} <= {"failed", "completed"}
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
    at = rng.randint(1, len(captures) - 1)

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


@contextlib.contextmanager
def piped(url: str, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start `oddsschema ingest -` with an open standard input."""
    with subprocess.Popen(
        [sys.executable, "-m", "oddsschema", "ingest", "-", "--url", url, *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(run: Run, url: str, query: str, *, seconds: float = 10) -> None:
    """Wait until a query returns true."""
    deadline = time.monotonic() + seconds
    while run(fetch(url, query)) != [(True,)]:
        assert time.monotonic() < deadline, f"still not: {query}"
        time.sleep(0.05)


def without_doubts(errors: bytes) -> list[str]:
    """List the lines of standard error but for doubts: the teams change their names."""
    lines = filter(None, errors.decode().splitlines())
    return [line for line in lines if not line.startswith("doubt: ")]


def assert_interrupted(process: subprocess.Popen[bytes], errors: bytes) -> None:
    """Check the exit code and the message of an interruption."""
    assert process.returncode == 130
    assert without_doubts(errors) == ["interrupted"]


def test_ctrl_c(database: str, run: Run) -> None:
    """Ctrl-C during ingestion gives exit code 130, no traceback, and failed runs and batch."""
    with piped(database, "--chunk-rows", "300") as process:
        assert process.stdin is not None and process.stderr is not None
        stdin = process.stdin

        def feed() -> None:
            with contextlib.suppress(BrokenPipeError):
                for capture in MANY * 20:
                    stdin.write(ndjson([capture]))

        feeding = threading.Thread(target=feed)
        feeding.start()
        wait_for(run, database, "SELECT count(*) > 0 FROM competitor_odds_snapshots")
        process.send_signal(signal.SIGINT)
        errors = process.stderr.read()
        process.wait(timeout=10)
        feeding.join()
        with contextlib.suppress(BrokenPipeError):
            stdin.close()
    assert_interrupted(process, errors)
    runs = run(fetch(database, RUNS))
    assert [row[1] for row in runs] == ["failed"] * 3
    assert run(fetch(database, "SELECT status FROM scrape_batches")) == [("failed",)]
    assert run(stale_batches(database, timedelta(0))) == []
    run(redeliver(database, MANY))


def test_ctrl_c_while_the_pipe_is_silent(database: str, run: Run) -> None:
    """Ctrl-C ends an ingestion whose pipe is open and silent."""
    with piped(database, "--chunk-rows", "300") as process:
        assert process.stdin is not None and process.stderr is not None
        process.stdin.write(ndjson(MANY))
        process.stdin.flush()
        wait_for(run, database, "SELECT count(*) > 0 FROM competitor_odds_snapshots")
        time.sleep(1)  # until everything is read
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            pytest.fail("it still waits for its standard input")
        errors = process.stderr.read()
    assert_interrupted(process, errors)
    assert {row[1] for row in run(fetch(database, RUNS))} == {"failed"}
    run(redeliver(database, MANY))


def test_pipe_that_pauses(database: str, run: Run) -> None:
    """While a pipe pauses, earlier captures are committed and hold no locks."""
    captures = of("sportybet", MANY)
    with piped(database, "--chunk-rows", "300") as process:
        assert process.stdin is not None and process.stderr is not None
        process.stdin.write(ndjson(captures))
        process.stdin.flush()
        whole_chunks = len(captures) - len(captures) % 34
        wait_for(
            run,
            database,
            f"SELECT count(*) = {whole_chunks} FROM competitor_odds_snapshots",
            seconds=5,
        )
        process.stdin.close()
        errors = process.stderr.read()
        process.wait(timeout=10)
    assert (process.returncode, without_doubts(errors)) == (0, [])
    assert run(content(database)) == expected(captures)


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
