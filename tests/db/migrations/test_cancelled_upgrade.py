"""An upgrade that is cancelled: its transaction is rolled back on every kind of connection."""

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from oddsschema import migrations
from oddsschema.migrations import CheckState
from tests.support.sessions import fetch
from tests.support.targets import KINDS

Run = Callable[..., Any]

#: Return the sessions that have begun to write in a transaction, besides this one.
WRITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_xid NOTNULL
"""

#: Return whether the tables of the first revision exist, and whether a revision is recorded.
STATE = """
SELECT to_regclass('sports') NOTNULL,
    to_regclass('oddsschema_version') NOTNULL
"""


@pytest.mark.parametrize(
    "kind", ["text", "AsyncEngine", "connection with codecs", "pool of one connection"]
)
def test_cancelled(kind: str, empty_database: str, run: Run) -> None:
    """No transaction stays open, and tables and revision are there together, or not at all."""

    async def body() -> None:
        observer = await asyncpg.connect(empty_database)
        async with KINDS[kind](empty_database) as target:
            upgrading = asyncio.create_task(migrations.upgrade(target))
            while not await observer.fetchval(WRITING):  # noqa: ASYNC110 - no event
                await asyncio.sleep(0)
            upgrading.cancel()
            await asyncio.wait([upgrading])
            assert upgrading.cancelled()
            has_tables, has_revision = await observer.fetchrow(STATE)
            assert has_tables == has_revision
            open_transactions = (
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'"
            )
            assert await observer.fetchval(open_transactions) == 0
            await migrations.upgrade(target)
            assert (await migrations.check(empty_database)).state is CheckState.CLEAN
        await observer.close()

    run(body())
    assert run(fetch(empty_database, STATE)) == [(True, True)]
