"""PgBouncer in transaction mode: every transaction may be on another connection."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import asyncpg
import pytest
from sqlmodel import select

import oddsschema
from oddsschema import IngestOptions, IngestReport, OddsSnapshot, ScrapeStatus
from oddsschema.scrapes.summaries import newest_batches
from tests.support.contents import content, expected
from tests.support.pgbouncer import pgbouncer
from tests.support.scrapes import scrapes
from tests.support.sessions import fetch

Run = Callable[..., Any]


@pytest.fixture
def bouncer(database: str) -> Iterator[str]:
    """Start a PgBouncer with two connections to this test's database, and return its URL."""
    with pgbouncer(database) as url:
        yield url


def test_concurrent_ingestions(bouncer: str, database: str, run: Run) -> None:
    """Six ingestions over two connections store exact rows without a retry; a repetition, none."""
    parts = [scrapes(range(8), range(at, at + 4)) for at in range(6)]
    distinct = scrapes(range(8), range(9))

    async def all_at_once() -> list[IngestReport]:
        options = IngestOptions(chunk_rows=50)
        return await asyncio.gather(
            *(oddsschema.ingest(bouncer, part, options=options) for part in parts)
        )

    reports = run(all_at_once())
    assert {(report.status, report.retries) for report in reports} == {(ScrapeStatus.COMPLETED, 0)}
    assert sum(report.total.captures_stored for report in reports) == len(distinct)
    assert run(content(database)) == expected(distinct)
    again = run(oddsschema.ingest(bouncer, distinct))
    assert (again.total.captures_known, again.total.captures_stored) == (len(distinct), 0)
    pooled = "SELECT count(DISTINCT pid) <= 2 FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    pooled += " AND datname = current_database()"
    assert run(fetch(database, pooled)) == [(True,)]


def test_server_connections_are_cut(bouncer: str, database: str, run: Run) -> None:
    """The ingestion continues when PgBouncer loses its connections to the server."""
    captures = scrapes(range(20), range(6))
    cut = """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()"""

    async def ingest() -> IngestReport:
        ingesting = asyncio.create_task(
            oddsschema.ingest(bouncer, captures, options=IngestOptions(chunk_rows=50))
        )
        for _ in range(3):
            await asyncio.sleep(0.1)
            await fetch(database, cut)
        return await ingesting

    report = run(ingest())
    assert report.retries > 0
    assert report.total.captures_stored == len(captures)
    assert run(content(database)) == expected(captures)


def test_batches(bouncer: str, database: str, run: Run) -> None:
    """The other functions work through PgBouncer too."""
    report = run(oddsschema.ingest(bouncer, scrapes(range(2), range(1))))
    assert [batch.batch_id for batch in run(newest_batches(bouncer))] == [report.batch_id]
    assert run(oddsschema.migrations.current(bouncer)) == run(
        oddsschema.migrations.current(database)
    )
    run(oddsschema.migrations.upgrade(bouncer))


def test_targets(bouncer: str, database: str, run: Run) -> None:
    """An engine, and a pool without a cache of statements, work through PgBouncer too."""
    captures = scrapes(range(4), range(3))

    async def ask(engine: Any) -> int:
        async with engine.connect() as connection:
            for _ in range(3):
                rows = await connection.execute(select(OddsSnapshot.id))
            return len(rows.all())

    async def body() -> None:
        engine = oddsschema.create_engine(bouncer)
        async with asyncpg.create_pool(bouncer, min_size=1, statement_cache_size=0) as pool:
            await asyncio.gather(
                oddsschema.ingest(engine, captures), oddsschema.ingest(pool, captures)
            )
        assert set(await asyncio.gather(*(ask(engine) for _ in range(8)))) == {12}
        await engine.dispose()

    run(body())
    assert run(content(database)) == expected(captures)
