"""A scratch database on a server: empty at the start of its use, and left for inspection."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def scratch_database(server_url: str, name: str) -> AsyncIterator[None]:
    """Drop a database and create it again. No other session does the same meanwhile.

    `name` is an SQL identifier that needs no quotes.
    """
    import asyncpg

    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(f"SELECT pg_advisory_lock(hashtext('{name}'))")
        await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await connection.execute(f"CREATE DATABASE {name}")
        yield
    finally:
        await connection.close()
