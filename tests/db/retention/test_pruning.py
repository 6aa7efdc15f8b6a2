"""The content after a prune: every instant from its cutoff on, and nothing older.

The model keeps every capture. After any prunes, in any order with captures that arrive in time,
late or again, the database is compared with it.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsschema import IngestOptions, PruneReport, ingest, prune
from oddsschema.retention import Removed
from tests.support.histories import START
from tests.support.prune_checks import (
    assert_pruned,
    assert_states,
    command,
    connected,
    price_histories,
    pruned,
)
from tests.support.pruned_histories import (
    CHANGES,
    MANY_EVENTS,
    MINUTES,
    PLATFORMS,
    History,
    at,
    markets,
    scraped,
)
from tests.support.sessions import fetch, holding, waiting

Run = Callable[..., Any]


#: Few versions of six markets: a snapshot of changes holds less than the state at its instant.
VERSIONS = st.dictionaries(st.integers(0, 5), st.integers(0, 2), max_size=2)
CAPTURES = st.lists(
    st.tuples(st.sampled_from(PLATFORMS), st.integers(0, 8), VERSIONS), min_size=5, max_size=20
)
STORAGE = st.builds(
    IngestOptions,
    store=st.sampled_from(["changes", "changes", "changes", "complete"]),
    keyframe_share=st.sampled_from([10.0, 10.0, 1.0, 0.5]),
    keyframe_age=st.sampled_from([timedelta(days=1), timedelta(days=1), timedelta(minutes=2)]),
    chunk_rows=st.integers(1, 40),
)


@given(
    steps=st.lists(st.tuples(CAPTURES, STORAGE) | st.integers(-1, 19), min_size=1, max_size=6),
    kickoff=st.sampled_from([3, 6, 10_000]),
    chunk_rows=st.integers(1, 40),
)
def test_states_after_the_cutoff_are_unchanged(
    steps: list[Any], kickoff: int, chunk_rows: int, connection: Any, run: Run
) -> None:
    """For any captures, storage and prunes in any order, the database agrees with the model."""
    model = History(kickoff)
    horizon = -1

    async def body() -> None:
        nonlocal horizon
        for step in steps:
            if isinstance(step, int):
                cutoff = at(step / 2)
                before = await price_histories(connection, cutoff)
                await pruned(connection, cutoff, chunk_rows)
                model.prune(cutoff)
                assert await price_histories(connection, cutoff) == {
                    listing: history
                    for listing, history in before.items()
                    if listing in model.instants
                }
                horizon = max(horizon, step)
            else:
                captures, options = step
                delivered = [
                    model.captured(platform, "1", minute, markets(versions))
                    for platform, minute, versions in captures
                ]
                report = await ingest(connection, delivered, options=options)
                assert report.all_stored, report
            await model.assert_stored(connection, [at(half / 2) for half in range(horizon, 20)])

    async def rolled_back() -> None:
        transaction = connection.transaction()
        await transaction.start()
        try:
            await body()
        finally:
            await transaction.rollback()

    run(rolled_back())


def test_late_capture_after_a_prune(database: str, run: Run) -> None:
    """A late capture is stored, is read correctly from the cutoff on, and is pruned next time."""
    model = History()

    async def body() -> None:
        first = [
            model.captured(platform, "1", minute, markets({0: minute % 3}))
            for platform in PLATFORMS
            for minute in (0, 2, 4, 8)
        ]
        await ingest(database, first, options=CHANGES)
        await prune(database, at(5))
        # Before the state at the cutoff, between it and the cutoff, and a new event.
        late = [
            model.captured(platform, event, minute, markets({1: 2}))
            for platform in PLATFORMS
            for event, minute in (("1", 1), ("1", 4.5), ("2", 3))
        ]
        report = await ingest(database, late, options=CHANGES)
        assert report.total.captures_stored == len(late)
        await assert_states(database, model, [5, 6, 7, 8, 9])
        report = await prune(database, at(5))
        assert report.tables["odds_snapshots"].rows == 4
        assert report.tables["competitor_odds_snapshots"].rows == 2
        await assert_states(database, model, [5, 6, 7, 8, 9])
        await assert_pruned(database, at(5))

    run(body())


def test_delivered_again_after_a_prune(database: str, run: Run) -> None:
    """Pruned captures that are delivered again are deleted by the next prune."""
    going_on, _, captures = scraped(1)

    async def body() -> None:
        await ingest(database, captures, options=CHANGES)
        await prune(database, at(40))
        await ingest(database, captures, options=CHANGES)
        await assert_states(database, going_on, range(40, MINUTES))
        await prune(database, at(40))
        await assert_states(database, going_on, range(40, MINUTES))
        await assert_pruned(database, at(40))

    run(body())


RUNS = """
INSERT INTO scrape_batches (id, status, started_at, completed_at) VALUES
    (10, 'completed', $1::timestamptz - interval '3 hours', $1::timestamptz - interval '2 hours'),
    (20, 'partial', $1::timestamptz - interval '2 hours', $1::timestamptz - interval '1 hour'),
    (30, 'running', $1::timestamptz - interval '2 hours', NULL),
    (40, 'completed', $1::timestamptz - interval '2 hours', $1::timestamptz + interval '1 hour'),
    (50, 'failed', $1::timestamptz + interval '1 hour', $1::timestamptz + interval '1 hour');
"""
MORE_RUNS = """
INSERT INTO scrape_runs (id, batch_id, status, started_at, completed_at)
SELECT b.id, b.id, b.status, b.started_at, b.completed_at FROM scrape_batches AS b
WHERE b.id >= 10
UNION ALL
SELECT 21, 20, 'running', $1::timestamptz - interval '2 hours', NULL
UNION ALL
SELECT 11, NULL, 'failed', $1::timestamptz - interval '2 hours', NULL
"""
ERRORS = """
INSERT INTO scrape_errors (scrape_run_id, error_type, error_message, occurred_at)
SELECT r.id, 'refused', hours::text, $1::timestamptz + hours * interval '1 hour'
FROM scrape_runs AS r, unnest('{-1,1}'::int[]) AS hours
WHERE r.id >= 10
"""


def test_runs_batches_and_errors(database: str, run: Run) -> None:
    """Runs and batches that ended before the cutoff are deleted; others lose their old errors.

    A snapshot that is kept loses its reference to a deleted run.
    """
    cutoff = at(5)

    async def body() -> None:
        model = History()
        captures = [
            model.captured(platform, "1", minute, markets({}))
            for platform in PLATFORMS
            for minute in (0, 2, 8)
        ]
        await ingest(database, captures, options=IngestOptions(store="complete"))
        async with connected(database) as connection:
            for statement in (RUNS, MORE_RUNS, ERRORS):
                await connection.execute(statement, cutoff)
            for table in ("odds_snapshots", "competitor_odds_snapshots"):
                await connection.execute(
                    f"UPDATE {table} SET scrape_run_id = "
                    "CASE WHEN captured_at > $1 THEN 50 WHEN id % 2 = 0 THEN 10 ELSE 20 END",
                    cutoff,
                )
        planned = await prune(database, cutoff, dry_run=True)
        report = await prune(database, cutoff)
        assert (report.tables, report.kept) == (planned.tables, ())
        await assert_states(database, model, [5, 8, 9])

    run(body())
    batches = "SELECT id FROM scrape_batches WHERE id >= 10 ORDER BY id"
    assert run(fetch(database, batches)) == [(20,), (30,), (40,), (50,)]
    runs = "SELECT id FROM scrape_runs WHERE id >= 10 ORDER BY id"
    assert run(fetch(database, runs)) == [(21,), (30,), (40,), (50,)]
    errors = "SELECT scrape_run_id, error_message FROM scrape_errors ORDER BY 1, 2"
    assert run(fetch(database, errors)) == [
        *((21, "1"), (30, "1"), (40, "1")),
        *((50, "-1"), (50, "1")),
    ]
    of_runs = "SELECT DISTINCT scrape_run_id FROM {} ORDER BY 1"
    for table in ("odds_snapshots", "competitor_odds_snapshots"):
        assert run(fetch(database, of_runs.format(table))) == [(50,), (None,)]


def test_cutoff_by_the_servers_clock(database: str, run: Run) -> None:
    """A duration is counted back from the server's clock: a capture a minute younger is kept."""

    async def body() -> None:
        async with connected(database) as connection:
            now = await connection.fetchval("SELECT now()")
        minutes = [(now - START) / timedelta(minutes=1) - hours * 60 for hours in (3, 2, 1, 0)]
        model = History(10_000_000)
        captures = [model.captured("bet9ja", "1", minute, markets({})) for minute in minutes]
        await ingest(database, captures, options=IngestOptions(store="complete"))
        report = await prune(database, timedelta(hours=1, minutes=59))
        assert timedelta(0) < report.cutoff - now + timedelta(hours=1, minutes=59)
        assert report.tables["competitor_odds_snapshots"].rows == 1
        await assert_states(database, model, minutes[1:])

    run(body())


def test_invalid_cutoffs(database: str, run: Run) -> None:
    """A naive instant and a negative duration are refused; a very long duration keeps all rows."""
    for keep in (datetime(2024, 1, 9), timedelta(seconds=-1)):
        with pytest.raises(ValueError, match="keep must"):
            run(prune(database, keep))
    report = run(prune(database, timedelta(days=999_999)))
    assert report.cutoff == datetime(1970, 1, 1, tzinfo=UTC)
    there = timezone(timedelta(hours=5))
    report = run(prune(database, datetime(2024, 1, 9, 17, tzinfo=there)))
    assert str(report).startswith("before 2024-01-09 12:00:00 UTC")


def test_command(database: str, run: Run) -> None:
    """`prune` prints its plan, deletes, and reports rows that it could not delete."""
    _, _, captures = scraped(1)
    run(ingest(database, captures, options=CHANGES))
    counted = "SELECT count(*) FROM competitor_odds_snapshots"
    before = run(fetch(database, counted))

    planned = command("prune", "--keep", "2w", "--dry-run", "--url", database)
    assert (planned.returncode, planned.stderr) == (0, "")
    assert run(fetch(database, counted)) == before
    as_json = command("prune", "--keep", "2w", "--dry-run", "--json", "--url", database)
    report = PruneReport.model_validate_json(as_json.stdout)
    assert f"{report.tables['competitor_market_odds'].rows:,} rows" in planned.stdout
    # By now, all events are over.
    assert report.tables["competitor_odds_snapshots"].rows == before[0][0]
    assert report.tables["competitor_events"].rows == len(MANY_EVENTS)

    run(fetch(database, "CREATE TABLE picks (event_id INTEGER REFERENCES competitor_events)"))
    run(fetch(database, "INSERT INTO picks SELECT id FROM competitor_events LIMIT 1"))
    done = command("prune", "--keep", "2w", "--url", database)
    assert done.returncode == 1
    assert "\nkept: 1 rows of competitor_events stay: the table picks refers" in done.stderr
    # The linked event of BetPawa, its two listings and its tournament are kept as well.
    assert f"{report.total.rows - 5:,} rows deleted" in done.stdout
    again = command("prune", "--keep", "2w", "--json", "--url", database)
    assert PruneReport.model_validate_json(again.stdout).total == Removed()


@pytest.mark.parametrize("keep", ["", "14", "d", "-1d", "14D", "99999999999999d", "1 d"])
def test_invalid_durations(keep: str) -> None:
    """An invalid duration is refused before any connection."""
    done = command("prune", "--keep", keep, "--url", "postgresql://nobody@localhost:1/none")
    assert done.returncode == 2
    assert "36h, 14d, 5s or 250ms" in done.stderr or "out of range" in done.stderr


RECORDS = """
SELECT (SELECT count(*) FROM scrape_batches), (SELECT count(*) FROM scrape_runs),
    (SELECT count(*) FROM competitor_odds_snapshots), (SELECT count(*) FROM tournaments),
    (SELECT count(*) FROM competitor_tournaments)
"""


@pytest.mark.parametrize(
    ("keep", "keep_runs", "left"),
    [
        *((20, None, (1, 2, 20, 1, 1)), (60, None, (1, 2, 0, 0, 1))),
        # The record is of today, the history of 2024.
        *((timedelta(days=1), timedelta(0), (0, 0, 0, 0, 1)),),
        *((20, timedelta(0), (0, 0, 20, 1, 1)), (0, timedelta(0), (0, 0, 40, 1, 1))),
    ],
)
def test_records_and_tournaments(
    database: str, run: Run, keep: Any, keep_runs: timedelta | None, left: tuple[int, ...]
) -> None:
    """Batches and runs have a cutoff of their own; tournaments go with their last event."""
    model = History(0)
    captures = [
        model.captured(platform, "1", minute, markets({0: minute % 2}))
        for platform in ("betpawa", "bet9ja")
        for minute in range(40)
    ]
    run(ingest(database, captures, options=IngestOptions(store="complete")))
    cutoff = at(keep) if isinstance(keep, int) else keep
    planned = run(prune(database, cutoff, keep_runs=keep_runs, dry_run=True))
    report = run(prune(database, cutoff, keep_runs=keep_runs))
    assert report.tables == planned.tables
    # The competitor's tournament is of today.
    assert run(fetch(database, RECORDS)) == [left]
    if keep_runs is not None:
        assert report.runs_cutoff > report.cutoff


REPORTED = """
INSERT INTO unmapped_markets (source, market_id, times_seen, first_seen_at, last_seen_at)
SELECT 'bet9ja', days, 1, '2024-01-01Z', now() - days * interval '1 day'
FROM generate_series(0, 9) AS days
"""


@pytest.mark.parametrize(("keep_runs", "left"), [(None, 8), (timedelta(days=3.5), 4)])
def test_unmapped_markets(database: str, run: Run, keep_runs: timedelta | None, left: int) -> None:
    """A market that no scraper has reported since the cutoff of the runs is deleted."""
    run(fetch(database, REPORTED))
    keep = timedelta(days=7.5)
    planned = run(prune(database, keep, keep_runs=keep_runs, dry_run=True))
    report = run(prune(database, keep, keep_runs=keep_runs))
    assert report.tables == planned.tables
    assert report.tables["unmapped_markets"].rows == 10 - left
    rows = run(fetch(database, "SELECT market_id FROM unmapped_markets ORDER BY market_id"))
    assert rows == [(str(days),) for days in range(left)]


def test_reports_beside_a_prune(database: str, run: Run) -> None:
    """A market that is reported again during a prune stays, with all of its reports."""
    run(fetch(database, REPORTED))

    async def body() -> None:
        async with holding(database, "SELECT FROM unmapped_markets FOR UPDATE") as other:
            pruning = asyncio.create_task(prune(database, timedelta(0)))
            await waiting(other, unless=pruning)
            await other.execute("UPDATE unmapped_markets SET last_seen_at = now() + '1 day'")
        report = await pruning
        assert report.tables.get("unmapped_markets", Removed()).rows == 0

    run(body())
    assert run(fetch(database, "SELECT count(*) FROM unmapped_markets")) == [(10,)]


def test_new_tournaments(database: str, run: Run) -> None:
    """A competitor's tournament that has no event yet is kept until it is old."""
    insert = """
        INSERT INTO competitor_tournaments (source, sport_id, name, external_id, created_at)
        VALUES ('bet9ja', 1, 'Cup', '1', now() - interval '1 day'), ('bet9ja', 1, 'Cup', '2', now())
    """
    run(fetch(database, insert))
    run(prune(database, timedelta(hours=1)))
    assert run(fetch(database, "SELECT external_id FROM competitor_tournaments")) == [("2",)]
