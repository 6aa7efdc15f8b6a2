"""The record of a scrape: a row for the batch, for each run, and for each error.

The status of a batch follows from the status of its runs. The last run to end sets it, so that the
runs of a batch may be in several processes.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from oddsschema.contracts.scalars import OPEN_STATUSES, ScrapeStatus
from oddsschema.database.arrays import arrays, unnest
from oddsschema.database.clock import Clock, continued_clock, elapsed
from oddsschema.database.connections import Connection
from oddsschema.errors import BatchNotFoundError, SequenceError
from oddsschema.models import ScrapeBatch, ScrapeRun

#: The error_type of a refusal.
REFUSED = "refused"

#: The error_type of an event that a scraper could not fetch.
NOT_FETCHED = "not_fetched"

#: The error_type of a doubt. It is no error: nothing that shows the error of a run reads it.
DOUBT = "doubt"

#: The error_type of the number of refusals, or of doubts, beyond those that are listed. It is
#: written at the end of a run, and no error either.
UNLISTED = "unlisted"

#: The error_type of a run that was closed because it gave no sign of life.
STALE = "stale"


class ErrorRow(NamedTuple):
    """An error of a run, as it is recorded."""

    kind: str
    message: str
    #: The SportRadar id of the event that the error is about, in the form that is stored.
    sportradar_id: str | None = None


# Reserve ids of tables $1, so that a row is not inserted twice after an uncertain commit.
_RESERVE = """
SELECT nextval(pg_get_serial_sequence(t.name, 'id')) AS id, clock_timestamp() AS at
FROM unnest($1::text[]) WITH ORDINALITY AS t (name, place) ORDER BY t.place
"""

# Insert a batch that is running. After an uncertain commit, the row of this id may exist; then it
# has the same start. Returns no id if the row of this id is another one.
_OPEN_BATCH = """
INSERT INTO scrape_batches AS b (id, started_at, status, trigger, notes)
VALUES ($1, $2, 'running', $3, $4)
ON CONFLICT (id) DO UPDATE SET status = excluded.status WHERE b.started_at = excluded.started_at
RETURNING b.id
"""

# Set a batch running again.
_REOPEN_BATCH = """
UPDATE scrape_batches SET status = 'running', completed_at = NULL WHERE id = $1 RETURNING id
"""

# Insert a run that is running, like _OPEN_BATCH, and set its batch running again.
_OPEN_RUN = """
WITH batch AS (
    UPDATE scrape_batches SET status = 'running', completed_at = NULL WHERE id = $3
    RETURNING id, trigger
)
INSERT INTO scrape_runs AS r (id, started_at, status, batch_id, platform, trigger)
SELECT $1, $2, 'running', batch.id, $4, batch.trigger FROM batch
ON CONFLICT (id) DO UPDATE SET status = excluded.status WHERE r.started_at = excluded.started_at
RETURNING r.id
"""

# Add to the counts of a run, which is running. Return their sum, its status before and its batch.
_COUNT = """
UPDATE scrape_runs AS r
SET events_scraped = r.events_scraped + $2, events_failed = r.events_failed + $3,
    status = 'running', completed_at = NULL, heartbeat_at = statement_timestamp()
FROM (SELECT id, status FROM scrape_runs WHERE id = $1 FOR NO KEY UPDATE) AS before
WHERE r.id = before.id
RETURNING r.events_scraped + r.events_failed AS total, before.status, r.batch_id
"""

# Record a sign of life of a run.
_HEARTBEAT = f"""
UPDATE scrape_runs SET heartbeat_at = statement_timestamp()
WHERE id = $1 AND status IN {OPEN_STATUSES}
"""

# Delete the error of a run that was closed as stale; return its id if there was one.
_REVIVE = f"""
DELETE FROM scrape_errors WHERE scrape_run_id = $1 AND error_type = '{STALE}' RETURNING id
"""

# Read the counts of a run, unless an open transaction changes them.
_COUNTED = """
SELECT events_scraped + events_failed FROM scrape_runs WHERE id = $1 FOR NO KEY UPDATE NOWAIT
"""

# Lock a run, and read its status.
_LOCK_RUN = "SELECT status FROM scrape_runs WHERE id = $1 FOR NO KEY UPDATE"

# End a run. In the transaction of a caller, now() would be its start.
_CLOSE_RUN = """
UPDATE scrape_runs
SET status = $2, events_failed = $3, platform_timings = $4::text::jsonb,
    completed_at = statement_timestamp(), heartbeat_at = statement_timestamp()
WHERE id = $1
"""

# End a run that is open, like _CLOSE_RUN; return its id.
_CLOSE_OPEN_RUN = f"""
UPDATE scrape_runs
SET status = $2, events_failed = $3, platform_timings = $4::text::jsonb,
    completed_at = statement_timestamp(), heartbeat_at = statement_timestamp()
WHERE id = $1 AND status IN {OPEN_STATUSES}
RETURNING id
"""

# Lock a batch: a run that opens meanwhile is seen afterwards.
_LOCK_BATCH = "SELECT FROM scrape_batches WHERE id = $1 FOR NO KEY UPDATE"

# End a batch without open runs: completed if all runs are, failed if all failed, else partial.
# Without any run, it has the status $2. Returns the status.
_CLOSE_BATCH = f"""
UPDATE scrape_batches AS b
SET completed_at = statement_timestamp(),
    status = CASE
        WHEN runs.total = 0 THEN $2
        WHEN runs.completed = runs.total THEN 'completed'
        WHEN runs.failed = runs.total THEN 'failed'
        ELSE 'partial'
    END
FROM (
    SELECT count(*) AS total,
        count(*) FILTER (WHERE status = 'completed') AS completed,
        count(*) FILTER (WHERE status IN ('failed', 'connection_failed')) AS failed,
        count(*) FILTER (WHERE status IN {OPEN_STATUSES}) AS open
    FROM scrape_runs WHERE batch_id = $1
) AS runs, (SELECT xmin AS version FROM scrape_batches WHERE id = $1) AS seen
WHERE b.id = $1 AND runs.open = 0 AND b.xmin = seen.version
RETURNING b.status
"""

# Insert errors of run $1 in their order, each with its reference event if that is known.
_RECORD_ERRORS = f"""
INSERT INTO scrape_errors (scrape_run_id, bookmaker_id, event_id, error_type, error_message)
SELECT r.id, b.id, e.id, c.kind, c.message
FROM scrape_runs AS r
LEFT JOIN bookmakers AS b ON b.slug = r.platform
CROSS JOIN {unnest(ErrorRow, 2, place="int")}
LEFT JOIN events AS e ON e.sportradar_id = c.sportradar_id
WHERE r.id = $1
ORDER BY c.place
"""


class Reserved(NamedTuple):
    """The id and the start of a batch or a run. Together they are of no other row."""

    id: int
    started_at: datetime


async def reserve(connection: Connection, *tables: str) -> tuple[list[Reserved], Clock]:
    """Reserve an id of each table for a batch or a run; read the clock. Raises SequenceError."""
    began = elapsed()
    rows = await connection.fetch(_RESERVE, tables)
    for table, row in zip(tables, rows, strict=True):
        if row["id"] is None:
            raise SequenceError(table=table, is_owned=False)
    clock = continued_clock(rows[0]["at"], began)
    return [Reserved(row["id"], row["at"]) for row in rows], clock


async def open_batch(
    connection: Connection, reserved: Reserved, trigger: str | None, notes: str | None
) -> None:
    """Insert a batch that is running, once. Raises pydantic.ValidationError and SequenceError."""
    batch = ScrapeBatch(trigger=trigger, notes=notes)
    if await connection.fetchval(_OPEN_BATCH, *reserved, batch.trigger, batch.notes) is None:
        raise SequenceError(table="scrape_batches")


async def join_batch(connection: Connection, batch_id: int) -> bool:
    """Set a batch running again, for more runs. Return whether the batch exists."""
    return await connection.fetchrow(_REOPEN_BATCH, batch_id) is not None


async def open_run(
    connection: Connection, reserved: Reserved, batch_id: int, platform: str | None
) -> None:
    """Insert a run that is running, once, and set its batch running again.

    `platform` is None for captures without a platform. Raises pydantic.ValidationError,
    BatchNotFoundError and SequenceError.
    """
    run = ScrapeRun(platform=platform)
    if await connection.fetchval(_OPEN_RUN, *reserved, batch_id, run.platform) is None:
        if not await join_batch(connection, batch_id):
            raise BatchNotFoundError(batch_id=batch_id)
        raise SequenceError(table="scrape_runs")


async def add_counts(connection: Connection, run_id: int, *, scraped: int, failed: int) -> int:
    """Add to the scraped and the failed captures of a run. Return the sum of both.

    It is a sign of life: a run that was closed as stale is running again, and so is its batch.
    """
    counts = await connection.fetchrow(_COUNT, run_id, scraped, failed)
    if counts is None:
        raise LookupError(f"the row of run {run_id} was deleted")
    if not ScrapeStatus(counts["status"]).is_open:
        await connection.execute(_REVIVE, run_id)
        await connection.execute(_REOPEN_BATCH, counts["batch_id"])
    total: int = counts["total"]
    return total


async def record_heartbeat(connection: Connection, run_id: int) -> None:
    """Record a sign of life of a run that commits nothing."""
    await connection.execute(_HEARTBEAT, run_id)


async def read_counts(connection: Connection, run_id: int) -> int:
    """Read the committed sum of the scraped and the failed captures of a run.

    Raises asyncpg.LockNotAvailableError while a transaction that adds to it is open.
    """
    total: int = await connection.fetchval(_COUNTED, run_id)
    return total


async def close_open_run(
    connection: Connection, run_id: int, status: ScrapeStatus, *, failed: int, timings: str | None
) -> bool:
    """End a run by a single statement. Return False if it had ended before, or was stale."""
    closed = await connection.fetchval(_CLOSE_OPEN_RUN, run_id, status, failed, timings)
    return closed is not None


async def close_run(
    connection: Connection, run_id: int, status: ScrapeStatus, *, failed: int, timings: str | None
) -> bool:
    """End a run with the number of all its failed captures. Return False if it had ended before.

    The end as stale does not count: another process has recorded that. `timings` is JSON.
    """
    if await close_open_run(connection, run_id, status, failed=failed, timings=timings):
        return True
    before = await connection.fetchval(_LOCK_RUN, run_id)
    was_stale = bool(await connection.fetch(_REVIVE, run_id))
    if before is None or not (was_stale or ScrapeStatus(before).is_open):
        return False
    await connection.execute(_CLOSE_RUN, run_id, status, failed, timings)
    return True


async def close_quiet_batch(
    connection: Connection, batch_id: int, without_runs: ScrapeStatus
) -> ScrapeStatus | None:
    """End a batch by a single statement. Return its status.

    Returns None if a run of the batch is open or is opened meanwhile, and without the batch.
    """
    status = await connection.fetchval(_CLOSE_BATCH, batch_id, without_runs)
    return None if status is None else ScrapeStatus(status)


async def close_batch(
    connection: Connection, batch_id: int, without_runs: ScrapeStatus
) -> ScrapeStatus:
    """End a batch without open runs. Return the status of the batch.

    `without_runs` is the status of a batch that has no run at all. Raises BatchNotFoundError.
    """
    await connection.execute(_LOCK_BATCH, batch_id)
    await connection.execute(_CLOSE_BATCH, batch_id, without_runs)
    status = await connection.fetchval("SELECT status FROM scrape_batches WHERE id = $1", batch_id)
    if status is None:
        raise BatchNotFoundError(batch_id=batch_id)
    return ScrapeStatus(status)


async def record_errors(connection: Connection, run_id: int, errors: Sequence[ErrorRow]) -> None:
    """Insert a row for each error of a run. Characters that PostgreSQL refuses become escapes."""
    if errors:
        rows = [
            ErrorRow(error.kind[:50], storable(error.message) or error.kind, error.sportradar_id)
            for error in errors
        ]
        columns = arrays(ErrorRow, rows)
        await connection.execute(_RECORD_ERRORS, run_id, *columns, list(range(len(rows))))


def storable(text: str) -> str:
    """Trim a text, and replace the characters that PostgreSQL refuses by escapes."""
    return text.replace("\0", "\\u0000").encode(errors="backslashreplace").decode().strip()
