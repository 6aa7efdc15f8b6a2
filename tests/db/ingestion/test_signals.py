"""Ctrl-C and SIGTERM during an ingestion: accepted captures are stored, and the runs are closed."""

import asyncio
import contextlib
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
from oddsschema.scrapes.stale import stale_batches
from tests.support.contents import content, expected
from tests.support.interrupted_ingestion import MANY, RUNS, of, redeliver
from tests.support.scrapes import PLATFORMS, ndjson, written
from tests.support.sessions import fetch, holding, settled, waiting
from tests.support.waits import wait_for

Run = Callable[..., Any]


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


def without_doubts(errors: bytes) -> list[str]:
    """List the lines of standard error but for the database, and for doubts about the names."""
    lines = filter(None, errors.decode().splitlines())
    return [line for line in lines if not line.startswith(("database: ", "doubt: "))]


def assert_interrupted(process: subprocess.Popen[bytes], errors: bytes) -> None:
    """Check the exit code and the message of an interruption."""
    assert process.returncode == 130
    assert without_doubts(errors) == ["interrupted"]


SIGNALS = pytest.mark.parametrize("with_", [signal.SIGINT, signal.SIGTERM])


@SIGNALS
def test_ctrl_c(database: str, run: Run, with_: signal.Signals) -> None:
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
        process.send_signal(with_)
        errors = process.stderr.read()
        process.wait(timeout=30)
        feeding.join()
        with contextlib.suppress(BrokenPipeError):
            stdin.close()
    assert_interrupted(process, errors)
    runs = run(fetch(database, RUNS))
    assert [row[1] for row in runs] == ["failed"] * 3
    assert run(fetch(database, "SELECT status FROM scrape_batches")) == [("failed",)]
    assert run(stale_batches(database, timedelta(0))) == []
    run(redeliver(database, MANY))


@SIGNALS
def test_ctrl_c_while_the_pipe_is_silent(database: str, run: Run, with_: signal.Signals) -> None:
    """Ctrl-C ends an ingestion whose pipe is open and silent; what it has read is stored."""
    with piped(database, "--flush-after", "0") as process:
        assert process.stdin is not None and process.stderr is not None
        process.stdin.write(ndjson(MANY))
        process.stdin.flush()
        wait_for(run, database, "SELECT count(*) = 3 FROM scrape_runs")
        time.sleep(1)  # until everything is read
        assert run(fetch(database, "SELECT FROM odds_snapshots")) == []
        process.send_signal(with_)
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            pytest.fail("it still waits for its standard input")
        errors = process.stderr.read()
    assert_interrupted(process, errors)
    assert run(content(database)) == expected(MANY)
    assert run(fetch(database, RUNS)) == [
        (platform, "failed", len(of(platform, MANY)), 0, len(of(platform, MANY)))
        for platform in PLATFORMS
    ]
    errors_on_record = (
        "SELECT error_type, error_message FROM scrape_errors WHERE error_type <> 'doubt'"
    )
    assert run(fetch(database, errors_on_record)) == [("CancelledError", "interrupted")] * 3


#: A captured event that another session locks.
LOCK = "SELECT FROM competitor_events FOR NO KEY UPDATE"


@SIGNALS
def test_second_ctrl_c(database: str, run: Run, with_: signal.Signals) -> None:
    """A second Ctrl-C gives up the commit at once; its captures are counted as lost."""
    captures = of("sportybet", MANY)
    events = len({capture["competitor_event"]["external_id"] for capture in captures})
    run(oddsschema.ingest(database, captures[:events]))

    async def body(process: subprocess.Popen[bytes]) -> float:
        async with holding(database, LOCK) as other:
            process.send_signal(with_)
            await waiting(other)
            await asyncio.sleep(1)
            assert process.poll() is None
            process.send_signal(with_)
            began = time.monotonic()
            await asyncio.to_thread(process.wait, 10)
            return time.monotonic() - began

    with piped(database, "--flush-after", "0", "--close-within", "1m") as process:
        assert process.stdin is not None and process.stderr is not None
        process.stdin.write(ndjson(captures[events:]))
        process.stdin.flush()
        wait_for(run, database, "SELECT count(*) = 2 FROM scrape_runs")
        time.sleep(1)  # until everything is read
        took = run(body(process))
        assert_interrupted(process, process.stderr.read())
    assert took < 5
    assert run(fetch(database, RUNS)) == [
        ("sportybet", "completed", events, 0, events),
        ("sportybet", "failed", 0, len(captures) - events, 0),
    ]
    assert run(stale_batches(database, timedelta(0))) == []
    run(redeliver(database, captures))


#: Ingests the file argv[2] into argv[1], then waits for SIGTERM.
WAITING_CLIENT = """
import asyncio, sys
from datetime import timedelta
import oddsschema

async def main():
    options = oddsschema.IngestOptions(
        flush_after=timedelta(0), sigterm_as_sigint=SIGTERM
    )
    async with oddsschema.batch(sys.argv[1], options=options) as batch:
        async with batch.run("sportybet") as run:
            await run.ingest(sys.argv[2])
            print("ingested", flush=True)
            await asyncio.sleep(60)

try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize("asked_for", [True, False])
@pytest.mark.parametrize("background", [True, False], ids=["in background", "in foreground"])
def test_sigterm_in_a_program(
    database: str, run: Run, tmp_path: Path, asked_for: bool, background: bool
) -> None:
    """SIGTERM commits and closes like Ctrl-C where a program asks for it, and there alone."""
    captures = of("sportybet", MANY)
    file = written(tmp_path / "captures.ndjson", captures)
    program = WAITING_CLIENT.replace("SIGTERM", str(asked_for))
    if background:
        # Like a shell's job in the background.
        program = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n" + program
    with subprocess.Popen(
        [sys.executable, "-c", program, database, file], stdout=subprocess.PIPE, text=True
    ) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "ingested\n"
        client.send_signal(signal.SIGTERM)
        assert client.stdout.read() == ("interrupted\n" if asked_for else "")
    assert client.returncode == (0 if asked_for else -signal.SIGTERM)
    run(settled(database))
    count = len(captures)
    assert run(fetch(database, RUNS)) == [
        ("sportybet", "failed", count, 0, count) if asked_for else ("sportybet", "running", 0, 0, 0)
    ]


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
