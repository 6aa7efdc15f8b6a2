"""Confirmations on disk: the updates write to no index.

The server is the test's own: transactions of other tests would keep old versions of rows in place.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import asyncpg

from oddsschema import ingest
from oddsschema.ingestion.storage.history_rows import HistoryRows
from oddsschema.ingestion.storage.placement import PrecedingSnapshot
from oddsschema.models.sides import COMPETITORS
from tests.support.crashing_server import Server
from tests.support.scrapes import START, capture

EVENTS, SCRAPES = 200, 30

#: The updates of the table, those of them that wrote to no index, and the fewest confirmations.
STORED = """
SELECT n_tup_upd AS updates, n_tup_hot_upd AS hot,
    (SELECT min(cardinality(confirmed_at)) FROM competitor_odds_snapshots) AS confirmations
FROM pg_stat_user_tables WHERE relname = 'competitor_odds_snapshots'
"""


def test_confirmations_are_hot(server: Server, run: Callable[..., Any]) -> None:
    """Nine in ten confirmations are HOT updates, and each keeps those before."""

    async def body() -> Any:
        database = await server.new_database()
        connection = await asyncpg.connect(database)
        await ingest(connection, [capture("bet9ja", event, 0) for event in range(EVENTS)])
        rows = HistoryRows(connection, COMPETITORS, None)
        snapshots = [
            PrecedingSnapshot(row["id"], row["event"], START, None, None, 0, frozenset())
            for row in await connection.fetch(
                "SELECT id, competitor_event_id AS event FROM competitor_odds_snapshots"
            )
        ]
        for scrape in range(1, SCRAPES + 1):
            for snapshot in snapshots:
                snapshot.confirmed_at = [START + timedelta(minutes=5 * scrape)]
            await rows.confirm(snapshots)
        await connection.close()
        connection = await asyncpg.connect(database)
        try:
            return await connection.fetchrow(STORED)
        finally:
            await connection.close()

    stored = run(body())
    assert stored["confirmations"] == SCRAPES
    assert stored["updates"] == EVENTS * SCRAPES
    assert stored["hot"] >= 0.9 * stored["updates"]
