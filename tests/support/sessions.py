"""Sessions of a database: single statements, held locks, and waits."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg


async def fetch(url: str, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(query, *arguments)]
    finally:
        await connection.close()


async def fetch_column(url: str, query: str) -> list[Any]:
    """Return the first column of a query's result."""
    return [row[0] for row in await fetch(url, query)]


async def execute(url: str, *statements: str) -> None:
    """Run statements, and commit each by itself."""
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def settled(url: str) -> None:
    """Wait until nobody else is connected: a killed client's commit can still be in progress."""
    others = """
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND backend_type = 'client backend'"""
    while await fetch(url, others) != [(0,)]:  # noqa: ASYNC110 - the server sends no event
        await asyncio.sleep(0.02)


@asynccontextmanager
async def holding(url: str, *statements: str) -> AsyncIterator[asyncpg.Connection]:
    """Open a session that has executed these statements in a transaction that stays open."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            for statement in statements:
                await connection.execute(statement)
            yield connection
    finally:
        await connection.close()


async def waiting(
    connection: asyncpg.Connection, sessions: int = 1, *, unless: asyncio.Task[Any] | None = None
) -> None:
    """Wait until `sessions` other sessions of this database wait for locks, or the task is done."""
    count = """
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'"""
    while unless is None or not unless.done():
        # Within a transaction, the view would show the same sessions again and again.
        await connection.execute("SELECT pg_stat_clear_snapshot()")
        if await connection.fetchval(count) >= sessions:
            return
        await asyncio.sleep(0.01)


async def rolled_back(connection: Any, body: Awaitable[Any]) -> Any:
    """Run a coroutine in a transaction, and roll back."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        return await body
    finally:
        await transaction.rollback()
