"""An adoption of 100,000 market rows."""

from collections.abc import Callable
from datetime import UTC
from typing import Any

from oddsschema import adopt
from tests.support.sessions import execute, fetch

Run = Callable[..., Any]

#: Ten matches of BetPawa and of Bet9ja.
MATCHES = """
INSERT INTO sports (id, name, slug) VALUES (1, 'Football', 'football');
INSERT INTO bookmakers (id, name, slug) VALUES (1, 'BetPawa', 'betpawa');
INSERT INTO tournaments (id, sport_id, name) VALUES (1, 1, 'Super League');
INSERT INTO events (id, tournament_id, name, home_team, away_team, kickoff, sportradar_id)
SELECT n, 1, 'A - B', 'A', 'B', '2024-11-01 19:00', n::text FROM generate_series(1, 10) AS n;
INSERT INTO event_bookmakers (event_id, bookmaker_id, external_event_id)
SELECT n, 1, 'x' || n FROM generate_series(1, 10) AS n;
INSERT INTO competitor_tournaments (id, source, sport_id, name, external_id)
VALUES (1, 'bet9ja', 1, 'Super League', 't1');
INSERT INTO competitor_events
    (id, source, tournament_id, name, home_team, away_team, kickoff, external_id, sportradar_id)
SELECT n, 'bet9ja', 1, 'A - B', 'A', 'B', '2024-11-01 19:00', 'e' || n, n::text
FROM generate_series(1, 10) AS n;
"""

#: 50 snapshots of each match, a minute apart.
SNAPSHOTS = """
INSERT INTO {snapshots} (id, {event}, captured_at {columns})
SELECT n, 1 + n % 10, timestamp '2024-10-20' + n / 10 * interval '1 minute' {values}
FROM generate_series(0, 499) AS n
"""

#: 100 markets in each snapshot, of which a tenth has another price each time.
MARKETS = """
INSERT INTO {markets} (snapshot_id, betpawa_market_id, betpawa_market_name, line, outcomes)
SELECT n, m::text, 'Total ' || m, m / 4.0, json_build_array(
    json_build_object('name', 'Over', 'odds', 1.5 + price, 'is_active', true),
    json_build_object('name', 'Under', 'odds', 2.5 - price, 'is_active', true)
)
FROM generate_series(0, 499) AS n, generate_series(1, 100) AS m,
    LATERAL (SELECT CASE WHEN m % 10 = 0 THEN (n / 10) / 100.0 ELSE 0.1 END) AS p (price)
"""

SIDES = (
    {
        "snapshots": "odds_snapshots",
        "markets": "market_odds",
        "event": "event_id",
        "columns": ", bookmaker_id",
        "values": ", 1",
    },
    {
        "snapshots": "competitor_odds_snapshots",
        "markets": "competitor_market_odds",
        "event": "competitor_event_id",
        "columns": "",
        "values": "",
    },
)


def test_hundred_thousand_markets(plan_database: str, database: str, run: Run) -> None:
    """100,000 market rows are stored and read back equal, in a fraction of the rows."""
    run(execute(plan_database, MATCHES))
    for side in SIDES:
        run(execute(plan_database, SNAPSHOTS.format(**side), MARKETS.format(**side)))
    report = run(adopt(database, plan_database, timezone=UTC))
    assert report.all_stored
    stored = {table.name: table.stored for table in report.tables}
    for side in SIDES:
        assert (stored[side["snapshots"]], stored[side["markets"]]) == (500, 50_000)
        ((rows,),) = run(fetch(database, f"SELECT count(*) FROM {side['markets']}"))
        assert 5_000 < rows < 25_000
