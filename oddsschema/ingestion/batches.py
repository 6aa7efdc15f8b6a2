"""An open batch: it groups a run for each platform.

>>> async with oddsschema.batch(url, trigger="scheduled") as batch:
...     async with batch.run("sportybet") as run:
...         await run.ingest(captures)
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import astuple
from datetime import timedelta

from oddsschema.contracts.scalars import ScrapeStatus
from oddsschema.database.clock import Clock
from oddsschema.database.connections import Connection, Connections, Target, open_connections
from oddsschema.database.revision import require_migrated
from oddsschema.errors import BatchEndedError, BatchNotFoundError
from oddsschema.ingestion.callers import current_caller
from oddsschema.ingestion.dispatch import Dispatch
from oddsschema.ingestion.heartbeat import beating
from oddsschema.ingestion.interruption import RECORDS_WITHIN, wait_through
from oddsschema.ingestion.options import IngestOptions
from oddsschema.ingestion.report import IngestProgress, IngestReport
from oddsschema.ingestion.run import Run
from oddsschema.ingestion.sources import Source, check_source
from oddsschema.ingestion.validation.horizon import Horizon
from oddsschema.scrapes import bookkeeping
from oddsschema.scrapes.bookkeeping import Reserved
from oddsschema.signals import sigterm_as_sigint

#: The time for which the clock that was read with the batch's opening is exact for its first run.
_CLOCK_LASTS = timedelta(minutes=1)

_log = logging.getLogger(__name__)


@asynccontextmanager
async def batch(
    target: Target,
    *,
    trigger: str | None = None,
    notes: str | None = None,
    batch_id: int | None = None,
    options: IngestOptions = IngestOptions(),
) -> AsyncIterator["Batch"]:
    """Open a batch, or join the batch of `batch_id`; it ends with the last of its runs.

    Each run writes on a connection of its own, unless `target` is a connection: on one of asyncpg,
    each chunk is committed at once, unless the caller has opened a transaction; on one of
    SQLAlchemy, the caller commits. `trigger` and `notes` describe the batch. Runs that are still
    open at the end are closed.

    Raises DatabaseUnavailableError and NotMigratedError.
    """
    signals = sigterm_as_sigint() if options.sigterm_as_sigint else nullcontext()
    with signals:
        async with (
            open_connections(
                target, retry_for=options.retry_for, answer_within=options.answer_within
            ) as connections,
            batch_on(
                connections, trigger=trigger, notes=notes, batch_id=batch_id, options=options
            ) as opened,
        ):
            yield opened


@asynccontextmanager
async def batch_on(
    connections: Connections,
    *,
    trigger: str | None,
    notes: str | None,
    batch_id: int | None,
    options: IngestOptions,
) -> AsyncIterator["Batch"]:
    """Open a batch on connections that are there, as `batch`."""
    tables = ["scrape_runs"] if batch_id is not None else ["scrape_runs", "scrape_batches"]

    async def reserve(connection: Connection) -> tuple[list[Reserved], Clock]:
        await require_migrated(connection)
        return await bookkeeping.reserve(connection, *tables)

    (first_run, *own), clock = await connections.transact(reserve, is_single=True)
    found = own[0] if batch_id is None else batch_id

    async def open_or_join(connection: Connection) -> None:
        if isinstance(found, Reserved):
            await bookkeeping.open_batch(connection, found, trigger, notes)
        elif not await bookkeeping.join_batch(connection, found):
            raise BatchNotFoundError(batch_id=found)

    opening = asyncio.create_task(connections.transact(open_or_join, is_single=True))
    cancellation = await wait_through(opening, RECORDS_WITHIN)
    if cancellation is None:
        await opening
    elif not opening.done() or opening.cancelled() or opening.exception() is not None:
        raise cancellation
    row_id = found.id if isinstance(found, Reserved) else found
    opened = Batch(connections, row_id, options, clock, first_run)
    async with beating(connections, opened.runs):
        try:
            if cancellation is not None:
                raise cancellation
            yield opened
        except BaseException as error:
            try:
                await opened.close(error)
            except Exception:
                _log.exception("batch %d could not be closed", opened.id)
            raise
        await opened.close()


async def ingest(
    target: Target,
    source: Source,
    *,
    trigger: str | None = None,
    notes: str | None = None,
    options: IngestOptions = IngestOptions(),
) -> IngestReport:
    """Validate captures and store the good ones as one batch with a run for each platform.

    `source` is the path of an NDJSON file (plain or .gz), NDJSON as text or bytes, an open file or
    stream, or an iterable or async iterable of captures: `Capture` objects, dicts, or JSON objects
    as text. A `str` that begins with `{` is NDJSON, any other is a path. The source is read only as
    fast as PostgreSQL stores its captures.

    Each capture is validated by the contract. A market that breaks it is refused and the rest of
    its capture stored; any other error refuses the capture. A capture that is stored and most
    likely wrong has a doubt. The first 1,000 refusals and doubts of a run are in the report and in
    `scrape_errors`; all are counted. Good captures are committed in chunks of `options.chunk_rows`,
    or after `options.flush_after`. Captures that had been stored before are counted, and change
    nothing.

    Each run writes on a connection of its own, unless `target` is a connection: on one of asyncpg,
    each chunk is committed at once, unless the caller has opened a transaction; on one of
    SQLAlchemy, the caller commits. `trigger` and `notes` describe the batch.

    Raises TypeError for a value that is no source, DatabaseUnavailableError and NotMigratedError
    before anything is read, and the source's errors. A database error ends its run alone: the run
    is reported as failed, its committed chunks stay, and the other runs continue.
    """
    check_source(source)
    async with batch(target, trigger=trigger, notes=notes, options=options) as opened:
        await opened.ingest(source)
    return opened.report()


class Batch:
    """An open batch. Its runs may work at the same time."""

    def __init__(
        self,
        connections: Connections,
        batch_id: int,
        options: IngestOptions,
        clock: Clock,
        first_run: Reserved,
    ) -> None:
        self.id = batch_id
        self.status = ScrapeStatus.RUNNING
        self.runs: list[Run] = []
        self.options = options
        self.horizon = Horizon(clock, options.max_ahead)
        self._connections = connections
        self._is_ended = False
        self._clock = clock
        #: The reserved row of the first run, until it is used.
        self._first_run: Reserved | None = first_run
        #: Held while a platform's run is found or opened: a second one is not opened meanwhile.
        self._opening = asyncio.Lock()
        self._dispatch = Dispatch(options, lambda: self.horizon, self.run_of)
        #: The exception that ends several runs, on its way to the caller.
        self._raising: Exception | None = None

    async def ingest(self, source: Source) -> None:
        """Validate captures of several platforms, and store the good ones in a run for each.

        A run that is open takes the captures of its platform. The other runs are opened here, and
        closed at the end of the batch. It can be called again and again. A database error ends its
        run alone. Raises the source's errors and BatchEndedError.
        """
        await self._dispatch.ingest(source)

    async def flush(self) -> None:
        """Commit all captures that were taken so far, of all open runs. Raises ChunkError."""
        for run in self.runs:
            if run.is_open:
                await run.flush()

    async def run_of(self, platform: str | None) -> Run:
        """Return the open run of a platform, or open one, which is closed at the end of the batch.

        It is the run that takes the platform's captures in `ingest`: `await run.failed(...)` and
        `run.unmapped(...)` report the rest to it. Raises BatchEndedError.
        """
        async with self._opening:
            for run in self.runs:
                if run.platform == platform and run.is_open:
                    return run
            return await self.open_run(platform)

    @asynccontextmanager
    async def run(self, platform: str) -> AsyncIterator[Run]:
        """Open the run of one platform. An exception inside ends the run as failed.

        The exception is logged, recorded in `scrape_errors` and in the run's report, and not raised
        further: the batch's other runs continue. A cancellation (Ctrl-C) ends the run in the same
        way, and is raised further.

        If several runs are open in the body (one inside another, or opened by `ingest`), an
        exception that a run's own `ingest` raised ends that run as failed, and the others with
        their captures. It is not raised further, also as a member of a TaskGroup's ExceptionGroup.
        Any other exception ends all of them as failed, and is raised further.

        Raises BatchEndedError after the end of the batch.
        """
        run = await self.open_run(platform)
        try:
            yield run
        except Exception as error:
            errors = tuple(_members(error))
            if all(any(other.raised is each for other in self.runs) for each in errors):
                own = next((each for each in errors if run.raised is each), None)
                others = tuple(each for each in errors if each is not own)
                await run.close(own)
                if own is None:
                    raise
                if others:
                    # The runs that raised them are further out.
                    raise ExceptionGroup("errors of several runs", others) from None
                return
            await run.close(error)
            caller = current_caller()
            if self._raising is error or any(
                other.is_open and other.caller is caller for other in self.runs
            ):
                self._raising = error
                raise
        except BaseException as error:
            await run.close(error)
            raise
        else:
            await run.close()

    async def open_run(self, platform: str | None) -> Run:
        """Open a run that the caller closes, or the end of the batch. Raises BatchEndedError."""
        if self._is_ended:
            raise BatchEndedError(batch_id=self.id)
        reserved = await self._reserve_run()
        run = Run(
            self._connections,
            reserved.id,
            platform,
            self.options,
            self._report_progress,
            self.horizon,
        )
        # Before its row: after a cancellation, the end of the batch closes the run.
        self.runs.append(run)
        opening = asyncio.create_task(
            self._connections.transact(
                lambda connection: bookkeeping.open_run(connection, reserved, self.id, platform),
                is_single=True,
            )
        )
        if (cancellation := await wait_through(opening, RECORDS_WITHIN)) is not None:
            raise cancellation
        try:
            await opening
        except Exception:
            self.runs.remove(run)
            raise
        return run

    async def _reserve_run(self) -> Reserved:
        """Reserve the row of a run: that of the first run was reserved with the batch's."""
        first, self._first_run = self._first_run, None
        if first is not None and (now := self._clock.now()) - first.started_at < _CLOCK_LASTS:
            return first._replace(started_at=now)
        # A batch may be open for weeks: its clock would no longer be exact.
        (reserved,), self._clock = await self._connections.transact(
            lambda connection: bookkeeping.reserve(connection, "scrape_runs"), is_single=True
        )
        self.horizon = Horizon(self._clock, self.options.max_ahead)
        return reserved

    def _report_progress(self) -> None:
        if self.options.on_progress is not None:
            counts = [astuple(run.counts) for run in self.runs]
            self.options.on_progress(IngestProgress(*map(sum, zip(*counts, strict=True))))

    async def close(self, error: BaseException | None = None) -> None:
        """End the open runs, and the batch, unless another process still has an open run of it.

        With an error, the runs end as failed.
        """
        self._is_ended = True
        self._raising = None
        interruption = None if isinstance(error, Exception) else error
        failure: BaseException | None = None
        try:
            if interruption is not None:
                await self._close_at_once(error)
            else:
                for run in self.runs:
                    await run.close(error)
        except asyncio.CancelledError as cancelled:
            interruption = failure = cancelled
            with suppress(asyncio.CancelledError):
                await self._close_at_once(cancelled)
        except Exception as failed:
            failure = failed
            await self._close_at_once(failed)
        ending = asyncio.create_task(self._end(error or failure))
        cancellation = await wait_through(ending, RECORDS_WITHIN, after=interruption)
        if (failure := cancellation or failure) is not None:
            raise failure
        if ending.done() and not ending.cancelled():
            ending.result()
        else:
            _log.error("batch %d could not be closed: it is stale", self.id)

    async def _close_at_once(self, error: BaseException | None) -> None:
        """Close the runs that are still open, all at the same time."""
        await asyncio.gather(*(run.close(error) for run in self.runs), return_exceptions=True)

    async def _end(self, error: BaseException | None) -> None:
        """Derive the status of the batch from its runs, and record it."""
        without_runs = ScrapeStatus.COMPLETED if error is None else ScrapeStatus.FAILED
        connections = self._connections
        status = await connections.transact(
            lambda connection: bookkeeping.close_quiet_batch(connection, self.id, without_runs),
            is_single=True,
        )
        if status is None:
            status = await connections.transact(
                lambda connection: bookkeeping.close_batch(connection, self.id, without_runs)
            )
        self.status = status

    def report(self) -> IngestReport:
        """Report the batch so far."""
        return IngestReport(
            batch_id=self.id,
            status=self.status,
            runs=tuple(run.report() for run in self.runs),
            refusals=tuple(refusal for run in self.runs for refusal in run.refusals),
            doubts=tuple(doubt for run in self.runs for doubt in run.doubts),
            retries=self._connections.retries,
        )


def _members(error: Exception) -> Iterator[Exception]:
    """Yield the exceptions of a group and of the groups in it; or the exception itself."""
    if isinstance(error, ExceptionGroup):
        for member in error.exceptions:
            yield from _members(member)
    else:
        yield error
