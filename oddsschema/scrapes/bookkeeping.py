"""How a scrape goes, in rows: a batch, a run for each platform, an error for each refusal.

A batch's status follows from its runs', whoever ends last, so that runs of one batch may be in
several processes.
"""

from collections.abc import Sequence

from oddsschema.contracts.scalars import ScrapeStatus
from oddsschema.database.connections import Connection
from oddsschema.models import ScrapeBatch, ScrapeRun

# An id is reserved first, so that a row whose commit was uncertain is not inserted twice.
_RESERVE = "SELECT nextval(pg_get_serial_sequence($1, 'id'))"

_OPEN_BATCH = """
INSERT INTO scrape_batches (id, status, trigger, notes) VALUES ($1, 'running', $2, $3)
ON CONFLICT DO NOTHING
"""

_REOPEN_BATCH = """
UPDATE scrape_batches SET status = 'running', completed_at = NULL WHERE id = $1 RETURNING id
"""

_OPEN_RUN = """
INSERT INTO scrape_runs (id, status, batch_id, platform, trigger)
SELECT $1, 'running', b.id, $3, b.trigger FROM scrape_batches AS b WHERE b.id = $2
ON CONFLICT DO NOTHING
"""

_COUNT = """
UPDATE scrape_runs
SET events_scraped = events_scraped + $2, events_failed = events_failed + $3
WHERE id = $1
RETURNING events_scraped + events_failed
"""

_COUNTED = """
SELECT events_scraped + events_failed FROM scrape_runs WHERE id = $1 FOR NO KEY UPDATE NOWAIT
"""

# clock_timestamp(), not now(): in a caller's transaction, now() is when that began.
_CLOSE_RUN = """
UPDATE scrape_runs SET status = $2, completed_at = clock_timestamp()
WHERE id = $1 AND status IN ('pending', 'running')
RETURNING id
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


async def reserve_id(connection: Connection, table: str) -> int:
    """An id that no other row of the table will have."""
    row_id: int = await connection.fetchval(_RESERVE, table)
    return row_id


async def open_batch(
    connection: Connection, batch_id: int, trigger: str | None, notes: str | None
) -> None:
    """A new batch that is running, under a reserved id. Raises pydantic.ValidationError."""
    batch = ScrapeBatch(trigger=trigger, notes=notes)
    await connection.execute(_OPEN_BATCH, batch_id, batch.trigger, batch.notes)


async def join_batch(connection: Connection, batch_id: int) -> bool:
    """Set a batch running again, for more runs; whether there is such a batch."""
    return await connection.fetchrow(_REOPEN_BATCH, batch_id) is not None


async def open_run(
    connection: Connection, run_id: int, batch_id: int, platform: str | None
) -> None:
    """A new run that is running, under a reserved id; its batch is running again, if it had ended.

    `platform` is None for captures that name none. Raises pydantic.ValidationError.
    """
    run = ScrapeRun(platform=platform)
    await connection.execute(_OPEN_RUN, run_id, batch_id, run.platform)
    await connection.execute(_REOPEN_BATCH, batch_id)


async def count(connection: Connection, run_id: int, *, scraped: int, failed: int) -> int:
    """Add to what a run has scraped and failed so far; the sum."""
    counted: int = await connection.fetchval(_COUNT, run_id, scraped, failed)
    return counted


async def counted(connection: Connection, run_id: int) -> int:
    """What a run has scraped and failed so far, of what is committed.

    Raises asyncpg.LockNotAvailableError while a transaction that adds to it has not ended.
    """
    found: int = await connection.fetchval(_COUNTED, run_id)
    return found


async def close_run(connection: Connection, run_id: int, status: ScrapeStatus) -> bool:
    """End a run; False when it had ended before."""
    return await connection.fetchrow(_CLOSE_RUN, run_id, status) is not None


async def close_batch(connection: Connection, batch_id: int) -> ScrapeStatus:
    """End a batch unless one of its runs still goes on; its status."""
    await connection.execute(_CLOSE_BATCH, batch_id)
    status = await connection.fetchval("SELECT status FROM scrape_batches WHERE id = $1", batch_id)
    return ScrapeStatus(status)


async def record_errors(
    connection: Connection, run_id: int, kind: str, messages: Sequence[str]
) -> None:
    """Keep errors of a run: a row each. What PostgreSQL cannot hold is written as escapes."""
    if messages:
        storable = [
            message.replace("\0", "\\u0000").encode(errors="backslashreplace").decode().strip()
            or kind
            for message in messages
        ]
        await connection.execute(_RECORD_ERRORS, run_id, kind[:50], storable)
