"""Summaries of batches and their runs, newest first, with their runs."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, RootModel
from sqlalchemy import ColumnElement, select
from sqlmodel import col

from oddsschema.contracts.scalars import ScrapeStatus
from oddsschema.database.connections import Connection, Target, open_connections
from oddsschema.database.revision import require_migrated
from oddsschema.database.statements import compiled
from oddsschema.models import ScrapeError
from oddsschema.queries import Coverage, coverage
from oddsschema.scrapes.bookkeeping import DOUBT, UNLISTED

# The newest batches under a condition.
_BATCHES = """
SELECT b.id AS batch_id, b.status, b.started_at, b.completed_at
FROM scrape_batches AS b
WHERE {condition}
ORDER BY b.id DESC LIMIT $1
"""

# Read the start times of runs.
_STARTS = "SELECT id, started_at FROM scrape_runs WHERE id = ANY ($1)"

_MARKS = {
    ScrapeStatus.PENDING: "…",
    ScrapeStatus.RUNNING: "…",
    ScrapeStatus.COMPLETED: "✓",
    ScrapeStatus.PARTIAL: "◐",
    ScrapeStatus.FAILED: "✗",
    ScrapeStatus.CONNECTION_FAILED: "✗",
}

#: The length to which the error of a run is shortened in its line.
_ERROR_LENGTH = 60


class RunSummary(BaseModel):
    """The part of a batch that belongs to one platform, as it is in the database."""

    model_config = ConfigDict(frozen=True)

    run_id: int = Field(description="Id of the run's row in scrape_runs.")
    platform: str | None = Field(description="None for captures that do not name their platform.")
    status: ScrapeStatus = Field(description="Status of the run.")
    events_scraped: int = Field(description="Events captured, with and without changes.")
    events_failed: int = Field(description="Captures that were refused or lost.")
    markets: int = Field(
        description="Rows of markets that the run stored. Rows of deleted events do not count."
    )
    error: str | None = Field(description="The last error of the run.")

    def __str__(self) -> str:
        name = f"{self.platform or 'unknown'} {_MARKS[self.status]}"
        if self.status in (ScrapeStatus.FAILED, ScrapeStatus.CONNECTION_FAILED):
            return f"{name} {_shortened(self.error)}" if self.error else name
        line = f"{name} {self.events_scraped:,} events {self.markets:,} market rows"
        return f"{line} {self.events_failed:,} refused" if self.events_failed else line


class BatchSummary(BaseModel):
    """A batch with its runs, in the order of their start; `str()` is a line for people."""

    model_config = ConfigDict(frozen=True)

    batch_id: int | None = Field(
        description="Id of the batch's row in scrape_batches. None for a run without a batch."
    )
    status: ScrapeStatus = Field(description="Status of the batch.")
    started_at: datetime = Field(description="Start of the batch, UTC.")
    completed_at: datetime | None = Field(description="End of the batch, UTC; None while it runs.")
    runs: tuple[RunSummary, ...] = Field(description="A run for each platform.")

    def __str__(self) -> str:
        name = "No batch" if self.batch_id is None else f"Batch {self.batch_id}"
        return "  ".join([name, *map(str, self.runs)])


class BatchList(RootModel[tuple[BatchSummary, ...]]):
    """Batches as one JSON document, the newest first."""

    model_config = ConfigDict(frozen=True)


async def newest_batches(
    target: Target,
    limit: int = 20,
    *,
    batch_id: int | None = None,
) -> list[BatchSummary]:
    """Read the newest batches, newest first, or only that of `batch_id`.

    Raises DatabaseUnavailableError and NotMigratedError.
    """

    async def read(connection: Connection) -> list[BatchSummary]:
        return await read_batches(connection, "$2::int IS NULL OR b.id = $2", limit, batch_id)

    async with open_connections(target) as connections:
        return await connections.transact(read)


async def read_batches(
    connection: Connection, condition: str, limit: int | None, parameter: Any
) -> list[BatchSummary]:
    """Read the batches under an SQL condition on `b`, newest first; $2 is its parameter."""
    await require_migrated(connection)
    batches = await connection.fetch(_BATCHES.format(condition=condition), limit, parameter)
    runs = defaultdict(list)
    batch_ids = [batch["batch_id"] for batch in batches]
    for of_batch, run in await _read_runs(connection, col(Coverage.batch_id).in_(batch_ids)):
        runs[of_batch].append(run)
    return [BatchSummary(**batch, runs=tuple(runs[batch["batch_id"]])) for batch in batches]


async def read_runs_without_batch(
    connection: Connection, run_ids: Sequence[int]
) -> list[BatchSummary]:
    """Read some runs that have no batch, newest first."""
    started = dict[int, datetime]()
    for row in await connection.fetch(_STARTS, run_ids):
        started[row["id"]] = row["started_at"]
    return [
        BatchSummary(
            batch_id=None,
            status=run.status,
            started_at=started[run.run_id],
            completed_at=None,
            runs=(run,),
        )
        for _, run in reversed(await _read_runs(connection, col(Coverage.run_id).in_(run_ids)))
    ]


async def _read_runs(
    connection: Connection, condition: ColumnElement[bool]
) -> list[tuple[int | None, RunSummary]]:
    """Read the runs under a condition on their coverage, each with the id of its batch."""
    text, arguments = compiled(_runs(condition))
    return [
        (
            row["batch_id"],
            RunSummary(
                run_id=row["run_id"],
                platform=row["platform"],
                status=row["status"],
                events_scraped=row["events"],
                events_failed=row["events_failed"],
                markets=row["markets"] + row["markets_gone"],
                error=row["error"],
            ),
        )
        for row in await connection.fetch(text, *arguments)
    ]


def _runs(condition: ColumnElement[bool]) -> Any:
    """Select the coverage of the runs under a condition, with the last error of each run."""
    error = (
        select(col(ScrapeError.error_message))
        .where(
            col(ScrapeError.scrape_run_id) == Coverage.run_id,
            col(ScrapeError.error_type).not_in([DOUBT, UNLISTED]),
        )
        .order_by(col(ScrapeError.id).desc())
        .limit(1)
        .scalar_subquery()
    )
    statement = coverage().where(condition)
    return statement.add_columns(error.label("error")).order_by(col(Coverage.run_id))


def _shortened(message: str) -> str:
    line = message.splitlines()[0]
    return line if len(line) <= _ERROR_LENGTH else f"{line[: _ERROR_LENGTH - 1]}…"
