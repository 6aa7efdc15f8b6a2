"""A prune leaves what answers after its cutoff need, whatever goes on beside it.

The model keeps everything that was captured. After any prunes, in any order with captures that come
in time, late or again, every instant from the newest cutoff on is told as the model tells it.
"""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oddsschema import Options, ingest, metadata
from oddsschema.ingest.history import BETPAWA, COMPETITORS, Side
from oddsschema.ingest.state import states
from oddsschema.retention import PruneOptions, PruneReport, Removed, SizeReport, prune, size
from tests.db._histories import REFERENCES, START, Model, capture, connection, plain
from tests.db._scrapes import fetch, holding, settled, waiting

Run = Callable[..., Any]

NIGHTLY = settings.get_current_profile_name() == "nightly"
ROUNDS = 20 if NIGHTLY else 2

#: Two bookmakers of the reference event, and a competitor.
PLATFORMS = (*REFERENCES, "bet9ja")


def side_of(platform: str) -> Side:
    """In which tables a platform's odds are."""
    return BETPAWA if platform in REFERENCES else COMPETITORS


__all__ = ["connection"]  # the fixture


def at(minutes: float) -> datetime:
    """An instant of these tests."""
    return START + timedelta(minutes=minutes)


class History(Model):
    """Everything that was captured, as plain values, of events with one kickoff."""

    def __init__(self, kickoff: float = 10_000) -> None:
        super().__init__()
        self.kickoff = at(kickoff)

    def captured(
        self, platform: str, event: str, minute: float, markets: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """Take in what a platform offers of an event at a minute; the capture."""
        made = capture(platform, at(minute), markets, event, self.kickoff)
        self.take(made)
        return made

    def prune(self, cutoff: datetime) -> None:
        """Only what is over goes: of all else, the model keeps what the database need not."""
        for side in (BETPAWA, COMPETITORS):
            for event in {event for _, event in self.instants}:
                theirs = [
                    one for one in self.instants if one[1] == event and side_of(one[0]) is side
                ]
                last = [max(self.instants[one]) for one in theirs]
                if self.kickoff < cutoff and all(one < cutoff for one in last):
                    for one in theirs:
                        del self.instants[one]

    async def hold(self, connection: Any, instants: Sequence[datetime]) -> None:
        """Hold the database to it at these instants."""
        for (platform, event), found in (await told(connection, self, instants)).items():
            wanted = [self.at(platform, instant, event) for instant in instants]
            assert found == wanted, (platform, event)


async def told(connection: Any, model: History, instants: Sequence[datetime]) -> dict[Any, Any]:
    """What the database tells of each of the model's histories at each of the instants."""
    events = {
        BETPAWA: await connection.fetch("SELECT sportradar_id, id FROM events"),
        COMPETITORS: await connection.fetch("SELECT external_id, id FROM competitor_events"),
    }
    bookmakers = dict(await connection.fetch("SELECT slug, id FROM bookmakers"))
    found = {}
    for platform, event in model.instants:
        side = side_of(platform)
        event_id = dict(events[side]).get(event, 0)
        asked = [(event_id, instant) for instant in instants]
        found[platform, event] = [
            {
                key: plain({"betpawa_market_name": name, "outcomes": json.loads(outcomes)})
                for key, (name, outcomes, _) in state.offered()
            }
            for state in await states(connection, side, asked, bookmakers.get(platform))
        ]
    return found


#: What is known from the cutoff on beside states: when events were captured, and what changed.
DETAILS = """
SELECT s.competitor_event_id, NULL::int, s.captured_at, s.id, NULL::text
FROM competitor_odds_snapshots AS s WHERE s.captured_at >= $1
UNION ALL
SELECT s.competitor_event_id, NULL, c.at, s.id, NULL
FROM competitor_odds_snapshots AS s CROSS JOIN unnest(s.confirmed_at) AS c (at) WHERE c.at >= $1
UNION ALL
SELECT s.competitor_event_id, NULL, s.captured_at, m.id, m::text
FROM competitor_odds_snapshots AS s
JOIN competitor_market_odds AS m ON m.snapshot_id = s.id WHERE s.captured_at > $1
UNION ALL
SELECT s.event_id, s.bookmaker_id, s.captured_at, s.id, NULL
FROM odds_snapshots AS s WHERE s.captured_at >= $1
UNION ALL
SELECT s.event_id, s.bookmaker_id, c.at, s.id, NULL
FROM odds_snapshots AS s CROSS JOIN unnest(s.confirmed_at) AS c (at) WHERE c.at >= $1
UNION ALL
SELECT s.event_id, s.bookmaker_id, s.captured_at, m.id, m::text
FROM odds_snapshots AS s JOIN market_odds AS m ON m.snapshot_id = s.id WHERE s.captured_at > $1
ORDER BY 1, 2, 3, 4, 5
"""

#: Of each history, how many snapshots there are until the cutoff, and how many of them are whole.
LEFT = """
SELECT count(*), count(*) FILTER (WHERE is_complete) FROM competitor_odds_snapshots
WHERE captured_at <= $1 GROUP BY competitor_event_id
UNION ALL
SELECT count(*), count(*) FILTER (WHERE is_complete) FROM odds_snapshots
WHERE captured_at <= $1 GROUP BY event_id, bookmaker_id
"""


#: Markets that a snapshot offers twice.
TWICE = """
SELECT snapshot_id, betpawa_market_id, line FROM competitor_market_odds
WHERE unavailable_at IS NULL GROUP BY 1, 2, 3 HAVING count(*) > 1
UNION ALL
SELECT snapshot_id, betpawa_market_id, line FROM market_odds
WHERE unavailable_at IS NULL GROUP BY 1, 2, 3 HAVING count(*) > 1
"""


async def pruned(connection: Any, cutoff: datetime, chunk_rows: int = 10_000) -> PruneReport:
    """Prune, and hold that a dry run told what it would come to, and that nothing old is left."""
    planned = await prune(connection, cutoff, dry_run=True)
    before = await connection.fetch(DETAILS, cutoff)
    report = await prune(connection, cutoff, options=PruneOptions(chunk_rows=chunk_rows))
    assert report.kept == ()
    assert report.tables == planned.tables
    assert await connection.fetch(DETAILS, cutoff) == before
    assert {tuple(row) for row in await connection.fetch(LEFT, cutoff)} <= {(1, 1)}
    assert await connection.fetch(TWICE) == []
    again = await prune(connection, cutoff)
    assert (again.total, again.keyframe_rows) == (Removed(), 0)
    return report


# -- any history -----------------------------------------------------------------------------------

#: Most of what is offered stays as it was: a snapshot holds less than what stands at its instant.
VERSIONS = st.dictionaries(st.integers(0, 5), st.integers(0, 2), max_size=2)
CAPTURES = st.lists(
    st.tuples(st.sampled_from(PLATFORMS), st.integers(0, 8), VERSIONS), min_size=5, max_size=20
)
STORAGE = st.builds(
    Options,
    store=st.sampled_from(["changes", "changes", "changes", "complete"]),
    keyframe_share=st.sampled_from([10.0, 10.0, 1.0, 0.5]),
    keyframe_age=st.sampled_from([timedelta(days=1), timedelta(days=1), timedelta(minutes=2)]),
    chunk_rows=st.integers(1, 40),
)


def markets(versions: dict[int, int]) -> list[dict[str, Any]]:
    """Six markets in their first version, but for these: in another one, or (0) not offered."""
    return [
        {
            "betpawa_market_id": f"{number % 2}",
            "betpawa_market_name": "Total",
            "line": (None, 0.0, 2.5)[number // 2],
            "handicap_type": None,
            "handicap_home": None,
            "handicap_away": None,
            "outcomes": [
                {"name": name, "odds": versions.get(number, 1) + 0.5, "is_active": True}
                for name in ("1", "2")
            ],
        }
        for number in range(6)
        if versions.get(number, 1)
    ]


@given(
    steps=st.lists(st.tuples(CAPTURES, STORAGE) | st.integers(-1, 19), min_size=1, max_size=6),
    kickoff=st.sampled_from([3, 6, 10_000]),
    chunk_rows=st.integers(1, 40),
)
def test_every_instant_after_the_cutoff_is_told_as_before(
    steps: list[Any], kickoff: int, chunk_rows: int, connection: Any, run: Run
) -> None:
    """Whatever was captured, stored and pruned, in any order: what the model tells is told."""
    model = History(kickoff)
    horizon = -1

    async def body() -> None:
        nonlocal horizon
        for step in steps:
            if isinstance(step, int):
                cutoff = at(step / 2)
                await pruned(connection, cutoff, chunk_rows)
                model.prune(cutoff)
                horizon = max(horizon, step)
            else:
                captures, options = step
                delivered = [
                    model.captured(platform, "1", minute, markets(versions))
                    for platform, minute, versions in captures
                ]
                report = await ingest(connection, delivered, options=options)
                assert report.all_stored, report
            await model.hold(connection, [at(half / 2) for half in range(horizon, 20)])

    async def rolled_back() -> None:
        transaction = connection.transaction()
        await transaction.start()
        try:
            await body()
        finally:
            await transaction.rollback()

    run(rolled_back())


# -- beside others ---------------------------------------------------------------------------------

#: 8 events of each platform at 60 minutes; of those without a kickoff ahead, the last are of 29.
MANY_EVENTS = "01234567"
OVER = "14"
MINUTES = 60


def scraped(seed: int) -> tuple[History, History, list[dict[str, Any]]]:
    """Long histories that change a little at a time: of what goes on, of what is over, captures."""
    rng = random.Random(seed)
    going_on, over = History(), History(25)
    captures = []
    for event in MANY_EVENTS:
        model = over if event in OVER else going_on
        for platform in PLATFORMS:
            versions: dict[int, int] = {}
            for minute in range(29 if event in OVER else MINUTES):
                if rng.random() < 0.7:
                    versions[rng.randrange(6)] = rng.randrange(4)
                captures.append(model.captured(platform, event, minute, markets(versions)))
    captures.sort(key=lambda one: one["captured_at"])
    return going_on, over, captures


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Any]:
    """A connection of one's own."""
    opened = await asyncpg.connect(url)
    try:
        yield opened
    finally:
        await opened.close()


async def hold(url: str, model: History, minutes: Sequence[float]) -> None:
    """Hold a database to a model at these minutes."""
    async with connected(url) as connection:
        await model.hold(connection, [at(minute) for minute in minutes])


async def is_pruned(url: str, cutoff: datetime) -> None:
    """Hold that nothing is left that a prune would delete."""
    report = await prune(url, cutoff)
    assert (report.total, report.keyframe_rows, report.kept) == (Removed(), 0, ())
    async with connected(url) as connection:
        assert {tuple(row) for row in await connection.fetch(LEFT, cutoff)} == {(1, 1)}
        assert await connection.fetch(TWICE) == []


CHANGES = Options(keyframe_share=5.0, chunk_rows=150)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_prunes_and_ingestions_at_once(database: str, run: Run, seed: int) -> None:
    """Three prunes beside two ingestions all finish, none waits for ever, and nothing is lost."""
    going_on, over, captures = scraped(seed)
    small = PruneOptions(chunk_rows=40)
    halves = captures[: len(captures) // 2], captures[len(captures) // 2 :]

    async def body() -> None:
        # So that there is something to prune from the beginning.
        await ingest(database, halves[0], options=CHANGES)
        *reports, first, second, third = await asyncio.gather(
            # The second delivers again what the prunes may just be deleting.
            ingest(database, halves[1], options=CHANGES),
            ingest(database, captures[seed::3], options=CHANGES),
            prune(database, at(15), options=small),
            prune(database, at(20), options=small),
            prune(database, at(20), options=small),
        )
        assert all(report.all_stored for report in reports), reports
        assert [one.retries for one in (*reports, first, second, third)] == [0] * 5
        assert [one.kept for one in (first, second, third)] == [()] * 3
        await hold(database, going_on, range(20, MINUTES))
        await hold(database, over, range(20, MINUTES))
        await prune(database, at(30))
        over.prune(at(30))
        await hold(database, going_on, range(30, MINUTES))
        await is_pruned(database, at(30))

    run(body())
    assert run(fetch(database, "SELECT count(*) FROM events")) == [(6,)]
    assert run(fetch(database, "SELECT count(*) FROM competitor_events")) == [(6,)]


#: Prunes argv[1] before argv[2] in many transactions, and says when each is over.
CLIENT = """
import asyncio, sys
from datetime import datetime
from oddsschema.retention import PruneOptions, prune
options = PruneOptions(chunk_rows=30, on_progress=lambda report: print("done", flush=True))
asyncio.run(prune(sys.argv[1], datetime.fromisoformat(sys.argv[2]), options=options))
"""


@pytest.mark.parametrize("with_", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_broken_off_and_started_again(
    database: str, run: Run, seed: int, with_: signal.Signals
) -> None:
    """Killed or interrupted anywhere, what is told stays right; the next prune does the rest."""
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

    run(hold(database, going_on, range(30, MINUTES)))
    rest = run(prune(database, cutoff, dry_run=True))
    assert Removed() != rest.total != whole.total
    assert run(prune(database, cutoff)).tables == rest.tables
    over.prune(cutoff)
    run(hold(database, going_on, range(30, MINUTES)))
    run(is_pruned(database, cutoff))


def test_late_capture_after_a_prune(database: str, run: Run) -> None:
    """What comes in late is stored as ever, told rightly from the cutoff on, and goes next time."""
    model = History()

    async def body() -> None:
        first = [
            model.captured(platform, "1", minute, markets({0: minute % 3}))
            for platform in PLATFORMS
            for minute in (0, 2, 4, 8)
        ]
        await ingest(database, first, options=CHANGES)
        await prune(database, at(5))
        # Before what stands at the cutoff, between it and the cutoff, and an event that is new.
        late = [
            model.captured(platform, event, minute, markets({1: 2}))
            for platform in PLATFORMS
            for event, minute in (("1", 1), ("1", 4.5), ("2", 3))
        ]
        report = await ingest(database, late, options=CHANGES)
        assert report.captures_stored == len(late)
        await hold(database, model, [5, 6, 7, 8, 9])
        report = await prune(database, at(5))
        assert report.tables["odds_snapshots"].rows == 4
        assert report.tables["competitor_odds_snapshots"].rows == 2
        await hold(database, model, [5, 6, 7, 8, 9])
        await is_pruned(database, at(5))

    run(body())


def test_delivered_again_after_a_prune(database: str, run: Run) -> None:
    """Of captures that a prune has deleted, delivered again, the next one leaves nothing either."""
    going_on, _, captures = scraped(1)

    async def body() -> None:
        await ingest(database, captures, options=CHANGES)
        await prune(database, at(40))
        await ingest(database, captures, options=CHANGES)
        await hold(database, going_on, range(40, MINUTES))
        await prune(database, at(40))
        await hold(database, going_on, range(40, MINUTES))
        await is_pruned(database, at(40))

    run(body())


# -- locks -----------------------------------------------------------------------------------------

LOCK = "SELECT FROM competitor_events WHERE external_id = '2' FOR NO KEY UPDATE"


def test_events_that_are_locked(database: str, run: Run) -> None:
    """Events that somebody has locked are waited for, not for ever, and then left for next time."""
    _, _, captures = scraped(1)

    async def body() -> None:
        await ingest(database, captures, options=CHANGES)
        async with holding(database, LOCK):
            report = await prune(database, at(40), options=PruneOptions(patience=0.2))
            (kept,) = report.kept
            assert (kept.table, kept.rows) == ("competitor_events", 1)
            assert "locked" in kept.reason
        async with holding(database, LOCK) as other:
            task = asyncio.create_task(prune(database, at(40)))
            await waiting(other, unless=task)
        assert (await task).kept == ()
        await is_pruned(database, at(40))

    run(body())


def test_long_transactions_of_readers(database: str, run: Run) -> None:
    """A reader's long transaction keeps nothing from being deleted, and sees it all the same."""
    _, _, captures = scraped(1)
    count = "SELECT count(*) FROM competitor_market_odds"

    async def body() -> None:
        await ingest(database, captures, options=CHANGES)
        async with connected(database) as reader, reader.transaction(isolation="repeatable_read"):
            before = await reader.fetchval(count)
            report = await prune(database, at(40))
            assert report.kept == ()
            assert await reader.fetchval(count) == before
            await is_pruned(database, at(40))

    run(body())


# -- what others refer to --------------------------------------------------------------------------

OTHERS = {
    "plain": "",
    "restrict": "ON DELETE RESTRICT",
    "deferred": "DEFERRABLE INITIALLY DEFERRED",
    "cascade to restrict": "ON DELETE CASCADE",
}


OLD_SNAPSHOTS = "SELECT count(*) FROM competitor_odds_snapshots WHERE captured_at <= $1"


@pytest.mark.parametrize("kind", OTHERS)
def test_tables_of_others(database: str, run: Run, kind: str) -> None:
    """What another application's table refers to stays, with a word about it; all else goes."""
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
            await hold(database, going_on, range(40, MINUTES))
            async with connected(database) as connection:
                assert await connection.fetchval("SELECT count(*) FROM bets") == 5
                # And what stands at the cutoff, of the six events that go on.
                assert await connection.fetchval(OLD_SNAPSHOTS, cutoff) == 5 + 6
        async with connected(database) as connection:
            await connection.execute("DROP TABLE payments, bets")
        rest = await prune(database, cutoff)
        assert rest.kept == ()
        assert rest.tables["competitor_odds_snapshots"].rows == 5
        assert whole.tables["competitor_odds_snapshots"].rows > 100
        await is_pruned(database, cutoff)

    run(body())


# -- what remains ----------------------------------------------------------------------------------

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
    """What ended before the cutoff goes; what did not stays, without its old errors.

    A snapshot that stays lets go of a run that goes.
    """
    cutoff = at(5)

    async def body() -> None:
        model = History()
        captures = [
            model.captured(platform, "1", minute, markets({}))
            for platform in PLATFORMS
            for minute in (0, 2, 8)
        ]
        await ingest(database, captures, options=Options(store="complete"))
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
        await hold(database, model, [5, 8, 9])

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
    """A time to keep is counted back from now: what was captured a minute later stays."""

    async def body() -> None:
        async with connected(database) as connection:
            now = await connection.fetchval("SELECT now()")
        minutes = [(now - START) / timedelta(minutes=1) - hours * 60 for hours in (3, 2, 1, 0)]
        model = History(10_000_000)
        captures = [model.captured("bet9ja", "1", minute, markets({})) for minute in minutes]
        await ingest(database, captures, options=Options(store="complete"))
        report = await prune(database, timedelta(hours=1, minutes=59))
        assert timedelta(0) < report.cutoff - now + timedelta(hours=1, minutes=59)
        assert report.tables["competitor_odds_snapshots"].rows == 1
        await hold(database, model, minutes[1:])

    run(body())


# -- the command line ------------------------------------------------------------------------------


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program."""
    return subprocess.run(
        [sys.executable, "-m", "oddsschema", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_command(database: str, run: Run) -> None:
    """`prune` shows what it would delete, deletes it, and says what it could not."""
    _, _, captures = scraped(1)
    run(ingest(database, captures, options=CHANGES))
    counted = "SELECT count(*) FROM competitor_odds_snapshots"
    before = run(fetch(database, counted))

    planned = command("prune", "--keep", "2w", "--dry-run", "--url", database)
    assert (planned.returncode, planned.stderr) == (0, "")
    assert run(fetch(database, counted)) == before
    as_json = command("prune", "--dry-run", "--json", "--url", database)
    report = PruneReport.model_validate_json(as_json.stdout)
    assert f"{report.tables['competitor_market_odds'].rows:,} rows" in planned.stdout
    # By now, all of it is over.
    assert report.tables["competitor_odds_snapshots"].rows == before[0][0]
    assert report.tables["competitor_events"].rows == len(MANY_EVENTS)

    run(fetch(database, "CREATE TABLE picks (event_id INTEGER REFERENCES competitor_events)"))
    run(fetch(database, "INSERT INTO picks SELECT id FROM competitor_events LIMIT 1"))
    done = command("prune", "--url", database)
    assert done.returncode == 1
    assert done.stderr.startswith("kept: 1 rows of competitor_events stay: the table picks refers")
    # BetPawa's event that it is linked to stays with it, and this one's two listings.
    assert f"{report.total.rows - 4:,} rows deleted" in done.stdout
    again = command("prune", "--json", "--url", database)
    assert PruneReport.model_validate_json(again.stdout).total == Removed()


@pytest.mark.parametrize("keep", ["", "14", "d", "-1d", "1.5d", "14D", "10000000d", "1 d"])
def test_durations_that_are_none(keep: str) -> None:
    """What is no duration is refused before anything is connected to."""
    done = command("prune", "--keep", keep, "--url", "postgresql://nobody@localhost:1/none")
    assert done.returncode == 2
    assert "36h, 14d or 2w" in done.stderr


# -- sizes -----------------------------------------------------------------------------------------

TOTALS = "SELECT sum(pg_total_relation_size(name::regclass)) FROM unnest($1::text[]) AS name"


def test_sizes(database: str, run: Run) -> None:
    """Sizes are PostgreSQL's, rows and their growth those of the tables, and the disk is found."""

    async def body() -> SizeReport:
        now = datetime.now(UTC)
        minutes = [(now - START) / timedelta(minutes=1) - days * 1440 for days in (9, 3, 2, 1)]
        model = History(10_000_000)
        captures = [
            model.captured(platform, "1", minute, markets({}))
            for platform in PLATFORMS
            for minute in minutes
        ]
        await ingest(database, captures, options=Options(store="complete"))
        return await size(database, 4)

    report = run(body())
    by_name = {one.table: one for one in report.tables}
    assert set(by_name) == set(metadata.tables)
    assert report.total_bytes == run(fetch(database, TOTALS, list(by_name)))[0][0]
    assert report.days == 4
    for table, rows in (("competitor_market_odds", 24), ("odds_snapshots", 8), ("events", 1)):
        one = by_name[table]
        recent = 1 if table == "events" else rows * 3 / 4
        assert (one.rows, one.rows_per_day) == (rows, pytest.approx(recent / 4))
        assert one.bytes_per_day == pytest.approx(one.total_bytes / rows * recent / 4)
    assert by_name["sports"].bytes_per_day == 0
    assert report.bytes_per_day == pytest.approx(sum(one.bytes_per_day for one in report.tables))
    if "DATABASE_URL" not in os.environ:
        assert report.free_bytes is not None
        assert report.days_left == pytest.approx(report.free_bytes / report.bytes_per_day)


def test_sizes_of_a_young_history(database: str, run: Run) -> None:
    """A history of two days grows by half of it a day; one of minutes as if it had been an hour."""

    async def grown(hours: float) -> float:
        now = datetime.now(UTC)
        first = (now - START) / timedelta(minutes=1) - 60 * hours
        model = History(10_000_000)
        await ingest(database, [model.captured("bet9ja", "1", first, markets({}))])
        report = await size(database)
        return report.days

    assert run(grown(0.01)) == pytest.approx(1 / 24)
    assert run(grown(48)) == pytest.approx(2, abs=0.01)


def test_size_command(database: str) -> None:
    """`size` prints a line for each table; --disk says what nobody else can know."""
    done = command("size", "--disk", "2G", "--url", database)
    assert (done.returncode, done.stderr) == (0, "")
    assert len([line for line in done.stdout.splitlines() if " kB" in line]) >= len(metadata.tables)
    assert "2.0 GB of the disk are left" in done.stdout
    as_json = command("size", "--disk", "1500", "--json", "--url", database)
    found = json.loads(as_json.stdout)
    assert (found["free_bytes"], found["bytes_per_day"], found["days_left"]) == (1500, 0, None)
    assert command("size", "--disk", "much", "--url", database).returncode == 2
