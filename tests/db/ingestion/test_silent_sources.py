"""Sources that are silent: the wait for them ends at a signal, and delays nothing else."""

import asyncio
import gzip
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import oddsschema
from oddsschema import IngestOptions
from tests.support.contents import content, expected
from tests.support.scrapes import capture, ndjson, scrapes, written
from tests.support.sessions import fetch

Run = Callable[..., Any]


@contextmanager
def pipe_without_writer(path: Path) -> Iterator[tuple[str, int | None]]:
    """Make a named pipe."""
    os.mkfifo(path)
    yield str(path), None


@contextmanager
def pipe_with_silent_writer(path: Path) -> Iterator[tuple[str, int | None]]:
    """Make a named pipe with a writer."""
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)
    yield str(path), None
    os.close(writer)


@contextmanager
def standard_input(_path: Path) -> Iterator[tuple[str, int | None]]:
    """Open a pipe as standard input."""
    reader, writer = os.pipe()
    yield "-", reader
    os.close(reader)
    os.close(writer)


@contextmanager
def terminal(_path: Path) -> Iterator[tuple[str, int | None]]:
    """Open a terminal as standard input."""
    controller, terminal = os.openpty()
    yield "-", terminal
    os.close(terminal)
    os.close(controller)


SILENT = (pipe_without_writer, pipe_with_silent_writer, standard_input, terminal)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("silent", SILENT, ids=lambda silent: silent.__name__)
@pytest.mark.parametrize(
    ("command", "with_"),
    [("ingest", signal.SIGINT), ("ingest", signal.SIGTERM), ("validate", signal.SIGTERM)],
    ids=lambda value: getattr(value, "name", value),
)
def test_signal(
    database: str, run: Run, tmp_path: Path, silent: Any, command: str, with_: signal.Signals
) -> None:
    """A signal ends a command whose source is silent with exit code 130, and its runs."""
    bad = capture("bet9ja", 1, 0)
    del bad["captured_at"]
    file = written(tmp_path / "bad.ndjson", [bad])
    with (
        silent(tmp_path / "pipe") as (source, stdin),
        subprocess.Popen(
            [sys.executable, "-m", "oddsschema", command, file, source],
            env={"DATABASE_URL": database},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        try:
            assert process.stderr is not None
            assert any(line.startswith("refused: ") for line in process.stderr)
            time.sleep(0.5)  # until it reads the next source
            process.send_signal(with_)
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                pytest.fail("it still waits for its source")
            assert process.stderr.read().split() == ["interrupted"]
        finally:
            process.kill()
    assert process.returncode == 130
    failed = [("failed",)] if command == "ingest" else []
    assert run(fetch(database, "SELECT status FROM scrape_batches")) == failed
    assert run(fetch(database, "SELECT status FROM scrape_runs")) == failed


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_slow_writer(database: str, run: Run, tmp_path: Path, pack: Any) -> None:
    """A named pipe is read as its bytes arrive; captures are committed while the writer pauses."""
    captures = scrapes([0], range(3), ["bet9ja"])
    path = tmp_path / "pipe"
    os.mkfifo(path)
    is_stored = threading.Event()

    def write() -> None:
        with path.open("wb", buffering=0) as pipe:
            for part in (captures[:2], captures[2:]):
                packed = pack(ndjson(part))
                for start, end in ((0, 1), (1, 100), (100, len(packed))):
                    pipe.write(packed[start:end])
                    time.sleep(0.05)
                assert is_stored.wait(20)

    async def body() -> None:
        options = IngestOptions(flush_after=timedelta(milliseconds=100))
        ingesting = asyncio.create_task(oddsschema.ingest(database, path, options=options))
        await asyncio.sleep(0.5)
        writer = threading.Thread(target=write)
        writer.start()
        async with asyncio.timeout(20):
            while await content(database) != expected(captures[:2]):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        is_stored.set()
        await ingesting
        writer.join()

    run(body())
    assert run(content(database)) == expected(captures)
