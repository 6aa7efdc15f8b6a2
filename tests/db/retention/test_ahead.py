"""The content after a prune of the future: every other instant, and nothing of the future.

The model has every capture but those of the future. The database gets those, too, in any order with
captures that arrive in time, late, again, and with refused markets.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsschema import (
    IngestOptions,
    IngestReport,
    PruneOptions,
    PruneReport,
    ingest,
    prune_ahead,
)
from oddsschema.database.clock import MAX_AHEAD
from oddsschema.models.sides import SIDES
from oddsschema.retention import Removed
from tests.support.histories import KICKOFF, START, STORAGE, Model, captured
from tests.support.prune_checks import command, connected
from tests.support.pruned_histories import PLATFORMS, History, markets
from tests.support.sessions import fetch, holding, rolled_back, waiting

Run = Callable[..., Any]

#: The time from the instants of the model to those of the future.
CENTURY = timedelta(days=365 * 100)
#: The captures' instants, and instants between them.
INSTANTS = [START + timedelta(seconds=30 * half) for half in range(-1, 20)]

#: Deliveries of captures, with their options of storage, and whether they are of the future.
DELIVERIES = st.lists(
    st.tuples(captured(PLATFORMS, ("1", "2"), KICKOFF, refusals=True), STORAGE, st.booleans()),
    min_size=2,
    max_size=6,
)


def ahead(capture: dict[str, Any], by: timedelta = CENTURY) -> dict[str, Any]:
    """Change the time of a capture to the future."""
    return capture | {"captured_at": capture["captured_at"] + by}


#: The times of all captures by event: of snapshots, and of confirmations.
TIMES = " UNION ALL ".join(
    f"SELECT s.captured_at FROM {side.snapshots} AS s "
    f"UNION ALL SELECT unnest(s.confirmed_at) FROM {side.snapshots} AS s"
    for side in SIDES
)
#: Snapshots whose last confirmation is not the last of all.
WRONG_LAST = " UNION ALL ".join(
    f"SELECT FROM {side.snapshots} AS s "
    "WHERE s.last_confirmed_at IS DISTINCT FROM (SELECT max(at) FROM unnest(s.confirmed_at) AS at)"
    for side in SIDES
)
#: The numbers of rows by table.
ROWS = {
    table: f"SELECT count(*) FROM {table} AS t"
    for side in SIDES
    for table in (side.snapshots, side.markets)
}


async def counted(connection: Any) -> dict[str, int]:
    """Count the rows of the histories."""
    return {table: await connection.fetchval(sql) for table, sql in ROWS.items()}


async def deliver(connection: Any, deliveries: list[Any], model: Model) -> None:
    """Store deliveries; the model takes those that are not of the future."""
    for captures, options, is_ahead in deliveries:
        if is_ahead:
            captures, options = list(map(ahead, captures)), replace(options, max_ahead=None)
        report = await ingest(connection, captures, options=options)
        assert report.total.captures_refused == report.total.captures_lost == 0, report
        for each in () if is_ahead else captures:
            model.take(each)


@given(before=DELIVERIES, after=DELIVERIES, chunk_rows=st.integers(1, 40))
def test_other_instants_are_unchanged(
    before: list[Any], after: list[Any], chunk_rows: int, connection: Any, run: Run
) -> None:
    """After a prune of the future, the database agrees with a model that never had it."""

    async def body() -> None:
        model = History()
        await deliver(connection, before, model)
        rows = await counted(connection)
        times = {row[0] for row in await connection.fetch(TIMES)}
        planned = await prune_ahead(connection, dry_run=True)
        report = await prune_ahead(connection, options=PruneOptions(chunk_rows=chunk_rows))
        assert report.kept == ()
        assert (report.tables, report.confirmations) == (planned.tables, planned.confirmations)
        assert await counted(connection) == {
            table: number - report.tables[table].rows for table, number in rows.items()
        }
        kept = {row[0] for row in await connection.fetch(TIMES)}
        assert kept == {time for time in times if time <= report.cutoff}
        assert kept == {at for instants in model.instants.values() for at in instants}
        assert await connection.fetch(WRONG_LAST) == []
        await model.assert_stored(connection, [*INSTANTS, START + 2 * CENTURY])
        again = await prune_ahead(connection)
        assert (again.total, again.confirmations) == (Removed(), 0)
        # The next captures are in time again.
        await deliver(connection, after, model)
        await model.assert_stored(connection, INSTANTS)

    run(rolled_back(connection, body()))


POISONED = timedelta(days=1)


def scraped_by_a_wrong_clock(now: datetime) -> tuple[History, list[Any]]:
    """Make captures of the last hour for each platform, and the captures of a wrong clock."""
    model = History((now - START) / timedelta(minutes=1) + 10_000)
    start = (now - START) / timedelta(minutes=1) - 60
    wrong = []
    for platform in PLATFORMS:
        for event in ("1", "2"):
            for minute in range(3):
                versions = {0: minute % 2}
                capture = model.captured(platform, event, start + minute, markets(versions))
                wrong.append(ahead(capture, POISONED))
    return model, wrong


async def stored(database: str, captures: list[Any]) -> IngestReport:
    """Store captures whose times are not compared with a clock."""
    report = await ingest(database, captures, options=replace(OPTIONS, max_ahead=None))
    assert report.all_stored, report
    return report


OPTIONS = IngestOptions(keyframe_share=10.0)


def test_captures_are_in_time_again(database: str, run: Run) -> None:
    """After the prune, captures are stored as changes again, and bring events up to date."""

    async def body() -> None:
        now = datetime.now(UTC)
        model, wrong = scraped_by_a_wrong_clock(now)
        past = [ahead(capture, -POISONED) for capture in wrong]
        await stored(database, past)
        await stored(database, wrong)
        later = (now - START) / timedelta(minutes=1)

        async def ingest_next(minute: float) -> int:
            model.kickoff += timedelta(hours=1)
            captures = [
                model.captured(platform, event, later + minute, markets({1: round(minute) + 12}))
                for platform in PLATFORMS
                for event in ("1", "2")
            ]
            return (await stored(database, captures)).total.markets_stored

        histories = len(PLATFORMS) * 2
        # Each late capture is a keyframe.
        assert await ingest_next(-9) >= 5 * histories
        assert await kickoffs(database) == {model.kickoff - timedelta(hours=1)}
        report = await prune_ahead(database)
        assert report.tables["competitor_odds_snapshots"].rows == 2 * 3
        assert report.tables["odds_snapshots"].rows == 4 * 3
        # One price has changed.
        assert await ingest_next(-8) == histories
        assert await kickoffs(database) == {model.kickoff}
        async with connected(database) as connection:
            instants = [now - timedelta(minutes=minute) for minute in (60, 59, 58, 30, 9, 8, 0)]
            await model.assert_stored(connection, instants)

    run(body())


async def kickoffs(database: str) -> set[datetime]:
    """Return the kickoffs of all events."""
    both = "SELECT kickoff FROM events UNION SELECT kickoff FROM competitor_events"
    return {kickoff for (kickoff,) in await fetch(database, both)}


def test_captures_within_the_limit_stay(database: str, run: Run) -> None:
    """Captures that an ingestion accepts are kept; `max_ahead` sets the limit."""

    async def body() -> None:
        _, wrong = scraped_by_a_wrong_clock(datetime.now(UTC))
        capture = wrong[0]
        now = datetime.now(UTC)
        times = [now + MAX_AHEAD * share for share in (-0.5, 0.5, 1.5, 3.5)]
        for time in times:
            for confirmed in (time, time + timedelta(seconds=1)):
                await stored(database, [capture | {"captured_at": confirmed}])
        assert (await prune_ahead(database, 4 * MAX_AHEAD)).total == Removed()
        for limit, kept in ((2 * MAX_AHEAD, 6), (MAX_AHEAD, 4), (timedelta(0), 2)):
            report = await prune_ahead(database, limit)
            assert report.confirmations == 2
            assert len(await fetch(database, TIMES)) == kept
        with pytest.raises(ValueError, match="must not be negative"):
            await prune_ahead(database, timedelta(seconds=-1))
        assert (await prune_ahead(database, timedelta.max)).total == Removed()

    run(body())


def test_beside_ingestions(database: str, run: Run) -> None:
    """Prunes of the future beside ingestions finish, and nothing else is lost."""

    async def body() -> None:
        now = datetime.now(UTC)
        model, wrong = scraped_by_a_wrong_clock(now)
        start = (now - START) / timedelta(minutes=1) - 50
        await stored(database, wrong)
        fresh = [
            model.captured(platform, event, start + minute, markets({0: minute % 3}))
            for minute in range(20)
            for platform in PLATFORMS
            for event in ("1", "2")
        ]
        past = [ahead(capture, -POISONED) for capture in wrong]
        small = PruneOptions(chunk_rows=10)
        tasks = (
            ingest(database, [*fresh, *past], options=IngestOptions(chunk_rows=30)),
            ingest(database, [*past, *fresh[::3]], options=IngestOptions(chunk_rows=30)),
            prune_ahead(database, options=small),
            prune_ahead(database, options=small),
        )
        *reports, first, second = await asyncio.gather(*tasks)
        assert all(report.all_stored for report in reports), reports
        assert (first.kept, second.kept) == ((), ())
        assert (await prune_ahead(database)).total == Removed()
        async with connected(database) as connection:
            instants = [now - timedelta(minutes=minute) for minute in range(61)]
            await model.assert_stored(connection, instants)

    run(body())


def test_interrupted_and_repeated(database: str, run: Run) -> None:
    """After each transaction of a prune, all other instants read as before."""

    async def body() -> None:
        now = datetime.now(UTC)
        model, wrong = scraped_by_a_wrong_clock(now)
        await stored(database, [*wrong, *(ahead(capture, -POISONED) for capture in wrong)])
        instants = [now - timedelta(minutes=minute) for minute in (61, 60, 59, 58, 0)]
        whole = (await prune_ahead(database, dry_run=True)).total
        rest = [whole.rows]

        class Interruption(Exception):
            pass

        def interrupt(report: PruneReport) -> None:
            if report.total.rows:
                raise Interruption

        while rest[-1]:
            options = PruneOptions(chunk_rows=1, on_progress=interrupt)
            with pytest.raises(Interruption):
                await prune_ahead(database, options=options)
            async with connected(database) as connection:
                await model.assert_stored(connection, instants)
            rest.append((await prune_ahead(database, dry_run=True)).total.rows)
        assert rest == sorted(set(rest), reverse=True)
        assert len(rest) > 10

    run(body())


def test_locked_events_and_references(database: str, run: Run) -> None:
    """Events that are locked for long, and rows that others refer to, are kept and reported."""

    async def body() -> None:
        _, wrong = scraped_by_a_wrong_clock(datetime.now(UTC))
        await stored(database, wrong)
        lock = "SELECT FROM competitor_events WHERE external_id = '2' FOR NO KEY UPDATE"
        async with holding(database, lock):
            options = PruneOptions(patience=timedelta(seconds=0.2))
            (kept,) = (await prune_ahead(database, options=options)).kept
            assert (kept.table, kept.rows) == ("competitor_events", 1)
        async with connected(database) as connection:
            await connection.execute("""
                CREATE TABLE bets (snapshot_id BIGINT REFERENCES competitor_odds_snapshots);
                INSERT INTO bets SELECT max(id) FROM competitor_odds_snapshots;
            """)
        async with holding(database, lock) as other:
            task = asyncio.create_task(prune_ahead(database))
            await waiting(other, unless=task)
        (kept,) = (await task).kept
        assert (kept.table, kept.rows) == ("competitor_odds_snapshots", 1)
        assert "bets" in kept.reason
        assert await fetch(database, "SELECT count(*) FROM competitor_odds_snapshots") == [(1,)]

    run(body())


def test_command(database: str, run: Run) -> None:
    """`prune --ahead` prints its plan and deletes; it excludes `--keep`."""
    _, wrong = scraped_by_a_wrong_clock(datetime.now(UTC))
    run(stored(database, wrong))
    counted = "SELECT count(*) FROM competitor_odds_snapshots"
    before = run(fetch(database, counted))
    arguments = ("prune", "--ahead", "--url", database)
    planned = command(*arguments, "--dry-run")
    assert (planned.returncode, planned.stderr) == (0, "")
    assert planned.stdout.startswith("after ")
    assert run(fetch(database, counted)) == before
    assert "\n0 rows deleted" in command(*arguments, "--max-ahead", "2d").stdout
    report = PruneReport.model_validate_json(command(*arguments, "--json").stdout)
    assert report.is_ahead
    assert report.tables["competitor_odds_snapshots"].rows == before[0][0]
    assert run(fetch(database, counted)) == [(0,)]
    for both_or_none in (("prune", "--url", database), (*arguments, "--keep", "1d")):
        refused = command(*both_or_none)
        assert refused.returncode == 2
        assert "give either --keep or --ahead" in refused.stderr
