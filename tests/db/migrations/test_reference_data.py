"""The rows that migrations bring: a sport and three bookmakers."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from oddsschema import migrations
from tests.support.catalog import REFERENCE, REFERENCE_DATA
from tests.support.example_rows import ROWS
from tests.support.sessions import execute, fetch_column

Run = Callable[..., Any]


@pytest.fixture
def seeded(empty_database: str, run: Run) -> Iterator[str]:
    """Return the URL of a database at revision 1, which brings no rows."""
    run(migrations.upgrade(empty_database, "oddsschema_0001"))
    return empty_database


def test_reference_data(database: str, run: Run) -> None:
    """A migrated database has football and the three bookmakers."""
    assert run(fetch_column(database, REFERENCE_DATA)) == REFERENCE


def test_reference_data_over_rows_that_are_there(seeded: str, run: Run) -> None:
    """Existing rows keep their names and settings, and are not repeated."""
    run(
        execute(
            seeded,
            "INSERT INTO sports (name, slug) VALUES ('Soccer', 'football');"
            "INSERT INTO bookmakers (name, slug, is_active) VALUES ('Bet9ja', 'bet9ja', false)",
        )
    )
    run(migrations.upgrade(seeded))
    assert run(fetch_column(seeded, REFERENCE_DATA)) == [
        "bookmaker Bet9ja bet9ja false",
        "bookmaker BetPawa betpawa true",
        "bookmaker SportyBet sportybet true",
        "sport Soccer football",
    ]


def test_reference_data_is_taken_back(database: str, run: Run) -> None:
    """A downgrade deletes the rows without references, and keeps the others."""
    run(migrations.downgrade(database, "oddsschema_0001"))
    assert run(fetch_column(database, REFERENCE_DATA)) == []
    run(migrations.upgrade(database))
    run(execute(database, ROWS))
    run(migrations.downgrade(database, "oddsschema_0001"))
    assert run(fetch_column(database, REFERENCE_DATA)) == [
        "bookmaker Bet9ja bet9ja true",  # an error refers to it
        "bookmaker BetPawa betpawa true",  # an event refers to it
        "sport Football football",  # a tournament refers to it
    ]
    run(migrations.upgrade(database))
    assert run(fetch_column(database, REFERENCE_DATA)) == REFERENCE
