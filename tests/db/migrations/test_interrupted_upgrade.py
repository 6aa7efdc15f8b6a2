"""An upgrade that is killed, beside sessions that write."""

import asyncio
import os
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from oddsschema import migrations
from oddsschema.errors import LockTimeoutError
from oddsschema.migrations import CheckState
from oddsschema.models.sides import SIDES, Side
from tests.support.sessions import fetch_column, holding, settled, waiting
from tests.support.stored_histories import (
    StoredInstant,
    current_key,
    handicap,
    insert_histories,
    read_rows,
    read_states,
    without_order,
)

Run = Callable[..., Any]

#: More than are changed in a transaction.
EVENTS = 25

UPGRADE = [sys.executable, "-W", "error", "-m", "oddsschema", "upgrade", "--lock-timeout", "0"]


HISTORY = [
    StoredInstant(True, [handicap(None)]),
    StoredInstant(False, [handicap(-1), handicap(None, is_gone=True)]),
]


async def filled(url: str) -> None:
    """Insert events with a handicap that has no line at first."""
    connection = await asyncpg.connect(url)
    for side in SIDES:
        await insert_histories(connection, side, [HISTORY] * EVENTS)
    await connection.close()


def last_event(side: Side) -> str:
    """Return a statement that locks the event that an upgrade changes last, as ingestion does."""
    order = "sportradar_id" if side.events == "events" else "source DESC, external_id"
    return f"SELECT FROM {side.events} ORDER BY {order} DESC LIMIT 1 FOR NO KEY UPDATE"


@pytest.mark.sampled(1)
@pytest.mark.parametrize("side", SIDES, ids=lambda side: side.events)
def test_killed_upgrade(side: Side, old_database: str, run: Run) -> None:
    """Others write beside an upgrade; if it is killed, another one changes the remaining rows."""

    async def interrupt() -> None:
        await filled(old_database)
        async with holding(old_database, last_event(side)) as session:
            upgrading = await asyncio.create_subprocess_exec(
                *UPGRADE, env=os.environ | {"DATABASE_URL": old_database}
            )
            await waiting(session)
            finished = f"SELECT min(id) FROM {side.events}"
            writer = await asyncpg.connect(old_database)
            await writer.execute("SET lock_timeout = '1s'")
            await writer.execute(
                f"SELECT FROM {side.events} WHERE id = ({finished}) FOR NO KEY UPDATE"
            )
            await writer.execute(
                side.sql("""
                INSERT INTO {markets} ({event}, snapshot_id, betpawa_market_id,
                    betpawa_market_name, specifiers, outcomes)
                SELECT {event}, snapshot_id, '2', 'Market', 'minute=15', outcomes
                FROM {markets} ORDER BY id LIMIT 1
                """)
            )
            await writer.close()
            upgrading.kill()
            await upgrading.wait()
        await settled(old_database)

    run(interrupt())
    filled_in = side.sql("SELECT DISTINCT line IS NULL FROM {markets} WHERE handicap_type NOTNULL")
    assert set(run(fetch_column(old_database, filled_in))) == {True, False}
    assert run(migrations.current(old_database)) == "oddsschema_0008"
    run(migrations.upgrade(old_database))

    async def read() -> list[Any]:
        connection = await asyncpg.connect(old_database)
        states = without_order(read_states(await read_rows(connection), current_key))
        await connection.close()
        return list(states.values())

    on_offer = [set(state) - {("2", None, None, "minute=15")} for state in run(read())]
    assert on_offer == [{("1", -1, "asian", None)}] * (len(SIDES) * EVENTS * len(HISTORY))
    assert run(migrations.check(old_database)).state is CheckState.CLEAN


def test_lock_timeout(old_database: str, run: Run) -> None:
    """The limits of a migration apply to each of its small transactions."""
    side = SIDES[0]

    async def upgrade() -> None:
        await filled(old_database)
        async with holding(old_database, last_event(side)):
            with pytest.raises(LockTimeoutError, match=r"waited 0\.2 s"):
                await migrations.upgrade(
                    old_database, lock_timeout=timedelta(seconds=0.2), retry_for=timedelta(0)
                )
        await migrations.upgrade(old_database)

    run(upgrade())
    assert run(migrations.check(old_database)).state is CheckState.CLEAN
