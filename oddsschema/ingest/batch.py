"""A batch and its runs: what a scraper holds while it works.

>>> async with oddsschema.batch(url, trigger="scheduled") as batch:
...     async with batch.run("sportybet") as run:
...         await run.ingest(captures)
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic_core import to_json

from oddsschema.database import Connections, is_transient, open_connections, require_migrated
from oddsschema.errors import ChunkError, OddsSchemaError
from oddsschema.ingest import bookkeeping
from oddsschema.ingest.chunk import Chunk, ChunkResult
from oddsschema.ingest.collector import rarely_collecting
from oddsschema.ingest.history import Storage, Written
from oddsschema.ingest.limits import DEFAULT_LIMITS, Limits
from oddsschema.ingest.pipeline import Pipeline
from oddsschema.ingest.read import Item, Source, items
from oddsschema.ingest.report import IngestReport, Problem, Refusal, RunReport
from oddsschema.ingest.validate import Checked, validate
from oddsschema.types import ScrapeStatus

if TYPE_CHECKING:
    import asyncpg
    from sqlalchemy.ext.asyncio import AsyncConnection

_log = logging.getLogger(__name__)

#: How many refusals of a run its report holds. All are counted, and all are in `scrape_errors`.
_REFUSALS_KEPT = 1000

_Result = TypeVar("_Result")


@dataclass(frozen=True, kw_only=True)
class Options(Storage):
    """How captures are ingested."""

    #: Store each capture's raw_response.
    keep_raw: bool = False
    #: One bad market sinks its capture.
    strict: bool = False
    #: What is refused for its size.
    limits: Limits = DEFAULT_LIMITS
    #: How many rows (markets, mostly) are committed at a time: few enough to start writing soon and
    #: to keep memory flat, many enough that a commit costs little beside them.
    chunk_rows: int = 20_000
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

        async def reserve(connection: "asyncpg.Connection[Any]") -> int:
            await require_migrated(connection)
            return batch_id or await bookkeeping.reserve_id(connection, "scrape_batches")

        opened_id = await connections.transact(reserve)

        async def open_or_join(connection: "asyncpg.Connection[Any]") -> None:
            if batch_id is None:
                await bookkeeping.open_batch(connection, opened_id, trigger, notes)
            elif not await bookkeeping.join_batch(connection, batch_id):
                raise OddsSchemaError(f"there is no batch {batch_id} to join")

        await connections.transact(open_or_join)
        opened = Batch(connections, opened_id, options)
        try:
            with rarely_collecting():
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
            lambda connection: bookkeeping.reserve_id(connection, "scrape_runs")
        )
        await self._connections.transact(
            lambda connection: bookkeeping.open_run(connection, run_id, self.id, platform)
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
        self.status = await _to_its_end(
            self._connections.transact(
                lambda connection: bookkeeping.close_batch(connection, self.id)
            )
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


async def _to_its_end(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Wait for what a cancellation must not break off; the cancellation is raised afterwards."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


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
        self._chunk = Chunk()
        self._pipeline = Pipeline(connections, run_id, platform, storage=options, done=self._count)
        self._written = Written()
        self._accepted = 0
        self._markets_accepted = 0
        self._captures_refused = 0
        self._markets_refused = 0

    async def ingest(self, source: Source) -> None:
        """Validate captures of this run's platform and store the good ones.

        Can be called again and again; what is left of a chunk is written when the run ends. Raises
        what the source raises, and ChunkError when the database refuses a chunk.
        """
        limits = self._options.limits
        async for item in items(source, limits):
            checked = validate(item, strict=self._options.strict, limits=limits)
            if checked.capture is not None and checked.platform != self.platform:
                reason = f"a capture of {checked.platform}, in a run of {self.platform}"
                checked = _refused(item, "$", reason)
            await self.take(item, checked)

    async def take(self, item: Item, checked: Checked) -> None:
        """Take in what became of an item of this platform; write a chunk when it is full."""
        checked = self._with_raw_as_text(item, checked)
        if checked.capture is not None:
            self._accepted += 1
            self._markets_accepted += len(checked.capture["markets"])
        if checked.refusal is not None:
            self._note(checked.refusal)
        self._progress()
        if self._pipeline.broken is not None:
            return
        if checked.capture is not None:
            self._chunk.accept(item, checked.capture)
        if checked.refusal is not None:
            self._chunk.refuse(checked.refusal)
        if self._chunk.is_full(self._options.chunk_rows):
            await self._flush()
        await self._pipeline.give_way()

    async def close(self, error: BaseException | None = None) -> None:
        """Write what is left and end the run; with an error, end it as failed.

        What was handed over before the error is written all the same, unless the error is the
        database's own, or a cancellation.
        """
        if self.status is not ScrapeStatus.RUNNING:
            return
        broken = self._pipeline.broken
        error = error or broken
        try:
            if broken is None and (error is None or isinstance(error, Exception)):
                await self._flush()
                await self._pipeline.drain()
            else:
                await self._pipeline.cancel()
        except ChunkError as failure:
            error = error or failure
        except asyncio.CancelledError as cancelled:
            await self.close(cancelled)
            raise
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
            ended = await bookkeeping.close_run(connection, self.id, self.status)
            if ended and self.error is not None:
                await bookkeeping.record_errors(connection, self.id, kind, [self.error])
                await bookkeeping.count(connection, self.id, scraped=0, failed=self._lost)

        await _to_its_end(self._connections.transact(close))

    def report(self) -> RunReport:
        """What came of it so far."""
        return RunReport(
            run_id=self.id,
            platform=self.platform,
            status=self.status,
            captures_stored=self._written.stored,
            captures_confirmed=self._written.confirmed,
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
        written = self._written
        return self._accepted - written.stored - written.known

    def _with_raw_as_text(self, item: Item, checked: Checked) -> Checked:
        """raw_response is kept as little as it can be from here on: as JSON text, or not at all."""
        capture = checked.capture
        if capture is None or capture["raw_response"] is None:
            return checked
        raw = to_json(capture["raw_response"]) if self._options.keep_raw else None
        capture["raw_response"] = raw
        limits = self._options.limits
        if raw is None or isinstance(item.payload, bytes | str) or len(raw) <= limits.line_bytes:
            return checked
        reason = limits.exceeded("line_bytes", f"it has {len(raw):,} bytes as JSON")
        return _refused(item, "$.raw_response", reason)

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
        chunk, self._chunk = self._chunk, Chunk()
        await self._pipeline.put(chunk)

    def _count(self, result: ChunkResult) -> None:
        self._written.add(result.written)
        for refusal in result.refusals:
            self._accepted -= 1
            self._note(refusal)


def _refused(item: Item, path: str, reason: str) -> Checked:
    """A capture that holds the contract, and is refused all the same."""
    refusal = Refusal(
        file=item.file,
        line=item.line,
        markets=None,
        problems=(Problem(path=path, reason=reason),),
        capture=item.payload,
    )
    return Checked(None, refusal, None)
