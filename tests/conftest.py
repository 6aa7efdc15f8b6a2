"""Fixtures and Hypothesis profiles.

The databases come from the package's own pytest plugin; the tests use shorter names for them.

`HYPOTHESIS_PROFILE`, or `--hypothesis-profile`, chooses the number of examples: `brief` has 3,
`thorough` 100. `nightly` has 1,000, and raises the numbers of seeds, kills and rows as well.
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

#: A function that runs a coroutine on the tests' event loop.
Run = Callable[[Coroutine[Any, Any, T]], T]

settings.register_profile(
    "default",
    max_examples=10,
    deadline=None,  # an example can have hundreds of rows
    # All examples of a test share a database: each rolls back.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.register_profile("brief", settings.get_profile("default"), max_examples=3)
settings.register_profile("thorough", settings.get_profile("default"), max_examples=100)
settings.register_profile("nightly", settings.get_profile("default"), max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that names a PostgreSQL with Citus."""
    parser.addoption(
        "--citus",
        metavar="DIRECTORY",
        default=os.environ.get("ODDSSCHEMA_CITUS"),
        help="the programs of a PostgreSQL that has Citus (or ODDSSCHEMA_CITUS)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Block a plugin whose tests run without it, and restore Ctrl-C."""
    # Its collector breaks on pytest 9.2; migrations/test_commands.py calls its tests without it.
    config.pluginmanager.set_blocked("pytest-alembic")
    # A shell's background job ignores Ctrl-C, and its programs inherit that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)  # before `-m` is applied
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the cases that a test marked `sampled` leaves to the nightly run."""
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("sampled"):
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for items_of_test in cases.values():
        (mark, *_) = items_of_test[0].iter_markers("sampled")
        (number,) = mark.args
        count = len(items_of_test)
        chosen = {count * place // number for place in range(number)}
        for place, item in enumerate(items_of_test):
            if count > number and place not in chosen:
                item.add_marker("nightly")


@pytest.fixture(scope="session")
def run(oddsschema_run: Run[Any]) -> Run[Any]:
    """Return a function that runs a coroutine on the tests' event loop."""
    return oddsschema_run


@pytest.fixture(scope="session")
def server_url(oddsschema_server: str) -> str:
    """Return the URL of the server's own database. No test writes to it."""
    return oddsschema_server


@pytest.fixture(scope="session")
def new_database(oddsschema_new_database: Callable[..., Any]) -> Callable[..., Any]:
    """Return a context manager that creates a database, yields its URL, and drops it."""
    return oddsschema_new_database


@pytest.fixture(scope="session")
def template(oddsschema_template: str) -> str:
    """Return the URL of a migrated database for clones only."""
    return oddsschema_template


@pytest.fixture
def database(oddsschema_database: str) -> str:
    """Return the URL of a migrated database for one test."""
    return oddsschema_database


@pytest.fixture
def empty_database(new_database: Callable[..., Any]) -> Iterator[str]:
    """Return the URL of an empty database for one test."""
    with new_database() as url:
        yield url
