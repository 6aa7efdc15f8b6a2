"""A migrated database with rows."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.example_rows import ROWS
from tests.support.sessions import execute

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def filled(new_database: Callable[..., Any], template: str, run: Run) -> Iterator[str]:
    """Return the URL of a database with rows, in which every test rolls back."""
    with new_database(template) as url:
        run(execute(url, ROWS))
        yield url
