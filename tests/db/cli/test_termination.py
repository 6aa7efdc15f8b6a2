"""SIGTERM ends every command as Ctrl-C does."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from oddsschema import ingest, migrations
from tests.support.scrapes import scrapes
from tests.support.sessions import fetch, holding, waiting

Run = Callable[..., Any]


@contextmanager
def started(url: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start a command with an open standard input."""
    with subprocess.Popen(
        [sys.executable, "-m", "oddsschema", *arguments],
        env={"DATABASE_URL": url},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.sampled(3)
@pytest.mark.parametrize("with_", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("command", "lock"),
    [
        (("downgrade", "--yes", "base"), "LOCK TABLE oddsschema_version"),
        (("prune", "--keep", "1s", "--patience", "1m"), "SELECT FROM competitor_events FOR UPDATE"),
        (("batches",), "LOCK TABLE scrape_batches"),
        (("unmapped",), "LOCK TABLE unmapped_markets"),
        (("events",), "LOCK TABLE competitor_events"),
        (("check",), "LOCK TABLE oddsschema_version"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_command_that_waits(
    database: str, run: Run, command: tuple[str, ...], lock: str, with_: signal.Signals
) -> None:
    """A command that waits for the database ends at a signal, and leaves the database as it was."""
    run(ingest(database, scrapes([0], range(3), ["bet9ja"])))
    before = run(migrations.current(database))

    async def body() -> None:
        async with holding(database, lock) as other:
            with started(database, *command) as process:
                async with asyncio.timeout(20):
                    await waiting(other)
                process.send_signal(with_)
                _, errors = process.communicate(timeout=10)
        assert process.returncode == 130
        assert errors.splitlines()[-1].startswith("interrupted")
        assert "Traceback" not in errors

    run(body())
    assert run(migrations.current(database)) == before
    assert run(fetch(database, "SELECT count(*) FROM competitor_odds_snapshots")) == [(3,)]


@pytest.mark.parametrize("with_", [signal.SIGINT, signal.SIGTERM])
def test_validation_of_a_silent_pipe(server_url: str, with_: signal.Signals) -> None:
    """A validation that waits for its input ends at a signal."""
    with started(server_url, "validate", "-") as process:
        assert process.stdin is not None and process.stderr is not None
        process.stdin.write("no JSON\n")
        process.stdin.flush()
        assert process.stderr.readline().startswith("refused: ")
        process.send_signal(with_)
        _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors.splitlines()[-1]) == (130, "interrupted")
