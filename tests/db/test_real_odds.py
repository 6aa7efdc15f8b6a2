"""Real captures, ingested by the command line: counts in the database are those of the files."""

import asyncio
import gzip
import json
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

REAL_ODDS = sorted((Path(__file__).parents[3] / "shared" / "real-odds").glob("*.ndjson.gz"))

pytestmark = pytest.mark.skipif(not REAL_ODDS, reason="the real captures are not beside the clone")

COUNTS = """
SELECT e.source, count(DISTINCT s.id) AS captures, count(*) AS markets,
    sum(jsonb_array_length(m.outcomes)) AS outcomes
FROM competitor_events AS e
JOIN competitor_odds_snapshots AS s ON s.competitor_event_id = e.id
JOIN competitor_market_odds AS m ON m.competitor_event_id = e.id AND m.snapshot_id = s.id
GROUP BY e.source
"""


def counted() -> dict[str, tuple[int, int, int]]:
    """Captures, markets and outcomes of each source, counted in the files."""
    totals: dict[str, list[int]] = {}
    for path in REAL_ODDS:
        with gzip.open(path) as lines:
            for line in lines:
                capture = json.loads(line)
                markets = capture["markets"]
                total = totals.setdefault(capture["competitor_event"]["source"], [0, 0, 0])
                total[0] += 1
                total[1] += len(markets)
                total[2] += sum(len(market["outcomes"]) for market in markets)
    return {source: (a, b, c) for source, (a, b, c) in totals.items()}


def stored(url: str) -> dict[str, tuple[int, int, int]]:
    """The same, counted in the database."""

    async def query() -> dict[str, tuple[int, int, int]]:
        connection = await asyncpg.connect(url)
        rows = await connection.fetch(COUNTS)
        await connection.close()
        return {row["source"]: (row["captures"], row["markets"], row["outcomes"]) for row in rows}

    return asyncio.run(query())


def ingest(url: str) -> str:
    """What `oddsschema ingest` prints for all files."""
    command = [sys.executable, "-m", "oddsschema", "ingest", "--url", url, *map(str, REAL_ODDS)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_real_captures_are_stored_once(database: str) -> None:
    """All captures, markets and outcomes arrive; delivered again, none is stored twice."""
    first = ingest(database)
    assert "bet9ja ✓ 1,019 events" in first
    assert "sportybet ✓ 2,410 events" in first
    assert "3,429 captures with 55,336 markets stored" in first
    assert stored(database) == counted()

    second = ingest(database)
    assert "0 captures with 0 markets stored, 3,429 were already there" in second
    assert stored(database) == counted()
