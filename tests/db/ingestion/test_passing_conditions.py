"""Conditions that pass, or that less work at a time meets: an ingestion waits, or adapts."""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import make_url

import oddsschema
from oddsschema import DatabaseUnavailableError, IngestOptions, IngestReport, migrations
from oddsschema.scrapes.summaries import newest_batches
from tests.support.contents import assert_whole
from tests.support.crashing_server import Server
from tests.support.interrupted_ingestion import (
    CRASHES,
    MANY,
    SMALL_CHUNKS,
    assert_completed,
    patient_ingest,
    redeliver,
)
from tests.support.scrapes import Capture, capture, scrapes
from tests.support.sessions import execute, fetch, holding, waiting
from tests.support.settings import END_SESSIONS, FAST_ROWS, SLOW_ROWS, role_setting

Run = Callable[..., Any]

#: 60 captures of 20 markets: one chunk.
CAPTURES = scrapes(range(10), range(6), ["sportybet"], markets=20)


@pytest.mark.parametrize("seed", range(CRASHES))
def test_lock_timeout(database: str, run: Run, seed: int) -> None:
    """An event that is locked for longer than the role's lock_timeout is waited for."""
    held_for = random.Random(seed).uniform(0.5, 2)
    run(oddsschema.ingest(database, CAPTURES[:1]))

    async def ingest() -> IngestReport:
        async with role_setting(database, "lock_timeout", "50ms"):
            lock = "SELECT FROM competitor_events FOR UPDATE"
            async with holding(database, lock) as holder:
                ingesting = asyncio.create_task(patient_ingest(database, CAPTURES, IngestOptions()))
                await waiting(holder, unless=ingesting)
                await asyncio.sleep(held_for)
            return await ingesting

    report = run(ingest())
    assert report.retries > 0
    assert report.all_stored
    run(redeliver(database, CAPTURES))


ROWS_BY_TRANSACTION = "SELECT count(*) FROM competitor_market_odds GROUP BY xmin"


@pytest.mark.parametrize("limit", ["statement_timeout", "transaction_timeout"])
def test_time_limit(database: str, run: Run, limit: str) -> None:
    """A chunk that the role's time limit ends is written in parts; later chunks are as small."""
    run(execute(database, *SLOW_ROWS))
    captures = scrapes(range(10), range(9), ["sportybet"], markets=20)

    async def ingest() -> IngestReport:
        async with role_setting(database, limit, "1s") as session:
            if limit == "transaction_timeout" and session.get_server_version() < (17,):
                pytest.skip("PostgreSQL has this limit since 17")
            # A row takes two milliseconds: two chunks of 900 take two seconds each.
            return await patient_ingest(database, captures, IngestOptions(chunk_rows=900))

    report = run(ingest())
    assert (report.total.captures_stored, report.total.captures_known) == (len(captures), 0)
    assert_completed(run, database, captures)
    assert max(rows for (rows,) in run(fetch(database, ROWS_BY_TRANSACTION))) <= 450


def test_time_limit_on_a_single_capture(database: str, run: Run) -> None:
    """A capture that alone exceeds the limit ends the run; those before it are stored."""
    run(execute(database, *SLOW_ROWS))
    small = scrapes(range(4), [0], ["sportybet"], markets=2)
    large = capture("sportybet", 5, 1, markets=900)
    options = IngestOptions(chunk_rows=1200, retry_for=timedelta(seconds=1))

    async def ingest() -> IngestReport:
        async with role_setting(database, "statement_timeout", "700ms"):
            return await patient_ingest(database, [*small, large], options)

    report = run(ingest())
    [failed] = report.runs
    assert failed.error is not None and "statement timeout" in failed.error
    assert (failed.captures_stored, failed.captures_lost) == (len(small), 1)
    assert run(assert_whole(database, [*small, large])) == small
    [(error,)] = run(fetch(database, "SELECT error_message FROM scrape_errors"))
    assert "statement timeout" in error
    run(execute(database, *FAST_ROWS))
    run(redeliver(database, [*small, large]))


@pytest.mark.parametrize("seed", range(CRASHES))
def test_idle_transaction(database: str, run: Run, seed: int) -> None:
    """A source that blocks the program for longer than a transaction may be idle loses nothing."""
    rng = random.Random(seed)

    def source() -> Iterator[Capture]:
        for at, each in enumerate(MANY):
            if at % 50 == 49:
                time.sleep(rng.uniform(0.1, 0.3))
            yield each

    async def ingest() -> IngestReport:
        async with role_setting(database, "idle_in_transaction_session_timeout", "20ms"):
            return await patient_ingest(database, source(), SMALL_CHUNKS)

    report = run(ingest())
    assert report.retries > 0
    assert (report.total.captures_stored, report.total.captures_known) == (len(MANY), 0)
    assert_completed(run, database, MANY)


# -- roles with few connections --------------------------------------------------------------------


@pytest.fixture
def limited(database: str, run: Run) -> Iterator[str]:
    """Create a role that may open a single connection, and return its URL."""
    url = make_url(database)
    role = f"limited_{url.database}"
    run(
        execute(
            database,
            f"CREATE ROLE {role} LOGIN PASSWORD 'one' CONNECTION LIMIT 1",
            f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}",
            f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}",
        )
    )
    yield url.set(username=role, password="one").render_as_string(hide_password=False)
    run(execute(database, END_SESSIONS, f"DROP OWNED BY {role}", f"DROP ROLE {role}"))


def test_one_connection(limited: str, database: str, run: Run) -> None:
    """Three runs share a single connection, as soon as another program has closed its own."""

    async def ingest() -> IngestReport:
        other = await asyncpg.connect(limited)
        try:
            ingesting = asyncio.create_task(patient_ingest(limited, MANY, SMALL_CHUNKS))
            await asyncio.sleep(0.5)
            assert await fetch(database, "SELECT FROM scrape_batches") == []
        finally:
            await other.close()
        return await ingesting

    report = run(ingest())
    assert report.retries > 0
    assert (report.total.captures_stored, report.total.captures_known) == (len(MANY), 0)
    assert_completed(run, database, MANY)


# -- servers that are away, or accept no writes ----------------------------------------------------


@pytest.mark.parametrize("is_killed", [True, False], ids=["refuses", "is down"])
def test_server_that_starts_late(server: Server, run: Run, is_killed: bool) -> None:
    """An ingestion that begins before its server waits for it; reads report it at once."""
    url = run(server.new_database())
    captures = MANY[:60]

    async def ingest() -> IngestReport:
        if is_killed:
            server.kill()
        else:
            server.stop()
        ingesting = asyncio.create_task(patient_ingest(url, captures, IngestOptions()))
        try:
            await asyncio.sleep(1)
            began = time.monotonic()
            for read in (migrations.current, migrations.check, newest_batches):
                with pytest.raises(DatabaseUnavailableError):
                    await read(url)
            # A minute of retries would be the ingestion's.
            assert time.monotonic() - began < 10
            await asyncio.sleep(2)
        finally:
            await asyncio.to_thread(server.start)
        return await ingesting

    report = run(ingest())
    assert report.retries > 0
    assert_completed(run, url, captures)
    run(server.drop(url))


def test_server_that_never_starts(
    run: Run, short_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The first refusal is a warning, which a wrong port shows early; the last is the error."""
    url = f"postgresql://nobody@/odds?host={short_path}&port=5432"
    options = IngestOptions(retry_for=timedelta(seconds=1))
    began = time.monotonic()
    with (
        caplog.at_level(logging.WARNING, logger="oddsschema"),
        pytest.raises(DatabaseUnavailableError, match="cannot connect"),
    ):
        run(patient_ingest(url, CAPTURES, options))
    assert 0.2 < time.monotonic() - began < 5
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert str(short_path) in caplog.text


@pytest.mark.parametrize("database_name", ["no_such_database"])
def test_unknown_database(server_url: str, run: Run, database_name: str) -> None:
    """A database that does not exist is an error at once."""
    url = make_url(server_url).set(database=database_name).render_as_string(hide_password=False)
    began = time.monotonic()
    with pytest.raises(DatabaseUnavailableError, match=database_name):
        run(patient_ingest(url, CAPTURES, IngestOptions()))
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("seed", range(CRASHES))
def test_failover(database: str, run: Run, seed: int) -> None:
    """A server that accepts no writes for a while, after it ended all sessions, is waited for."""
    rng = random.Random(seed)
    fail_at = rng.randrange(0, len(MANY))
    failovers: list[asyncio.Task[None]] = []

    async def fail_over(begun: asyncio.Event) -> None:
        async with role_setting(database, "default_transaction_read_only", "on") as session:
            await session.execute(END_SESSIONS)
            begun.set()
            await asyncio.sleep(rng.uniform(0.5, 2))
            # Sessions stay read-only; only a new one finds the server that accepts writes.

    async def source() -> AsyncIterator[Capture]:
        for at, each in enumerate(MANY):
            if at == fail_at:
                begun = asyncio.Event()
                failovers.append(asyncio.create_task(fail_over(begun)))
                await begun.wait()
            yield each

    async def ingest() -> IngestReport:
        report = await patient_ingest(database, source(), SMALL_CHUNKS)
        await failovers[0]
        return report

    report = run(ingest())
    assert report.retries > 0
    assert (report.total.captures_stored, report.total.captures_known) == (len(MANY), 0)
    assert_completed(run, database, MANY)


def test_read_only_at_the_start(database: str, run: Run) -> None:
    """An ingestion that begins while the server accepts no writes waits for the end of that."""

    async def ingest() -> IngestReport:
        async with role_setting(database, "default_transaction_read_only", "on"):
            ingesting = asyncio.create_task(patient_ingest(database, CAPTURES, IngestOptions()))
            await asyncio.sleep(1)
        return await ingesting

    report = run(ingest())
    assert report.retries > 0
    assert_completed(run, database, CAPTURES)


# -- the time for retries --------------------------------------------------------------------------


def test_retry_of_long_work(database: str, run: Run) -> None:
    """Work that has taken longer than `retry_for` when it fails for the first time is repeated."""
    run(execute(database, *SLOW_ROWS))
    options = IngestOptions(retry_for=timedelta(seconds=1))

    async def ingest() -> IngestReport:
        ingesting = asyncio.create_task(patient_ingest(database, CAPTURES, options))
        in_copy = """
            SELECT FROM pg_stat_activity WHERE datname = current_database()
            AND query LIKE 'COPY%market_odds%' AND state = 'active'"""
        async with asyncio.timeout(20):
            while not await fetch(database, in_copy):  # noqa: ASYNC110 - the server sends no event
                await asyncio.sleep(0.01)
        await asyncio.sleep(1.5)
        assert await fetch(database, in_copy) == [()], "the chunk was written too fast"
        await execute(database, END_SESSIONS)
        return await ingesting

    report = run(ingest())
    assert report.retries > 0
    assert_completed(run, database, CAPTURES)


def test_server_without_tls(server_url: str, run: Run) -> None:
    """A server that has no TLS, where the URL requires it, is an error at once."""
    directory = make_url(server_url).query.get("host")
    if not isinstance(directory, str):
        pytest.skip("the server has no socket of its own, and may have TLS")

    async def forward(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_unix_connection(f"{directory}/.s.PGSQL.5432")
        to_server.write(await client.read(1 << 16))
        to_client.write(await server.read(1 << 16))
        to_client.close()
        to_server.close()

    async def body() -> None:
        async with await asyncio.start_server(forward, "127.0.0.1", 0) as listening:
            _, port = listening.sockets[0].getsockname()
            url = f"postgresql://nobody@127.0.0.1:{port}/odds?sslmode=require"
            await patient_ingest(url, CAPTURES, IngestOptions())

    began = time.monotonic()
    with pytest.raises(DatabaseUnavailableError, match="rejected SSL upgrade"):
        run(body())
    assert time.monotonic() - began < 10
