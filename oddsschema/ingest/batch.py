"""The rows that tell how a scrape went: a batch, a run for each platform, an error for each refusal.

They are committed on their own, before and after the odds, so that a run that broke is on record.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from oddsschema.types import ScrapeStatus

if TYPE_CHECKING:
    import asyncpg

_OPEN_BATCH = """
INSERT INTO scrape_batches (status, trigger, notes) VALUES ('running', $1, $2) RETURNING id
"""

_OPEN_RUN = """
INSERT INTO scrape_runs (status, batch_id, platform, trigger) VALUES ('running', $1, $2, $3)
RETURNING id
"""

# clock_timestamp(), not now(): in a caller's transaction, now() is when that began.
_CLOSE_RUN = """
UPDATE scrape_runs
SET status = $2, completed_at = clock_timestamp(), events_scraped = $3, events_failed = $4
WHERE id = $1
"""

_CLOSE_BATCH = """
UPDATE scrape_batches SET status = $2, completed_at = clock_timestamp() WHERE id = $1
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


async def open_run(
    connection: "asyncpg.Connection[Any]", batch_id: int, platform: str | None, trigger: str | None
) -> int:
    """A new run that is running; its id. `platform` is None for captures that name none."""
    run_id: int = await connection.fetchval(_OPEN_RUN, batch_id, platform, trigger)
    return run_id


async def close_run(
    connection: "asyncpg.Connection[Any]",
    run_id: int,
    status: ScrapeStatus,
    *,
    scraped: int,
    failed: int,
) -> None:
    """End a run."""
    await connection.execute(_CLOSE_RUN, run_id, status, scraped, failed)


async def close_batch(
    connection: "asyncpg.Connection[Any]", batch_id: int, status: ScrapeStatus
) -> None:
    """End a batch."""
    await connection.execute(_CLOSE_BATCH, batch_id, status)


async def record_errors(
    connection: "asyncpg.Connection[Any]", run_id: int, kind: str, messages: Iterable[str]
) -> None:
    """Keep errors of a run: a row each."""
    storable = [message.replace("\0", "\\u0000") for message in messages]
    await connection.execute(_RECORD_ERRORS, run_id, kind, storable)


def status_of_run(*, accepted: int, refused: int) -> ScrapeStatus:
    """How a run ended that came to its end."""
    if not refused:
        return ScrapeStatus.COMPLETED
    return ScrapeStatus.PARTIAL if accepted else ScrapeStatus.FAILED


def status_of_batch(runs: Iterable[ScrapeStatus]) -> ScrapeStatus:
    """How a batch ended whose runs ended so: completed and failed when all did, else partial."""
    ended = set(runs)
    if ended <= {ScrapeStatus.COMPLETED}:
        return ScrapeStatus.COMPLETED
    if ended <= {ScrapeStatus.FAILED, ScrapeStatus.CONNECTION_FAILED}:
        return ScrapeStatus.FAILED
    return ScrapeStatus.PARTIAL
