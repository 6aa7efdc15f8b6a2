"""Stale batches: those that are open, and whose process shows no sign of life."""

from datetime import timedelta

from oddsschema.contracts.scalars import ScrapeStatus
from oddsschema.database.connections import Connection, Target, open_connections
from oddsschema.database.revision import require_migrated
from oddsschema.scrapes.bookkeeping import close_batch, close_run, record_errors
from oddsschema.scrapes.summaries import BatchSummary, read_batches

# A batch that is open, in which nothing has begun for a while.
_STALE = """
    b.status IN ('pending', 'running')
    AND GREATEST(
        b.started_at, (SELECT max(r.started_at) FROM scrape_runs AS r WHERE r.batch_id = b.id)
    ) < now() - ${silence}::interval
"""

_LOCK_STALE = f"""
SELECT b.id FROM scrape_batches AS b
WHERE {_STALE.format(silence=1)}
ORDER BY b.id
FOR UPDATE
"""


async def stale_batches(
    target: Target,
    silence: timedelta = timedelta(hours=1),
) -> list[BatchSummary]:
    """Batches that are running on paper, with nothing started in them for as long as `silence`.

    Their process was killed, or lost its database. Newest first. Raises DatabaseUnavailableError
    and NotMigratedError.
    """

    async def read(connection: Connection) -> list[BatchSummary]:
        return await read_batches(connection, _STALE.format(silence=2), None, silence)

    async with open_connections(target) as connections:
        return await connections.transact(read)


async def close_stale(
    target: Target,
    silence: timedelta = timedelta(hours=1),
) -> int:
    """End what `stale_batches` finds: its open runs as failed. How many runs these were.

    What they had committed stays. Raises DatabaseUnavailableError and NotMigratedError.
    """

    async def work(connection: Connection) -> int:
        await require_migrated(connection)
        stale = await connection.fetch(_LOCK_STALE, silence)
        batch_ids = [row["id"] for row in stale]
        runs = await connection.fetch(
            "SELECT id FROM scrape_runs "
            "WHERE batch_id = ANY ($1) AND status IN ('pending', 'running')",
            batch_ids,
        )
        for run in runs:
            await record_errors(connection, run["id"], "stale", ["no sign of life: closed"])
            await close_run(connection, run["id"], ScrapeStatus.FAILED)
        for batch_id in batch_ids:
            await close_batch(connection, batch_id)
        return len(runs)

    async with open_connections(target) as connections:
        return await connections.transact(work)
