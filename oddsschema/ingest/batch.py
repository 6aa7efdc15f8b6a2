"""A batch and its runs: what a scraper holds while it works.

>>> async with oddsschema.batch(url, trigger="scheduled") as batch:
...     async with batch.run("sportybet") as run:
...         await run.ingest(captures)
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.asyncio import AsyncConnection

from oddsschema.database import Connections, is_transient, open_connections, require_migrated
from oddsschema.errors import ChunkError, OddsSchemaError
from oddsschema.ingest import bookkeeping
from oddsschema.ingest.chunk import Chunk, ChunkResult, write_chunk
from oddsschema.ingest.history import Written
from oddsschema.ingest.read import Item, Source, items
from oddsschema.ingest.reference import link_events
from oddsschema.ingest.report import IngestReport, Problem, Refusal, RunReport
from oddsschema.ingest.validate import Checked, validate
from oddsschema.types import ScrapeStatus

if TYPE_CHECKING:
    import asyncpg

_log = logging.getLogger(__name__)

#: How many refusals of a run its report holds. All are counted, and all are in `scrape_errors`.
_REFUSALS_KEPT = 1000


@dataclass(frozen=True, kw_only=True)
class Options:
    """How captures are ingested."""

    #: Store each capture's raw_response.
    keep_raw: bool = False
    #: One bad market sinks its capture.
    strict: bool = False
    #: How many rows (markets, mostly) are committed at a time: few enough to start writing soon and
    #: to keep memory flat, many enough that a commit costs little beside them.
    chunk_rows: int = 10_000
    #: For how many seconds what fails for a passing reason is tried again.
    retry_for: float = 60
    #: Called with each refusal, verbatim capture included, as it happens.
    on_refusal: Callable[[Refusal], None] | None = None
    #: Called with how many captures, markets and refusals the batch has come to, at each capture.
    on_progress: Callable[[int, int, int], None] | None = None


@asynccontextmanager
async def batch(
    target: "str | asyncpg.Connection[Any] | AsyncConnection",
    *,
    trigger: str | None = None,
    notes: str | None = None,
    batch_id: int | None = None,
    options: Options = Options(),
) -> AsyncIterator["Batch"]:
    """Open a batch, or join the one of `batch_id`; it ends with the last of its runs.

    `target` is a URL: each run then writes on a connection of its own. Or it is an open connection:
    an asyncpg connection commits as it does (at once, unless the caller opened a transaction); of
    an SQLAlchemy connection, the caller commits. `trigger` and `notes` describe the batch.

    Raises DatabaseUnavailableError and NotMigratedError.
    """
    async with open_connections(target, retry_for=options.retry_for) as connections:

        async def open_or_join(connection: "asyncpg.Connection[Any]") -> int:
            await require_migrated(connection)
            if batch_id is None:
                return await bookkeeping.open_batch(connection, trigger, notes)
            if not await bookkeeping.join_batch(connection, batch_id):
                raise OddsSchemaError(f"there is no batch {batch_id} to join")
            return batch_id

        opened = Batch(connections, await connections.transact(open_or_join), options)
        try:
            yield opened
        except BaseException:
            try:
                await opened.close()
            except Exception:
                _log.exception("batch %d could not be closed", opened.id)
            raise
        await opened.close()


class Batch:
    """A batch that is open. Its runs may go on at the same time."""

    def __init__(self, connections: Connections, batch_id: int, options: Options) -> None:
        self.id = batch_id
        self.status = ScrapeStatus.RUNNING
        self.runs: list[Run] = []
        self.options = options
        self._connections = connections

    @asynccontextmanager
    async def run(self, platform: str) -> AsyncIterator["Run"]:
        """One platform's run. What is raised inside ends the run as failed, and stays inside.

        It is on record in `scrape_errors`, logged, and in the run's report; the batch's other runs
        go on. Being cancelled (Ctrl-C) ends the run likewise, and goes on to the caller.
        """
        run = await self.open_run(platform)
        try:
            yield run
        except Exception as error:
            await run.close(error)
        except BaseException as error:
            await run.close(error)
            raise
        else:
            await run.close()

    async def open_run(self, platform: str | None) -> "Run":
        """A run that the caller closes."""
        run_id = await self._connections.transact(
            lambda connection: bookkeeping.open_run(connection, self.id, platform)
        )
        run = Run(self._connections, run_id, platform, self.options, self._progress)
        self.runs.append(run)
        return run

    def _progress(self) -> None:
        if self.options.on_progress is not None:
            counts = [run.counts for run in self.runs]
            captures, markets, refused = (sum(column) for column in zip(*counts, strict=True))
            self.options.on_progress(captures, markets, refused)

    async def close(self) -> None:
        """End the batch, unless a run of it goes on somewhere else."""
        self.status = await self._connections.transact(
            lambda connection: bookkeeping.close_batch(connection, self.id)
        )

    def report(self) -> IngestReport:
        """What came of it so far."""
        return IngestReport(
            batch_id=self.id,
            status=self.status,
            runs=tuple(run.report() for run in self.runs),
            refusals=tuple(refusal for run in self.runs for refusal in run.refusals),
            retries=self._connections.retries,
        )


class Run:
    """One platform's part of a batch: validates captures and writes them, a chunk at a time.

    While one chunk is on its way to PostgreSQL, the next one is validated; the source is not asked
    for more than that.
    """

    def __init__(
        self,
        connections: Connections,
        run_id: int,
        platform: str | None,
        options: Options,
        progress: Callable[[], None],
    ) -> None:
        self.id = run_id
        self.platform = platform
        self.status = ScrapeStatus.RUNNING
        self.error: str | None = None
        self.refusals: list[Refusal] = []
        self._connections = connections
        self._options = options
        self._progress = progress
        #: What the database did to a chunk: nothing more is written after it.
        self._broken: ChunkError | None = None
        self._chunk = Chunk()
        self._writing: asyncio.Task[None] | None = None
        # Clear while small statements go back and forth, which validation would only delay.
        self._at_leisure = asyncio.Event()
        self._written = Written()
        self._committed = 0
        self._accepted = 0
        self._markets_accepted = 0
        self._captures_refused = 0
        self._markets_refused = 0

    async def ingest(self, source: Source) -> None:
        """Validate captures of this run's platform and store the good ones.

        Can be called again and again; what is left of a chunk is written when the run ends. Raises
        what the source raises, and ChunkError when the database refuses a chunk.
        """
        async for item in items(source):
            checked = validate(item, strict=self._options.strict)
            if checked.capture is not None and checked.platform != self.platform:
                reason = f"a capture of {checked.platform}, in a run of {self.platform}"
                refusal = Refusal(
                    file=item.file,
                    line=item.line,
                    markets=None,
                    problems=(Problem(path="$", reason=reason),),
                    capture=item.payload,
                )
                checked = Checked(None, refusal, checked.platform)
            await self.take(item, checked)

    async def take(self, item: Item, checked: Checked) -> None:
        """Take in what became of an item of this platform; write a chunk when it is full."""
        if checked.capture is not None:
            self._accepted += 1
            self._markets_accepted += len(checked.capture["markets"])
        if checked.refusal is not None:
            self._note(checked.refusal)
        self._progress()
        if self._broken is not None:
            return
        if checked.capture is not None:
            self._chunk.accept(item, checked.capture)
        if checked.refusal is not None:
            self._chunk.refuse(checked.refusal)
        if self._chunk.size >= self._options.chunk_rows:
            await self._flush()
        if self._writing is not None:
            # The connection's turn: validation never awaits, and the two share an event loop.
            await asyncio.sleep(0)
            await self._at_leisure.wait()

    async def close(self, error: BaseException | None = None) -> None:
        """Write what is left and end the run; with an error, end it as failed.

        What was handed over before the error is written all the same, unless the error is the
        database's own, or a cancellation.
        """
        if self.status is not ScrapeStatus.RUNNING:
            return
        error = error or self._broken
        try:
            if error is None or (isinstance(error, Exception) and error is not self._broken):
                await self._flush()
                await self._written_out()
            elif self._writing is not None:
                self._writing.cancel()
                await asyncio.wait([self._writing])
        except ChunkError as failure:
            error = error or failure
        if error is not None:
            _log.error("run %d (%s) failed", self.id, self.platform, exc_info=error)
            self.error = f"{type(error).__name__}: {error}".removesuffix(": ")
            lost = is_transient(error.__cause__ or error)
            self.status = ScrapeStatus.CONNECTION_FAILED if lost else ScrapeStatus.FAILED
        elif not (self._captures_refused or self._markets_refused):
            self.status = ScrapeStatus.COMPLETED
        else:
            self.status = ScrapeStatus.PARTIAL if self._accepted else ScrapeStatus.FAILED
        kind = type(error).__name__

        async def close(connection: "asyncpg.Connection[Any]") -> None:
            if self.error is not None:
                await bookkeeping.record_errors(connection, self.id, kind, [self.error])
                await bookkeeping.count(connection, self.id, scraped=0, failed=self._lost)
            await bookkeeping.close_run(connection, self.id, self.status)

        await self._connections.transact(close)

    def report(self) -> RunReport:
        """What came of it so far."""
        return RunReport(
            run_id=self.id,
            platform=self.platform,
            status=self.status,
            captures_stored=self._written.stored,
            captures_known=self._written.known,
            captures_refused=self._captures_refused,
            captures_lost=self._lost if self.error is not None else 0,
            markets_stored=self._written.markets,
            markets_refused=self._markets_refused,
            error=self.error,
        )

    @property
    def counts(self) -> tuple[int, int, int]:
        """Captures, markets and refused captures that have come in so far."""
        captures = self._accepted + self._captures_refused
        return captures, self._markets_accepted, self._captures_refused

    @property
    def _lost(self) -> int:
        """Captures that were accepted and are not committed."""
        return self._accepted - self._written.stored - self._written.known

    def _note(self, refusal: Refusal) -> None:
        if refusal.markets is None:
            self._captures_refused += 1
        else:
            self._markets_refused += refusal.markets
        if len(self.refusals) < _REFUSALS_KEPT:
            self.refusals.append(refusal.model_copy(update={"capture": None}))
        if self._options.on_refusal is not None:
            self._options.on_refusal(refusal)

    async def _flush(self) -> None:
        """Hand the chunk over to be written, as soon as the last one is."""
        await self._written_out()
        if self._chunk.size:
            self._at_leisure.clear()
            self._writing = asyncio.create_task(self._write(self._chunk))
            self._chunk = Chunk()

    async def _written_out(self) -> None:
        if self._writing is not None:
            writing, self._writing = self._writing, None
            try:
                await writing
            except ChunkError as error:
                self._broken = error
                raise

    async def _write(self, chunk: Chunk) -> None:
        """Commit a chunk, once, however often that takes."""
        result: ChunkResult | None = None

        async def write(connection: "asyncpg.Connection[Any]") -> ChunkResult:
            nonlocal result
            # When the connection was lost at the commit, the run's counters tell whether it was
            # done: they are part of what was committed.
            if result is not None:
                counted = await bookkeeping.counted(connection, self.id)
                if counted == self._committed + chunk.whole_captures:
                    return result
            result = await write_chunk(
                connection,
                self.id,
                self.platform,
                chunk,
                keep_raw=self._options.keep_raw,
                before_markets=self._at_leisure.set,
            )
            return result

        try:
            done = await self._connections.transact(write)
            self._committed += chunk.whole_captures
            if done.new_events:
                # Once more, after the commit: of two that bring the two sides of a match at once,
                # neither sees the other's event before, and the later one does now.
                await self._connections.transact(
                    lambda connection: link_events(connection, done.new_events)
                )
        except Exception as error:
            raise ChunkError(
                f"{type(error).__name__}: {error}",
                platform=self.platform,
                run_id=self.id,
                first=chunk.first,
                last=chunk.last,
            ) from error
        finally:
            self._at_leisure.set()
        self._written.add(done.written)
        for refusal in done.refusals:
            self._accepted -= 1
            self._note(refusal)
