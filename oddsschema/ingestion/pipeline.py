"""The pipeline of a run: one chunk is written while the next one is filled.

PostgreSQL is the slower side once keys and indexes exist: validation hides behind it.

At most one chunk of a run is on its way, whoever asks for it: the run's counters show whether a
commit whose answer was lost took place, and they could not tell two chunks apart.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from functools import partial
from traceback import clear_frames
from types import TracebackType
from typing import Any, TypeVar

from oddsschema.database.connections import Connection, Connections, never
from oddsschema.database.retry import is_time_limit
from oddsschema.errors import ChunkError, OddsSchemaError, UncertainCommitError
from oddsschema.gc_threshold import RaisedThreshold
from oddsschema.ingestion.item import Item
from oddsschema.ingestion.options import IngestOptions
from oddsschema.ingestion.records import CaptureRecord
from oddsschema.ingestion.report import MOST_LISTED, FetchFailure, Refusal
from oddsschema.ingestion.storage.chunk import Chunk, ChunkResult, match_doubts, write_chunk
from oddsschema.ingestion.storage.event_changes import EventChanges
from oddsschema.ingestion.storage.matching import Match, link_events
from oddsschema.ingestion.storage.unmapped_markets import UnmappedReports
from oddsschema.models import UnmappedMarketType
from oddsschema.scrapes import bookkeeping
from oddsschema.scrapes.bookkeeping import ErrorRow

#: The time in seconds that the source waits at most for a chunk's small statements.
_LONGEST_PAUSE = 0.02

_Result = TypeVar("_Result")


class Pipeline:
    """The chunks of a run. `on_written` is called with the result of each.

    A chunk is written when it is full, or `flush_after` its first capture. A timer waits for that
    moment. On a connection of the caller's, and beside a source that blocks the event loop, only
    the next capture can notice it.
    """

    def __init__(
        self,
        connections: Connections,
        run_id: int,
        platform: str | None,
        options: IngestOptions,
        *,
        on_written: Callable[[ChunkResult], None],
    ) -> None:
        #: The error that ended the writing: a ChunkError, or the error of `on_written`.
        self.error: Exception | None = None
        #: The numbers of errors of each kind that committed chunks have listed in scrape_errors.
        self.errors_listed = Counter[str]()
        self._traceback: TracebackType | None = None
        self._connections = connections
        self._run_id = run_id
        self._platform = platform
        self._options = options
        self._on_written = on_written
        self._chunk = Chunk()
        #: The number of rows of a full chunk.
        self._most_rows = options.chunk_rows
        #: The reading of the event loop's clock at which the chunk is due, and the timer for it.
        self._due_at: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        #: The tasks of timers: the event loop does not keep tasks alive.
        self._timed: set[asyncio.Task[None]] = set()
        self._is_over = False
        #: Held by the task that begins to write a chunk.
        self._turn = asyncio.Lock()
        self._writing: asyncio.Task[None] | None = None
        #: The reading of the clock after which a capture waits for the chunk that is written.
        self._written_by: float | None = None
        #: The errors in the chunk that is written, or that could not be written.
        self._writing_errors: list[ErrorRow] = []
        #: The last attempt at the chunk that is written, until its result is known.
        self._attempt: ChunkResult | None = None
        #: Open while there are captures that are not written.
        self._gc_threshold = RaisedThreshold()
        # Cleared during a chunk's small statements: validation would delay their round trips.
        self._is_copying = asyncio.Event()

    @property
    def unwritten_errors(self) -> list[ErrorRow]:
        """The errors to list that are in no chunk that was committed."""
        unwritten = [*self._writing_errors, *self._chunk.errors()]
        return unwritten[: self._most_listed]

    @property
    def unwritten_unmapped(self) -> Iterable[UnmappedReports]:
        """The reports of unmapped markets since the last chunk."""
        return self._chunk.unmapped.values()

    @property
    def _most_listed(self) -> int:
        return MOST_LISTED - self.errors_listed.total()

    def raise_error(self) -> None:
        """Raise `error`, if there is one."""
        if self.error is not None:
            # Otherwise each raise would add its frames, with their captures, to those before.
            raise self.error.with_traceback(self._traceback)

    def accept(self, item: Item, capture: CaptureRecord) -> None:
        """Add a validated capture to the chunk."""
        self._gc_threshold.open()
        self._chunk.accept(item, capture)
        self._set_timer()

    def refuse(self, refusal: Refusal) -> None:
        """Add a refusal to the chunk."""
        self._chunk.refuse(refusal)
        self._set_timer()

    def fail(self, failure: FetchFailure) -> None:
        """Add a fetch failure to the chunk."""
        self._chunk.fail(failure)
        self._set_timer()

    def add_unmapped(self, market: UnmappedMarketType, outcomes: Any) -> None:
        """Add a report of an unmapped market to the chunk, which is not due because of it."""
        self._chunk.add_unmapped(market, outcomes)

    async def advance(self) -> None:
        """Commit the chunk if it is due; begin to write it if it is full. Raises `error`.

        Otherwise, let the writer use the event loop.
        """
        if self._is_due():
            # The source may block the event loop for long: nothing would be written meanwhile.
            await self.flush()
        elif self._chunk.is_full(self._most_rows):
            await self._begin(lambda: self._chunk.is_full(self._most_rows))
        else:
            self.raise_error()
        await self._yield_to_writer()

    async def flush(self) -> None:
        """Commit everything that was added. Raises `error`."""
        await self._begin(lambda: True)
        await self._drain()

    async def cancel(self) -> None:
        """Roll back the chunk that is written; count it if it turns out to be committed.

        Nothing can be written afterwards.
        """
        self._is_over = True
        self._stop_timer()
        if self._writing is not None:
            # The end of the event loop cancels all tasks: a rollback must not be cancelled.
            if not self._writing.cancelling():
                self._writing.cancel()
            await asyncio.wait([self._writing])
        if self._attempt is not None:
            committed = await self._connections.transact(self._resolve_commit)
            self._attempt = None
            if committed is not None:
                self._count(committed)

    def drop(self) -> None:
        """Drop everything that was not written, and the error. Nothing can be added afterwards."""
        self.error = self._traceback = self._attempt = None
        self._writing_errors = []
        self._chunk = Chunk()
        self._gc_threshold.close()

    # -- the moment of a chunk ---------------------------------------------------------------------

    def _is_due(self) -> bool:
        """Return whether the chunk, or the chunk that is written, is due."""
        due_at = self._written_by or self._due_at
        return due_at is not None and asyncio.get_running_loop().time() >= due_at

    def _set_timer(self) -> None:
        """Let the chunk be due some time after the first capture in it."""
        if self._due_at is not None or (due_at := self._next_due_at()) is None:
            return
        self._due_at = due_at
        if not self._connections.is_borrowed:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(due_at, self._begin_on_time)

    def _next_due_at(self) -> float | None:
        seconds = self._options.flush_after.total_seconds()
        return asyncio.get_running_loop().time() + seconds if seconds else None

    def _stop_timer(self) -> None:
        self._due_at = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _begin_on_time(self) -> None:
        chunk = self._chunk

        async def begin() -> None:
            # The next capture, or the end of the run, raises the error.
            with suppress(Exception):
                await self._begin(lambda: self._chunk is chunk)

        task = asyncio.create_task(begin())
        self._timed.add(task)
        task.add_done_callback(self._timed.discard)

    async def _begin(self, is_wanted: Callable[[], bool]) -> None:
        """Begin to write the chunk when the chunk before is written, if it is wanted then."""
        async with self._turn:
            await self._drain()
            if self._chunk.rows and is_wanted() and not self._is_over:
                self._stop_timer()
                chunk, self._chunk = self._chunk, Chunk()
                self._is_copying.clear()
                self._written_by = self._next_due_at()
                self._writing = asyncio.create_task(self._write(chunk))

    async def _drain(self) -> None:
        """Wait until the chunk that is written is committed. Raises `error`."""
        if self._writing is not None:
            # A cancellation of the waiting task must not cancel the writing one.
            await asyncio.wait([self._writing])
        self.raise_error()

    async def _yield_to_writer(self) -> None:
        """Let the connection use the event loop: validation, which never awaits, would block it.

        Raises the CancelledError of a task that was cancelled since it last awaited.
        """
        task = asyncio.current_task()
        if self._writing is None:
            if task is not None and task.cancelling():
                await asyncio.sleep(0)
        else:
            await asyncio.sleep(0)
            if not self._is_copying.is_set():
                # Not wait_for: before Python 3.12, it can swallow a cancellation.
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LONGEST_PAUSE):
                        await self._is_copying.wait()

    # -- the write of a chunk ----------------------------------------------------------------------

    async def _write(self, chunk: Chunk) -> None:
        """Commit a chunk, and report its result."""
        self._writing_errors = chunk.errors()
        try:
            await self._write_parts(chunk)
        except Exception as error:
            self.error, self._traceback = error, error.__traceback__
            if isinstance(error, ChunkError):
                self._drop_captures(error)
        finally:
            self._is_copying.set()
            self._writing = self._written_by = None
            if not self._chunk.captures:
                self._gc_threshold.close()

    def _drop_captures(self, failure: ChunkError) -> None:
        """Drop the captures that cannot be written any more, after the writing task has failed."""
        self._chunk.captures.clear()
        # The variables of the frames are the captures of the chunk that failed. To clear a frame
        # that is suspended closes its coroutine. These frames are the writing task's alone, and end
        # with it: whoever raises the error adds frames of other tasks to new tracebacks.
        tracebacks = []
        error: BaseException | None = failure
        while error is not None:
            tracebacks.append(error.__traceback__)
            error = error.__cause__ or error.__context__

        def clear(_writing: asyncio.Task[None]) -> None:
            for traceback in tracebacks:
                clear_frames(traceback)

        assert self._writing is not None
        self._writing.add_done_callback(clear)

    async def _write_parts(self, chunk: Chunk) -> None:
        """Commit a chunk; in halves, and halves of these, if it reaches a time limit of the server.

        Later chunks begin with the size of the part that kept the limit, and grow by a tenth each.

        Raises ChunkError.
        """
        parts = [chunk]
        while parts:
            part = parts.pop(0)
            try:
                result = await self._commit(part)
            except ChunkError as error:
                if not self._is_too_large(len(part.captures), error.__cause__):
                    raise
                parts[:0] = halves = part.halves()
                self._most_rows = min(self._most_rows, max(half.rows for half in halves))
                continue
            self._most_rows = min(self._options.chunk_rows, self._most_rows * 11 // 10 + 1)
            self._count(result)
            self._writing_errors = [error for rest in parts for error in rest.errors()]
            if result.new_events:
                # Link again after the commit: two concurrent transactions that insert the events
                # of a match do not see each other's rows. The later one sees both now.
                await self._link_again(part, result.new_events)

    def _is_too_large(self, captures: int, error: BaseException | None) -> bool:
        """Return whether a chunk of so many captures that failed may be stored in parts."""
        # If its commit got no answer, the whole chunk may be committed.
        is_uncertain = self._attempt is not None and self._attempt.counted is not None
        return captures > 1 and is_time_limit(error) and not is_uncertain

    async def _commit(self, chunk: Chunk) -> ChunkResult:
        """Commit a chunk exactly once, in as many attempts as it takes. Raises ChunkError.

        A chunk that is too large is not repeated.
        """
        # Not the chunk itself: the state of retries keeps it until the next collection of garbage.
        is_final = partial(self._is_too_large, len(chunk.captures))
        # No function inside this one: the frames of an error would keep it, and with it the chunk.
        return await self._transact(chunk, partial(self._try_to_write, chunk), is_final)

    async def _try_to_write(self, chunk: Chunk, connection: Connection) -> ChunkResult:
        """Write a chunk in a transaction, unless the attempt before was committed."""
        settled = await self._resolve_commit(connection)
        if settled is not None:
            return settled
        self._attempt = ChunkResult()
        await write_chunk(
            connection,
            self._run_id,
            chunk,
            self._attempt,
            storage=self._options,
            strict=self._options.strict,
            most_listed=self._most_listed,
            before_markets=self._is_copying.set,
        )
        return self._attempt

    async def _transact(
        self,
        chunk: Chunk,
        work: Callable[[Connection], Awaitable[_Result]],
        is_final: Callable[[BaseException], bool] = never,
    ) -> _Result:
        try:
            return await self._connections.transact(work, is_final=is_final)
        except Exception as error:
            is_ours = isinstance(error, OddsSchemaError)
            raise ChunkError(
                reason=str(error) if is_ours else f"{type(error).__name__}: {error}",
                platform=self._platform,
                run_id=self._run_id,
                first=chunk.first,
                last=chunk.last,
            ) from error

    async def _link_again(self, chunk: Chunk, sportradar_ids: list[str]) -> None:
        # A repetition after an uncertain commit does not find the matches of the attempt before.
        matches: dict[tuple[str, str], Match] = {}

        async def link(connection: Connection) -> None:
            for match in await link_events(connection, sportradar_ids):
                matches[match.source, match.external_id] = match

        await self._transact(chunk, link)
        if matches:
            doubts = match_doubts(chunk.captures, matches.values())
            changes = EventChanges(linked=set(matches))
            self._on_written(ChunkResult(doubts=doubts, changes=changes))

    async def _resolve_commit(self, connection: Connection) -> ChunkResult | None:
        """Find out whether an attempt whose connection was lost at the commit was committed.

        The run's counters show it: nobody else changes them. (The transaction's id is not enough:
        after a crash, the server reassigns ids that were not in the WAL.) Returns the
        attempt if it was committed.
        """
        import asyncpg

        attempt = self._attempt
        if attempt is None or attempt.counted is None:
            return None
        try:
            counted = await bookkeeping.read_counts(connection, self._run_id)
        except asyncpg.LockNotAvailableError as error:
            raise UncertainCommitError(run_id=self._run_id) from error
        return attempt if counted >= attempt.counted else None

    def _count(self, attempt: ChunkResult) -> None:
        """Report the result of a chunk that is committed."""
        self._attempt = None
        self._writing_errors = []
        self.errors_listed += attempt.listed
        self._on_written(attempt)
