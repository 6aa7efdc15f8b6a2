"""Stale batches: open batches without a sign of life from their process."""

from datetime import timedelta

from oddsschema.contracts.scalars import OPEN_STATUSES, ScrapeStatus
from oddsschema.database.connections import Connection, Target, open_connections
from oddsschema.database.revision import require_migrated
from oddsschema.scrapes.bookkeeping import close_batch, close_run, record_errors
from oddsschema.scrapes.summaries import BatchSummary, read_batches

# An open batch in which nothing was started for a while.
_STALE = f"""
    b.status IN {OPEN_STATUSES}
    AND GREATEST(
        b.started_at, (SELECT max(r.started_at) FROM scrape_runs AS r WHERE r.batch_id = b.id)
    ) < now() - ${{older_than}}::interval
"""

# Lock the stale batches, oldest first.
_LOCK_STALE = f"""
SELECT b.id FROM scrape_batches AS b
WHERE {_STALE.format(older_than=1)}
ORDER BY b.id
FOR UPDATE
"""

# The open runs of some batches.
_OPEN_RUNS = f"""
SELECT id FROM scrape_runs WHERE batch_id = ANY ($1) AND status IN {OPEN_STATUSES}
"""


async def stale_batches(
    target: Target,
    older_than: timedelta = timedelta(hours=1),
) -> list[BatchSummary]:
    """Read the open batches whose last start of a run is older than this, newest first.

    Their process was killed, or lost its database. Raises DatabaseUnavailableError and
    NotMigratedError.
    """

    async def read(connection: Connection) -> list[BatchSummary]:
        return await read_batches(connection, _STALE.format(older_than=2), None, older_than)

    async with open_connections(target) as connections:
        return await connections.transact(read)


async def close_stale(
    target: Target,
    older_than: timedelta = timedelta(hours=1),
) -> int:
    """End the stale batches, and their open runs as failed. Return the number of these runs.

    Committed captures stay. Raises DatabaseUnavailableError and NotMigratedError.
    """

    async def work(connection: Connection) -> int:
        await require_migrated(connection)
        batches = await connection.fetch(_LOCK_STALE, older_than)
        batch_ids = [batch["id"] for batch in batches]
        runs = await connection.fetch(_OPEN_RUNS, batch_ids)
        for run in runs:
            await record_errors(connection, run["id"], "stale", ["no sign of life: closed"])
            await close_run(connection, run["id"], ScrapeStatus.FAILED)
        for batch_id in batch_ids:
            await close_batch(connection, batch_id)
        return len(runs)

    async with open_connections(target) as connections:
        return await connections.transact(work)
