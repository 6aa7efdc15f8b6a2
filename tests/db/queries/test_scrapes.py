"""Moves between scrapes and their coverage, compared with a model that keeps everything."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from sqlalchemy import text

from oddsschema import queries
from oddsschema.queries import Coverage, Move
from tests.support.query_model import Stored, batches, counted_rows, key, listing, stored

Run = Callable[..., Any]

#: The last snapshot of each event up to a batch.
LAST_SNAPSHOTS = """
SELECT b.slug, e.sportradar_id, max(s.captured_at)
FROM odds_snapshots AS s JOIN events AS e ON e.id = s.event_id
JOIN bookmakers AS b ON b.id = s.bookmaker_id JOIN scrape_runs AS r ON r.id = s.scrape_run_id
WHERE r.batch_id <= :batch GROUP BY 1, 2
UNION ALL
SELECT e.source, e.sportradar_id, max(s.captured_at)
FROM competitor_odds_snapshots AS s JOIN competitor_events AS e ON e.id = s.competitor_event_id
JOIN scrape_runs AS r ON r.id = s.scrape_run_id
WHERE r.batch_id <= :batch GROUP BY 1, 2
"""


@given(parts=batches)
def test_moves(parts: Any, connection: Any, run: Run) -> None:
    """Moves between two batches list each price that differs or is on offer in only one of them."""

    async def odds(stored: Stored, batch: int) -> dict[Any, float]:
        found = {}
        for platform, event, at in await connection.execute(text(LAST_SNAPSHOTS), {"batch": batch}):
            for market, (_, known) in stored.model.at(platform, at, event).items():
                for name, (price, is_active) in known.items():
                    if is_active:
                        found[platform, event, market, name] = price
        return found

    async def check(stored: Stored) -> None:
        times = [0, *stored.batch_ids]
        for before, after in zip(times, times[1:] + times[-1:], strict=True):
            was, now = await odds(stored, before), await odds(stored, after)
            rows = await stored.all(queries.moves(before, after))
            assert {
                (*listing(row), key(row), row.outcome): (row.odds_before, row.odds_after)
                for row in rows
            } == {
                price_key: (was.get(price_key), now.get(price_key))
                for price_key in was.keys() | now.keys()
                if was.get(price_key) != now.get(price_key)
            }
            some = await stored.all(queries.moves(before, after).where(Move.bookmaker == "bet9ja"))
            assert set(some) == {row for row in rows if row.bookmaker == "bet9ja"}

    stored(connection, run, parts, check)


@given(parts=batches)
def test_coverage(parts: Any, connection: Any, run: Run) -> None:
    """Coverage counts a platform's captures, and its rows except those that were carried over."""

    async def check(stored: Stored) -> None:
        stored_rows = 0
        for batch_id, captures in zip(stored.batch_ids, stored.captures, strict=True):
            rows = await stored.all(queries.coverage().where(Coverage.batch_id == batch_id))
            counts: dict[Any, int] = defaultdict(int)
            for capture in captures:
                event_fields = capture.get("event") or capture["competitor_event"]
                counts[event_fields.get("bookmaker") or event_fields["source"]] += 1
            assert {row.platform: row.events for row in rows} == counts
            stored_rows += sum(row.markets + row.markets_gone for row in rows)
        assert stored_rows == await counted_rows(connection)

    stored(connection, run, parts, check)


def test_moves_go_forward() -> None:
    """Batches in the wrong order are refused."""
    with pytest.raises(ValueError, match=r"before \(8\) must not be greater than after \(7\)"):
        queries.moves(8, 7)
