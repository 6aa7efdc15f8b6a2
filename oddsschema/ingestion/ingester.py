"""Connections that are kept from batch to batch, for a program that ingests again and again.

>>> async with oddsschema.connect(url) as odds:
...     while True:
...         async with odds.batch(trigger="scheduled") as batch:
...             await batch.ingest(captures)
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

from oddsschema.database.connections import Connections, Target
from oddsschema.database.targets import Source as Database
from oddsschema.database.targets import open_source
from oddsschema.ingestion.batches import Batch, batch_on
from oddsschema.ingestion.options import IngestOptions
from oddsschema.ingestion.report import IngestReport
from oddsschema.ingestion.sources import Source, check_source
from oddsschema.signals import sigterm_as_sigint


class Ingester:
    """Opens batches on kept connections. Several batches may be open at the same time."""

    def __init__(self, database: Database, options: IngestOptions) -> None:
        self.options = options
        self._database = database

    @asynccontextmanager
    async def batch(
        self,
        *,
        trigger: str | None = None,
        notes: str | None = None,
        batch_id: int | None = None,
    ) -> AsyncIterator[Batch]:
        """Open a batch, or join the batch of `batch_id`, as `oddsschema.batch`."""
        options = self.options
        connections = Connections(self._database, retry_for=options.retry_for)
        with sigterm_as_sigint() if options.sigterm_as_sigint else nullcontext():
            async with batch_on(
                connections, trigger=trigger, notes=notes, batch_id=batch_id, options=options
            ) as opened:
                yield opened

    async def ingest(
        self, source: Source, *, trigger: str | None = None, notes: str | None = None
    ) -> IngestReport:
        """Validate captures and store the good ones as one batch, as `oddsschema.ingest`."""
        check_source(source)
        async with self.batch(trigger=trigger, notes=notes) as opened:
            await opened.ingest(source)
        return opened.report()


@asynccontextmanager
async def connect(
    target: Target, *, options: IngestOptions = IngestOptions()
) -> AsyncIterator[Ingester]:
    """Connect to a database, for batches that follow one another.

    A new batch saves the opening of a connection, and the round trips of its first statements. A
    connection that is lost between two batches, or closed because it was idle for five minutes, is
    opened again. Each batch reads the revision of the database again.

    Raises DatabaseUnavailableError when no connection can be opened.
    """
    async with open_source(target, options.answer_within, remembers=True) as database:
        connections = Connections(database, retry_for=options.retry_for)
        if not connections.is_borrowed:
            await connections.wait_for_server()
        yield Ingester(database, options)
