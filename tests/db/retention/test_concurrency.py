"""Prunes beside ingestions, other prunes and other tables; killed, interrupted and blocked."""

import asyncio
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from oddsschema import NotMigratedError, PruneOptions, ingest, prune
from oddsschema.retention import Removed
from tests.support.histories import capture
from tests.support.prune_checks import assert_pruned, assert_states, connected
from tests.support.pruned_histories import CHANGES, MINUTES, ROUNDS, at, scraped
from tests.support.sessions import fetch, holding, settled, waiting

Run = Callable[..., Any]


@pytest.mark.sampled(1)
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_prunes_and_ingestions_at_once(database: str, run: Run, seed: int) -> None:
    """Three prunes beside two ingestions finish, and nothing is lost."""
    going_on, over, captures = scraped(seed)
    small = PruneOptions(chunk_rows=40)
    halves = captures[: len(captures) // 2], captures[len(captures) // 2 :]

    async def body() -> None:
        # The first prune finds rows to delete.
        await ingest(database, halves[0], options=CHANGES)
        *reports, first, second, third = await asyncio.gather(
            # The second ingestion repeats captures that the prunes may be deleting.
            ingest(database, halves[1], options=CHANGES),
            ingest(database, captures[seed::3], options=CHANGES),
            prune(database, at(15), options=small),
            prune(database, at(20), options=small),
            prune(database, at(20), options=small),
        )
        assert all(report.all_stored for report in reports), reports
        assert [report.retries for report in (*reports, first, second, third)] == [0] * 5
        assert [report.kept for report in (first, second, third)] == [()] * 3
        await assert_states(database, going_on, range(20, MINUTES))
        await assert_states(database, over, range(20, MINUTES))
        await prune(database, at(30))
        over.prune(at(30))
        await assert_states(database, going_on, range(30, MINUTES))
        await assert_pruned(database, at(30))

    run(body())
    assert run(fetch(database, "SELECT count(*) FROM events")) == [(6,)]
    assert run(fetch(database, "SELECT count(*) FROM competitor_events")) == [(6,)]


@pytest.mark.parametrize("platform", ["betpawa", "bet9ja"])
def test_tournament_that_is_deleted_meanwhile(database: str, run: Run, platform: str) -> None:
    """An ingestion that finds a tournament which a prune deletes inserts it again."""
    table = "tournaments" if platform == "betpawa" else "competitor_tournaments"

    async def body() -> None:
        await ingest(database, [capture(platform, at(0), [], "1")])
        await fetch(database, "DELETE FROM competitor_events")
        await fetch(database, "DELETE FROM events")
        # The rest of a prune, before its commit.
        async with holding(database, f"DELETE FROM {table}") as pruning:
            ingesting = asyncio.create_task(ingest(database, [capture(platform, at(1), [], "1")]))
            await waiting(pruning)
        report = await ingesting
        assert report.all_stored, report
        assert report.retries == 0

    run(body())
    assert run(fetch(database, f"SELECT name FROM {table}")) == [("Cup",)]


@pytest.mark.parametrize("platform", ["betpawa", "bet9ja"])
def test_tournament_of_an_open_transaction(database: str, run: Run, platform: str) -> None:
    """A prune keeps a tournament that an ingestion has found and not used yet."""
    table = "tournaments" if platform == "betpawa" else "competitor_tournaments"

    async def body() -> None:
        await ingest(database, [capture(platform, at(0), [], "1")])
        await fetch(database, "DELETE FROM competitor_events")
        await fetch(database, "DELETE FROM events")
        await fetch(database, "UPDATE competitor_tournaments SET created_at = to_timestamp(0)")
        async with connected(database) as connection, connection.transaction():
            await ingest(connection, [capture(platform, at(1), [], "1")])
            report = await prune(
                database, timedelta(0), options=PruneOptions(patience=timedelta(0))
            )
            assert [kept.table for kept in report.kept] == [table]
        assert await fetch(database, f"SELECT count(*) FROM {table}") == [(1,)]

    run(body())


#: Prunes argv[1] before argv[2] in many transactions, and reports the end of each.
CLIENT = """
import asyncio, sys
from datetime import datetime, timedelta
from oddsschema.retention import PruneOptions, prune
options = PruneOptions(chunk_rows=30, on_progress=lambda report: print("done", flush=True))
asyncio.run(prune(sys.argv[1], datetime.fromisoformat(sys.argv[2]), options=options))
"""


@pytest.mark.sampled(1)
@pytest.mark.parametrize("with_", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_interrupted_and_repeated(
    database: str, run: Run, seed: int, with_: signal.Signals
) -> None:
    """After an interrupted prune all states are correct; the next prune deletes the rest."""
    rng = random.Random(seed)
    going_on, over, captures = scraped(seed)
    cutoff = at(30)
    run(ingest(database, captures, options=CHANGES))
    whole = run(prune(database, cutoff, dry_run=True))
    with subprocess.Popen(
        [sys.executable, "-c", CLIENT, database, cutoff.isoformat()],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as client:
        assert client.stdout is not None
        for _ in range(rng.randint(1, 30)):
            assert client.stdout.readline() == "done\n"
        time.sleep(rng.uniform(0, 0.01))
        client.send_signal(with_)
    assert client.returncode in (-signal.SIGKILL, -signal.SIGINT, 1)
    run(settled(database))

    run(assert_states(database, going_on, range(30, MINUTES)))
    rest = run(prune(database, cutoff, dry_run=True))
    assert Removed() != rest.total != whole.total
    assert run(prune(database, cutoff)).tables == rest.tables
    over.prune(cutoff)
    run(assert_states(database, going_on, range(30, MINUTES)))
    run(assert_pruned(database, cutoff))


# -- locks -----------------------------------------------------------------------------------------

LOCK = "SELECT FROM competitor_events WHERE external_id = '2' FOR NO KEY UPDATE"


def test_events_that_are_locked(database: str, run: Run) -> None:
    """A prune waits for locked events for a while, and then leaves them for the next one."""
    _, _, captures = scraped(1)

    async def body() -> None:
        await ingest(database, captures, options=CHANGES)
        async with holding(database, LOCK):
            report = await prune(
                database, at(40), options=PruneOptions(patience=timedelta(seconds=0.2))
            )
            (kept,) = report.kept
            assert (kept.table, kept.rows) == ("competitor_events", 1)
            assert "locked" in kept.reason
        async with holding(database, LOCK) as other:
            task = asyncio.create_task(prune(database, at(40)))
            await waiting(other, unless=task)
        assert (await task).kept == ()
        await assert_pruned(database, at(40))

    run(body())


def test_events_that_are_locked_again_and_again(database: str, run: Run) -> None:
    """Beside a session that often locks all events, everything is deleted in the end."""
    _, _, captures = scraped(1)
    locks = [f"SELECT FROM {table} FOR NO KEY UPDATE" for table in ("competitor_events", "events")]

    async def locking() -> None:
        while True:
            async with holding(database, *locks):
                await asyncio.sleep(0.2)

    async def body() -> None:
        await ingest(database, captures, options=CHANGES)
        other = asyncio.create_task(locking())
        report = await prune(database, at(40), options=PruneOptions(patience=timedelta(seconds=1)))
        other.cancel()
        await asyncio.wait([other])
        assert report.kept == ()
        await assert_pruned(database, at(40))

    run(body())


def test_long_transactions_of_readers(database: str, run: Run) -> None:
    """A reader's long transaction does not prevent deletions, and still sees the rows."""
    _, _, captures = scraped(1)
    count = "SELECT count(*) FROM competitor_market_odds"

    async def body() -> None:
        await ingest(database, captures, options=CHANGES)
        async with connected(database) as reader, reader.transaction(isolation="repeatable_read"):
            before = await reader.fetchval(count)
            report = await prune(database, at(40))
            assert report.kept == ()
            assert await reader.fetchval(count) == before
            await assert_pruned(database, at(40))

    run(body())


# -- what others refer to --------------------------------------------------------------------------

OTHERS = {
    "plain": "",
    "restrict": "ON DELETE RESTRICT",
    "deferred": "DEFERRABLE INITIALLY DEFERRED",
    "cascade to restrict": "ON DELETE CASCADE",
}


OLD_SNAPSHOTS = "SELECT count(*) FROM competitor_odds_snapshots WHERE captured_at <= $1"


@pytest.mark.sampled(1)
@pytest.mark.parametrize("kind", OTHERS)
def test_tables_of_others(database: str, run: Run, kind: str) -> None:
    """Rows that another application's table refers to are kept and reported; others are deleted."""
    going_on, _, captures = scraped(1)
    cutoff = at(40)

    async def body() -> None:
        await ingest(database, captures, options=CHANGES)
        whole = await prune(database, cutoff, dry_run=True)
        async with connected(database) as connection:
            await connection.execute(f"""
                CREATE TABLE bets (
                    id SERIAL PRIMARY KEY,
                    snapshot_id BIGINT REFERENCES competitor_odds_snapshots {OTHERS[kind]}
                );
                INSERT INTO bets (snapshot_id)
                SELECT id FROM competitor_odds_snapshots ORDER BY captured_at LIMIT 5;
                CREATE TABLE payments (bet_id INTEGER CONSTRAINT fk_bet REFERENCES bets);
                INSERT INTO payments SELECT id FROM bets LIMIT 5;
            """)
        for _ in range(2):
            report = await prune(database, cutoff, options=PruneOptions(chunk_rows=200))
            (kept,) = report.kept
            assert (kept.table, kept.rows) == ("competitor_odds_snapshots", 5)
            assert ("payments" if "cascade" in kind else "bets") in kept.reason
            await assert_states(database, going_on, range(40, MINUTES))
            async with connected(database) as connection:
                assert await connection.fetchval("SELECT count(*) FROM bets") == 5
                # And the states at the cutoff of the six running events.
                assert await connection.fetchval(OLD_SNAPSHOTS, cutoff) == 5 + 6
        async with connected(database) as connection:
            await connection.execute("DROP TABLE payments, bets")
        rest = await prune(database, cutoff)
        assert rest.kept == ()
        assert rest.tables["competitor_odds_snapshots"].rows == 5
        assert whole.tables["competitor_odds_snapshots"].rows > 100
        await assert_pruned(database, cutoff)

    run(body())


def test_migration_meanwhile(database: str, run: Run) -> None:
    """A prune that waited for a migration of a newer release deletes nothing."""
    count = "SELECT (SELECT count(*) FROM odds_snapshots), (SELECT count(*) FROM market_odds)"

    async def body() -> None:
        *_, captures = scraped(0)
        await ingest(database, captures, options=CHANGES)
        before = await fetch(database, count)
        async with holding(
            database,
            "LOCK TABLE competitor_odds_snapshots, odds_snapshots IN ACCESS EXCLUSIVE MODE",
            "UPDATE oddsschema_version SET version_num = 'oddsschema_9999'",
        ) as migration:
            pruning = asyncio.create_task(prune(database, at(30)))
            await waiting(migration, unless=pruning)
        with pytest.raises(NotMigratedError, match="oddsschema_9999"):
            await pruning
        assert await fetch(database, count) == before

    run(body())
