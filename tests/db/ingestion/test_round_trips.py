"""The round trips, statements and written rows of fixed deliveries. They are exact."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import oddsschema
from oddsschema.database.known_databases import known_database
from tests.support.round_trips import Traffic, counting
from tests.support.scrapes import capture

Run = Callable[..., Any]


def delivery(platform: str, events: int, minute: int, *, changed: bool = True) -> list[str]:
    """Make captures of 17 markets. In every 20th event, one price changes with the minute."""
    captures = []
    for event in range(events):
        each = capture(platform, event, 0, markets=17)
        each["captured_at"] = f"2026-02-01T09:{minute:02}:00Z"
        if changed and event % 20 == 0:
            each["markets"][0]["outcomes"][0]["odds"] = 2 + minute / 10
        captures.append(json.dumps(each))
    return captures


class Counts(NamedTuple):
    """The work of a delivery."""

    #: A slow network multiplies them.
    round_trips: int
    #: A busy server multiplies them. Each type that a new process asks for is one.
    statements: int
    #: The rows that were inserted, updated and deleted, without those of batches and runs: a
    #: statement of which one row is fetched reports none.
    rows: int


class Deliveries:
    """The work of deliveries, by their names."""

    def __init__(self, traffic: Traffic) -> None:
        self.counts: dict[str, Counts] = {}
        self._traffic = traffic

    def note(self, name: str) -> None:
        """Note the work since the last note."""
        traffic = self._traffic
        self.counts[name] = Counts(traffic.round_trips, traffic.statements.total(), traffic.rows)
        assert traffic.names <= {""}
        assert traffic.connections <= 1
        traffic.clear()


async def deliver(url: str, directory: Path, platform: str) -> dict[str, Counts]:
    """Deliver captures in the ways of programs; return the work of each."""
    async with counting(url, directory) as (counted, traffic):
        known_database.cache_clear()
        deliveries = Deliveries(traffic)
        await oddsschema.ingest(counted, delivery(platform, 1, 0))
        deliveries.note("a new event, in a new process")
        known_database.cache_clear()
        await oddsschema.ingest(counted, delivery(platform, 1, 1))
        deliveries.note("a known event, in a new process")
        await oddsschema.ingest(counted, delivery(platform, 1, 2))
        deliveries.note("a known event, on a new connection")
        await oddsschema.ingest(counted, delivery(platform, 500, 3))
        deliveries.note("499 new events")
        await oddsschema.ingest(counted, delivery(platform, 500, 4))
        deliveries.note("500 events, 5 percent changed")
        async with oddsschema.connect(counted) as odds:
            traffic.clear()
            await odds.ingest(delivery(platform, 1, 5))
            deliveries.note("a batch on a kept connection")
            await odds.ingest(delivery(platform, 1, 5))
            deliveries.note("the same again")
            await odds.ingest(delivery(platform, 500, 6))
            deliveries.note("500 events on a kept connection")
            async with odds.batch() as batch:
                traffic.clear()
                await batch.ingest(delivery(platform, 1, 7))
                await batch.flush()
                deliveries.note("a run in an open batch")
                await batch.ingest(delivery(platform, 1, 8))
                await batch.flush()
                deliveries.note("a further commit")
                await batch.ingest(delivery(platform, 1, 9, changed=False))
                await batch.ingest(delivery(platform, 1, 10, changed=False))
                await batch.flush()
                deliveries.note("a commit of a confirmation")
        return deliveries.counts


EXPECTED = {
    "betpawa": {
        "a new event, in a new process": Counts(42, 24, 20),
        "a known event, in a new process": Counts(27, 15, 2),
        "a known event, on a new connection": Counts(15, 14, 2),
        "499 new events": Counts(36, 28, 9982),
        "500 events, 5 percent changed": Counts(20, 19, 525),
        "a batch on a kept connection": Counts(14, 14, 2),
        "the same again": Counts(13, 12, 0),
        "500 events on a kept connection": Counts(19, 19, 525),
        "a run in an open batch": Counts(9, 9, 2),
        "a further commit": Counts(8, 8, 2),
        "a commit of a confirmation": Counts(8, 8, 2),
    },
    "sportybet": {
        "a new event, in a new process": Counts(37, 21, 20),
        "a known event, in a new process": Counts(27, 15, 2),
        "a known event, on a new connection": Counts(15, 14, 2),
        "499 new events": Counts(27, 21, 9735),
        "500 events, 5 percent changed": Counts(20, 19, 525),
        "a batch on a kept connection": Counts(14, 14, 2),
        "the same again": Counts(13, 12, 0),
        "500 events on a kept connection": Counts(19, 19, 525),
        "a run in an open batch": Counts(9, 9, 2),
        "a further commit": Counts(8, 8, 2),
        "a commit of a confirmation": Counts(8, 8, 2),
    },
}


@pytest.mark.parametrize("platform", EXPECTED)
def test_round_trips(database: str, run: Run, short_path: Path, platform: str) -> None:
    """Each delivery takes the expected work, on one connection, without named statements."""
    assert run(deliver(database, short_path, platform)) == EXPECTED[platform]
