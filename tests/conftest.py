"""Fixtures and Hypothesis profiles.

The server is an embedded PostgreSQL of the test run's own, or the one of DATABASE_URL, where
databases of our own are created beside what is there and dropped again. One template a worker is
migrated once; each test gets a clone of it.

`HYPOTHESIS_PROFILE=nightly`, or `--hypothesis-profile=nightly`, looks at many more examples.
"""

import asyncio
import itertools
import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import make_url

from oddsschema import migrations
from oddsschema.database import normalize

T = TypeVar("T")

#: Runs a coroutine to its end, all tests' on one event loop.
Run = Callable[[Coroutine[Any, Any, T]], T]

#: How the workers of pytest-xdist learn of the server that their controller has started.
SERVER = "ODDSSCHEMA_TEST_SERVER"

settings.register_profile(
    "default",
    max_examples=25,
    deadline=None,  # one example can mean hundreds of rows
    # A database is one for all examples of a test: they roll back in their own body.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.register_profile("nightly", settings.get_profile("default"), max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_configure(config: pytest.Config) -> None:
    """Start one server for all workers, before xdist starts them."""
    # Its collector breaks on pytest 9.2; test_migrations.py calls its tests without it.
    config.pluginmanager.set_blocked("pytest-alembic")
    controller = config.getoption("dist", "no") != "no" and not hasattr(config, "workerinput")
    if controller and not _given_server():
        stack = ExitStack()
        os.environ[SERVER] = stack.enter_context(_embedded_server())
        stack.callback(os.environ.pop, SERVER)
        config.add_cleanup(stack.close)


def _given_server() -> str | None:
    return os.environ.get("DATABASE_URL") or os.environ.get(SERVER)


@contextmanager
def _embedded_server() -> Iterator[str]:
    from oddsschema.embedded import ephemeral

    with ephemeral() as server:
        yield server.url


@pytest.fixture(scope="session")
def run() -> Iterator[Run[Any]]:
    """Run a coroutine: `run(coroutine)`. All share one event loop."""
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """The URL of the server's own database, which no test writes to."""
    if given := _given_server():
        yield normalize(given)
    else:
        with _embedded_server() as url:
            yield url


@pytest.fixture(scope="session")
def new_database(server_url: str, run: Run[Any]) -> Callable[..., Any]:
    """A context manager: the URL of a new database, dropped afterwards."""
    worker = f"{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{os.getpid()}"
    numbers = itertools.count()

    async def execute(statement: str) -> None:
        connection = await asyncpg.connect(server_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    @contextmanager
    def create(template: str | None = None) -> Iterator[str]:
        name = f"oddsschema_test_{worker}_{next(numbers)}"
        # template0, for what somebody may have put into their template1.
        source = make_url(template).database if template else "template0"
        run(execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}"'))
        try:
            yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
        finally:
            run(execute(f'DROP DATABASE "{name}" WITH (FORCE)'))

    return create


@pytest.fixture(scope="session")
def template(new_database: Callable[..., Any], run: Run[Any]) -> Iterator[str]:
    """The URL of a migrated database that is only ever cloned."""
    with new_database() as url:
        run(migrations.upgrade(url))
        yield url


@pytest.fixture
def database(new_database: Callable[..., Any], template: str) -> Iterator[str]:
    """The URL of a migrated database of this test's own."""
    with new_database(template) as url:
        yield url


@pytest.fixture
def empty_database(new_database: Callable[..., Any]) -> Iterator[str]:
    """The URL of a database of this test's own, with nothing in it."""
    with new_database() as url:
        yield url
