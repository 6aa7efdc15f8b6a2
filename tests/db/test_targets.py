"""Targets: each kind works with each function, and each other object is refused."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine

import oddsschema
from oddsschema import DatabaseUnavailableError, IngestOptions, ScrapeStatus, batch, migrations
from oddsschema.database.revision import HEAD
from oddsschema.errors import UnsupportedDriverError
from oddsschema.migrations import CheckState
from oddsschema.scrapes.stale import close_stale, stale_batches
from oddsschema.scrapes.summaries import newest_batches
from tests.support.contents import content, expected
from tests.support.scrapes import START, scrapes
from tests.support.sessions import fetch
from tests.support.targets import KINDS, assert_codecs, set_codecs

Run = Callable[..., Any]

CAPTURES = scrapes(range(3), range(6))
#: Small chunks, and no patience with anything that would have to be retried.
OPTIONS = IngestOptions(chunk_rows=20, retry_for=timedelta(0))

#: The calls of every function that takes a target; the database is at this release's revision.
CALLS: list[Callable[[Any], Any]] = [
    lambda target: oddsschema.ingest(target, CAPTURES),
    lambda target: oddsschema.prune(target, timedelta(days=1)),
    lambda target: oddsschema.prune_ahead(target),
    lambda target: oddsschema.size(target),
    lambda target: newest_batches(target),
    lambda target: stale_batches(target),
    lambda target: close_stale(target),
    lambda target: migrations.upgrade(target),
    lambda target: migrations.downgrade(target, "base"),
    lambda target: migrations.plan_downgrade(target, "base"),
    lambda target: migrations.current(target),
    lambda target: migrations.check(target),
]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Any:
    """Return the context manager of each kind of target."""
    return KINDS[request.param]


@pytest.mark.sampled(4)
def test_writes_and_reads(kind: Any, database: str, run: Run) -> None:
    """Ingestion, reads and prunes do the same on every kind of target, also with codecs."""
    late = scrapes(range(3), range(2))

    async def body() -> None:
        async with kind(database) as target:
            for part in (CAPTURES[9:], [*late, *CAPTURES], CAPTURES):
                report = await oddsschema.ingest(target, part, options=OPTIONS)
                assert report.status == ScrapeStatus.COMPLETED, report
            assert await content(database) == expected(CAPTURES)
            async with batch(target, options=OPTIONS) as opened, opened.run("bet9ja") as first:
                await first.ingest(scrapes([4], [0], ("bet9ja",)))
            newest = await newest_batches(target)
            assert [found.batch_id for found in newest] == [opened.id, 3, 2, 1]
            assert newest[0].started_at.tzinfo is not None
            assert await stale_batches(target, timedelta(0)) == []
            await fetch(database, "UPDATE scrape_runs SET status = 'running' WHERE id = 1")
            await fetch(database, "UPDATE scrape_batches SET status = 'running' WHERE id = 1")
            assert [found.batch_id for found in await stale_batches(target, timedelta(0))] == [1]
            assert await close_stale(target, timedelta(0)) == 1
            sizes = {table.table: table.rows for table in (await oddsschema.size(target)).tables}
            assert sizes["odds_snapshots"] == 18
            pruned = await oddsschema.prune(target, START + timedelta(minutes=3))
            assert pruned.tables["odds_snapshots"].rows > 0
            assert (await oddsschema.prune_ahead(target)).tables["odds_snapshots"].rows == 0

    run(body())


@pytest.mark.sampled(3)
def test_migrations(kind: Any, empty_database: str, run: Run) -> None:
    """Migrations work on every kind of target, and writes and reads continue beside them."""

    async def body() -> None:
        async with kind(empty_database) as target:
            assert await migrations.current(target) is None
            await migrations.upgrade(target)
            report = await oddsschema.ingest(target, CAPTURES[:9], options=OPTIONS)
            assert report.retries == 0
            plan = await migrations.plan_downgrade(target, "oddsschema_0007")
            assert plan.revisions[-1].revision == "oddsschema_0008"
            await migrations.downgrade(target, "oddsschema_0007")
            assert (await migrations.check(target)).state is CheckState.OLDER
            await migrations.upgrade(target)
            assert await migrations.current(target) == HEAD
            assert (await migrations.check(target)).state is CheckState.CLEAN
            report = await oddsschema.ingest(target, CAPTURES, options=OPTIONS)
            assert (report.status, report.retries) == (ScrapeStatus.COMPLETED, 0)
        assert await content(empty_database) == expected(CAPTURES)

    run(body())


def test_transaction_of_the_caller(database: str, empty_database: str, run: Run) -> None:
    """In a transaction of an asyncpg connection, everything is rolled back with it."""

    async def body() -> None:
        connection = await asyncpg.connect(database)
        await set_codecs(connection)
        with pytest.raises(ZeroDivisionError):
            async with connection.transaction():
                await oddsschema.ingest(connection, CAPTURES, options=OPTIONS)
                await migrations.downgrade(connection, "oddsschema_0007")
                assert await migrations.current(connection) == "oddsschema_0007"
                with pytest.raises(oddsschema.MigrationError):
                    await migrations.downgrade(connection, "nothing")
                await migrations.upgrade(connection)
                assert (await migrations.check(connection)).state is CheckState.CLEAN
                assert connection.is_in_transaction()
                raise ZeroDivisionError
        assert not any((await content(database))["snapshots"])
        assert await migrations.current(database) == HEAD
        await assert_codecs(connection)
        await connection.close()
        connection = await asyncpg.connect(empty_database)
        async with connection.transaction():
            await migrations.upgrade(connection)
            assert await migrations.current(empty_database) is None
        assert await migrations.current(empty_database) == HEAD
        await connection.close()

    run(body())


def test_prepared_statements_of_a_pool(database: str, run: Run) -> None:
    """A pool's own prepared statements stay, and no statement of the package joins them."""
    theirs = "SELECT count(*) FROM odds_snapshots"
    # asyncpg's own statements, which find the types of arrays, may be among them.
    listing = "SELECT statement FROM pg_prepared_statements WHERE statement ~ 'odds_|scrape_'"

    async def body() -> None:
        async with asyncpg.create_pool(database, min_size=1, max_size=1) as pool:
            await pool.fetchval(theirs)
            before = set(await pool.fetch(listing))
            assert {row[0] for row in before} == {theirs, listing}
            await oddsschema.ingest(pool, CAPTURES, options=OPTIONS)
            await newest_batches(pool)
            assert set(await pool.fetch(listing)) == before

    run(body())


@pytest.mark.parametrize("kind", ["AsyncEngine", "pool with text codecs", "function"])
def test_lost_connections(kind: str, database: str, run: Run) -> None:
    """Transactions on an engine, a pool and a function's connections are retried."""
    cut = """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()"""
    captures = scrapes(range(10), range(6))

    async def delivered() -> Any:
        for at, capture in enumerate(captures):
            if at % 40 == 39:
                await asyncio.sleep(0.05)
                await fetch(database, cut)
            yield capture

    async def body() -> None:
        async with KINDS[kind](database) as target:
            options = IngestOptions(chunk_rows=50)
            report = await oddsschema.ingest(target, delivered(), options=options)
            assert report.status == ScrapeStatus.COMPLETED, report
            # An idle connection that was lost is replaced without a failure.
            await fetch(database, cut)
            await asyncio.sleep(0.05)
            assert [found.batch_id for found in await newest_batches(target)] == [report.batch_id]
        assert await content(database) == expected(captures)

    run(body())


@pytest.mark.parametrize("call", CALLS)
def test_no_target(call: Any, run: Run) -> None:
    """Any other object is a TypeError that lists the kinds; None names the unset variable."""
    for target in (5, b"postgresql://localhost/odds", object(), asyncpg.Connection):
        with pytest.raises(TypeError, match=r"as a URL .* pool of asyncpg, or an async function"):
            run(call(target))
    with pytest.raises(TypeError, match="is the environment variable with its URL set"):
        run(call(None))
    with pytest.raises(TypeError, match=r"not as Engine$"):
        run(call(create_engine("postgresql+psycopg://localhost/odds")))


@pytest.mark.parametrize("call", CALLS)
def test_closed_targets(call: Any, database: str, run: Run) -> None:
    """A closed pool, connection or engine's connection is a DatabaseUnavailableError at once."""

    async def body() -> None:
        pool = asyncpg.create_pool(database, min_size=0)
        with pytest.raises(DatabaseUnavailableError, match="pool is not initialized"):
            await call(pool)
        await pool
        released = await pool.acquire()
        await pool.release(released)
        with pytest.raises(DatabaseUnavailableError, match="released to its pool"):
            await call(released)
        await pool.close()
        with pytest.raises(DatabaseUnavailableError, match="pool is closed"):
            await call(pool)
        connection = await asyncpg.connect(database)
        await connection.close()
        with pytest.raises(DatabaseUnavailableError, match="connection is closed"):
            await call(connection)
        engine = oddsschema.create_engine(database)
        async with engine.connect() as through:
            pass
        with pytest.raises(DatabaseUnavailableError, match="connection is closed"):
            await call(through)
        await engine.dispose()

    run(body())


@pytest.mark.parametrize("call", CALLS[3:6])
def test_disposed_engine(call: Any, database: str, run: Run) -> None:
    """An engine that was disposed of opens connections again, as SQLAlchemy's own use does."""

    async def body() -> None:
        engine = oddsschema.create_engine(database)
        await call(engine)
        await engine.dispose()
        await call(engine)
        await engine.dispose()

    run(body())


@pytest.mark.parametrize("call", CALLS)
def test_failing_functions(call: Any, run: Run) -> None:
    """A function that raises, or that returns no connection, is named at once."""

    async def raises() -> Any:
        raise KeyError("no token")

    async def returns() -> Any:
        return 5

    with pytest.raises(DatabaseUnavailableError, match="no token") as raised:
        run(call(raises))
    assert isinstance(raised.value.__cause__, KeyError)
    with pytest.raises(TypeError, match="returned int: it should return a new connection of"):
        run(call(returns))


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("use", ["close", "execute"])
def test_functions_that_return_used_connections(
    use: str, call: Any, database: str, run: Run
) -> None:
    """A function that returns a closed connection, or one in a transaction, is named at once."""

    async def body() -> None:
        connection = await asyncpg.connect(database)
        await (connection.close() if use == "close" else connection.execute("BEGIN"))

        async def returns() -> Any:
            return connection

        with pytest.raises(TypeError, match="returned a connection that was used before"):
            await call(returns)
        await connection.close()

    run(body())


def test_functions_that_return_one_connection(database: str, run: Run) -> None:
    """A function that returns the same connection twice is named at once, not retried."""

    async def body() -> None:
        connection = await asyncpg.connect(database)

        async def returns() -> Any:
            return connection

        with pytest.raises(TypeError, match="returned the same connection twice"):
            async with asyncio.timeout(30):
                await asyncio.gather(*(migrations.check(returns) for _ in range(2)))
        await connection.close()

    run(body())


@pytest.mark.parametrize("call", CALLS)
def test_other_drivers(call: Any, run: Run) -> None:
    """An engine with another driver is an UnsupportedDriverError, before it connects."""
    engine = create_async_engine("postgresql+psycopg://localhost:1/odds")
    with pytest.raises(UnsupportedDriverError, match="psycopg"):
        run(call(engine))
