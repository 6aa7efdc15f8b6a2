"""Checks of a database after a prune."""

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg

from oddsschema import PruneOptions, PruneReport, prune, queries
from oddsschema.models.odds import MARKET_KEY
from oddsschema.models.sides import SIDES
from oddsschema.retention import Removed
from tests.support.histories import plain
from tests.support.market_keys import market_key
from tests.support.pruned_histories import History, at
from tests.support.statements import compiled


async def price_histories(connection: Any, cutoff: datetime) -> dict[Any, Any]:
    """Read each market's prices at the cutoff and every later change, by platform and event.

    A market that was not on offer at the cutoff and never returned is left out.
    """
    statement, arguments = compiled(queries.price_history())
    points: dict[Any, Any] = defaultdict(lambda: defaultdict(list))
    for row in await connection.fetch(statement, *arguments):
        point = dict(row)
        state = plain(point | {"outcomes": json.loads(point["outcomes"])})
        entry = (max(point["at"], cutoff), point["is_available"], state)
        before = points[point["bookmaker"], point["sportradar_id"]][market_key(point)]
        if before and entry[0] == cutoff:
            before.pop()
        before.append(entry)
    found: dict[Any, Any] = {}
    for listing, markets in points.items():
        for key, history in markets.items():
            if history[0][0] == cutoff and not history[0][1]:
                del history[0]
            if any(is_available for _, is_available, _ in history):
                found.setdefault(listing, {})[key] = history
    return found


#: Facts from the cutoff on beside states: the times of captures, and the changes.
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

#: The numbers of snapshots, and of complete ones, of each history until the cutoff.
SNAPSHOT_COUNTS = """
SELECT count(*), count(*) FILTER (WHERE is_complete) FROM competitor_odds_snapshots
WHERE captured_at <= $1 GROUP BY competitor_event_id
UNION ALL
SELECT count(*), count(*) FILTER (WHERE is_complete) FROM odds_snapshots
WHERE captured_at <= $1 GROUP BY event_id, bookmaker_id
"""

#: Markets that a snapshot offers twice.
REPEATED_MARKETS = " UNION ALL ".join(
    f"SELECT FROM {side.markets} WHERE unavailable_at IS NULL "
    f"GROUP BY snapshot_id, {', '.join(MARKET_KEY)} HAVING count(*) > 1"
    for side in SIDES
)


async def pruned(connection: Any, cutoff: datetime, chunk_rows: int = 10_000) -> PruneReport:
    """Prune, and check the dry run's report and that nothing old is left."""
    planned = await prune(connection, cutoff, dry_run=True)
    before = await connection.fetch(DETAILS, cutoff)
    report = await prune(connection, cutoff, options=PruneOptions(chunk_rows=chunk_rows))
    assert report.kept == ()
    assert report.tables == planned.tables
    assert await connection.fetch(DETAILS, cutoff) == before
    assert {tuple(row) for row in await connection.fetch(SNAPSHOT_COUNTS, cutoff)} <= {(1, 1)}
    assert await connection.fetch(REPEATED_MARKETS) == []
    again = await prune(connection, cutoff)
    assert (again.total, again.keyframe_rows) == (Removed(), 0)
    return report


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Any]:
    """Open a connection for one use."""
    opened = await asyncpg.connect(url)
    try:
        yield opened
    finally:
        await opened.close()


async def assert_states(url: str, model: History, minutes: Sequence[float]) -> None:
    """Compare a database with a model at these minutes."""
    async with connected(url) as connection:
        await model.assert_stored(connection, [at(minute) for minute in minutes])


async def assert_pruned(url: str, cutoff: datetime) -> None:
    """Check that nothing is left for a prune to delete."""
    report = await prune(url, cutoff)
    assert (report.total, report.keyframe_rows, report.kept) == (Removed(), 0, ())
    async with connected(url) as connection:
        assert {tuple(row) for row in await connection.fetch(SNAPSHOT_COUNTS, cutoff)} == {(1, 1)}
        assert await connection.fetch(REPEATED_MARKETS) == []


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program `oddsschema` in a new process."""
    return subprocess.run(
        [sys.executable, "-m", "oddsschema", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
