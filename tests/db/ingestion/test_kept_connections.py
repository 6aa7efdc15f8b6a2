"""Connections that are kept from batch to batch: lost, migrated, shared with other programs."""

import asyncio
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

import oddsschema
from oddsschema import IngestOptions, NotMigratedError, ScrapeStatus, migrations, sync
from tests.support.contents import content, expected
from tests.support.pgbouncer import pgbouncer
from tests.support.round_trips import counting
from tests.support.scrapes import scrapes
from tests.support.sessions import execute, fetch
from tests.support.views import under_views

Run = Callable[..., Any]

#: Six deliveries, each of a minute.
PARTS = [scrapes(range(4), [minute]) for minute in range(6)]
ALL = [each for part in PARTS for each in part]

CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


def test_one_connection_for_all_batches(database: str, run: Run, short_path: Path) -> None:
    """Batches that follow one another use one connection, and each has its own row."""

    async def body() -> None:
        async with (
            counting(database, short_path) as (url, traffic),
            oddsschema.connect(url) as odds,
        ):
            for number, part in enumerate(PARTS):
                async with odds.batch(notes=str(number)) as batch:
                    await batch.ingest(part)
                assert batch.status is ScrapeStatus.COMPLETED
                assert batch.report().retries == 0
            assert traffic.connections == 1

    run(body())
    assert run(fetch(database, "SELECT notes FROM scrape_batches ORDER BY id")) == [
        (str(number),) for number in range(len(PARTS))
    ]
    assert run(content(database)) == expected(ALL)


def test_batches_at_the_same_time(database: str, run: Run) -> None:
    """Batches may be open at the same time."""

    async def body() -> None:
        async with oddsschema.connect(database) as odds:
            reports = await asyncio.gather(*map(odds.ingest, PARTS))
        assert {report.status for report in reports} == {ScrapeStatus.COMPLETED}

    run(body())
    assert run(content(database)) == expected(ALL)


def test_connection_lost_between_batches(database: str, run: Run) -> None:
    """A connection that is lost between two batches is opened again."""

    async def body() -> None:
        async with oddsschema.connect(database) as odds:
            for part in PARTS:
                assert (await odds.ingest(part)).status is ScrapeStatus.COMPLETED
                await execute(database, CUT)

    run(body())
    assert run(content(database)) == expected(ALL)


def test_migration_between_batches(database: str, run: Run) -> None:
    """A batch on an older revision is refused; after the upgrade, batches are stored again."""

    async def body() -> None:
        async with oddsschema.connect(database) as odds:
            await odds.ingest(PARTS[0])
            await migrations.downgrade(database, "oddsschema_0012")
            with pytest.raises(NotMigratedError):
                await odds.ingest(PARTS[1])
            await migrations.upgrade(database)
            assert (await odds.ingest(PARTS[1])).status is ScrapeStatus.COMPLETED

    run(body())


def test_types_changed_between_batches(database: str, run: Run) -> None:
    """A result in another form than its remembered description costs one repetition."""

    async def body() -> None:
        async with oddsschema.connect(database) as odds:
            await odds.ingest(PARTS[0])
            alteration = "ALTER TABLE odds_snapshots ALTER scrape_run_id TYPE bigint"
            await execute(database, under_views(alteration))
            report = await odds.ingest(PARTS[1])
            assert (report.status, report.retries) == (ScrapeStatus.COMPLETED, 1)

    run(body())
    assert run(content(database)) == expected([*PARTS[0], *PARTS[1]])


def test_other_program_behind_a_pooler(database: str, run: Run) -> None:
    """Another program's statements under asyncpg's names do not reach ours, through PgBouncer."""

    async def disturb(url: str) -> None:
        """Prepare statements under the names that asyncpg gives in every process."""
        while True:
            other = await asyncpg.connect(url)
            try:
                for number in range(5):
                    await other.fetch(f"SELECT {number} AS other, $1::text", "program")
                    await asyncio.sleep(0)
            except asyncpg.PostgresError:
                pass  # its own names collide
            finally:
                other.terminate()

    async def body(url: str) -> None:
        disturbing = asyncio.create_task(disturb(url))
        async with oddsschema.connect(url, options=IngestOptions(chunk_rows=20)) as odds:
            for part in PARTS:
                report = await odds.ingest(part)
                assert (report.status, report.retries) == (ScrapeStatus.COMPLETED, 0)
        disturbing.cancel()
        await asyncio.wait([disturbing])

    with pgbouncer(database) as url:
        run(body(url))
    assert run(content(database)) == expected(ALL)


def test_synchronous_program(database: str, run: Run) -> None:
    """A synchronous program keeps connections in the same way."""
    with sync.connect(database) as odds:
        for part in PARTS[:3]:
            assert odds.ingest(part).status is ScrapeStatus.COMPLETED
        with odds.batch(notes="the last") as batch:
            batch.ingest(PARTS[3])
        assert batch.report().total.captures_stored == len(PARTS[3])
    assert run(content(database)) == expected([each for part in PARTS[:4] for each in part])


def test_threshold_of_the_garbage_collector(database: str, run: Run) -> None:
    """The threshold is raised while captures wait for their chunk, and not while a batch idles."""
    own = gc.get_threshold()

    async def body() -> None:
        async with oddsschema.batch(database) as batch:
            assert gc.get_threshold() == own
            await batch.ingest(PARTS[0])
            assert gc.get_threshold()[0] > own[0]
            await batch.flush()
            assert gc.get_threshold() == own
            await batch.ingest(PARTS[1])
        assert gc.get_threshold() == own

    run(body())
