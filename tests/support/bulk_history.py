"""A long history of many events, made inside PostgreSQL, to measure reads on.

Two markets of five have specifiers. In one of twenty, an outcome is closed and has no price. The
events have their kickoffs on different days.
"""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncpg

MARKETS = 170
PLATFORMS = ("betpawa", "sportybet", "bet9ja")
#: The share of keyframes among snapshots, and of changed markets in the others: 1 in `CYCLE`.
CYCLE = 20
#: The average number of market rows of a snapshot.
ROWS = (MARKETS + (CYCLE - 1) * MARKETS / CYCLE) / CYCLE

_START = datetime(2024, 1, 1, tzinfo=UTC)

_EVENTS = """
INSERT INTO tournaments (sport_id, name, country)
SELECT id, 'League', 'Nigeria' FROM sports WHERE slug = 'football';

INSERT INTO events (tournament_id, name, home_team, away_team, kickoff, sportradar_id)
SELECT t.id, 'A - B', 'A', 'B', '2024-01-20 17:00+00'::timestamptz + n * interval '1 day', n::text
FROM tournaments AS t, generate_series(1, {events}) AS n;

INSERT INTO event_bookmakers (event_id, bookmaker_id, external_event_id)
SELECT e.id, b.id, e.id::text FROM events AS e, bookmakers AS b WHERE b.slug = 'betpawa';

INSERT INTO competitor_tournaments (source, sport_id, name, external_id)
SELECT source, id, 'League', '1'
FROM sports, unnest('{{sportybet,bet9ja}}'::text[]) AS source WHERE slug = 'football';

INSERT INTO competitor_events (source, tournament_id, betpawa_event_id, name, home_team, away_team,
    kickoff, external_id, sportradar_id)
SELECT t.source, t.id, e.id, e.name, e.home_team, e.away_team, e.kickoff, e.id::text,
    e.sportradar_id
FROM competitor_tournaments AS t, events AS e;

INSERT INTO scrape_batches (status)
SELECT 'completed' FROM generate_series(0, {scrapes} - 1) AS n;

INSERT INTO scrape_runs (status, batch_id, platform, events_scraped)
SELECT b.status, b.id, p.platform, {events}
FROM scrape_batches AS b, unnest('{{betpawa,sportybet,bet9ja}}'::text[]) AS p (platform)
ORDER BY b.id;
"""

# In the order of the scrapes, as ingestion writes them.
_SNAPSHOTS = """
INSERT INTO {snapshots} ({event}, {bookmaker_column} captured_at, scrape_run_id, is_complete,
    confirmed_at, last_confirmed_at)
SELECT e.id, {bookmaker_value} at, r.id, n = 0 OR (n + e.id) % {cycle} = 0,
    ARRAY[at + interval '1 minute', at + interval '2 minutes'], at + interval '2 minutes'
FROM generate_series(0, {scrapes} - 1) AS n
CROSS JOIN LATERAL (
    SELECT '{start}'::timestamptz + n * interval '5 minutes' AS at
) AS instants
CROSS JOIN {events_table} AS e
JOIN scrape_runs AS r ON r.batch_id = n + 1 AND r.platform = {platform}
ORDER BY n, e.id;
"""

_MARKETS = """
INSERT INTO {markets} ({event}, snapshot_id, betpawa_market_id, betpawa_market_name, line,
    specifiers, outcomes, unavailable_at)
SELECT s.{event}, s.id, (3743 + m / 9)::text, 'Market ' || m / 9 || ' - Full Time',
    CASE WHEN m % 9 > 0 THEN m % 9 END,
    CASE WHEN m % 5 < 2 THEN 'minute=15|player=sr:player:' || m END,
    format('[{{"name": "Home", "odds": %s, "is_active": true}}, '
        '{{"name": "Draw", "odds": %s, "is_active": true}}, '
        '{{"name": "Away", "odds": %s, "is_active": %s}}]',
        2 + (m + s.id) % 97 * 0.01, 3 + (m + s.id) % 89 * 0.01,
        CASE WHEN (m + s.id) % 20 = 0 THEN 'null' ELSE (3 + (m + s.id) % 83 * 0.01)::text END,
        ((m + s.id) % 20 > 0)::text
    )::jsonb,
    CASE WHEN NOT s.is_complete AND (m + s.id) % 13 = 0 THEN s.captured_at END
FROM {snapshots} AS s
JOIN generate_series(0, {per_event} - 1) AS m
    ON s.is_complete OR (m + s.id / 100) % {cycle} = 0
WHERE s.id BETWEEN $1 AND $2
ORDER BY s.id, m;
"""


async def fill(connection: "asyncpg.Connection[Any]", rows: int, events: int) -> int:
    """Write about `rows` market rows of `events` events at three platforms.

    The database is migrated and has no events. Its constraints and indexes stay on.
    Returns the number of scrapes.
    """
    scrapes = max(1, round(rows / (events * len(PLATFORMS) * ROWS)))
    await connection.execute(_EVENTS.format(events=events, scrapes=scrapes))
    bookmaker_id = await connection.fetchval("SELECT id FROM bookmakers WHERE slug = 'betpawa'")
    for names in (
        {
            "snapshots": "odds_snapshots",
            "markets": "market_odds",
            "event": "event_id",
            "events_table": "events",
            "bookmaker_column": "bookmaker_id,",
            "bookmaker_value": f"{bookmaker_id},",
            "platform": "'betpawa'",
        },
        {
            "snapshots": "competitor_odds_snapshots",
            "markets": "competitor_market_odds",
            "event": "competitor_event_id",
            "events_table": "competitor_events",
            "bookmaker_column": "",
            "bookmaker_value": "",
            "platform": "e.source",
        },
    ):
        names |= {"scrapes": scrapes, "cycle": CYCLE, "per_event": MARKETS, "start": _START}
        await connection.execute(_SNAPSHOTS.format(**names))
        last = await connection.fetchval(f"SELECT max(id) FROM {names['snapshots']}")
        # In parts: a single INSERT would sort all rows first.
        for first in range(1, last + 1, 10_000):
            await connection.execute(_MARKETS.format(**names), first, first + 9_999)
    await connection.execute("VACUUM ANALYZE")
    return scrapes


def at(scrape: float) -> datetime:
    """Return the time of a scrape."""
    return _START + scrape * timedelta(minutes=5)
