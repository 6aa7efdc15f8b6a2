"""Batches, runs and errors of the source are kept, each once."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from oddsschema import adopt, ingest
from tests.support.scrapes import scrapes
from tests.support.sessions import execute, fetch

Run = Callable[..., Any]

#: A batch of two runs that started at one instant, and one of a run that goes on.
RECORDS = """
INSERT INTO sports (id, name, slug) VALUES (5, 'Football', 'football');
INSERT INTO bookmakers (id, name, slug) VALUES (7, 'BetPawa', 'betpawa');
INSERT INTO tournaments (id, sport_id, name) VALUES (3, 5, 'Super League');
INSERT INTO events (id, tournament_id, name, home_team, away_team, kickoff, sportradar_id)
VALUES (11, 3, 'Basel - Zurich', 'Basel', 'Zurich', '2024-11-01 19:00', '77');
INSERT INTO scrape_batches (id, started_at, completed_at, status, trigger, notes) VALUES
    (40, '2024-10-20 12:00', '2024-10-20 12:05', 'partial', 'scheduled', 'noon'),
    (41, '2024-10-20 13:00', NULL, 'running', NULL, NULL);
INSERT INTO scrape_runs
    (id, started_at, completed_at, status, events_scraped, events_failed, trigger,
     platform_timings, batch_id)
VALUES
    (50, '2024-10-20 12:00', '2024-10-20 12:04', 'completed', 9, 0, 'scheduled', '{"a": 1.5}', 40),
    (51, '2024-10-20 12:00', '2024-10-20 12:05', 'failed', 0, 4, 'scheduled', NULL, 40),
    (52, '2024-10-20 13:00', NULL, 'running', 1, 0, NULL, NULL, 41);
INSERT INTO scrape_errors
    (scrape_run_id, bookmaker_id, event_id, error_type, error_message, occurred_at)
VALUES
    (51, 7, 11, 'timeout', 'no answer', '2024-10-20 12:01'),
    (51, NULL, NULL, 'timeout', 'no answer', '2024-10-20 12:02'),
    (51, NULL, NULL, 'timeout', 'no answer', '2024-10-20 12:02');
INSERT INTO odds_snapshots (id, event_id, bookmaker_id, captured_at, scrape_run_id) VALUES
    (100, 11, 7, '2024-10-20 12:01', 50), (101, 11, 7, '2024-10-20 13:01', 52);
INSERT INTO market_odds (snapshot_id, betpawa_market_id, betpawa_market_name, outcomes) VALUES
    (100, '3743', '1X2', '[{"name": "1", "odds": 1.5}]'),
    (101, '3743', '1X2', '[{"name": "1", "odds": 1.6}]');
"""

#: The rows that are kept, without ids: batches with their runs, errors and snapshots.
KEPT = """
SELECT b.started_at, b.completed_at, b.status, b.trigger, b.notes,
    r.started_at, r.completed_at, r.status, r.trigger, r.events_scraped, r.events_failed,
    r.platform_timings::text,
    ARRAY(
        SELECT concat_ws(' ', m.slug, v.sportradar_id, e.error_type, e.error_message,
            e.occurred_at AT TIME ZONE 'UTC')
        FROM scrape_errors AS e LEFT JOIN events AS v ON v.id = e.event_id
        LEFT JOIN bookmakers AS m ON m.id = e.bookmaker_id
        WHERE e.scrape_run_id = r.id ORDER BY e.id
    ),
    ARRAY(SELECT captured_at FROM odds_snapshots AS s WHERE s.scrape_run_id = r.id)
FROM scrape_batches AS b JOIN scrape_runs AS r ON r.batch_id = b.id
WHERE b.trigger IS DISTINCT FROM 'adopt' AND r.started_at < '2024-10-21'
ORDER BY b.started_at, r.id
"""

IDS = "SELECT id FROM scrape_runs WHERE started_at < '2024-10-21' ORDER BY id"


def at(hour: int, minute: int = 0) -> datetime:
    """Return a time of the source's day."""
    return datetime(2024, 10, 20, hour, minute, tzinfo=UTC)


EXPECTED = [
    (
        *(at(12), at(12, 5), "partial", "scheduled", "noon"),
        *(at(12), at(12, 4), "completed", "scheduled", 9, 0, '{"a": 1.5}', [], [at(12, 1)]),
    ),
    (
        *(at(12), at(12, 5), "partial", "scheduled", "noon"),
        *(at(12), at(12, 5), "failed", "scheduled", 0, 4, None),
        [
            "betpawa 77 timeout no answer 2024-10-20 12:01:00",
            *["timeout no answer 2024-10-20 12:02:00"] * 2,
        ],
        [],
    ),
    (
        *(at(13), None, "running", None, None),
        *(at(13), None, "running", None, 1, 0, None, [], [at(13, 1)]),
    ),
]


@pytest.fixture
def source(plan_database: str, run: Run) -> str:
    """Return the URL of a source with batches, runs and errors."""
    run(execute(plan_database, RECORDS))
    return plan_database


@pytest.mark.parametrize("has_runs", [False, True], ids=["empty", "with-runs"])
def test_records_are_kept(has_runs: bool, source: str, database: str, run: Run) -> None:
    """Records are kept once; their ids are kept in an empty database, and are new in another."""
    if has_runs:
        run(ingest(database, scrapes([0], range(60))))
    for _ in range(2):
        assert run(adopt(database, source, timezone=UTC)).all_stored
        assert run(fetch(database, KEPT)) == EXPECTED
    ids = [row[0] for row in run(fetch(database, IDS))]
    assert (ids == [50, 51, 52]) is not has_runs
    assert run(ingest(database, scrapes([1], range(1)))).all_stored


def test_records_that_change(source: str, database: str, run: Run) -> None:
    """A later adoption brings the end of a run, its later errors, and new runs."""
    assert run(adopt(database, source, timezone=UTC)).all_stored
    run(
        execute(
            source,
            "UPDATE scrape_runs SET status = 'completed', completed_at = '2024-10-20 13:05' "
            "WHERE id = 52",
            "INSERT INTO scrape_errors (scrape_run_id, error_type, error_message, occurred_at) "
            "VALUES (51, 'timeout', 'no answer', '2024-10-20 12:02'), "
            "(52, 'late', 'an error', '2024-10-20 13:04')",
            "INSERT INTO scrape_runs (id, started_at, status, batch_id) "
            "VALUES (53, '2024-10-20 13:00', 'completed', 41)",
        )
    )
    assert run(adopt(database, source, timezone=UTC)).all_stored
    first, failed, *last = run(fetch(database, KEPT))
    assert first == EXPECTED[0]
    assert failed[12] == [*EXPECTED[1][12], EXPECTED[1][12][2]]
    assert [(row[6], row[7], row[12]) for row in last] == [
        (at(13, 5), "completed", ["late an error 2024-10-20 13:04:00"]),
        (None, "completed", []),
    ]


def test_refused_records(source: str, database: str, run: Run) -> None:
    """Records that break the contract are refused and named; their snapshots are stored."""
    run(
        execute(
            source,
            "UPDATE scrape_runs SET status = 'cancelled' WHERE id = 50",
            "UPDATE scrape_errors SET scrape_run_id = 99, error_message = '' WHERE id = 3",
        )
    )
    report = run(adopt(database, source, timezone=UTC))
    assert [str(refusal).partition(": ")[0] for refusal in report.refusals] == [
        "scrape_runs:50",
        "scrape_errors:3",
    ]
    assert report.all_equal
    assert [row[:2] for row in run(fetch(database, KEPT))] == [row[:2] for row in EXPECTED[1:]]
    # In the place of the run that was refused is the one that stored the snapshot.
    runs = (
        "SELECT r.platform FROM odds_snapshots AS s "
        "JOIN scrape_runs AS r ON r.id = s.scrape_run_id ORDER BY s.id"
    )
    assert run(fetch(database, runs)) == [("betpawa",), (None,)]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("UPDATE scrape_errors SET occurred_at = NULL", "scrape_errors:1: $: its occurred_at is"),
        ("UPDATE scrape_runs SET started_at = NULL WHERE id = 50", "scrape_runs:50: $: its"),
        (
            "UPDATE scrape_runs SET completed_at = '20000-01-01' WHERE id = 50",
            "scrape_runs:50: $.completed_at: Input should be less than 2201",
        ),
        (
            "UPDATE scrape_errors SET occurred_at = '0044-03-15 BC'",
            "scrape_errors:1: $.occurred_at: Input should be greater than",
        ),
    ],
)
def test_records_without_a_time(
    change: str, reason: str, source: str, database: str, run: Run
) -> None:
    """A record without a time, or with a time that Python cannot have, is refused and named."""
    run(execute(source, change))
    report = run(adopt(database, source, timezone=UTC))
    assert str(report.refusals[0]).startswith(reason)
    assert report.all_equal and not report.all_stored


@pytest.mark.parametrize("timings", ['"fast"', r'"{\"betpawa\": 1}"', "true", "[1.5]", "7"])
def test_timings_of_any_form(timings: str, source: str, database: str, run: Run) -> None:
    """Timings are copied as the JSON that they are, text that looks like an object included."""
    run(execute(source, f"UPDATE scrape_runs SET platform_timings = '{timings}' WHERE id = 50"))
    assert run(adopt(database, source, timezone=UTC)).all_stored
    stored = "SELECT platform_timings::text FROM scrape_runs WHERE platform_timings IS NOT NULL"
    assert run(fetch(database, stored)) == [(timings,)]
