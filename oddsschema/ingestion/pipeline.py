"""A chunk on its way to PostgreSQL, while the next one is being filled.

PostgreSQL is the slower side once keys and indexes are there: validation hides behind it.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from oddsschema.database.connections import Connection, Connections
from oddsschema.errors import ChunkError, UncertainCommitError
from oddsschema.ingestion.options import StorageOptions
from oddsschema.ingestion.storage.chunk import Chunk, ChunkResult, write_chunk
from oddsschema.ingestion.storage.matching import link_events
from oddsschema.scrapes import bookkeeping

#: For how many seconds at most the source waits while a chunk's small statements go back and forth.
_PATIENCE = 0.02


class Pipeline:
    """Writes the chunks of one run. `done` is called with what became of each."""

    def __init__(
        self,
        connections: Connections,
        run_id: int,
        platform: str | None,
        *,
        storage: StorageOptions,
        done: Callable[[ChunkResult], None],
    ) -> None:
        #: What the database did to a chunk: nothing more is taken after it.
        self.broken: ChunkError | None = None
        self._connections = connections
        self._run_id = run_id
        self._platform = platform
        self._storage = storage
        self._done = done
        self._writing: asyncio.Task[None] | None = None
        #: The last attempt at the chunk that is being written, until its end is known.
        self._attempt: ChunkResult | None = None
        # Clear while small statements go back and forth, which validation would only delay.
        self._at_leisure = asyncio.Event()

    async def put(self, chunk: Chunk) -> None:
        """Begin to write a chunk when the last one is written. Raises that one's ChunkError."""
        await self.drain()
        if chunk.size:
            self._at_leisure.clear()
            self._writing = asyncio.create_task(self._write(chunk))

    async def give_way(self) -> None:
        """Let the connection have the event loop: validation, which never awaits, would not."""
        if self._writing is not None:
            await asyncio.sleep(0)
            if not self._at_leisure.is_set():
                # Not wait_for: before Python 3.12, it can swallow a cancellation.
                with suppress(TimeoutError):
                    async with asyncio.timeout(_PATIENCE):
                        await self._at_leisure.wait()

    async def drain(self) -> None:
        """Wait until all is written. Raises ChunkError."""
        if self._writing is not None:
            writing, self._writing = self._writing, None
            try:
                await writing
            except ChunkError as error:
                self.broken = error
                raise

    async def cancel(self) -> None:
        """Roll back what is not committed; count what turns out to be."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)
            self._writing = None
        if self._attempt is not None:
            await self._connections.transact(self._settle)

    async def _write(self, chunk: Chunk) -> None:
        """Commit a chunk, once, however often that takes."""

        async def write(connection: Connection) -> ChunkResult:
            settled = await self._settle(connection)
            if settled is not None:
                return settled
            self._attempt = ChunkResult()
            await write_chunk(
                connection,
                self._run_id,
                self._platform,
                chunk,
                self._attempt,
                storage=self._storage,
                before_markets=self._at_leisure.set,
            )
            return self._attempt

        try:
            result = await self._connections.transact(write)
            if self._attempt is not None:
                self._attempt = None
                self._done(result)
            if result.new_events:
                # Once more, after the commit: of two that bring the two sides of a match at once,
                # neither sees the other's event before, and the later one does now.
                await self._connections.transact(
                    lambda connection: link_events(connection, result.new_events)
                )
        except Exception as error:
            raise ChunkError(
                f"{type(error).__name__}: {error}",
                platform=self._platform,
                run_id=self._run_id,
                first=chunk.first,
                last=chunk.last,
            ) from error
        finally:
            self._at_leisure.set()

    async def _settle(self, connection: Connection) -> ChunkResult | None:
        """What became of an attempt whose connection was lost at the commit: the run's row tells.

        Nobody else counts in it. (A transaction's id would not do: after a crash, the server gives
        those again that it had not written down.) Returns the attempt when it was committed, and
        counts it.
        """
        import asyncpg

        attempt = self._attempt
        if attempt is None or attempt.counted is None:
            return None
        try:
            counted = await bookkeeping.counted(connection, self._run_id)
        except asyncpg.LockNotAvailableError as error:
            message = "the server has not ended the lost transaction yet"
            raise UncertainCommitError(message) from error
        self._attempt = None
        if counted < attempt.counted:
            return None
        self._done(attempt)
        return attempt
