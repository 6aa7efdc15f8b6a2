"""Batches, runs and errors: what was scraped when, and how it went."""

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
    """One scrape of all platforms: it groups a run for each, so that a screen can show them."""

    __tablename__: ClassVar[str] = "scrape_batches"
    __table_args__ = (Index("idx_scrape_batches_started", "started_at"),)

    id: Int4 | None = primary_key()
    started_at: UtcTime | None = server_time("When it began, UTC.")
    completed_at: UtcTime | None = Field(
        default=None, description="When it ended, UTC; NULL before."
    )
    status: Status = defaulted(
        ScrapeStatus.PENDING, "Where it stands: what its runs say together, once they have ended."
    )
    trigger: Text50 | None = Field(
        default=None, description="What started it: 'scheduled', 'manual', ..."
    )
    notes: Notes | None = Field(default=None, description="What people should know of it.")

    runs: list["ScrapeRun"] = Relationship(back_populates="batch", passive_deletes=True)


class ScrapeRun(Table, table=True):
    """One platform's part of a batch."""

    __tablename__: ClassVar[str] = "scrape_runs"
    __table_args__ = (
        Index("idx_scrape_runs_status", "status"),
        Index("idx_scrape_runs_started", "started_at"),
        Index("idx_scrape_runs_batch", "batch_id"),
    )

    id: Int4 | None = primary_key()
    status: Status = defaulted(ScrapeStatus.PENDING, "Where it stands.")
    started_at: UtcTime | None = server_time("When it began, UTC.")
    completed_at: UtcTime | None = Field(
        default=None, description="When it ended, UTC; NULL before."
    )
    events_scraped: Count = defaulted(
        0, "How many captures hold the contract, one event each; those known before as well."
    )
    events_failed: Count = defaulted(0, "How many captures were refused as a whole.")
    trigger: Text50 | None = Field(
        default=None, description="What started it: 'scheduled', 'manual', ..."
    )
    platform_timings: Json | None = Field(
        default=None, description="How long each part took, in the scraper's own words and units."
    )
    batch_id: Int4 | None = foreign_key(
        "scrape_batches.id", "The batch that it is part of.", ondelete="SET NULL", nullable=True
    )
    platform: Slug | None = Field(default=None, description="Whose odds it scraped: 'bet9ja'.")

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
    """Something that went wrong in a run: a refused capture, a lost connection, ..."""

    __tablename__: ClassVar[str] = "scrape_errors"
    __table_args__ = (
        Index("idx_scrape_errors_run", "scrape_run_id"),
        Index("idx_scrape_errors_bookmaker", "bookmaker_id"),
    )

    id: Int4 | None = primary_key()
    scrape_run_id: Int4 | None = foreign_key(
        "scrape_runs.id", "The run in which it happened.", ondelete="CASCADE"
    )
    bookmaker_id: Int4 | None = foreign_key(
        "bookmakers.id", "Whose site it was, where known.", ondelete="SET NULL", nullable=True
    )
    event_id: Int4 | None = foreign_key(
        "events.id", "BetPawa's event, where known.", ondelete="SET NULL", nullable=True
    )
    error_type: Name50 = Field(description="What kind, for programs: 'refused'.")
    error_message: Message = Field(description="What and where, for people.")
    occurred_at: UtcTime | None = server_time("When it happened, UTC.")

    scrape_run: ScrapeRun = Relationship(back_populates="errors")
    bookmaker: Optional[Bookmaker] = Relationship(back_populates="scrape_errors")
    event: Optional[Event] = Relationship(back_populates="scrape_errors")
