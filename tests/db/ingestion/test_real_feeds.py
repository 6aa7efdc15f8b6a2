"""Real feeds with specifiers, closed outcomes without a price and URNs as ids: all is stored."""

import asyncio
import gzip
import json
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

import asyncpg
import pytest

from oddsschema import Capture
from oddsschema.database.connections import sqlalchemy_connect
from tests.support.paths import REAL_FEEDS
from tests.support.stored_captures import keyed, read_back

pytestmark = pytest.mark.skipif(not REAL_FEEDS, reason="the real feeds are not beside the clone")


def delivered() -> list[bytes]:
    """Return the captures of all files."""
    return [line for path in REAL_FEEDS for line in gzip.decompress(path.read_bytes()).splitlines()]


def offered(captures: Iterable[Capture]) -> dict[Any, Any]:
    """Return the markets of captures, by platform, event and instant."""
    return {key: capture["markets"] for key, capture in keyed(list(captures)).items()}


async def stored(url: str) -> list[Capture]:
    """Read the database back as captures."""
    async with sqlalchemy_connect(url) as connection:
        return await read_back(connection)


async def linked(url: str) -> list[tuple[str, str]]:
    """Read the links: a competitor and a SportRadar id each."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            "SELECT c.source, e.sportradar_id FROM competitor_events AS c "
            "JOIN events AS e ON e.id = c.betpawa_event_id"
        )
    finally:
        await connection.close()
    return [tuple(row) for row in rows]


@pytest.mark.parametrize("store", ["changes", "complete"])
def test_real_feeds_are_stored_whole(database: str, store: str) -> None:
    """Every market with outcomes is stored by value, no capture is refused, matches are linked."""
    command = [sys.executable, "-m", "oddsschema", "ingest", "--url", database, "--store", store]
    ingested = subprocess.run([*command, *REAL_FEEDS], capture_output=True, text=True)
    assert (ingested.returncode, ingested.stderr.count("\n")) == (0, 1)
    captures = [Capture.model_validate_json(line) for line in delivered()]
    markets = [market for line in delivered() for market in json.loads(line)["markets"]]
    with_outcomes = [market for market in markets if market["outcomes"]]
    assert sum(len(capture.markets) for capture in captures) == len(with_outcomes) == 1481
    assert len(markets) - len(with_outcomes) == 1
    assert "1 market without outcomes left out" in ingested.stdout
    assert offered(asyncio.run(stored(database))) == offered(captures)
    assert asyncio.run(linked(database)) == [("sportybet", "66457014")]
