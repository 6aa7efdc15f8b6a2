"""Revisions beside long transactions of others: nobody else waits long, and nothing deadlocks."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa

from oddsschema import migrations
from oddsschema.database.recorded_revisions import OWN_TABLE
from oddsschema.database.revision import HEAD
from oddsschema.errors import LockTimeoutError
from tests.support.catalog import catalog
from tests.support.generated_revisions import Project, connected
from tests.support.lock_waits import sampled
from tests.support.sessions import execute, holding, settled, waiting
from tests.support.stored_histories import OLD_REVISION

Run = Callable[..., Any]

#: The tables of revision 8 that a reader keeps from being changed, and the others.
BUSY = "odds_snapshots"
OTHERS = ("competitor_odds_snapshots", "competitor_market_odds", "market_odds", "events")

NO_LIMIT = timedelta(0)


def test_readers_and_writers_of_other_tables(old_database: str, run: Run) -> None:
    """While a long reader of a table blocks an upgrade, those of other tables wait 1 s at most."""

    async def body() -> None:
        async with holding(old_database, f"SELECT FROM {BUSY}"):
            async with sampled(old_database, [BUSY, *OTHERS]) as waits:
                with pytest.raises(LockTimeoutError, match="LOCK TABLE competitor_odds"):
                    await migrations.upgrade(
                        old_database, lock_timeout=timedelta(seconds=4), retry_for=timedelta(0)
                    )
            of_busy = {kind: waits.pop((kind, BUSY)) for kind in ("reader", "writer")}
            assert max(waits.values()) < 1, waits
            # Those of the same table do not wait for the whole time either.
            assert max(of_busy.values()) < 3, of_busy
        await migrations.upgrade(old_database)

    run(body())
    assert run(migrations.current(old_database)) == HEAD


def test_downgrade_beside_a_writer_in_another_order(database: str, run: Run) -> None:
    """A writer that uses the tables in another order than a downgrade goes on, and so does it."""

    async def body() -> None:
        async with holding(database, "UPDATE market_odds SET line = line") as writer:
            downgrading = asyncio.create_task(
                migrations.downgrade(
                    database, OLD_REVISION, lock_timeout=NO_LIMIT, retry_for=timedelta(0)
                )
            )
            await waiting(writer, unless=downgrading)
            for table in ("odds_snapshots", "competitor_market_odds", "competitor_odds_snapshots"):
                await writer.execute(f"UPDATE {table} SET id = id")
            assert not downgrading.done()
        await downgrading

    run(body())
    assert run(migrations.current(database)) == OLD_REVISION


def test_the_locks_are_kept(old_database: str, run: Run) -> None:
    """All tables are locked until the transaction ends, after a wait for one of them too."""

    async def body() -> None:
        connection = await asyncpg.connect(old_database)
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("SET LOCAL lock_timeout = '42s'")
        async with holding(old_database, "SELECT FROM market_odds") as reader:
            upgrading = asyncio.create_task(migrations.upgrade(connection, "oddsschema_0008"))
            await waiting(reader, unless=upgrading)
        await upgrading
        for table in ("market_odds", "competitor_odds_snapshots"):
            with pytest.raises(asyncpg.LockNotAvailableError):
                await execute(old_database, f"SET lock_timeout = '50ms'; SELECT FROM {table}")
        assert await connection.fetchval("SHOW lock_timeout") == "42s"
        await transaction.rollback()
        await connection.close()

    run(body())
    assert run(migrations.current(old_database)) == OLD_REVISION


def test_sql(old_database: str, run: Run) -> None:
    """SQL text gives up after its limit, and succeeds after the blocking session."""
    text = migrations.upgrade_sql(
        f"{OLD_REVISION}:oddsschema_0008", lock_timeout=timedelta(seconds=0.3)
    )

    async def body() -> None:
        async with holding(old_database, "SELECT FROM market_odds"):
            with pytest.raises(asyncpg.LockNotAvailableError):
                await execute(old_database, text)
            assert await migrations.current(old_database) == OLD_REVISION
        await execute(old_database, text)

    run(body())
    assert run(migrations.current(old_database)) == "oddsschema_0008"


@pytest.mark.parametrize("signal_", [signal.SIGTERM, signal.SIGKILL])
def test_client_that_has_gone(signal_: signal.Signals, old_database: str, run: Run) -> None:
    """The server ends an upgrade that waits, soon after its process, and nothing is changed."""

    async def body() -> None:
        async with holding(old_database, "SELECT FROM market_odds") as reader:
            upgrading = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "oddsschema", "upgrade", "--lock-timeout", "0"),
                env=os.environ | {"DATABASE_URL": old_database},
                stderr=subprocess.DEVNULL,
            )
            await waiting(reader)
            upgrading.send_signal(signal_)
            async with asyncio.timeout(20):
                await upgrading.wait()
                # The reader is connected: of others, only the upgrade was.
                others = (
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
                )
                await reader.execute("SELECT pg_stat_clear_snapshot()")
                while await reader.fetchval(others):
                    await asyncio.sleep(0.05)
                    await reader.execute("SELECT pg_stat_clear_snapshot()")
            assert upgrading.returncode
        await settled(old_database)

    run(body())
    assert run(migrations.current(old_database)) == OLD_REVISION
    run(migrations.upgrade(old_database))
    assert run(migrations.current(old_database)) == HEAD


def project_tables(schema: str | None, *, changed: bool) -> sa.MetaData:
    """Return the models of a project: two tables, which a change concerns both."""
    metadata = sa.MetaData(schema=schema)
    for name in ("Notes", "tips"):
        table = sa.Table(
            name,
            metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("stars", sa.Integer, nullable=not changed),
        )
        if changed:
            table.append_column(sa.Column("text", sa.String(100)))
            table.append_constraint(sa.CheckConstraint("stars > 0", name=f"ck_{name}_stars"))
    return metadata


@pytest.mark.parametrize(("schema", "busy"), [(None, "Notes"), ("app", "tips")])
def test_generated_revisions(
    schema: str | None, busy: str, database: str, tmp_path: Path, run: Run
) -> None:
    """While a long reader of a table blocks a generated revision, users of others wait little."""
    place = f"{schema}." if schema else ""
    names = {name: f'{place}"{name}"' for name in ("Notes", "tips")}
    former, models = (project_tables(schema, changed=changed) for changed in (False, True))
    project = Project(
        tmp_path / "project",
        lambda: (
            migrations.autogenerate_options(models)
            | {"include_schemas": True, "version_table": OWN_TABLE}
        ),
        [migrations.script_location() / "versions"],
    )

    async def beside(migrate: Callable[[], None]) -> None:
        async with sampled(database, names.values()) as waits:
            async with holding(database, f"SELECT FROM {names[busy]}") as reader:
                migrating = asyncio.create_task(asyncio.to_thread(migrate))
                await waiting(reader, unless=migrating)
                await asyncio.sleep(2)
                assert not migrating.done()
            await migrating
        del waits["reader", names[busy]], waits["writer", names[busy]]
        assert max(waits.values()) < 1, waits

    with connected(database) as connection:
        connection.execute(sa.text("CREATE SCHEMA app"))
        former.create_all(connection)
        connection.commit()
        before = run(catalog(database))
        scripts = project.generate(connection, head="base", depends_on="oddsschema_0003")
        run(beside(lambda: project.upgrade(connection, "changed")))
        run(beside(lambda: project.upgrade(connection, scripts[-1].revision)))
        (nothing,) = project.generate(connection, rev_id="again", head=scripts[-1].revision)
        assert Path(nothing.path).read_text().count("    pass") == 2
        Path(nothing.path).unlink()
        run(beside(lambda: project.downgrade(connection, "changed@base")))
        assert run(catalog(database)) == before
