"""Sources whose columns have other types than the plan's."""

from collections.abc import Callable
from datetime import UTC
from typing import Any

import pytest

from oddsschema import adopt
from tests.support.sessions import execute, fetch

Run = Callable[..., Any]

RECORDS = """
INSERT INTO scrape_runs (id, status, started_at) VALUES (8, 'completed', '2024-10-27 00:00');
INSERT INTO scrape_errors (scrape_run_id, bookmaker_id, error_type, error_message)
VALUES (8, 7, 'timeout', 'no answer');
UPDATE odds_snapshots SET scrape_run_id = 8;
UPDATE market_odds SET betpawa_market_id = '3744', line = 1, handicap_type = 'asian',
    handicap_home = 1, handicap_away = -1;
UPDATE competitor_events SET external_id = '501', deleted_at = '2024-10-28 00:00';
UPDATE competitor_tournaments SET external_id = '9';
UPDATE event_bookmakers SET external_event_id = '601';
UPDATE events SET sportradar_id = '77';
"""

#: Other types of columns, which hold the same values.
TYPES = {
    "enum": """
        CREATE TYPE slug AS ENUM ('football', 'betpawa', 'bet9ja');
        CREATE TYPE kind AS ENUM ('asian', 'completed', 'timeout');
        CREATE TYPE country AS ENUM ('Unknown');
        ALTER TABLE sports ALTER slug TYPE slug USING slug::slug;
        ALTER TABLE bookmakers ALTER slug TYPE slug USING slug::slug;
        ALTER TABLE competitor_tournaments ALTER source TYPE slug USING source::slug;
        ALTER TABLE competitor_events ALTER source TYPE slug USING source::slug;
        ALTER TABLE tournaments ALTER country DROP DEFAULT,
            ALTER country TYPE country USING country::country;
        ALTER TABLE market_odds ALTER handicap_type TYPE kind USING handicap_type::kind;
        ALTER TABLE scrape_runs ALTER status DROP DEFAULT,
            ALTER status TYPE kind USING status::kind;
        ALTER TABLE scrape_errors ALTER error_type TYPE kind USING error_type::kind;
    """,
    "enum of members' names": """
        CREATE TYPE source AS ENUM ('SPORTYBET', 'BET9JA');
        CREATE TYPE status AS ENUM ('PENDING', 'COMPLETED');
        ALTER TABLE competitor_tournaments ALTER source TYPE source USING upper(source)::source;
        ALTER TABLE competitor_events ALTER source TYPE source USING upper(source)::source;
        ALTER TABLE scrape_runs ALTER status DROP DEFAULT,
            ALTER status TYPE status USING upper(status)::status;
    """,
    "numbers": """
        ALTER TABLE events ALTER sportradar_id TYPE bigint USING sportradar_id::bigint;
        ALTER TABLE competitor_events ALTER external_id TYPE bigint USING external_id::bigint,
            ALTER sportradar_id TYPE int USING sportradar_id::int;
        ALTER TABLE competitor_tournaments ALTER external_id TYPE int USING external_id::int;
        ALTER TABLE event_bookmakers
            ALTER external_event_id TYPE int USING external_event_id::int;
        ALTER TABLE market_odds ALTER betpawa_market_id TYPE int USING betpawa_market_id::int,
            ALTER line TYPE numeric(6, 2), ALTER handicap_home TYPE numeric,
            ALTER handicap_away TYPE real;
    """,
    "padded text": """
        ALTER TABLE sports ALTER slug TYPE char(30), ALTER name TYPE char(30);
        ALTER TABLE bookmakers ALTER slug TYPE char(30);
        ALTER TABLE tournaments ALTER name TYPE char(50), ALTER country TYPE char(50);
        ALTER TABLE events ALTER sportradar_id TYPE char(50), ALTER name TYPE char(50);
        ALTER TABLE competitor_events ALTER source TYPE char(20), ALTER external_id TYPE char(50);
        ALTER TABLE competitor_tournaments ALTER source TYPE char(20),
            ALTER external_id TYPE char(50);
        ALTER TABLE market_odds ALTER betpawa_market_id TYPE char(20);
    """,
    "domains": """
        CREATE DOMAIN moment AS timestamp;
        CREATE DOMAIN document AS jsonb CHECK (value IS NOT NULL);
        CREATE DOMAIN word AS text;
        ALTER TABLE odds_snapshots ALTER captured_at TYPE moment;
        ALTER TABLE competitor_odds_snapshots ALTER captured_at TYPE moment;
        ALTER TABLE market_odds ALTER outcomes TYPE document, ALTER betpawa_market_id TYPE word;
        ALTER TABLE competitor_events ALTER source TYPE word;
    """,
    "bigint keys": """
        ALTER TABLE sports ALTER id TYPE bigint;
        ALTER TABLE tournaments ALTER id TYPE bigint, ALTER sport_id TYPE bigint;
        ALTER TABLE bookmakers ALTER id TYPE smallint;
        ALTER TABLE events ALTER id TYPE bigint, ALTER tournament_id TYPE bigint;
        ALTER TABLE odds_snapshots ALTER id TYPE int, ALTER event_id TYPE bigint,
            ALTER scrape_run_id TYPE bigint;
        ALTER TABLE scrape_runs ALTER id TYPE bigint;
        ALTER TABLE scrape_errors ALTER scrape_run_id TYPE bigint;
    """,
}

CONTENT = """
SELECT s.captured_at, r.status, m.betpawa_market_id, m.line, m.handicap_type, m.handicap_home,
    m.outcomes, e.sportradar_id, b.slug, l.external_event_id, sp.slug, t.name, t.country
FROM odds_snapshots AS s JOIN market_odds AS m ON m.snapshot_id = s.id
JOIN events AS e ON e.id = s.event_id JOIN tournaments AS t ON t.id = e.tournament_id
JOIN sports AS sp ON sp.id = t.sport_id JOIN bookmakers AS b ON b.id = s.bookmaker_id
JOIN event_bookmakers AS l ON l.event_id = e.id
LEFT JOIN scrape_runs AS r ON r.id = s.scrape_run_id
"""

THEIRS = """
SELECT s.captured_at, e.source, e.external_id, e.sportradar_id, e.deleted_at, t.source,
    t.external_id, e.betpawa_event_id IS NOT NULL
FROM competitor_odds_snapshots AS s JOIN competitor_events AS e ON e.id = s.competitor_event_id
JOIN competitor_tournaments AS t ON t.id = e.tournament_id
"""

ERRORS = """
SELECT b.slug, e.error_type FROM scrape_errors AS e JOIN bookmakers AS b ON b.id = e.bookmaker_id
"""


def stored(url: str, run: Run) -> list[Any]:
    """Return the rows of the match, with its odds at both bookmakers, and of the error."""
    return [run(fetch(url, sql)) for sql in (CONTENT, THEIRS, ERRORS)]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("types", TYPES.values(), ids=TYPES)
def test_other_types(
    types: str, source: str, database: str, new_database: Any, template: str, run: Run
) -> None:
    """Columns of other types are read as those of the plan."""
    run(execute(source, RECORDS))
    with new_database(template) as expected:
        assert run(adopt(expected, source, timezone=UTC)).all_stored
        run(execute(source, types))
        report = run(adopt(database, source, timezone=UTC))
        assert report.all_stored, report
        assert [table.left for table in report.tables if table.left] == []
        assert stored(database, run) == stored(expected, run)
        assert [len(rows) for rows in stored(database, run)] == [1, 1, 1]
