"""Ctrl-C and SIGTERM in synchronous programs: what was accepted is stored, and runs are closed."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import oddsschema
from oddsschema.scrapes import stale_batches
from tests.support.contents import content, expected
from tests.support.interrupted_ingestion import MANY, RUNS, of, redeliver
from tests.support.scrapes import written
from tests.support.sessions import fetch, holding, settled, waiting

Run = Callable[..., Any]

CAPTURES = of("sportybet", MANY)

#: A program that ingests the file argv[2] into argv[1], and waits at ACTION.
PROGRAM = """
import sys, time
from datetime import timedelta
from oddsschema import IngestOptions, sync

def source():
    with open(sys.argv[2]) as file:
        yield from file
    print("ingested", flush=True)
    time.sleep(60)

options = IngestOptions(
    flush_after=timedelta(0), close_within=timedelta(minutes=1), sigterm_as_sigint=SIGTERM
)
try:
    with sync.batch(sys.argv[1], options=options) as batch, batch.run("sportybet") as run:
        ACTION
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""

ACTIONS = {
    "between calls": 'run.ingest(sys.argv[2]); print("ingested", flush=True); time.sleep(60)',
    "in a source": "run.ingest(source())",
    "in a pipe": 'run.ingest(sys.argv[2]); print("ingested", flush=True); '
    "run.ingest(sys.stdin.buffer)",
}


@contextmanager
def program(url: str, file: Path, action: str, *, sigterm: bool = True) -> Iterator[Any]:
    """Run the program, until it has ingested the file."""
    source = PROGRAM.replace("SIGTERM", str(sigterm)).replace("ACTION", action)
    with subprocess.Popen(
        [sys.executable, "-c", source, url, file],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ingested\n"
            yield process
        finally:
            process.kill()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Write the captures to a file."""
    return written(tmp_path / "captures.ndjson", CAPTURES)


@pytest.mark.parametrize("with_", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("action", ACTIONS)
def test_ctrl_c(database: str, run: Run, file: Path, action: str, with_: signal.Signals) -> None:
    """Ctrl-C stores what was taken, ends the run as failed, and reaches the program at once."""
    with program(database, file, ACTIONS[action]) as process:
        time.sleep(0.2)
        process.send_signal(with_)
        began = time.monotonic()
        assert process.stdout.read() == "interrupted\n"
        assert process.wait(10) == 0
    assert time.monotonic() - began < 10
    assert run(content(database)) == expected(CAPTURES)
    count = len(CAPTURES)
    assert run(fetch(database, RUNS)) == [("sportybet", "failed", count, 0, count)]
    assert run(fetch(database, "SELECT status FROM scrape_batches")) == [("failed",)]
    assert run(stale_batches(database, timedelta(0))) == []


def test_sigterm_is_not_handled_unasked(database: str, run: Run, file: Path) -> None:
    """Without the option, SIGTERM kills the program as any other."""
    with program(database, file, ACTIONS["between calls"], sigterm=False) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == -signal.SIGTERM
    run(settled(database))
    assert run(fetch(database, RUNS)) == [("sportybet", "running", 0, 0, 0)]


#: A captured event that another session locks.
LOCK = "SELECT FROM competitor_events FOR NO KEY UPDATE"


@pytest.mark.parametrize("action", ["run.flush()", "pass"])
def test_second_ctrl_c(database: str, run: Run, file: Path, action: str) -> None:
    """The first Ctrl-C lets a commit that waits for a lock continue; the second gives it up."""
    events = len({capture["competitor_event"]["external_id"] for capture in CAPTURES})
    run(oddsschema.ingest(database, CAPTURES[:events]))

    async def body(process: Any) -> float:
        async with holding(database, LOCK) as other:
            process.stdin.write("\n")
            process.stdin.flush()
            await waiting(other)
            process.send_signal(signal.SIGINT)
            await asyncio.sleep(1)
            assert process.poll() is None
            process.send_signal(signal.SIGINT)
            began = time.monotonic()
            await asyncio.to_thread(process.wait, 15)
            return time.monotonic() - began

    step = f'run.ingest(sys.argv[2]); print("ingested", flush=True); input(); {action}'
    with program(database, file, step) as process:
        took = run(body(process))
        assert process.stdout.read() == "interrupted\n"
    assert took < 10
    assert [row[1] for row in run(fetch(database, RUNS))] == ["completed", "failed"]
    assert run(stale_batches(database, timedelta(0))) == []
    run(redeliver(database, CAPTURES))


#: Leaves a batch open at its end.
CARELESS = """
import json, sys
from contextlib import ExitStack
from datetime import timedelta
from oddsschema import IngestOptions, sync

stack = ExitStack()
options = IngestOptions(flush_after=timedelta(0))
batch = stack.enter_context(sync.batch(sys.argv[1], options=options))
run = batch.open_run("sportybet")
run.ingest(sys.argv[2])
if AT_ONCE:
    sys.exit(3)
"""


@pytest.mark.parametrize("at_once", [True, False])
def test_batch_that_is_never_closed(database: str, run: Run, file: Path, at_once: bool) -> None:
    """A batch that is open when the program ends is closed as interrupted, with its captures."""
    source = CARELESS.replace("AT_ONCE", str(at_once))
    done = subprocess.run(
        [sys.executable, "-c", source, database, file], capture_output=True, text=True, check=False
    )
    assert done.returncode == (3 if at_once else 0), done.stderr
    assert done.stderr.startswith("run 1 (sportybet) failed") and "ignored" not in done.stderr
    count = len(CAPTURES)
    assert run(fetch(database, RUNS)) == [("sportybet", "failed", count, 0, count)]
    assert run(stale_batches(database, timedelta(0))) == []


#: Forks with an open batch. The child ingests on its own, then uses, or leaves, the parent's batch.
FORKING = """
import gc, os, sys
from oddsschema import sync

url, file, ending = sys.argv[1:]
with sync.batch(url, trigger="parent") as batch, batch.run("sportybet") as run:
    run.ingest(file)
    child = os.fork()
    if not child:
        try:
            run.flush()
        except RuntimeError as error:
            assert "before the process was forked" in str(error), error
        else:
            os._exit(9)
        report = sync.ingest(url, file, trigger="child")
        assert report.total.captures_known + report.total.captures_stored == COUNT
        gc.collect()
        if ending == "_exit":
            os._exit(0)
        sys.exit(0)
    assert os.waitpid(child, 0)[1] == 0, "the child failed"
    run.ingest(file)
    run.flush()
sync.newest_batches(url)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.parametrize("ending", ["_exit", "exit"])
def test_fork(database: str, run: Run, file: Path, ending: str) -> None:
    """A forked child has a loop of its own, cannot use the parent's batch, and disturbs nothing."""
    program = FORKING.replace("COUNT", str(len(CAPTURES)))
    done = subprocess.run(
        [sys.executable, "-c", program, database, file, ending],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    batches = "SELECT trigger, status FROM scrape_batches ORDER BY id"
    assert run(fetch(database, batches)) == [("parent", "completed"), ("child", "completed")]
    assert run(content(database)) == expected(CAPTURES)


#: Ingests in the workers of a pool that forks after the parent's first call.
POOL = """
import multiprocessing, sys
from oddsschema import sync

def ingest(part):
    report = sync.ingest(sys.argv[1], [line for line in open(sys.argv[2])][part::3])
    return report.total.captures_stored

sync.newest_batches(sys.argv[1])
with multiprocessing.get_context("fork").Pool(3) as pool:
    assert sum(pool.map(ingest, range(3))) == COUNT
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_pool_of_forked_workers(database: str, run: Run, file: Path) -> None:
    """The workers of a pool, as Celery's and Gunicorn's, ingest on loops of their own."""
    program = POOL.replace("COUNT", str(len(CAPTURES)))
    done = subprocess.run(
        [sys.executable, "-c", program, database, file], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert run(content(database)) == expected(CAPTURES)
    assert run(fetch(database, "SELECT DISTINCT status FROM scrape_batches")) == [("completed",)]
