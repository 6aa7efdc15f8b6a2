"""Scrape batches, runs and errors: the records of each scrape and its result."""

from typing import TYPE_CHECKING, ClassVar, Optional

from sqlalchemy import Index
from sqlmodel import Field, Relationship

from oddsschema.contracts.columns import defaulted, foreign_key, primary_key, server_time
from oddsschema.contracts.scalars import (
    Count,
    Int4,
    Json,
    Message,
    Name50,
    Notes,
    ScrapeStatus,
    Slug,
    Status,
    Text50,
    UtcTime,
)
from oddsschema.contracts.table import Table
from oddsschema.models.bookmaker import Bookmaker
from oddsschema.models.event import Event

if TYPE_CHECKING:
    from oddsschema.models.competitor import CompetitorOddsSnapshot
    from oddsschema.models.odds import OddsSnapshot


class ScrapeBatch(Table, table=True):
    """A scrape of all platforms. It groups the runs of the platforms."""

    __tablename__: ClassVar[str] = "scrape_batches"
    __named_by__: ClassVar[tuple[str, ...]] = ("started_at",)
    __table_args__ = (Index("idx_scrape_batches_started", "started_at"),)

    id: Int4 | None = primary_key()
    started_at: UtcTime | None = server_time("The start time, UTC.")
    completed_at: UtcTime | None = Field(
        default=None, description="The end time, UTC. NULL until the end."
    )
    status: Status = defaulted(
        ScrapeStatus.PENDING,
        "The status of the batch. It derives from the runs after they have ended.",
    )
    trigger: Text50 | None = Field(
        default=None, description="The cause of the start: 'scheduled', 'manual', ..."
    )
    notes: Notes | None = Field(default=None, description="Notes for people.")

    runs: list["ScrapeRun"] = Relationship(back_populates="batch", passive_deletes=True)


class ScrapeRun(Table, table=True):
    """The part of a batch that scrapes one platform."""

    __tablename__: ClassVar[str] = "scrape_runs"
    __named_by__: ClassVar[tuple[str, ...]] = ("platform", "started_at")
    __table_args__ = (
        Index("idx_scrape_runs_status", "status"),
        Index("idx_scrape_runs_started", "started_at"),
        Index("idx_scrape_runs_batch", "batch_id"),
    )

    id: Int4 | None = primary_key()
    status: Status = defaulted(ScrapeStatus.PENDING, "The status of the run.")
    started_at: UtcTime | None = server_time("The start time, UTC.")
    completed_at: UtcTime | None = Field(
        default=None, description="The end time, UTC. NULL until the end."
    )
    events_scraped: Count = defaulted(
        0, "The number of accepted captures (one event each), including those already stored."
    )
    events_failed: Count = defaulted(
        0, "The number of captures that were refused as a whole, or lost because the run failed."
    )
    trigger: Text50 | None = Field(
        default=None, description="The cause of the start: 'scheduled', 'manual', ..."
    )
    platform_timings: Json | None = Field(
        default=None,
        description="The durations of the scraper's steps, in the scraper's own format and units.",
    )
    batch_id: Int4 | None = foreign_key(
        "scrape_batches.id", "The batch of the run.", ondelete="SET NULL", nullable=True
    )
    platform: Slug | None = Field(
        default=None, description="The platform that was scraped: 'bet9ja'."
    )
    heartbeat_at: UtcTime | None = Field(
        default=None, description="The last sign of life of the run's process, UTC."
    )

    batch: Optional[ScrapeBatch] = Relationship(back_populates="runs")
    errors: list["ScrapeError"] = Relationship(
        back_populates="scrape_run", cascade_delete=True, passive_deletes=True
    )
    odds_snapshots: list["OddsSnapshot"] = Relationship(
        back_populates="scrape_run", passive_deletes=True
    )
    competitor_odds_snapshots: list["CompetitorOddsSnapshot"] = Relationship(
        back_populates="scrape_run", passive_deletes=True
    )


class ScrapeError(Table, table=True):
    """An error in a run: a refused capture, a lost connection, ..."""

    __tablename__: ClassVar[str] = "scrape_errors"
    __named_by__: ClassVar[tuple[str, ...]] = ("error_type",)
    __table_args__ = (
        Index("idx_scrape_errors_run", "scrape_run_id"),
        Index("idx_scrape_errors_bookmaker", "bookmaker_id"),
    )

    id: Int4 | None = primary_key()
    scrape_run_id: Int4 | None = foreign_key(
        "scrape_runs.id", "The run with the error.", ondelete="CASCADE"
    )
    bookmaker_id: Int4 | None = foreign_key(
        "bookmakers.id", "The bookmaker, if known.", ondelete="SET NULL", nullable=True
    )
    event_id: Int4 | None = foreign_key(
        "events.id", "BetPawa's event, if known.", ondelete="SET NULL", nullable=True
    )
    error_type: Name50 = Field(description="The kind of the error, for programs: 'refused'.")
    error_message: Message = Field(description="The message for people: the error and its place.")
    occurred_at: UtcTime | None = server_time("The time of the error, UTC.")

    scrape_run: ScrapeRun = Relationship(back_populates="errors")
    bookmaker: Optional[Bookmaker] = Relationship(back_populates="scrape_errors")
    event: Optional[Event] = Relationship(back_populates="scrape_errors")
