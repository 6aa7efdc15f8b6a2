"""A database of the plan's first form, and one of ours."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.plan_tables import MATCH, ODDS, PLAN_TABLES
from tests.support.sessions import execute

Run = Callable[..., Any]


@pytest.fixture
def plan_database(new_database: Callable[..., Any], run: Run) -> Iterator[str]:
    """Return the URL of a database with the plan's tables, which are empty."""
    with new_database() as url:
        run(execute(url, PLAN_TABLES))
        yield url


@pytest.fixture
def source(plan_database: str, run: Run) -> str:
    """Return the URL of a source with a match at two bookmakers."""
    run(execute(plan_database, MATCH, ODDS))
    return plan_database
