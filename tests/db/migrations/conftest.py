"""A migrated database with rows, and databases at an older revision."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from oddsschema import migrations
from tests.support.example_rows import ROWS
from tests.support.sessions import execute
from tests.support.stored_histories import OLD_REVISION

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def filled(new_database: Callable[..., Any], template: str, run: Run) -> Iterator[str]:
    """Return the URL of a database with rows, in which every test rolls back."""
    with new_database(template) as url:
        run(execute(url, ROWS))
        yield url


@pytest.fixture(scope="session")
def old_template(new_database: Callable[..., Any], run: Run) -> Iterator[str]:
    """Return the URL of a database at revision 7, for clones only."""
    with new_database() as url:
        run(migrations.upgrade(url, OLD_REVISION))
        yield url


@pytest.fixture
def old_database(new_database: Callable[..., Any], old_template: str) -> Iterator[str]:
    """Return the URL of a database at revision 7 for one test."""
    with new_database(old_template) as url:
        yield url
