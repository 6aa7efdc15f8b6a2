"""Stale batches: open batches without a sign of life from their processes.

A run that has no batch (a program of its own has inserted it, or its batch was deleted) is stale by
itself.
"""

from datetime import timedelta

from oddsschema.contracts.scalars import OPEN_STATUSES, ScrapeStatus
from oddsschema.database.connections import Connection, Target, open_connections
from oddsschema.database.durations import require_not_negative
from oddsschema.database.revision import require_migrated
from oddsschema.scrapes.bookkeeping import STALE, ErrorRow, close_batch, record_errors
from oddsschema.scrapes.summaries import BatchSummary, read_batches, read_runs_without_batch

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

# Find the stale runs that have no batch.
_FIND_STALE_RUNS = f"""
SELECT id FROM scrape_runs
WHERE batch_id IS NULL AND status IN {OPEN_STATUSES}
    AND GREATEST(started_at, heartbeat_at) < statement_timestamp() - $1::interval
ORDER BY id
"""

# Find the stale batches, of the batches $2 if they are given.
_FIND_STALE = f"""
SELECT b.id FROM scrape_batches AS b
WHERE ($2::int[] IS NULL OR b.id = ANY ($2)) AND {_STALE.format(older_than=1)}
ORDER BY b.id
"""

# Lock the open runs of some batches, and other runs $2. A run that commits meanwhile waits, or has
# given a sign of life before.
_LOCK_RUNS = f"""
SELECT id FROM scrape_runs
WHERE (batch_id = ANY ($1) OR id = ANY ($2)) AND status IN {OPEN_STATUSES}
ORDER BY id
FOR NO KEY UPDATE
"""

# End the open runs of some batches, and other runs $2, as failed.
_FAIL_RUNS = f"""
UPDATE scrape_runs SET status = 'failed', completed_at = statement_timestamp()
WHERE (batch_id = ANY ($1) OR id = ANY ($2)) AND status IN {OPEN_STATUSES}
RETURNING id
"""


async def stale_batches(
    target: Target,
    older_than: timedelta = timedelta(hours=1),
) -> list[BatchSummary]:
    """Read the open batches, and runs without a batch, whose last sign of life is older than this.

    They are sorted newest first, the runs without a batch last.

    Their processes were killed, or lost their database. A sign of life is the start of a run, each
    of its commits, and a heartbeat once a minute. A program that blocks its event loop, or writes
    on a connection of its own, has no heartbeat: `older_than` must be longer than the time between
    two of its commits. Raises DatabaseUnavailableError and NotMigratedError.
    """
    require_not_negative(older_than=older_than)

    async def read(connection: Connection) -> list[BatchSummary]:
        batches = await read_batches(connection, _STALE.format(older_than=2), None, older_than)
        runs = await connection.fetch(_FIND_STALE_RUNS, older_than)
        return batches + await read_runs_without_batch(connection, [run["id"] for run in runs])

    async with open_connections(target) as connections:
        return await connections.transact(read)


async def close_stale(
    target: Target,
    older_than: timedelta = timedelta(hours=1),
) -> int:
    """End the stale batches, and stale runs as failed. Return the number of these runs.

    Committed captures stay. A run whose process lives is running again after its next commit.
    Raises DatabaseUnavailableError and NotMigratedError.
    """
    require_not_negative(older_than=older_than)

    async def work(connection: Connection) -> int:
        await require_migrated(connection)

        async def find(batch_ids: list[int] | None) -> list[int]:
            return [row["id"] for row in await connection.fetch(_FIND_STALE, older_than, batch_ids)]

        async def find_runs() -> list[int]:
            return [row["id"] for row in await connection.fetch(_FIND_STALE_RUNS, older_than)]

        batch_ids, run_ids = await find(None), await find_runs()
        if not batch_ids and not run_ids:
            return 0
        await connection.execute(_LOCK_RUNS, batch_ids, run_ids)
        batch_ids = await find(batch_ids)
        run_ids = sorted({*run_ids}.intersection(await find_runs()))
        runs = await connection.fetch(_FAIL_RUNS, batch_ids, run_ids)
        for run in runs:
            closed = ErrorRow(STALE, "no sign of life: closed")
            await record_errors(connection, run["id"], [closed])
        for batch_id in batch_ids:
            # Without runs, its process died before the first one.
            await close_batch(connection, batch_id, ScrapeStatus.FAILED)
        return len(runs)

    async with open_connections(target) as connections:
        return await connections.transact(work)
