"""Upgrades of one database at the same time: one works, the others wait."""

import asyncio
import os
import sys
from collections.abc import Callable
from datetime import timedelta
from threading import Thread
from typing import Any

import asyncpg
import pytest

import oddsschema
from oddsschema import migrations
from oddsschema.database.revision import HEAD
from oddsschema.errors import MigrationRunningError, PooledSessionError
from oddsschema.migrations import CheckState
from oddsschema.migrations.schema_lock import locked_schema
from tests.support.pgbouncer import pgbouncer
from tests.support.sessions import fetch, holding, waiting
from tests.support.targets import KINDS

Run = Callable[..., Any]

UPGRADE = [sys.executable, "-W", "error", "-m", "oddsschema", "upgrade"]

#: Return the sessions that have advisory locks.
LOCKED = """
SELECT count(*) FROM pg_locks
WHERE locktype = 'advisory' AND database = (
    SELECT oid FROM pg_database WHERE datname = current_database()
)
"""

#: Return the sessions that hold a snapshot, besides this one.
SNAPSHOTS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_xmin NOTNULL
"""


def test_three_programs(empty_database: str, run: Run) -> None:
    """One of three programs upgrades; the others report that nothing was left to do."""

    async def start() -> list[str]:
        programs = [
            await asyncio.create_subprocess_exec(
                *UPGRADE,
                env=os.environ | {"DATABASE_URL": empty_database},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            for _ in range(3)
        ]
        outputs = [(await program.communicate())[0].decode() for program in programs]
        assert [program.returncode for program in programs] == [0] * 3, outputs
        return outputs

    outputs = run(start())
    assert sum(f"base -> {HEAD}" in output for output in outputs) == 1
    assert sum(f"already at {HEAD}" in output for output in outputs) == 2
    assert run(migrations.check(empty_database)).state is CheckState.CLEAN
    assert run(fetch(empty_database, LOCKED)) == [(0,)]


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "kind", ["text", "AsyncEngine", "connection with codecs", "pool of one connection", "function"]
)
def test_waiting(kind: str, old_database: str, run: Run) -> None:
    """A migration that waits holds no snapshot; nothing is left to do, and no lock is left."""

    async def body() -> tuple[str, ...]:
        async with (
            KINDS[kind](old_database) as target,
            holding(old_database, "LOCK TABLE market_odds") as session,
        ):
            first = asyncio.create_task(migrations.upgrade(old_database, lock_timeout=timedelta(0)))
            await waiting(session, unless=first)
            second = asyncio.create_task(migrations.upgrade(target))
            await asyncio.sleep(0.5)
            # The first one waits in a transaction, which has a snapshot.
            assert not second.done()
            assert await session.fetchval(SNAPSHOTS) <= 1
            await session.execute("ROLLBACK")
            assert not any("nothing was left" in note for note in await first)
            await session.execute("BEGIN")
            return await second

    (note,) = run(body())
    assert note.startswith("nothing was left to do: another migration ran meanwhile")
    assert run(fetch(old_database, LOCKED)) == [(0,)]
    assert run(migrations.check(old_database)).state is CheckState.CLEAN


def test_end_of_the_wait(old_database: str, run: Run) -> None:
    """After `wait`, the error names the session that migrates."""

    async def body() -> None:
        connection = await asyncpg.connect(old_database)
        async with connection.transaction():
            await migrations.upgrade(connection)
            with pytest.raises(MigrationRunningError, match=r"for more than 0\.2 s") as raised:
                await migrations.upgrade(old_database, wait=timedelta(seconds=0.2))
            assert raised.value.process == connection.get_server_pid()
        await connection.close()
        assert await migrations.upgrade(old_database) == ()

    run(body())


def test_schemas(empty_database: str, run: Run) -> None:
    """A migration of one schema does not wait for that of another one."""

    async def body() -> None:
        connection = await asyncpg.connect(empty_database)
        async with connection.transaction():
            await migrations.upgrade(connection)
            await migrations.upgrade(
                f"{empty_database}&search_path=odds", create_schema=True, wait=timedelta(0)
            )
        await connection.close()

    run(body())


def test_task_and_thread(new_database: Callable[..., Any], run: Run) -> None:
    """A task and a thread that upgrade two databases do not disturb each other, or the loop."""

    async def beside(first: str, second: str) -> float:
        loop = asyncio.get_running_loop()
        thread = Thread(target=asyncio.run, args=(migrations.upgrade(second),))
        thread.start()
        upgrade = asyncio.create_task(migrations.upgrade(first))
        longest = 0.0
        while thread.is_alive() or not upgrade.done():
            began_at = loop.time()
            await asyncio.sleep(0.01)
            longest = max(longest, loop.time() - began_at)
        await upgrade
        return longest

    with new_database() as first, new_database() as second:
        assert run(beside(first, second)) < 2
        for url in (first, second):
            assert run(migrations.current(url)) == HEAD


def test_lost_session(old_database: str, run: Run) -> None:
    """The lock of a session that is lost is free, and the migration is tried again."""

    async def body() -> None:
        async with holding(old_database, "LOCK TABLE market_odds") as session:
            upgrading = asyncio.create_task(
                migrations.upgrade(old_database, lock_timeout=timedelta(0))
            )
            await waiting(session, unless=upgrading)
            await session.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        await upgrading

    run(body())
    assert run(fetch(old_database, LOCKED)) == [(0,)]
    assert run(migrations.check(old_database)).state is CheckState.CLEAN


def test_pooler(old_database: str, run: Run) -> None:
    """Behind a pooler in transaction mode, a migration refuses, except in a transaction."""

    async def body() -> None:
        with pgbouncer(old_database) as url:
            with pytest.raises(PooledSessionError, match="Give the URL of the server itself"):
                await migrations.upgrade(url)
            assert await fetch(old_database, LOCKED) == [(0,)]
            connection = await asyncpg.connect(url, statement_cache_size=0)
            with pytest.raises(PooledSessionError):
                await migrations.upgrade(connection)
            async with connection.transaction():
                await migrations.upgrade(connection)
            await connection.close()
            assert await migrations.upgrade(url) == ()

    run(body())


def test_pooler_in_session_mode(old_database: str, run: Run) -> None:
    """Behind a pooler in session mode, a migration runs."""
    with pgbouncer(old_database, mode="session") as url:
        run(migrations.upgrade(url))
    assert run(migrations.current(old_database)) == HEAD


def test_cancelled_wait(old_database: str, run: Run) -> None:
    """A migration that is cancelled while it waits takes no lock."""

    async def body() -> None:
        engine = oddsschema.create_engine(old_database)
        async with engine.connect() as connection:
            async with locked_schema(connection, old_database, timedelta(0)):
                upgrading = asyncio.create_task(migrations.upgrade(old_database))
                await asyncio.sleep(0.3)
                upgrading.cancel()
                await asyncio.wait([upgrading])
                assert upgrading.cancelled()
            assert await fetch(old_database, LOCKED) == [(0,)]
        await engine.dispose()

    run(body())


def test_handed_over_on_a_connection(database: str, run: Run) -> None:
    """A move of the revision is committed on a connection without a transaction."""

    async def body() -> None:
        connection = await asyncpg.connect(database)
        await migrations.hand_over(connection)
        await connection.close()

    run(body())
    assert run(fetch(database, "SELECT version_num FROM alembic_version")) == [(HEAD,)]
