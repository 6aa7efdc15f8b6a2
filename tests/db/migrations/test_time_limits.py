"""Time limits of migrations, and the advice in their errors."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from alembic.runtime.migration import MigrationContext
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from oddsschema import migrations
from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.database.revision import HEAD
from oddsschema.errors import LockTimeoutError, OddsSchemaError, StatementTimeoutError
from oddsschema.migrations import timeouts
from tests.support.paths import ROOT

#: A revision after which existing tables are changed.
BEFORE = "oddsschema_0003"

Run = Callable[..., Any]


@pytest.fixture
def older(empty_database: str, run: Run) -> str:
    """Return the URL of a database at an older revision."""
    run(migrations.upgrade(empty_database, BEFORE))
    return empty_database


@asynccontextmanager
async def connected(url: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    """Open another session."""
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def reader(url: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    """Open a session whose transaction keeps tables from being changed."""
    async with connected(url) as connection, connection.transaction():
        await connection.execute("SELECT FROM competitor_market_odds")
        yield connection


def test_lock_timeout(older: str, run: Run) -> None:
    """A blocked migration ends soon, leaves nothing, and succeeds after the blocking session."""

    async def upgrade() -> None:
        async with reader(older):
            began = time.monotonic()
            with pytest.raises(
                LockTimeoutError, match=r"waited 0\.3 s .*: LOCK TABLE book.*\n.*Run the migration"
            ) as raised:
                await migrations.upgrade(
                    older, lock_timeout=timedelta(seconds=0.3), retry_for=timedelta(0)
                )
            assert raised.value.timeout == timedelta(seconds=0.3)
            assert isinstance(raised.value.__cause__, DBAPIError)
            assert 0.3 <= time.monotonic() - began < 5
            assert await migrations.current(older) == BEFORE
        await migrations.upgrade(older, lock_timeout=timedelta(seconds=0.3))
        assert await migrations.current(older) == HEAD

    run(upgrade())


def test_statement_timeout(older: str, run: Run) -> None:
    """A long statement ends the migration, with the setting's name in the error."""

    async def upgrade() -> None:
        async with reader(older):
            with pytest.raises(
                StatementTimeoutError, match=r"within 0\.3 s.*\n.*statement_timeout"
            ):
                await migrations.upgrade(
                    older, lock_timeout=timedelta(0), statement_timeout=timedelta(seconds=0.3)
                )
            assert await migrations.current(older) == BEFORE

    run(upgrade())


LONGEST = timedelta(milliseconds=2**31 - 1)


# (Long enough for the look into the catalog.)
@given(
    st.timedeltas(timedelta(0), LONGEST),
    st.just(timedelta(0)) | st.timedeltas(timedelta(seconds=1), LONGEST),
)
def test_each_transaction_has_them(
    server_url: str, run: Run, lock: timedelta, statement: timedelta
) -> None:
    """Each transaction has the given limits in milliseconds; 0 means none."""

    def shown(connection: Connection) -> list[int]:
        query = "SELECT setting::int FROM pg_settings WHERE name = $1"
        names = ("lock_timeout", "statement_timeout")
        return [connection.exec_driver_sql(query, (name,)).scalar_one() for name in names]

    def look(connection: Connection) -> None:
        usual = shown(connection)
        connection.rollback()
        context = MigrationContext.configure(connection)
        with timeouts(context, lock_timeout=lock, statement_timeout=statement):
            for _ in range(2):
                for limit, number in zip((lock, statement), shown(connection), strict=True):
                    milliseconds = timedelta(milliseconds=number)
                    assert timedelta(0) <= milliseconds - limit < timedelta(milliseconds=1)
                connection.rollback()
        assert shown(connection) == usual

    async def on_database() -> None:
        async with sqlalchemy_connect(server_url) as connection:
            await connection.run_sync(look)

    run(on_database())


def test_callers_limits_are_restored(database: str, run: Run) -> None:
    """A given transaction has our limits during the migration, then its own again."""

    async def downgrade() -> None:
        async with sqlalchemy_connect(database) as connection:
            await connection.execute(text("SET LOCAL lock_timeout = '42s'"))
            await migrations.downgrade(connection, BEFORE)
            assert (await connection.execute(text("SHOW lock_timeout"))).scalar_one() == "42s"
            await connection.rollback()
            async with reader(database):
                with pytest.raises(LockTimeoutError, match=r"waited 0\.1 s"):
                    await migrations.downgrade(
                        connection, BEFORE, lock_timeout=timedelta(seconds=0.1)
                    )

    run(downgrade())


@pytest.mark.parametrize("limit", [timedelta(microseconds=-1), LONGEST + timedelta.resolution])
def test_limits_out_of_range(limit: timedelta, empty_database: str, run: Run) -> None:
    """A negative limit, or a limit that is too long, is refused before any change."""
    with pytest.raises(OddsSchemaError, match=r"lock_timeout must be 0 \(no limit\) to "):
        run(migrations.upgrade(empty_database, lock_timeout=limit))
    assert run(migrations.current(empty_database)) is None


def test_sql(empty_database: str, run: Run) -> None:
    """The SQL text of an upgrade sets the limits too."""

    async def execute() -> list[str]:
        async with connected(empty_database) as connection:
            limits = {"lock_timeout": timedelta(seconds=7), "statement_timeout": timedelta(0)}
            await connection.execute(migrations.upgrade_sql(**limits))
            names = ("lock_timeout", "statement_timeout")
            return [await connection.fetchval(f"SHOW {name}") for name in names]

    assert run(execute()) == ["7s", "0"]


def test_alembic(older: str, run: Run) -> None:
    """`alembic -x lock_timeout=5s` sets the limit, and an error is a message."""
    python = [sys.executable, "-W", "error", "-m", "alembic", "-x", f"url={older}"]

    async def upgrade(limit: str) -> str:
        async with reader(older):
            command = [*python, "-x", f"lock_timeout={limit}", "upgrade", "head"]
            upgrading = await asyncio.create_subprocess_exec(
                *command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
            message, _ = await upgrading.communicate()
        assert upgrading.returncode != 0
        assert b"Traceback" not in message
        return message.decode()

    assert "FAILED: waited 0.2 s for a lock that another session holds" in run(upgrade("200ms"))
    assert "FAILED: -x lock_timeout: 'soon' is not a duration such as 36h" in run(upgrade("soon"))
    assert run(migrations.current(older)) == BEFORE


@pytest.mark.nightly
def test_command_line(older: str, run: Run) -> None:
    """`oddsschema upgrade` and `downgrade` apply both options, and write them into SQL text."""
    program = [sys.executable, "-W", "error", "-m", "oddsschema"]

    async def move(*command: str) -> tuple[int | None, str]:
        async with reader(older):
            moving = await asyncio.create_subprocess_exec(
                *program, *command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
            message, _ = await moving.communicate()
        return moving.returncode, message.decode()

    url = ("--url", older)
    code, message = run(move("upgrade", *url, "--lock-timeout", "200ms", "--retry-for=0"))
    assert code == 2
    assert "\nerror: waited 0.2 s for a lock that another session holds" in message
    code, message = run(
        move("downgrade", "--yes", "base", *url, "--lock-timeout=0", "--statement-timeout", "300ms")
    )
    assert code == 2
    assert "\nerror: a statement did not end within 0.3 s" in message
    assert run(migrations.current(older)) == BEFORE

    code, sql = run(move("upgrade", "--sql", "--lock-timeout", "7s"))
    assert (code, sql) == (0, migrations.upgrade_sql(lock_timeout=timedelta(seconds=7)))
