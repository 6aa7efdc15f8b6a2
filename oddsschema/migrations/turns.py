"""The turns of this process's migrations: alembic's `op` and `context` are global.

A migration that ran while another one waits for the server would take the other's connection.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from oddsschema.errors import MigrationError

#: The time in seconds between two looks. The lock is for all threads, each with a loop of its own.
_LOOK_EVERY = 0.01

_lock = threading.Lock()


@asynccontextmanager
async def awaited_turn() -> AsyncIterator[None]:
    """Wait until no other migration of this process runs, and let others wait meanwhile."""
    while not _lock.acquire(blocking=False):  # noqa: ASYNC110  # an Event is of one loop
        await asyncio.sleep(_LOOK_EVERY)
    try:
        yield
    finally:
        _lock.release()


@contextmanager
def immediate_turn() -> Iterator[None]:
    """Let other migrations of this process wait. Raises MigrationError while one runs."""
    if not _lock.acquire(blocking=False):
        # Waiting would stop the event loop, and with it the other migration.
        raise MigrationError("another migration runs in this process: await its end first")
    try:
        yield
    finally:
        _lock.release()
