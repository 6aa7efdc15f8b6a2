"""The batches that were scraped, newest first: what a status screen shows."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from oddsschema.database import open_connections, require_migrated
from oddsschema.ingest.bookkeeping import close_batch, close_run, record_errors
from oddsschema.types import ScrapeStatus

if TYPE_CHECKING:
    import asyncpg

_BATCHES = """
SELECT b.id AS batch_id, b.status AS batch_status, b.started_at, b.completed_at,
    r.id AS run_id, r.platform, r.status, r.events_scraped, r.events_failed,
    (SELECT count(*) FROM odds_snapshots AS s JOIN market_odds AS m
        ON m.event_id = s.event_id AND m.snapshot_id = s.id
        WHERE s.scrape_run_id = r.id)
    + (SELECT count(*) FROM competitor_odds_snapshots AS s JOIN competitor_market_odds AS m
        ON m.competitor_event_id = s.competitor_event_id AND m.snapshot_id = s.id
        WHERE s.scrape_run_id = r.id) AS markets,
    (SELECT e.error_message FROM scrape_errors AS e
        WHERE e.scrape_run_id = r.id ORDER BY e.id DESC LIMIT 1) AS error
FROM (
    SELECT * FROM scrape_batches AS b
    WHERE {which}
    ORDER BY id DESC LIMIT $1
) AS b
LEFT JOIN scrape_runs AS r ON r.batch_id = b.id
ORDER BY b.id DESC, r.id
"""

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

_MARKS = {
    ScrapeStatus.PENDING: "…",
    ScrapeStatus.RUNNING: "…",
    ScrapeStatus.COMPLETED: "✓",
    ScrapeStatus.PARTIAL: "◐",
    ScrapeStatus.FAILED: "✗",
    ScrapeStatus.CONNECTION_FAILED: "✗",
}


class RunSummary(BaseModel):
    """One platform's part of a batch, as the database has it now."""

    model_config = ConfigDict(frozen=True)

    run_id: int
    platform: str | None = Field(description="None for captures that did not say whose they are.")
    status: ScrapeStatus
    events_scraped: int
    events_failed: int
    markets: int = Field(description="Rows of markets of this run that are in the database.")
    error: str | None = Field(description="The run's last error.")

    def __str__(self) -> str:
        name = f"{self.platform or 'unknown'} {_MARKS[self.status]}"
        if self.status in (ScrapeStatus.FAILED, ScrapeStatus.CONNECTION_FAILED):
            return f"{name} {_shortened(self.error)}" if self.error else name
        told = f"{name} {self.events_scraped:,} events {self.markets:,} market rows"
        return f"{told} {self.events_failed:,} refused" if self.events_failed else told


class BatchSummary(BaseModel):
    """A batch with its runs in the order in which they began; `str()` is its line on a screen."""

    model_config = ConfigDict(frozen=True)

    batch_id: int
    status: ScrapeStatus
    started_at: datetime
    completed_at: datetime | None = Field(description="None while it goes on.")
    runs: tuple[RunSummary, ...]

    def __str__(self) -> str:
        return "  ".join([f"Batch {self.batch_id}", *map(str, self.runs)])


async def newest_batches(
    target: "str | asyncpg.Connection[Any] | AsyncConnection",
    limit: int = 20,
    *,
    batch_id: int | None = None,
) -> list[BatchSummary]:
    """The newest batches, newest first, or that of `batch_id`.

    Raises DatabaseUnavailableError and NotMigratedError.
    """
    which = "$2::int IS NULL OR b.id = $2"
    return await _read(target, which, limit, batch_id)


async def stale_batches(
    target: "str | asyncpg.Connection[Any] | AsyncConnection",
    silence: timedelta = timedelta(hours=1),
) -> list[BatchSummary]:
    """Batches that are running on paper, with nothing started in them for as long as `silence`.

    Their process was killed, or lost its database. Newest first. Raises DatabaseUnavailableError
    and NotMigratedError.
    """
    return await _read(target, _STALE.format(silence=2), None, silence)


async def close_stale(
    target: "str | asyncpg.Connection[Any] | AsyncConnection",
    silence: timedelta = timedelta(hours=1),
) -> int:
    """End what `stale_batches` finds: its open runs as failed. How many runs these were.

    What they had committed stays. Raises DatabaseUnavailableError and NotMigratedError.
    """

    async def work(connection: "asyncpg.Connection[Any]") -> int:
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


async def _read(
    target: "str | asyncpg.Connection[Any] | AsyncConnection",
    which: str,
    limit: int | None,
    parameter: Any,
) -> list[BatchSummary]:
    async def work(connection: "asyncpg.Connection[Any]") -> list[Any]:
        await require_migrated(connection)
        rows: list[Any] = await connection.fetch(_BATCHES.format(which=which), limit, parameter)
        return rows

    async with open_connections(target) as connections:
        rows = await connections.transact(work)
    return [_summary(list(group)) for _, group in groupby(rows, key=lambda row: row["batch_id"])]


def _summary(rows: list[Any]) -> BatchSummary:
    first = rows[0]
    return BatchSummary(
        batch_id=first["batch_id"],
        status=first["batch_status"],
        started_at=first["started_at"],
        completed_at=first["completed_at"],
        runs=tuple(_runs(rows)),
    )


def _runs(rows: Iterable[Any]) -> Iterable[RunSummary]:
    for row in rows:
        if row["run_id"] is not None:
            yield RunSummary(**{name: row[name] for name in RunSummary.model_fields})


def _shortened(message: str) -> str:
    line = message.splitlines()[0]
    return line if len(line) <= 60 else f"{line[:59]}…"
