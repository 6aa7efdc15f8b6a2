"""Fixtures and Hypothesis profiles.

The databases come from the package's own pytest plugin, under the short names that tests here use.

`HYPOTHESIS_PROFILE=nightly`, or `--hypothesis-profile=nightly`, looks at many more examples.
"""

import os
import signal
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings

# So that the assertions of the helpers show their values, like those of the tests.
pytest.register_assert_rewrite("tests.support")

T = TypeVar("T")

#: Runs a coroutine to its end, all tests' on one event loop.
Run = Callable[[Coroutine[Any, Any, T]], T]

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
    """Keep out a plugin whose tests we call ourselves; see to Ctrl-C."""
    # Its collector breaks on pytest 9.2; migrations/test_commands.py calls its tests without it.
    config.pluginmanager.set_blocked("pytest-alembic")
    # A shell's background job ignores Ctrl-C, and so would the programs that tests send it to.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def run(oddsschema_run: Run[Any]) -> Run[Any]:
    """Run a coroutine: `run(coroutine)`. All share one event loop."""
    return oddsschema_run


@pytest.fixture(scope="session")
def server_url(oddsschema_server: str) -> str:
    """The URL of the server's own database, which no test writes to."""
    return oddsschema_server


@pytest.fixture(scope="session")
def new_database(oddsschema_new_database: Callable[..., Any]) -> Callable[..., Any]:
    """A context manager: the URL of a new database, dropped afterwards."""
    return oddsschema_new_database


@pytest.fixture(scope="session")
def template(oddsschema_template: str) -> str:
    """The URL of a migrated database that is only ever cloned."""
    return oddsschema_template


@pytest.fixture
def database(oddsschema_database: str) -> str:
    """The URL of a migrated database of this test's own."""
    return oddsschema_database


@pytest.fixture
def empty_database(new_database: Callable[..., Any]) -> Iterator[str]:
    """The URL of a database of this test's own, with nothing in it."""
    with new_database() as url:
        yield url
