"""A batch that is open: it groups a run for each platform.

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
from oddsschema.errors import OddsSchemaError
from oddsschema.ingestion.gc_threshold import rarely_collecting
from oddsschema.ingestion.options import IngestOptions
from oddsschema.ingestion.report import IngestReport
from oddsschema.ingestion.run import Run, to_its_end
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
    """Open a batch, or join the one of `batch_id`; it ends with the last of its runs.

    `target` is a URL: each run then writes on a connection of its own. Or it is an open connection:
    an asyncpg connection commits as it does (at once, unless the caller opened a transaction); of
    an SQLAlchemy connection, the caller commits. `trigger` and `notes` describe the batch.

    Raises DatabaseUnavailableError and NotMigratedError.
    """
    async with open_connections(target, retry_for=options.retry_for) as connections:

        async def reserve(connection: Connection) -> int:
            await require_migrated(connection)
            return batch_id or await bookkeeping.reserve_id(connection, "scrape_batches")

        opened_id = await connections.transact(reserve)

        async def open_or_join(connection: Connection) -> None:
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

    def __init__(self, connections: Connections, batch_id: int, options: IngestOptions) -> None:
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
        self.status = await to_its_end(
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
