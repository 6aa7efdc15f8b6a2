"""The lock of a schema: one session at a time migrates its tables.

It is an advisory lock of PostgreSQL's, asked for again and again. A session that waits inside
`pg_advisory_lock` holds a snapshot, and CREATE INDEX CONCURRENTLY of the other migration would wait
for that session.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from time import monotonic
from typing import Any

from sqlalchemy import Connection as SyncConnection
from sqlalchemy.ext.asyncio import AsyncConnection

from oddsschema.database.durations import format_duration
from oddsschema.database.schemas import read_placement_sync
from oddsschema.database.targets import (
    Connection,
    Target,
    is_connection,
    open_source,
)
from oddsschema.database.time_limits import LONG_ANSWER_WITHIN
from oddsschema.errors import MigrationRunningError, PooledSessionError

#: The longest time in seconds between two attempts.
_ASK_EVERY = 0.5

#: The time in seconds for a second connection through a pooler.
_PROBE_WITHIN = 5

#: The number of second connections that are compared with the first.
_PROBES = 3

#: The beginning of the note of a migration that waited for another one, which left nothing to do.
NOTHING_LEFT = "nothing was left to do"

# The key of the lock of a schema.
_KEY = "hashtext('oddsschema.migration'), hashtext({schema})"

# Try to take the lock for the session.
_TRY = "SELECT pg_try_advisory_lock({key})"

# Try to take the lock until the transaction ends.
_TRY_IN_TRANSACTION = "SELECT pg_try_advisory_xact_lock({key})"

# Release the lock of the session.
_UNLOCK = "SELECT pg_advisory_unlock({key})"

# Find the process of the server that has the lock.
_FIND_HOLDER = """
SELECT min(pid) FROM pg_locks
WHERE locktype = 'advisory' AND granted AND objsubid = 2
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (classid::bigint, objid::bigint) = (
        SELECT a::bigint & 4294967295, b::bigint & 4294967295 FROM (SELECT {key}) AS key (a, b)
    )
"""

_READ_PROCESS = "SELECT pg_backend_pid()"


@asynccontextmanager
async def locked_schema(
    connection: AsyncConnection, target: Target, wait: timedelta, *, is_nested: bool = False
) -> AsyncIterator[timedelta]:
    """Lock the schema of the tables against other migrations; yield the time that this took.

    A session's lock is released at the end. In a transaction of the caller's (`is_nested`), the
    lock ends with the transaction. Otherwise, `connection` has no transaction while it waits.

    Raises MigrationRunningError if another session still has the lock after `wait`, and
    PooledSessionError behind a pooler that gives the session to others between transactions.
    """
    key = await connection.run_sync(_key)
    if is_nested:

        async def ask(statement: str) -> Any:
            return (await connection.exec_driver_sql(statement)).scalar()

        yield await _take(ask, _TRY_IN_TRANSACTION, key, wait)
        return

    # Nothing of a transaction may be left: its snapshot, and its locks.
    await connection.rollback()
    driver_connection = (await connection.get_raw_connection()).driver_connection
    assert driver_connection is not None
    process = await driver_connection.fetchval(_READ_PROCESS)
    # A pooler gives each client a process number of its own.
    if process != driver_connection.get_server_pid() and await _is_shared(
        target, driver_connection, process
    ):
        raise PooledSessionError(process=process)
    waited = await _take(driver_connection.fetchval, _TRY, key, wait)
    try:
        yield waited
    finally:
        # The server releases the lock of a session that is lost.
        with suppress(Exception):
            await connection.rollback()
            if not driver_connection.is_closed():
                await driver_connection.fetchval(_UNLOCK.format(key=key))


async def _take(
    ask: Callable[[str], Awaitable[Any]], statement: str, key: str, wait: timedelta
) -> timedelta:
    """Take a lock, within a time; return the time that this took, 0 for the first attempt."""
    began_at = monotonic()
    pause = 0.02
    waited = timedelta(0)
    while not await ask(statement.format(key=key)):
        waited = timedelta(seconds=monotonic() - began_at)
        if waited >= wait:
            raise MigrationRunningError(wait=wait, process=await ask(_FIND_HOLDER.format(key=key)))
        await asyncio.sleep(min(pause, (wait - waited).total_seconds()))
        pause = min(pause * 2, _ASK_EVERY)
    return waited


def describe_wait(waited: timedelta) -> str:
    """Return the note of a migration that waited for another one, which left nothing to do."""
    seconds = timedelta(seconds=max(1, round(waited.total_seconds())))
    return (
        f"{NOTHING_LEFT}: another migration ran meanwhile, for which this one waited "
        f"{format_duration(seconds)}"
    )


def _key(connection: SyncConnection) -> str:
    """Return the key of the lock of the schema that has the tables, or that will have them."""
    placement = read_placement_sync(connection)
    if not placement.tables and placement.missing_schema is not None:
        return _KEY.format(schema=_literal(placement.missing_schema))
    return _KEY.format(schema=f"quote_ident({_literal(placement.schema or '')})")


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


async def _is_shared(target: Target, connection: Connection, process: int) -> bool:
    """Return whether a pooler may give the session to another client between two transactions.

    In transaction mode, a second connection gets the process that the first one has just left.
    """
    if is_connection(target):
        return True  # no second connection can be opened
    try:
        async with (
            asyncio.timeout(_PROBE_WITHIN),
            open_source(target, LONG_ANSWER_WITHIN) as source,
        ):
            for _ in range(_PROBES):
                async with source.acquire() as other, other.transaction():
                    if await other.fetchval(_READ_PROCESS) == process:
                        return True
                    if await connection.fetchval(_READ_PROCESS) != process:
                        return True
    except TimeoutError:
        return True  # the pooler has no second connection to the server
    return False
