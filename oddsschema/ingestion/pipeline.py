"""The pipeline of a run: one chunk is written while the next one is filled.

PostgreSQL is the slower side once keys and indexes exist: validation hides behind it.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from oddsschema.database.connections import Connection, Connections
from oddsschema.errors import ChunkError, UncertainCommitError
from oddsschema.ingestion.options import StorageOptions
from oddsschema.ingestion.storage.chunk import Chunk, ChunkResult, match_doubts, write_chunk
from oddsschema.ingestion.storage.matching import Match, link_events
from oddsschema.scrapes import bookkeeping

#: The time in seconds that the source waits at most for a chunk's small statements.
_LONGEST_PAUSE = 0.02


class Pipeline:
    """The writer of a run's chunks. `on_written` is called with the result of each."""

    def __init__(
        self,
        connections: Connections,
        run_id: int,
        platform: str | None,
        *,
        storage: StorageOptions,
        strict: bool,
        on_written: Callable[[ChunkResult], None],
    ) -> None:
        #: The error of a chunk that could not be written: the run takes no more captures then.
        self.error: ChunkError | None = None
        self._connections = connections
        self._run_id = run_id
        self._platform = platform
        self._storage = storage
        self._strict = strict
        self._on_written = on_written
        self._writing: asyncio.Task[None] | None = None
        #: The last attempt at the current chunk, until its result is known.
        self._attempt: ChunkResult | None = None
        # Cleared during a chunk's small statements: validation would delay their round trips.
        self._is_copying = asyncio.Event()

    async def put(self, chunk: Chunk) -> None:
        """Begin to write a chunk after the last one. Raises the last one's ChunkError."""
        await self.drain()
        if chunk.rows:
            self._is_copying.clear()
            self._writing = asyncio.create_task(self._write(chunk))

    async def yield_to_writer(self) -> None:
        """Let the connection use the event loop: validation, which never awaits, would block it."""
        if self._writing is not None:
            await asyncio.sleep(0)
            if not self._is_copying.is_set():
                # Not wait_for: before Python 3.12, it can swallow a cancellation.
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LONGEST_PAUSE):
                        await self._is_copying.wait()

    async def drain(self) -> None:
        """Wait until all chunks are written. Raises ChunkError."""
        if self._writing is not None:
            writing, self._writing = self._writing, None
            try:
                await writing
            except ChunkError as error:
                self.error = error
                raise

    async def cancel(self) -> None:
        """Roll back the current chunk; count it if it turns out to be committed."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)
            self._writing = None
        if self._attempt is not None:
            await self._connections.transact(self._resolve_commit)

    async def _write(self, chunk: Chunk) -> None:
        """Commit a chunk exactly once, in as many attempts as it takes."""

        async def write(connection: Connection) -> ChunkResult:
            settled = await self._resolve_commit(connection)
            if settled is not None:
                return settled
            self._attempt = ChunkResult()
            await write_chunk(
                connection,
                self._run_id,
                chunk,
                self._attempt,
                storage=self._storage,
                strict=self._strict,
                before_markets=self._is_copying.set,
            )
            return self._attempt

        try:
            result = await self._connections.transact(write)
            if self._attempt is not None:
                self._attempt = None
                self._on_written(result)
            if result.new_events:
                # Link again after the commit: two concurrent transactions that insert the events
                # of a match do not see each other's rows. The later one sees both now.
                await self._link_again(chunk, result.new_events)
        except Exception as error:
            raise ChunkError(
                reason=f"{type(error).__name__}: {error}",
                platform=self._platform,
                run_id=self._run_id,
                first=chunk.first,
                last=chunk.last,
            ) from error
        finally:
            self._is_copying.set()

    async def _link_again(self, chunk: Chunk, sportradar_ids: list[str]) -> None:
        # A repetition after an uncertain commit does not find the matches of the attempt before.
        matches: dict[tuple[str, str], Match] = {}

        async def link(connection: Connection) -> None:
            for match in await link_events(connection, sportradar_ids):
                matches[match.source, match.external_id] = match

        await self._connections.transact(link)
        if doubts := match_doubts(chunk.captures, matches.values()):
            self._on_written(ChunkResult(doubts=doubts))

    async def _resolve_commit(self, connection: Connection) -> ChunkResult | None:
        """Find out whether an attempt whose connection was lost at the commit was committed.

        The run's counters show it: nobody else changes them. (The transaction's id is not enough:
        after a crash, the server reassigns ids that were not in the WAL.) Returns the
        attempt if it was committed, and reports its result.
        """
        import asyncpg

        attempt = self._attempt
        if attempt is None or attempt.counted is None:
            return None
        try:
            counted = await bookkeeping.read_counts(connection, self._run_id)
        except asyncpg.LockNotAvailableError as error:
            raise UncertainCommitError(run_id=self._run_id) from error
        self._attempt = None
        if counted < attempt.counted:
            return None
        self._on_written(attempt)
        return attempt
