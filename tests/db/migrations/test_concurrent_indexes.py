"""Revisions that create and drop an index outside of a transaction."""

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from oddsschema import migrations
from oddsschema.database.revision import HEAD
from oddsschema.errors import MigrationError
from oddsschema.migrations import CheckState
from tests.support.next_revision import REVISION
from tests.support.sessions import execute, fetch, holding, settled, waiting

Run = Callable[..., Any]

SCRIPT = """
def upgrade() -> None:
    op.create_index_concurrently("ix_market_odds_line", "market_odds", ["line"]{options})


def downgrade() -> None:
    op.drop_index_concurrently("ix_market_odds_line", "market_odds")
"""

#: Return whether the index exists, and whether it is valid.
INDEX = """
SELECT indisvalid, pg_get_indexdef(indexrelid) FROM pg_index
WHERE indexrelid = to_regclass('ix_market_odds_line')
"""


@pytest.fixture
def index(write_revision: Callable[[str], None]) -> None:
    """Add the revision to this release."""
    write_revision(SCRIPT.format(options=""))


@pytest.mark.usefixtures("index")
def test_upgrade_and_downgrade(database: str, run: Run) -> None:
    """The index is created beside a writer, is part of the expected schema, and is dropped."""

    async def body() -> None:
        async with holding(database, "UPDATE market_odds SET line = line") as session:
            upgrading = asyncio.create_task(migrations.upgrade(database))
            await waiting(session, unless=upgrading)
            # Another writer does not wait behind the creation.
            await execute(database, "SET lock_timeout = '1s'; UPDATE market_odds SET line = line")
            assert not upgrading.done()
        await upgrading
        ((is_valid, definition),) = await fetch(database, INDEX)
        assert is_valid
        assert definition.endswith("ON public.market_odds USING btree (line)")
        assert await migrations.current(database) == REVISION
        assert (await migrations.check(database)).state is CheckState.CLEAN
        await execute(database, "DROP INDEX ix_market_odds_line")
        (difference,) = (await migrations.check(database)).differences
        assert difference.location == "market_odds.ix_market_odds_line"
        await execute(database, difference.repair)
        await migrations.downgrade(database, HEAD)
        assert await fetch(database, INDEX) == []
        assert await migrations.current(database) == HEAD

    run(body())


@pytest.mark.usefixtures("index")
def test_killed(database: str, run: Run) -> None:
    """After a kill in the middle, the invalid index is dropped and made again."""

    async def body() -> None:
        async with holding(database, "UPDATE market_odds SET line = line") as session:
            upgrading = asyncio.create_task(migrations.upgrade(database))
            await waiting(session, unless=upgrading)
            upgrading.cancel()
            await asyncio.wait([upgrading])
        await settled(database)
        ((is_valid, _),) = await fetch(database, INDEX)
        assert not is_valid
        assert await migrations.current(database) == HEAD
        await migrations.upgrade(database)
        ((is_valid, _),) = await fetch(database, INDEX)
        assert is_valid

    run(body())
    assert run(migrations.current(database)) == REVISION


@pytest.mark.usefixtures("index")
def test_sql(database: str, run: Run) -> None:
    """SQL text creates the index outside of its transactions, and again after a kill."""
    text = migrations.upgrade_sql(f"{HEAD}:{REVISION}")
    assert text.index("COMMIT") < text.index("CREATE INDEX CONCURRENTLY") < text.rindex("BEGIN")

    async def body() -> None:
        await execute(
            database,
            "CREATE INDEX ix_market_odds_line ON market_odds (line)",
            "UPDATE pg_index SET indisvalid = false "
            "WHERE indexrelid = 'ix_market_odds_line'::regclass",
        )
        statements = [part for part in text.split(";") if part.strip()]
        await execute(database, *statements)
        ((is_valid, _),) = await fetch(database, INDEX)
        assert is_valid

    run(body())
    assert run(migrations.current(database)) == REVISION


@pytest.mark.usefixtures("index")
def test_in_a_transaction(write_revision: Callable[[str], None], database: str, run: Run) -> None:
    """In the caller's transaction, the index is made in it, or refused; nothing is committed."""

    async def inside() -> None:
        connection = await asyncpg.connect(database)
        transaction = connection.transaction()
        await transaction.start()
        await migrations.upgrade(connection)
        assert await connection.fetchval(INDEX)
        await transaction.rollback()
        await connection.close()
        assert await fetch(database, INDEX) == []
        assert await migrations.current(database) == HEAD

    async def refused() -> None:
        connection = await asyncpg.connect(database)
        async with connection.transaction():
            with pytest.raises(MigrationError, match="ix_market_odds_line is created beside"):
                await migrations.upgrade(connection)
        await migrations.upgrade(connection)
        assert await connection.fetchval(INDEX)
        await connection.close()

    run(inside())
    write_revision(SCRIPT.format(options=", refused_in_transaction=True"))
    run(refused())


@pytest.mark.usefixtures("index")
def test_search_path(empty_database: str, run: Run) -> None:
    """The index is created in the schema of the tables, which the URL alone names."""
    url = f"{empty_database}&search_path=odds"
    run(migrations.upgrade(url, create_schema=True))
    ((definition,),) = run(
        fetch(empty_database, "SELECT indexdef FROM pg_indexes WHERE indexname ~ '_line$'")
    )
    assert "ON odds.market_odds" in definition
