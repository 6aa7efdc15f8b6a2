"""How a scrape goes, in rows: a batch, a run for each platform, an error for each refusal.

A batch's status follows from its runs', whoever ends last, so that runs of one batch may be in
several processes.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from oddsschema.types import ScrapeStatus

if TYPE_CHECKING:
    import asyncpg

_OPEN_BATCH = """
INSERT INTO scrape_batches (status, trigger, notes) VALUES ('running', $1, $2) RETURNING id
"""

_REOPEN_BATCH = """
UPDATE scrape_batches SET status = 'running', completed_at = NULL WHERE id = $1 RETURNING trigger
"""

_OPEN_RUN = """
INSERT INTO scrape_runs (status, batch_id, platform, trigger)
SELECT 'running', b.id, $2, b.trigger FROM scrape_batches AS b WHERE b.id = $1
RETURNING id
"""

_COUNT = """
UPDATE scrape_runs
SET events_scraped = events_scraped + $2, events_failed = events_failed + $3
WHERE id = $1
RETURNING pg_current_xact_id()::text
"""

# clock_timestamp(), not now(): in a caller's transaction, now() is when that began.
_CLOSE_RUN = """
UPDATE scrape_runs SET status = $2, completed_at = clock_timestamp() WHERE id = $1
"""

# A batch of which all runs completed is completed, of which all failed is failed, else partial.
_CLOSE_BATCH = """
UPDATE scrape_batches AS b
SET completed_at = clock_timestamp(),
    status = CASE
        WHEN runs.completed = runs.total THEN 'completed'
        WHEN runs.failed = runs.total THEN 'failed'
        ELSE 'partial'
    END
FROM (
    SELECT count(*) AS total,
        count(*) FILTER (WHERE status = 'completed') AS completed,
        count(*) FILTER (WHERE status IN ('failed', 'connection_failed')) AS failed,
        count(*) FILTER (WHERE status IN ('pending', 'running')) AS open
    FROM scrape_runs WHERE batch_id = $1
) AS runs
WHERE b.id = $1 AND runs.open = 0
"""

_RECORD_ERRORS = """
INSERT INTO scrape_errors (scrape_run_id, bookmaker_id, error_type, error_message)
SELECT r.id, b.id, $2, message
FROM scrape_runs AS r
LEFT JOIN bookmakers AS b ON b.slug = r.platform
CROSS JOIN unnest($3::text[]) AS message
WHERE r.id = $1
"""


async def open_batch(
    connection: "asyncpg.Connection[Any]", trigger: str | None, notes: str | None
) -> int:
    """A new batch that is running; its id."""
    batch_id: int = await connection.fetchval(_OPEN_BATCH, trigger, notes)
    return batch_id


async def join_batch(connection: "asyncpg.Connection[Any]", batch_id: int) -> bool:
    """Set a batch running again, for more runs; whether there is such a batch."""
    return await connection.fetchrow(_REOPEN_BATCH, batch_id) is not None


async def open_run(
    connection: "asyncpg.Connection[Any]", batch_id: int, platform: str | None
) -> int:
    """A new run that is running; its id. `platform` is None for captures that name none."""
    run_id: int = await connection.fetchval(_OPEN_RUN, batch_id, platform)
    return run_id


async def count(
    connection: "asyncpg.Connection[Any]", run_id: int, *, scraped: int, failed: int
) -> str:
    """Add to what a run has scraped and failed so far; the id of the transaction."""
    transaction: str = await connection.fetchval(_COUNT, run_id, scraped, failed)
    return transaction


async def transaction_status(connection: "asyncpg.Connection[Any]", transaction: str) -> str | None:
    """'committed', 'aborted' or 'in progress', of a transaction that `count` gave the id of."""
    status: str | None = await connection.fetchval(
        "SELECT pg_xact_status($1::text::xid8)", transaction
    )
    return status


async def close_run(
    connection: "asyncpg.Connection[Any]", run_id: int, status: ScrapeStatus
) -> None:
    """End a run."""
    await connection.execute(_CLOSE_RUN, run_id, status)


async def close_batch(connection: "asyncpg.Connection[Any]", batch_id: int) -> ScrapeStatus:
    """End a batch unless one of its runs still goes on; its status."""
    await connection.execute(_CLOSE_BATCH, batch_id)
    status = await connection.fetchval("SELECT status FROM scrape_batches WHERE id = $1", batch_id)
    return ScrapeStatus(status)


async def record_errors(
    connection: "asyncpg.Connection[Any]", run_id: int, kind: str, messages: Sequence[str]
) -> None:
    """Keep errors of a run: a row each."""
    if messages:
        storable = [message.replace("\0", "\\u0000") for message in messages]
        await connection.execute(_RECORD_ERRORS, run_id, kind, storable)
