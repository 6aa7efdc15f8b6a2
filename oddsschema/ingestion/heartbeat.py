"""The heartbeat of a batch: signs of life of its runs while they commit nothing."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from oddsschema.database.connections import Connections
from oddsschema.ingestion.interruption import RECORDS_WITHIN
from oddsschema.ingestion.run import Run

#: The seconds between two signs of life.
INTERVAL = 60.0

_log = logging.getLogger(__name__)


@asynccontextmanager
async def beating(connections: Connections, runs: Sequence[Run]) -> AsyncIterator[None]:
    """Record a sign of life of each open run once a minute meanwhile.

    A connection of the caller's is left alone: the runs' commits are the only signs of life there.
    """
    if connections.is_borrowed:
        yield
        return
    heartbeat = asyncio.create_task(_beat(runs))
    try:
        yield
    finally:
        heartbeat.cancel()
        # A server that does not answer can keep it from ending.
        await asyncio.wait([heartbeat], timeout=RECORDS_WITHIN.total_seconds())


async def _beat(runs: Sequence[Run]) -> None:
    while True:
        await asyncio.sleep(INTERVAL)
        for run in list(runs):
            try:
                await run.record_sign_of_life()
            except Exception as error:
                # The next minute, or the run's own commit, brings another one.
                _log.warning("no sign of life of run %d: %s", run.id, error)
