"""An open batch: it groups a run for each platform.

>>> async with oddsschema.batch(url, trigger="scheduled") as batch:
...     async with batch.run("sportybet") as run:
...         await run.ingest(captures)
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from oddsschema.contracts.scalars import ScrapeStatus
from oddsschema.database.connections import Connection, Connections, Target, open_connections
from oddsschema.database.revision import require_migrated
from oddsschema.errors import BatchNotFoundError
from oddsschema.ingestion.gc_threshold import raised_gc_threshold
from oddsschema.ingestion.options import IngestOptions
from oddsschema.ingestion.report import IngestProgress, IngestReport
from oddsschema.ingestion.run import Run, shielded
from oddsschema.scrapes import bookkeeping

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

    With a URL as `target`, each run writes on a connection of its own. On an asyncpg connection,
    each chunk is committed at once, unless the caller has opened a transaction. On a SQLAlchemy
    connection, the caller commits. `trigger` and `notes` describe the batch.

    Raises DatabaseUnavailableError and NotMigratedError.
    """
    async with open_connections(target, retry_for=options.retry_for) as connections:

        async def reserve(connection: Connection) -> int:
            await require_migrated(connection)
            if batch_id is not None:
                return batch_id
            return await bookkeeping.reserve_id(connection, "scrape_batches")

        opened_id = await connections.transact(reserve)

        async def open_or_join(connection: Connection) -> None:
            if batch_id is None:
                await bookkeeping.open_batch(connection, opened_id, trigger, notes)
            elif not await bookkeeping.join_batch(connection, batch_id):
                raise BatchNotFoundError(batch_id=batch_id)

        await connections.transact(open_or_join)
        opened = Batch(connections, opened_id, options)
        try:
            with raised_gc_threshold():
                yield opened
        except BaseException:
            try:
                await opened.close()
            except Exception:
                _log.exception("batch %d could not be closed", opened.id)
            raise
        await opened.close()


class Batch:
    """An open batch. Its runs may work at the same time."""

    def __init__(self, connections: Connections, batch_id: int, options: IngestOptions) -> None:
        self.id = batch_id
        self.status = ScrapeStatus.RUNNING
        self.runs: list[Run] = []
        self.options = options
        self._connections = connections

    @asynccontextmanager
    async def run(self, platform: str) -> AsyncIterator[Run]:
        """Open the run of one platform. An exception inside ends the run as failed.

        The exception is logged, recorded in `scrape_errors` and in the run's report, and not raised
        further: the batch's other runs continue. A cancellation (Ctrl-C) ends the run in the same
        way, and is raised further.
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

    async def open_run(self, platform: str | None) -> Run:
        """Open a run that the caller closes."""
        run_id = await self._connections.transact(
            lambda connection: bookkeeping.reserve_id(connection, "scrape_runs")
        )
        await self._connections.transact(
            lambda connection: bookkeeping.open_run(connection, run_id, self.id, platform)
        )
        run = Run(self._connections, run_id, platform, self.options, self._report_progress)
        self.runs.append(run)
        return run

    def _report_progress(self) -> None:
        if self.options.on_progress is not None:
            counts = [run.counts for run in self.runs]
            captures, markets, refused = (sum(column) for column in zip(*counts, strict=True))
            self.options.on_progress(IngestProgress(captures, markets, refused))

    async def close(self) -> None:
        """End the batch, unless another process still has an open run of it."""
        self.status = await shielded(
            self._connections.transact(
                lambda connection: bookkeeping.close_batch(connection, self.id)
            )
        )

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
