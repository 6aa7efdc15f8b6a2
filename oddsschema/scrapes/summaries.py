"""The batches that were scraped, newest first: what a status screen shows."""

from collections.abc import Iterable
from datetime import datetime
from itertools import groupby
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from oddsschema.contracts.scalars import ScrapeStatus
from oddsschema.database.connections import Connection, Target, open_connections
from oddsschema.database.revision import require_migrated

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
    target: Target,
    limit: int = 20,
    *,
    batch_id: int | None = None,
) -> list[BatchSummary]:
    """The newest batches, newest first, or that of `batch_id`.

    Raises DatabaseUnavailableError and NotMigratedError.
    """
    which = "$2::int IS NULL OR b.id = $2"

    async def read(connection: Connection) -> list[BatchSummary]:
        return await read_batches(connection, which, limit, batch_id)

    async with open_connections(target) as connections:
        return await connections.transact(read)


async def read_batches(
    connection: Connection, which: str, limit: int | None, parameter: Any
) -> list[BatchSummary]:
    """Read the batches under an SQL condition on `b`, newest first; $2 is its parameter."""
    await require_migrated(connection)
    rows: list[Any] = await connection.fetch(_BATCHES.format(which=which), limit, parameter)
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
