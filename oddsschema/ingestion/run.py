"""A run: one platform's part of a batch. It validates captures and writes them in chunks."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from pydantic_core import to_json

from oddsschema.contracts.scalars import ScrapeStatus
from oddsschema.database.connections import Connection, Connections
from oddsschema.database.retry import is_transient
from oddsschema.errors import ChunkError
from oddsschema.ingestion.options import IngestOptions
from oddsschema.ingestion.pipeline import Pipeline
from oddsschema.ingestion.report import Problem, Refusal, RunReport
from oddsschema.ingestion.sources import Item, Source, items
from oddsschema.ingestion.storage.chunk import Chunk, ChunkResult
from oddsschema.ingestion.storage.history import Written
from oddsschema.ingestion.validation.validator import Checked, validate
from oddsschema.scrapes import bookkeeping

_log = logging.getLogger(__name__)

#: How many refusals of a run its report holds. All are counted, and all are in `scrape_errors`.
_REFUSALS_KEPT = 1000

_Result = TypeVar("_Result")


async def to_its_end(work: Coroutine[Any, Any, _Result]) -> _Result:
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
        options: IngestOptions,
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

        async def close(connection: Connection) -> None:
            ended = await bookkeeping.close_run(connection, self.id, self.status)
            if ended and self.error is not None:
                await bookkeeping.record_errors(connection, self.id, kind, [self.error])
                await bookkeeping.count(connection, self.id, scraped=0, failed=self._lost)

        await to_its_end(self._connections.transact(close))

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
