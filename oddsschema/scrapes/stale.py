"""Stale batches: open batches without a sign of life from their processes."""

from datetime import timedelta

from oddsschema.contracts.scalars import OPEN_STATUSES, ScrapeStatus
from oddsschema.database.connections import Connection, Target, open_connections
from oddsschema.database.revision import require_migrated
from oddsschema.scrapes.bookkeeping import STALE, ErrorRow, close_batch, record_errors
from oddsschema.scrapes.summaries import BatchSummary, read_batches

# An open batch whose last sign of life is old.
_STALE = f"""
    b.status IN {OPEN_STATUSES}
    AND GREATEST(
        b.started_at,
        (
            SELECT max(GREATEST(r.started_at, r.heartbeat_at))
            FROM scrape_runs AS r WHERE r.batch_id = b.id
        )
    ) < statement_timestamp() - ${{older_than}}::interval
"""

# Find the stale batches, of the batches $2 if they are given.
_FIND_STALE = f"""
SELECT b.id FROM scrape_batches AS b
WHERE ($2::int[] IS NULL OR b.id = ANY ($2)) AND {_STALE.format(older_than=1)}
ORDER BY b.id
"""

# Lock the open runs of some batches. A run that commits meanwhile waits, or has given a sign of
# life before.
_LOCK_RUNS = f"""
SELECT id FROM scrape_runs WHERE batch_id = ANY ($1) AND status IN {OPEN_STATUSES}
ORDER BY id
FOR NO KEY UPDATE
"""

# End the open runs of some batches as failed.
_FAIL_RUNS = f"""
UPDATE scrape_runs SET status = 'failed', completed_at = statement_timestamp()
WHERE batch_id = ANY ($1) AND status IN {OPEN_STATUSES}
RETURNING id
"""


async def stale_batches(
    target: Target,
    older_than: timedelta = timedelta(hours=1),
) -> list[BatchSummary]:
    """Read the open batches whose last sign of life is older than this, newest first.

    Their processes were killed, or lost their database. A sign of life is the start of a run, each
    of its commits, and a heartbeat once a minute. A program that blocks its event loop, or writes
    on a connection of its own, has no heartbeat: `older_than` must be longer than the time between
    two of its commits. Raises DatabaseUnavailableError and NotMigratedError.
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

    Committed captures stay. A run whose process lives is running again after its next commit.
    Raises DatabaseUnavailableError and NotMigratedError.
    """

    async def work(connection: Connection) -> int:
        await require_migrated(connection)

        async def find(batch_ids: list[int] | None) -> list[int]:
            return [row["id"] for row in await connection.fetch(_FIND_STALE, older_than, batch_ids)]

        if not (batch_ids := await find(None)):
            return 0
        await connection.execute(_LOCK_RUNS, batch_ids)
        batch_ids = await find(batch_ids)
        runs = await connection.fetch(_FAIL_RUNS, batch_ids)
        for run in runs:
            closed = ErrorRow(STALE, "no sign of life: closed")
            await record_errors(connection, run["id"], [closed])
        for batch_id in batch_ids:
            # Without runs, its process died before the first one.
            await close_batch(connection, batch_id, ScrapeStatus.FAILED)
        return len(runs)

    async with open_connections(target) as connections:
        return await connections.transact(work)
