"""Confirmations on disk: the updates write to no index."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import asyncpg

from oddsschema import ingest
from oddsschema.ingestion.storage.history_rows import HistoryRows
from oddsschema.ingestion.storage.placement import PrecedingSnapshot
from oddsschema.models.sides import COMPETITORS
from tests.support.scrapes import START, capture

EVENTS, SCRAPES = 200, 30

#: The updates of the table, and those of them that wrote to no index.
STORED = """
SELECT n_tup_upd AS updates, n_tup_hot_upd AS hot
FROM pg_stat_user_tables WHERE relname = 'competitor_odds_snapshots'
"""


def test_confirmations_are_hot(database: str, run: Callable[..., Any]) -> None:
    """Most confirmations are HOT updates."""

    async def body() -> Any:
        connection = await asyncpg.connect(database)
        await ingest(connection, [capture("bet9ja", event, 0) for event in range(EVENTS)])
        snapshots = [
            PrecedingSnapshot(row["id"], row["event"], START, None, [], frozenset())
            for row in await connection.fetch(
                "SELECT id, competitor_event_id AS event FROM competitor_odds_snapshots"
            )
        ]
        for scrape in range(1, SCRAPES + 1):
            for snapshot in snapshots:
                snapshot.confirmed_at.append(START + timedelta(minutes=5 * scrape))
            # A session that stays open removes no old versions while a transaction of another
            # test, in another database, is open.
            await connection.close()
            connection = await asyncpg.connect(database)
            await HistoryRows(connection, COMPETITORS, None).confirm(snapshots)
        await connection.close()
        connection = await asyncpg.connect(database)
        try:
            return await connection.fetchrow(STORED)
        finally:
            await connection.close()

    stored = run(body())
    assert stored["updates"] == EVENTS * SCRAPES
    # Nearly all are, unless an autoanalyze sees old versions.
    assert stored["hot"] >= 0.7 * stored["updates"]
