"""A connection for all examples of a test, a server to kill, hard names, and short paths."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from oddsschema import ingest
from oddsschema.simulate import simulate
from tests.support.crashing_server import Server, crashing_server
from tests.support.hostile_texts import HARD_NAME

Run = Callable[..., Any]


@pytest.fixture
def connection(database: str, run: Run) -> Iterator[Any]:
    """Open a connection for all examples of a test. Each example rolls back."""
    stack = AsyncExitStack()
    opened = run(asyncpg.connect(database))
    stack.push_async_callback(opened.close)
    yield opened
    run(stack.aclose())


@pytest.fixture(scope="session")
def hard_names(new_database: Callable[..., Any], template: str, run: Run) -> Iterator[str]:
    """Fill a database, for reads alone, with two scrapes of events whose home team is HARD_NAME."""
    with new_database(template) as url:
        for scrape in simulate(seed=1, events=2, scrapes=2):
            captures = [capture for platform in scrape.values() for capture in platform]
            for capture in captures:
                event = capture.get("event") or capture["competitor_event"]
                event["home_team"] = HARD_NAME
            run(ingest(url, captures))
        yield url


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Start a server that may be killed; the test that kills it starts it again."""
    with crashing_server() as server:
        yield server


@pytest.fixture
def short_path() -> Iterator[Path]:
    """Create a directory with a path short enough for a socket, which everybody can enter."""
    path = Path(tempfile.mkdtemp(prefix="oddstest-", dir="/tmp"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)
