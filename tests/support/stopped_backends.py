"""Backends that are stopped (SIGSTOP): they do not answer, and keep their locks."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import asyncpg

#: A backend of this database in a transaction, whose statement is like $1.
_AT_WORK = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
    AND backend_type = 'client backend' AND query ILIKE $1 ORDER BY pid LIMIT 1"""


async def backend_at_work(url: str, query: str = "%") -> int:
    """Wait for a backend in a transaction, whose statement is like `query`. Return its pid."""
    connection = await asyncpg.connect(url)
    try:
        while (pid := await connection.fetchval(_AT_WORK, query)) is None:  # noqa: ASYNC110
            await asyncio.sleep(0)
    finally:
        await connection.close()
    return int(pid)


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Stop a process meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


@asynccontextmanager
async def stopping_backend(url: str, query: str = "%") -> AsyncIterator["asyncio.Task[None]"]:
    """Stop the first backend that is at work meanwhile, and continue it at the end."""

    async def stop() -> None:
        with stopped(await backend_at_work(url, query)):
            is_stopped.set()
            await asyncio.Event().wait()

    is_stopped = asyncio.Event()
    task = asyncio.create_task(stop())
    try:
        yield task
        assert is_stopped.is_set(), "no backend was at work"
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
