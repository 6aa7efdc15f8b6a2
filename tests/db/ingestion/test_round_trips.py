"""The round trips of fixed deliveries, which a slow network multiplies. They are exact."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


class Deliveries:
    """The round trips of deliveries, by their names."""

    def __init__(self, traffic: Traffic) -> None:
        self.round_trips: dict[str, int] = {}
        self._traffic = traffic

    def note(self, name: str) -> None:
        """Note the round trips since the last note."""
        self.round_trips[name] = self._traffic.round_trips
        assert self._traffic.names <= {""}
        self._traffic.clear()


async def deliver(url: str, directory: Path, platform: str) -> dict[str, int]:
    """Deliver captures in the ways of programs; return the round trips of each."""
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
        return deliveries.round_trips


EXPECTED = {
    "betpawa": {
        "a new event, in a new process": 43,
        "a known event, in a new process": 30,
        "a known event, on a new connection": 17,
        "499 new events": 36,
        "500 events, 5 percent changed": 22,
        "a batch on a kept connection": 16,
        "the same again": 14,
        "500 events on a kept connection": 21,
        "a run in an open batch": 11,
        "a further commit": 10,
        "a commit of a confirmation": 10,
    },
    "sportybet": {
        "a new event, in a new process": 38,
        "a known event, in a new process": 30,
        "a known event, on a new connection": 17,
        "499 new events": 27,
        "500 events, 5 percent changed": 22,
        "a batch on a kept connection": 16,
        "the same again": 14,
        "500 events on a kept connection": 21,
        "a run in an open batch": 11,
        "a further commit": 10,
        "a commit of a confirmation": 10,
    },
}


@pytest.mark.parametrize("platform", EXPECTED)
def test_round_trips(database: str, run: Run, short_path: Path, platform: str) -> None:
    """Each delivery takes the expected number of round trips, without named statements."""
    assert run(deliver(database, short_path, platform)) == EXPECTED[platform]
