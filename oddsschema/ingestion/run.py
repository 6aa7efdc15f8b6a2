"""A run: one platform's part of a batch. It validates captures and writes them in chunks."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

from pydantic import ConfigDict, TypeAdapter

from oddsschema.contracts.scalars import Json, ScrapeStatus
from oddsschema.database.connections import Connection, Connections
from oddsschema.database.durations import require_not_negative
from oddsschema.database.retry import is_disk_full
from oddsschema.errors import (
    ChunkError,
    DatabaseUnavailableError,
    RunEndedError,
    UncertainCommitError,
)
from oddsschema.ingestion.callers import current_caller
from oddsschema.ingestion.interruption import RECORDS_WITHIN, wait_through
from oddsschema.ingestion.item import Item
from oddsschema.ingestion.options import IngestOptions
from oddsschema.ingestion.pipeline import Pipeline
from oddsschema.ingestion.report import (
    LONGEST_ERROR,
    MOST_LISTED,
    Doubt,
    FetchFailure,
    IngestProgress,
    Problem,
    Refusal,
    RunReport,
    shortened,
)
from oddsschema.ingestion.sources import Source, items
from oddsschema.ingestion.storage.chunk import ChunkResult
from oddsschema.ingestion.storage.event_changes import EventChanges
from oddsschema.ingestion.storage.history import WriteCounts
from oddsschema.ingestion.storage.unmapped_markets import (
    MOST_UNMAPPED,
    add_unmapped_markets,
    unmapped_market_type,
)
from oddsschema.ingestion.validation.horizon import Horizon
from oddsschema.ingestion.validation.names import ScrapeNames
from oddsschema.ingestion.validation.validator import Validated, validate
from oddsschema.scrapes import bookkeeping
from oddsschema.scrapes.bookkeeping import DOUBT, NOT_FETCHED, REFUSED, UNLISTED, ErrorRow

#: The errors of a connection: of the database's, or of the source's own.
_UNREACHABLE = (ConnectionError, DatabaseUnavailableError, UncertainCommitError)

_TIMINGS: TypeAdapter[Any] = TypeAdapter(Json, config=ConfigDict(defer_build=True))

_log = logging.getLogger(__name__)


class Run:
    """One platform's part of a batch.

    While one chunk is written to PostgreSQL, the next one is validated; the source is read at
    most one chunk ahead. A chunk is written when it has `chunk_rows` rows, or `flush_after` its
    first capture.
    """

    def __init__(
        self,
        connections: Connections,
        run_id: int,
        platform: str | None,
        options: IngestOptions,
        on_progress: Callable[[], None],
        horizon: Horizon,
    ) -> None:
        self.id = run_id
        self.platform = platform
        self.status = ScrapeStatus.RUNNING
        self.error: str | None = None
        #: The durations of the scraper's steps, in a form of its own: `run.timings["fetch"] = 1.5`.
        #: JSON values, stored in `platform_timings` when the run ends.
        self.timings: dict[str, Any] = {}
        self.refusals: list[Refusal] = []
        self.doubts: list[Doubt] = []
        self._connections = connections
        self.options = options
        self._on_progress = on_progress
        self._horizon = horizon
        self._pipeline = Pipeline(
            connections, run_id, platform, options, on_written=self._add_result
        )
        #: The caller that has opened the run, until the run ends.
        self.caller = current_caller()
        #: The last error that a method of the run has raised, until the run ends.
        self.raised: Exception | None = None
        self._is_ending = False
        self._has_ended = asyncio.Event()
        self._written = WriteCounts()
        self._changes = EventChanges()
        self._accepted = 0
        self._markets_accepted = 0
        self._captures_refused = 0
        self._captures_failed = 0
        self._markets_refused = 0
        self._refusals_found = 0
        self._markets_empty = 0
        self._doubts_found = 0
        #: The first of the different doubts, and the number of doubts equal to each.
        self._different_doubts: dict[Problem, tuple[Doubt, int]] = {}
        self._names = ScrapeNames()
        #: The ids of the unmapped markets that the run records, and the number of other reports.
        self._unmapped = set[str]()
        self._unmapped_left = 0

    @property
    def is_open(self) -> bool:
        """Whether the run takes captures."""
        return not self._is_ending

    async def ingest(self, source: Source) -> None:
        """Validate captures of this run's platform and store the good ones.

        It can be called again and again. The last captures are committed after `flush_after`, by
        `flush`, or when the run ends. Raises the source's errors, ChunkError when the database
        refuses a chunk, and RunEndedError after the end of the run.
        """
        self._require_open()
        options = self.options
        with self._noting_errors():
            async for item in items(source, options.limits):
                validated = validate(
                    item,
                    strict=options.strict,
                    limits=options.limits,
                    keep_raw=options.keep_raw,
                    names=self._names,
                    horizon=self._horizon,
                )
                if validated.capture is not None and validated.platform != self.platform:
                    reason = f"a capture of {validated.platform}, in a run of {self.platform}"
                    problem = Problem(path="$", reason=reason)
                    refusal = item.refused(problem, capture=item.payload)
                    validated = Validated(None, refusal, validated.platform)
                await self.take(item, validated)

    @contextmanager
    def _noting_errors(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.raised = error
            raise

    async def take(self, item: Item, validated: Validated) -> None:
        """Add a validated item of this platform, and write the chunk if it is full or due.

        Raises ChunkError when the database has refused a chunk, and RunEndedError.
        """
        self._require_open()
        capture, refusal, _, doubts = validated
        if capture is not None:
            self._accepted += 1
            self._markets_accepted += len(capture.markets)
            self._markets_empty += capture.markets_empty
        if refusal is not None:
            self._count_refusal(refusal)
            self._report_refusal(refusal)
        for doubt in doubts:
            self._report_doubt(doubt)
        self._on_progress()
        self._pipeline.raise_error()
        if capture is not None:
            self._pipeline.accept(item, capture)
        if refusal is not None:
            self._pipeline.refuse(refusal)
        await self._pipeline.advance()

    async def failed(
        self,
        error: BaseException | str,
        *,
        sportradar_id: str | int | None = None,
        external_id: str | int | None = None,
    ) -> None:
        """Record that an event could not be fetched: a row of `scrape_errors`, and `events_failed`.

        The run ends as partial, or as failed if it has no capture. The record is committed with the
        next captures, after `flush_after`, or when the run ends.

        Raises ChunkError when the database has refused a chunk, and RunEndedError.
        """
        self._require_open()
        failure = FetchFailure(
            error=_error_text(error) if isinstance(error, BaseException) else error,
            sportradar_id=None if sportradar_id is None else str(sportradar_id),
            external_id=None if external_id is None else str(external_id),
        )
        self._captures_failed += 1
        self._pipeline.fail(failure)
        self._on_progress()
        with self._noting_errors():
            await self._pipeline.advance()

    def unmapped(self, market_id: str | int, name: str | None = None, outcomes: Any = None) -> None:
        """Report a market of the platform that could not be mapped to a market of BetPawa's.

        `market_id` is the platform's id of the market type. A row of `unmapped_markets` sums up the
        reports of each: their number, the newest name, and some outcomes as JSON for an example, in
        any form. They are committed with the next capture, or when the run ends; a chunk of
        captures that PostgreSQL refuses takes its reports with it. A run records
        10,000 different ids, and counts the reports of others.

        Raises pydantic.ValidationError for a `market_id` that is no id, and RunEndedError.
        """
        self._require_open()
        market = unmapped_market_type(self.platform, market_id, name)
        if market.market_id in self._unmapped or len(self._unmapped) < MOST_UNMAPPED:
            self._unmapped.add(market.market_id)
            self._pipeline.add_unmapped(market, outcomes)
        else:
            self._unmapped_left += 1

    async def progress(
        self, *, every: timedelta = timedelta(seconds=1)
    ) -> AsyncIterator[IngestProgress]:
        """Yield the counts of the run when they have changed, once in `every`, until the run ends.

        It feeds a stream to a browser, for example:

            async for counts in run.progress():
                yield f"data: {counts.captures} captures"
        """
        require_not_negative(every=every)
        shown: IngestProgress | None = None
        while True:
            has_ended = self._has_ended.is_set()
            if (counts := self.counts) != shown:
                yield counts
                shown = counts
            if has_ended:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(every.total_seconds()):
                    await self._has_ended.wait()

    async def flush(self) -> RunReport:
        """Commit all captures that were taken so far, and return the report of the run so far.

        Raises ChunkError and RunEndedError.
        """
        self._require_open()
        with self._noting_errors():
            await self._pipeline.flush()
        return self.report()

    async def record_sign_of_life(self) -> None:
        """Record that the run's process is alive, unless the run has ended."""
        if not self._is_ending:
            await self._connections.transact(
                lambda connection: bookkeeping.record_heartbeat(connection, self.id),
                is_single=True,
            )

    async def close(self, error: BaseException | None = None) -> None:
        """Commit the rest and end the run; with an error, end it as failed.

        Captures that were delivered before the error are committed all the same. After a
        cancellation (Ctrl-C), `close_within` limits the time for that. A second cancellation ends
        the commit at once. Captures that are not committed then are counted as lost. If another
        task closes the run already, waits for it. Raises the errors of callbacks.
        """
        interruption = None if isinstance(error, Exception) else error
        if self._is_ending:
            ended = asyncio.create_task(self._has_ended.wait())
            within = self.options.close_within + 2 * RECORDS_WITHIN
            if (cancellation := await wait_through(ended, within, after=interruption)) is not None:
                raise cancellation
            return
        self._is_ending = True
        try:
            await self._close(error, interruption)
        finally:
            # The frames of errors, and the task's, would keep captures in memory with the report.
            self._pipeline.drop()
            self.caller = self.raised = None
            self._has_ended.set()

    async def _close(self, error: BaseException | None, interruption: BaseException | None) -> None:
        failure: BaseException | None = None
        flushing = asyncio.create_task(self._pipeline.flush())
        cancellation = await wait_through(flushing, self.options.close_within, after=interruption)
        if flushing.done() and not flushing.cancelled():
            failure = flushing.exception()
            error = error or failure
        else:
            error = error or cancellation
        interruption = cancellation or interruption
        ending = asyncio.create_task(self._end(error))
        cancellation = (
            await wait_through(ending, RECORDS_WITHIN, after=interruption) or cancellation
        )
        if interruption is None and cancellation is None:
            ending.result()
        elif not ending.done() or ending.cancelled() or ending.exception() is not None:
            _log.error("run %d could not be closed: it is stale", self.id)
        if cancellation is not None:
            raise cancellation
        if failure is not None and failure is error and not isinstance(failure, ChunkError):
            raise failure

    async def _end(self, error: BaseException | None) -> None:
        """Set the status of the run, and record it."""
        await self._pipeline.cancel()
        if error is None and self._lost:
            # Other code of the program has cancelled the task that wrote them.
            error = asyncio.CancelledError()
        if error is not None:
            _log.error("run %d (%s) failed", self.id, self.platform, exc_info=error)
            is_interruption = not isinstance(error, Exception)
            self.error = "interrupted" if is_interruption else _error_text(error)
            is_unreachable = isinstance(error.__cause__ or error, _UNREACHABLE)
            self.status = ScrapeStatus.CONNECTION_FAILED if is_unreachable else ScrapeStatus.FAILED
        elif not (self._captures_refused or self._markets_refused or self._captures_failed):
            self.status = ScrapeStatus.COMPLETED
        else:
            self.status = ScrapeStatus.PARTIAL if self._accepted else ScrapeStatus.FAILED
        error_type = type(error).__name__

        errors = [
            *(unwritten := self._pipeline.unwritten_errors),
            *(ErrorRow(DOUBT, text) for text in self._doubt_texts()),
            *(ErrorRow(UNLISTED, text) for text in self._unlisted_texts(unwritten)),
        ]
        if self.error is not None:
            errors.append(ErrorRow(error_type, self.error))
        unmapped = [*self._pipeline.unwritten_unmapped]
        timings = self._timings_json()

        async def record_status(connection: Connection) -> bool:
            return await bookkeeping.close_run(
                connection, self.id, self.status, failed=self._failed, timings=timings
            )

        async def record(connection: Connection) -> None:
            if await record_status(connection):
                await add_unmapped_markets(connection, unmapped)
                await bookkeeping.record_errors(connection, self.id, errors)

        async def close_at_once(connection: Connection) -> bool:
            return await bookkeeping.close_open_run(
                connection, self.id, self.status, failed=self._failed, timings=timings
            )

        try:
            if (
                errors
                or unmapped
                or not await self._connections.transact(close_at_once, is_single=True)
            ):
                await self._connections.transact(record)
        except Exception as failure:
            if not is_disk_full(failure):
                raise
            # The update of a row finds room where new rows find none.
            _log.error("the errors of run %d could not be recorded: %s", self.id, failure)
            await self._connections.transact(record_status)

    def report(self) -> RunReport:
        """Report the run so far."""
        return RunReport(
            run_id=self.id,
            platform=self.platform,
            status=self.status,
            captures_stored=self._written.stored,
            captures_confirmed=self._written.confirmed,
            captures_known=self._written.known,
            captures_refused=self._captures_refused,
            captures_failed=self._captures_failed,
            captures_lost=self._lost if self.error is not None else 0,
            markets_stored=self._written.markets,
            markets_refused=self._markets_refused,
            markets_empty=self._markets_empty,
            **self._changes.counts(),
            doubts=self._doubts_found,
            error=self.error,
        )

    @property
    def counts(self) -> IngestProgress:
        """The counts of the run so far."""
        return IngestProgress(
            captures=self._accepted + self._captures_refused,
            markets=self._markets_accepted,
            refused=self._captures_refused,
            failed=self._captures_failed,
        )

    @property
    def _failed(self) -> int:
        """The number of captures that are not stored, once the run has ended."""
        failed = self._captures_refused + self._captures_failed
        return failed if self.error is None else failed + self._lost

    @property
    def _lost(self) -> int:
        """The number of captures that were accepted and are not committed."""
        written = self._written
        return self._accepted - written.stored - written.known

    def _count_refusal(self, refusal: Refusal) -> None:
        self._refusals_found += 1
        if refusal.markets is None:
            self._captures_refused += 1
        else:
            self._markets_refused += refusal.markets

    def _report_refusal(self, refusal: Refusal) -> None:
        if len(self.refusals) < MOST_LISTED:
            self.refusals.append(refusal.model_copy(update={"capture": None}))
        if self.options.on_refusal is not None:
            self.options.on_refusal(refusal)

    def _report_doubt(self, doubt: Doubt) -> None:
        self._doubts_found += 1
        first, count = self._different_doubts.get(doubt.problem, (doubt, 0))
        if count or len(self._different_doubts) < MOST_LISTED:
            self._different_doubts[doubt.problem] = first, count + 1
        if len(self.doubts) < MOST_LISTED:
            self.doubts.append(doubt)
        if self.options.on_doubt is not None:
            self.options.on_doubt(doubt)

    def _doubt_texts(self) -> list[str]:
        """Phrase the doubts for scrape_errors: equal ones are one text, with their number."""
        return [
            str(doubt) if count == 1 else f"{doubt} ({count:,} times in this run)"
            for doubt, count in self._different_doubts.values()
        ]

    def _unlisted_texts(self, unwritten: Sequence[ErrorRow]) -> list[str]:
        """Phrase the numbers of errors, doubts and reports that are not listed."""
        listed = self._pipeline.errors_listed + Counter(error.kind for error in unwritten)
        doubts_listed = sum(count for _, count in self._different_doubts.values())
        unlisted = {
            "refusals": self._refusals_found - listed[REFUSED],
            "fetch failures": self._captures_failed - listed[NOT_FETCHED],
            "doubts": self._doubts_found - doubts_listed,
            "reports of unmapped markets": self._unmapped_left,
        }
        return [f"{more:,} more {kind} are not listed" for kind, more in unlisted.items() if more]

    def _timings_json(self) -> str | None:
        if not self.timings:
            return None
        try:
            return _TIMINGS.dump_json(_TIMINGS.validate_python(self.timings)).decode()
        except ValueError as error:
            _log.warning(
                "the timings of run %d are no JSON, and are not stored: %s", self.id, error
            )
            return None

    def _require_open(self) -> None:
        if self._is_ending:
            raise RunEndedError(run_id=self.id, platform=self.platform)

    def _add_result(self, result: ChunkResult) -> None:
        self._written.add(result.written)
        self._changes.add(result.changes)
        # All are counted before a callback can fail.
        self._accepted -= len(result.refusals)
        for refusal in result.refusals:
            self._count_refusal(refusal)
        for refusal in result.refusals:
            self._report_refusal(refusal)
        for doubt in result.doubts:
            self._report_doubt(doubt)


def _error_text(error: BaseException) -> str:
    return shortened(f"{type(error).__name__}: {error}".removesuffix(": "), LONGEST_ERROR)
