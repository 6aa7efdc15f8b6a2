"""Migrations beside sessions that write: rows that are read before a change are locked first."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from oddsschema import create_engine, migrations
from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.database.revision import HEAD
from oddsschema.errors import MigrationError, SequenceError
from oddsschema.models.sides import SIDES, Side
from tests.support.sessions import execute, fetch, fetch_column, holding, waiting
from tests.support.stored_histories import (
    OLD_REVISION,
    StoredInstant,
    StoredRow,
    former_key,
    insert_histories,
    read_rows,
    read_states,
    without_order,
)

Run = Callable[..., Any]

NO_LIMIT = timedelta(0)

TOTAL = {"betpawa_market_id": "1", "line": 2.5}
GOALS = {"betpawa_market_id": "2", "line": None}
HISTORY = [
    StoredInstant(True, [StoredRow(TOTAL, [2, 3]), StoredRow(GOALS, [1.5])]),
    StoredInstant(False, [StoredRow(TOTAL, [2.5, 2.5])]),
    StoredInstant(False, [StoredRow(TOTAL, [2.5, 2.5], is_gone=True)]),
    StoredInstant(False, [StoredRow(GOALS, [1.25])]),
]


async def finish_after_commit(url: str, writer: Any, migration: Awaitable[Any]) -> None:
    """Start a migration, and commit the writer's transaction when the migration waits for it."""
    migrating = asyncio.ensure_future(migration)
    await waiting(writer, unless=migrating)
    assert not migrating.done()
    await writer.execute("COMMIT")
    await migrating


@pytest.mark.parametrize("side", SIDES, ids=lambda side: side.events)
@pytest.mark.parametrize(
    ("before", "after"), [(OLD_REVISION, "oddsschema_0005"), (HEAD, OLD_REVISION)]
)
def test_downgrade_beside_a_writer(
    before: str, after: str, side: Side, old_database: str, run: Run
) -> None:
    """A history that is committed while a downgrade waits reads the same afterwards."""

    async def downgrade() -> None:
        await migrations.upgrade(old_database, before)
        writer = await asyncpg.connect(old_database)
        await writer.execute("BEGIN")
        await insert_histories(writer, side, [HISTORY, HISTORY])
        # The rollback releases the locks of reading: only those of writing are held.
        await writer.execute("SAVEPOINT before_reading")
        expected = without_order(read_states(await read_rows(writer), former_key))
        await writer.execute("ROLLBACK TO before_reading")
        await finish_after_commit(
            old_database,
            writer,
            migrations.downgrade(old_database, after, lock_timeout=NO_LIMIT),
        )
        await migrations.upgrade(old_database)
        assert without_order(read_states(await read_rows(writer), former_key)) == expected
        await writer.close()

    run(downgrade())


def test_downgrade_beside_a_reference_to_a_bookmaker(old_database: str, run: Run) -> None:
    """A bookmaker to which an error refers by then stays, and the error keeps the reference."""

    async def downgrade() -> None:
        await migrations.downgrade(old_database, "oddsschema_0002")
        writer = await asyncpg.connect(old_database)
        await writer.execute(
            "BEGIN; INSERT INTO scrape_runs DEFAULT VALUES;"
            "INSERT INTO scrape_errors (scrape_run_id, bookmaker_id, error_type, error_message)"
            "SELECT r.id, b.id, 'x', 'y' FROM scrape_runs AS r, bookmakers AS b"
            " WHERE slug = 'bet9ja'"
        )
        await finish_after_commit(
            old_database,
            writer,
            migrations.downgrade(old_database, "oddsschema_0001", lock_timeout=NO_LIMIT),
        )
        await writer.close()

    run(downgrade())
    slugs = "SELECT b.slug FROM scrape_errors AS e JOIN bookmakers AS b ON b.id = e.bookmaker_id"
    assert run(fetch_column(old_database, slugs)) == ["bet9ja"]


def test_upgrade_in_one_transaction_beside_a_writer(old_database: str, run: Run) -> None:
    """An id that a session writes meanwhile is not replaced by the one that was read before."""

    def update(sportradar_id: str) -> str:
        return (
            f"UPDATE competitor_events SET sportradar_id = '{sportradar_id}'"
            " WHERE external_id = 'b'"
        )

    async def upgrade() -> None:
        await migrations.upgrade(old_database, "oddsschema_0008")
        await execute(
            old_database,
            "INSERT INTO competitor_tournaments (source, sport_id, name, external_id)"
            " SELECT 'bet9ja', id, 'Cup', '1' FROM sports",
            "INSERT INTO competitor_events (source, tournament_id, external_id, sportradar_id,"
            " name, home_team, away_team, kickoff)"
            " SELECT source, t.id, e.external_id, e.sportradar_id, 'A - B', 'A', 'B', now()"
            " FROM competitor_tournaments AS t,"
            " (VALUES ('a', 'sr:match:1'), ('b', '2')) AS e (external_id, sportradar_id)",
        )
        observer = await asyncpg.connect(old_database)
        has_written, may_commit = asyncio.Event(), asyncio.Event()

        async def write() -> None:
            await execute(old_database, update("sr:match:2"))
            async with holding(old_database, update("3")):
                has_written.set()
                await may_commit.wait()

        async with sqlalchemy_connect(old_database) as connection:
            await connection.exec_driver_sql("SELECT 1")
            first = "SELECT FROM competitor_events WHERE external_id = 'a' FOR NO KEY UPDATE"
            async with holding(old_database, first):
                migrating = asyncio.create_task(migrations.upgrade(connection))
                await waiting(observer, unless=migrating)
                writing = asyncio.create_task(write())
                written = asyncio.create_task(has_written.wait())
                await waiting(observer, 2, unless=written)
            await waiting(observer, unless=migrating)
            may_commit.set()
            await migrating
            await connection.commit()
        await writing
        await observer.close()

    run(upgrade())
    ids = "SELECT external_id, sportradar_id FROM competitor_events ORDER BY external_id"
    assert run(fetch(old_database, ids)) == [("a", "1"), ("b", "3")]


def test_sequence_behind(empty_database: str, run: Run) -> None:
    """A revision that inserts rows reports a sequence that is behind, and inserts all or none."""

    async def upgrade() -> None:
        await migrations.upgrade(empty_database, "oddsschema_0001")
        await execute(empty_database, "INSERT INTO sports VALUES (1, 'Judo', 'judo')")
        with pytest.raises(SequenceError) as raised:
            await migrations.upgrade(empty_database)
        assert await migrations.current(empty_database) == "oddsschema_0001"
        await execute(empty_database, raised.value.repair or "")
        await migrations.upgrade(empty_database)

    run(upgrade())
    assert run(fetch_column(empty_database, "SELECT slug FROM sports ORDER BY id")) == [
        "judo",
        "football",
    ]


def test_autocommit(old_database: str, run: Run) -> None:
    """A connection without transactions is refused, before a part of the changes is made."""

    async def migrate() -> str | None:
        engine = create_engine(old_database, isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            for migration in (
                migrations.upgrade(connection),
                migrations.downgrade(connection, "base"),
                migrations.hand_over(connection, "other_versions"),
            ):
                with pytest.raises(MigrationError, match="is AUTOCOMMIT"):
                    await migration
            assert await migrations.current(connection) == "oddsschema_0007"
        # An engine gives connections, whose transactions are those of the migration.
        await migrations.upgrade(engine)
        await engine.dispose()
        return await migrations.current(old_database)

    assert run(migrate()) == HEAD


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_isolation_level(level: str, old_database: str, run: Run) -> None:
    """A transaction that hides the commits of others is refused; a default is overridden."""

    async def migrate() -> None:
        async with sqlalchemy_connect(old_database) as connection:
            await connection.exec_driver_sql(f"SET TRANSACTION ISOLATION LEVEL {level}")
            with pytest.raises(MigrationError, match=f"READ COMMITTED, not {level}"):
                await migrations.upgrade(connection)
        default = f"ALTER DATABASE {{}} SET default_transaction_isolation = '{level}'"
        (name,) = await fetch_column(old_database, "SELECT current_database()")
        await execute(old_database, default.format(name))
        await migrations.upgrade(old_database)
        await migrations.downgrade(old_database, "oddsschema_0005")

    run(migrate())
