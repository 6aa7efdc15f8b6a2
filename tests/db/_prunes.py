"""A model of what a prune must leave, and what the database is held to after one.

The model keeps everything that was captured, but for events that are over.
"""

import json
import random
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import asyncpg
from hypothesis import settings

from oddsschema import IngestOptions, PruneOptions, PruneReport, prune, queries
from oddsschema.models.odds import market_key
from oddsschema.models.sides import BETPAWA, COMPETITORS, Side
from oddsschema.retention import Removed
from tests.benchmarks.bulk import compiled
from tests.db._histories import REFERENCES, START, Model, capture, plain, stood

ROUNDS = 20 if settings.get_current_profile_name() == "nightly" else 2

#: Two bookmakers of the reference event, and a competitor.
PLATFORMS = (*REFERENCES, "bet9ja")


def side_of(platform: str) -> Side:
    """In which tables a platform's odds are."""
    return BETPAWA if platform in REFERENCES else COMPETITORS


def at(minutes: float) -> datetime:
    """An instant of these tests."""
    return START + timedelta(minutes=minutes)


class History(Model):
    """Everything that was captured, as plain values, of events with one kickoff."""

    def __init__(self, kickoff: float = 10_000) -> None:
        super().__init__()
        self.kickoff = at(kickoff)

    def captured(
        self, platform: str, event: str, minute: float, markets: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """Take in what a platform offers of an event at a minute; the capture."""
        made = capture(platform, at(minute), markets, event, self.kickoff)
        self.take(made)
        return made

    def prune(self, cutoff: datetime) -> None:
        """Only what is over goes: of all else, the model keeps what the database need not."""
        for side in (BETPAWA, COMPETITORS):
            for event in {event for _, event in self.instants}:
                theirs = [
                    one for one in self.instants if one[1] == event and side_of(one[0]) is side
                ]
                last = [max(self.instants[one]) for one in theirs]
                if self.kickoff < cutoff and all(one < cutoff for one in last):
                    for one in theirs:
                        del self.instants[one]

    async def hold(self, connection: Any, instants: Sequence[datetime]) -> None:
        """Hold the database to it at these instants."""
        for (platform, event), found in (await told(connection, self, instants)).items():
            wanted = [self.at(platform, instant, event) for instant in instants]
            assert found == wanted, (platform, event)


async def told(connection: Any, model: History, instants: Sequence[datetime]) -> dict[Any, Any]:
    """What the database tells of each of the model's histories at each of the instants."""
    events = {
        BETPAWA: await connection.fetch("SELECT sportradar_id, id FROM events"),
        COMPETITORS: await connection.fetch("SELECT external_id, id FROM competitor_events"),
    }
    bookmakers = dict(await connection.fetch("SELECT slug, id FROM bookmakers"))
    found = {}
    for platform, event in model.instants:
        side = side_of(platform)
        event_id = dict(events[side]).get(event, 0)
        asked = [(event_id, instant) for instant in instants]
        found[platform, event] = await stood(connection, side, asked, bookmakers.get(platform))
    return found


async def price_histories(connection: Any, cutoff: datetime) -> dict[Any, Any]:
    """By platform and event, by market: its prices at the cutoff, and every change since.

    Of a market that was not on offer then and never came back, there is none.
    """
    statement, arguments = compiled(queries.price_history())
    points: dict[Any, Any] = defaultdict(lambda: defaultdict(list))
    for row in await connection.fetch(statement, *arguments):
        point = dict(row)
        state = plain(point | {"outcomes": json.loads(point["outcomes"])})
        told = (max(point["at"], cutoff), point["is_available"], state)
        before = points[point["bookmaker"], point["sportradar_id"]][market_key(point)]
        if before and told[0] == cutoff:
            before.pop()
        before.append(told)
    found: dict[Any, Any] = {}
    for listing, markets in points.items():
        for key, its in markets.items():
            if its[0][0] == cutoff and not its[0][1]:
                del its[0]
            if any(is_available for _, is_available, _ in its):
                found.setdefault(listing, {})[key] = its
    return found


#: What is known from the cutoff on beside states: when events were captured, and what changed.
DETAILS = """
SELECT s.competitor_event_id, NULL::int, s.captured_at, s.id, NULL::text
FROM competitor_odds_snapshots AS s WHERE s.captured_at >= $1
UNION ALL
SELECT s.competitor_event_id, NULL, c.at, s.id, NULL
FROM competitor_odds_snapshots AS s CROSS JOIN unnest(s.confirmed_at) AS c (at) WHERE c.at >= $1
UNION ALL
SELECT s.competitor_event_id, NULL, s.captured_at, m.id, m::text
FROM competitor_odds_snapshots AS s
JOIN competitor_market_odds AS m ON m.snapshot_id = s.id WHERE s.captured_at > $1
UNION ALL
SELECT s.event_id, s.bookmaker_id, s.captured_at, s.id, NULL
FROM odds_snapshots AS s WHERE s.captured_at >= $1
UNION ALL
SELECT s.event_id, s.bookmaker_id, c.at, s.id, NULL
FROM odds_snapshots AS s CROSS JOIN unnest(s.confirmed_at) AS c (at) WHERE c.at >= $1
UNION ALL
SELECT s.event_id, s.bookmaker_id, s.captured_at, m.id, m::text
FROM odds_snapshots AS s JOIN market_odds AS m ON m.snapshot_id = s.id WHERE s.captured_at > $1
ORDER BY 1, 2, 3, 4, 5
"""

#: Of each history, how many snapshots there are until the cutoff, and how many of them are whole.
LEFT = """
SELECT count(*), count(*) FILTER (WHERE is_complete) FROM competitor_odds_snapshots
WHERE captured_at <= $1 GROUP BY competitor_event_id
UNION ALL
SELECT count(*), count(*) FILTER (WHERE is_complete) FROM odds_snapshots
WHERE captured_at <= $1 GROUP BY event_id, bookmaker_id
"""


#: Markets that a snapshot offers twice.
TWICE = """
SELECT snapshot_id, betpawa_market_id, line FROM competitor_market_odds
WHERE unavailable_at IS NULL GROUP BY 1, 2, 3 HAVING count(*) > 1
UNION ALL
SELECT snapshot_id, betpawa_market_id, line FROM market_odds
WHERE unavailable_at IS NULL GROUP BY 1, 2, 3 HAVING count(*) > 1
"""


async def pruned(connection: Any, cutoff: datetime, chunk_rows: int = 10_000) -> PruneReport:
    """Prune, and hold that a dry run told what it would come to, and that nothing old is left."""
    planned = await prune(connection, cutoff, dry_run=True)
    before = await connection.fetch(DETAILS, cutoff)
    report = await prune(connection, cutoff, options=PruneOptions(chunk_rows=chunk_rows))
    assert report.kept == ()
    assert report.tables == planned.tables
    assert await connection.fetch(DETAILS, cutoff) == before
    assert {tuple(row) for row in await connection.fetch(LEFT, cutoff)} <= {(1, 1)}
    assert await connection.fetch(TWICE) == []
    again = await prune(connection, cutoff)
    assert (again.total, again.keyframe_rows) == (Removed(), 0)
    return report


def markets(versions: dict[int, int]) -> list[dict[str, Any]]:
    """Six markets in their first version, but for these: in another one, or (0) not offered."""
    return [
        {
            "betpawa_market_id": f"{number % 2}",
            "betpawa_market_name": "Total",
            "line": (None, 0.0, 2.5)[number // 2],
            "handicap_type": None,
            "handicap_home": None,
            "handicap_away": None,
            "outcomes": [
                {"name": name, "odds": versions.get(number, 1) + 0.5, "is_active": True}
                for name in ("1", "2")
            ],
        }
        for number in range(6)
        if versions.get(number, 1)
    ]


MANY_EVENTS = "01234567"
OVER = "14"
MINUTES = 60


def scraped(seed: int) -> tuple[History, History, list[dict[str, Any]]]:
    """Long histories that change a little at a time: of what goes on, of what is over, captures."""
    rng = random.Random(seed)
    going_on, over = History(), History(25)
    captures = []
    for event in MANY_EVENTS:
        model = over if event in OVER else going_on
        for platform in PLATFORMS:
            versions: dict[int, int] = {}
            for minute in range(29 if event in OVER else MINUTES):
                if rng.random() < 0.7:
                    versions[rng.randrange(6)] = rng.randrange(4)
                captures.append(model.captured(platform, event, minute, markets(versions)))
    captures.sort(key=lambda one: one["captured_at"])
    return going_on, over, captures


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Any]:
    """A connection of one's own."""
    opened = await asyncpg.connect(url)
    try:
        yield opened
    finally:
        await opened.close()


async def hold(url: str, model: History, minutes: Sequence[float]) -> None:
    """Hold a database to a model at these minutes."""
    async with connected(url) as connection:
        await model.hold(connection, [at(minute) for minute in minutes])


async def is_pruned(url: str, cutoff: datetime) -> None:
    """Hold that nothing is left that a prune would delete."""
    report = await prune(url, cutoff)
    assert (report.total, report.keyframe_rows, report.kept) == (Removed(), 0, ())
    async with connected(url) as connection:
        assert {tuple(row) for row in await connection.fetch(LEFT, cutoff)} == {(1, 1)}
        assert await connection.fetch(TWICE) == []


CHANGES = IngestOptions(keyframe_share=5.0, chunk_rows=150)


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program."""
    return subprocess.run(
        [sys.executable, "-m", "oddsschema", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
