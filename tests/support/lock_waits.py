"""Readers and writers of tables, which measure how long they wait for locks."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import asyncpg

#: Statements that read and write no row, by the kind of their session.
STATEMENTS = {"reader": "SELECT FROM {} LIMIT 0", "writer": "DELETE FROM {} WHERE false"}

#: The seconds between two statements of a session.
EVERY = 0.02

#: The longest time of a statement in seconds, by the kind of the session and the table.
Waits = dict[tuple[str, str], float]


@asynccontextmanager
async def sampled(url: str, tables: Iterable[str]) -> AsyncIterator[Waits]:
    """Let a reader and a writer of each table run a statement every 20 ms.

    Yields their longest waits, which are complete at the end.
    """
    waits: Waits = {}
    stop = asyncio.Event()

    async def sample(connection: asyncpg.Connection, key: tuple[str, str], statement: str) -> None:
        while not stop.is_set():
            began_at = time.perf_counter()
            await connection.execute(statement)
            waits[key] = max(waits.get(key, 0), time.perf_counter() - began_at)
            await asyncio.sleep(EVERY)

    sessions = {
        (kind, table): (await asyncpg.connect(url), statement.format(table))
        for table in tables
        for kind, statement in STATEMENTS.items()
    }
    try:
        async with asyncio.TaskGroup() as group:
            for key, (connection, statement) in sessions.items():
                group.create_task(sample(connection, key, statement))
            try:
                yield waits
            finally:
                stop.set()
    finally:
        for connection, _ in sessions.values():
            await connection.close()
