"""The statements that read states: they are left out where no state is needed."""

from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from oddsschema import ingest
from tests.support.scrapes import Capture, capture

Run = Callable[..., Any]

#: The part of a statement that reads the outcomes of states.
STATES = "string_agg(m.outcomes"


async def number_of_reads(url: str, *deliveries: list[Capture]) -> int:
    """Ingest deliveries, and count the statements of the last one that read states."""
    connection = await asyncpg.connect(url)
    statements: list[str] = []
    try:
        for captures in deliveries:
            statements.clear()
            with connection.query_logger(lambda query: statements.append(query.query)):
                report = await ingest(connection, captures)
            assert report.all_stored
    finally:
        await connection.close()
    assert statements
    return sum(STATES in statement for statement in statements)


@pytest.mark.parametrize("platform", ["betpawa", "bet9ja"])
def test_reads_of_states(platform: str, database: str, run: Run) -> None:
    """The states of known events are read, unless their captures are known and lack nothing."""
    first = [capture(platform, event, 0) for event in range(3)]
    partial = [each | {"markets": each["markets"][:3]} for each in first]
    assert run(number_of_reads(database, partial)) == 0  # new events
    assert run(number_of_reads(database, partial)) == 0  # known captures
    next_scrape = [capture(platform, event, 1) for event in range(3)]
    assert run(number_of_reads(database, next_scrape)) == 1
    # The fourth market was refused at first, and has been put right.
    assert run(number_of_reads(database, first)) > 0
    assert run(number_of_reads(database, first)) == 0
