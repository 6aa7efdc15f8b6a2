"""What competitors offer: tournaments, events, snapshots and markets, keyed by their own ids."""

from typing import ClassVar, Optional

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, Relationship

from oddsschema.contracts.base import Contract
from oddsschema.contracts.columns import foreign_key, primary_key, server_time
from oddsschema.contracts.scalars import CountryIso, Int4, Int8, Name100, Slug, Text100, UtcTime
from oddsschema.contracts.table import Table
from oddsschema.models.event import Event, Fixture
from oddsschema.models.odds import StoredMarket, StoredSnapshot
from oddsschema.models.scrape import ScrapeRun
from oddsschema.models.sport import Competition, Sport


class CompetitorKey(Contract):
    """How a competitor's thing is told apart: whose it is, and the id it has there."""

    source: Slug = Field(description="The competitor: 'sportybet', 'bet9ja' or any other slug.")
    external_id: Name100 = Field(description="The competitor's own id.")


class CompetitorCompetition(CompetitorKey, Competition):
    """A tournament as a competitor lists it."""

    country_raw: Text100 | None = Field(default=None, description="In the competitor's words.")
    country_iso: CountryIso | None = Field(default=None, description="ISO 3166-1 alpha-3: 'CHE'.")


class CompetitorTournament(CompetitorCompetition, Table, table=True):
    """A tournament that a competitor offers."""

    __tablename__: ClassVar[str] = "competitor_tournaments"
    __table_args__ = (
        UniqueConstraint("source", "external_id", name="uq_competitor_tournaments_source_external"),
        Index("idx_competitor_tournaments_source", "source"),
        Index("idx_competitor_tournaments_sport", "sport_id"),
        Index(
            "idx_competitor_tournaments_sr_id",
            "sportradar_id",
            postgresql_where=text("sportradar_id IS NOT NULL"),
        ),
    )

    id: Int4 | None = primary_key()
    sport_id: Int4 | None = foreign_key("sports.id", "The sport.")
    created_at: UtcTime | None = server_time("When the row was written, UTC.")
    deleted_at: UtcTime | None = Field(
        default=None,
        description="Soft delete: when it was found to be gone, UTC; NULL while it is offered.",
    )

    sport: Sport = Relationship(back_populates="competitor_tournaments")
    events: list["CompetitorEvent"] = Relationship(
        back_populates="tournament", cascade_delete=True, passive_deletes=True
    )


class CompetitorEvent(CompetitorKey, Fixture, Table, table=True):
    """An event that a competitor offers, matched to BetPawa's by SportRadar id where it has one."""

    __tablename__: ClassVar[str] = "competitor_events"
    __table_args__ = (
        UniqueConstraint("source", "external_id", name="uq_competitor_events_source_external"),
        Index("idx_competitor_events_source", "source"),
        Index("idx_competitor_events_tournament", "tournament_id"),
        Index("idx_competitor_events_sr_id", "sportradar_id"),
        Index(
            "idx_competitor_events_betpawa",
            "betpawa_event_id",
            postgresql_where=text("betpawa_event_id IS NOT NULL"),
        ),
        Index("idx_competitor_events_kickoff", "kickoff"),
    )

    id: Int4 | None = primary_key()
    tournament_id: Int4 | None = foreign_key(
        "competitor_tournaments.id", "The competitor's tournament.", ondelete="CASCADE"
    )
    betpawa_event_id: Int4 | None = foreign_key(
        "events.id",
        "BetPawa's event of the same SportRadar id; NULL while there is none.",
        ondelete="SET NULL",
        nullable=True,
    )
    created_at: UtcTime | None = server_time("When the row was written, UTC.")
    updated_at: UtcTime | None = server_time(
        "When a capture last changed the row, or its match was found, UTC."
    )
    deleted_at: UtcTime | None = Field(
        default=None,
        description="Soft delete: when it was found to be gone, UTC; NULL while it is offered.",
    )

    tournament: CompetitorTournament = Relationship(back_populates="events")
    betpawa_event: Optional[Event] = Relationship(back_populates="competitor_events")
    snapshots: list["CompetitorOddsSnapshot"] = Relationship(
        back_populates="competitor_event", cascade_delete=True, passive_deletes=True
    )


class CompetitorOddsSnapshot(StoredSnapshot, Table, table=True):
    """A competitor event's odds at one instant."""

    __tablename__: ClassVar[str] = "competitor_odds_snapshots"
    __table_args__ = (
        ForeignKeyConstraint(
            ["competitor_event_id"],
            ["competitor_events.id"],
            # With the whole column name it would have 66 bytes; PostgreSQL's names have 63.
            name="fk_competitor_odds_snapshots_event_id_competitor_events",
            ondelete="CASCADE",
        ),
        UniqueConstraint("competitor_event_id", "captured_at"),
        UniqueConstraint("competitor_event_id", "id"),  # what competitor_market_odds refers to
        Index("idx_competitor_odds_snapshots_event", "competitor_event_id"),
        Index("idx_competitor_odds_snapshots_captured", "captured_at"),
        # Without this one, deleting a run reads the whole table.
        Index("idx_competitor_odds_snapshots_run", "scrape_run_id"),
    )

    id: Int8 | None = primary_key()
    competitor_event_id: Int4 | None = Field(
        default=None, nullable=False, description="The competitor's event."
    )
    scrape_run_id: Int4 | None = foreign_key(
        "scrape_runs.id", "The run that brought it.", ondelete="SET NULL", nullable=True
    )

    competitor_event: CompetitorEvent = Relationship(back_populates="snapshots")
    scrape_run: Optional[ScrapeRun] = Relationship(back_populates="competitor_odds_snapshots")
    markets: list["CompetitorMarketOdds"] = Relationship(
        back_populates="snapshot", cascade_delete=True, passive_deletes=True
    )


class CompetitorMarketOdds(StoredMarket, Table, table=True):
    """A market of a competitor event at one instant."""

    __tablename__: ClassVar[str] = "competitor_market_odds"
    __table_args__ = (
        ForeignKeyConstraint(
            ["competitor_event_id", "snapshot_id"],
            ["competitor_odds_snapshots.competitor_event_id", "competitor_odds_snapshots.id"],
            name="fk_competitor_market_odds_snapshot_id_competitor_odds_snapshots",
            ondelete="CASCADE",
        ),
        Index("idx_competitor_market_odds_snapshot", "snapshot_id"),
        Index("idx_competitor_market_odds_market", "betpawa_market_id"),
    )

    id: Int8 | None = primary_key()
    competitor_event_id: Int4 | None = Field(
        default=None, nullable=False, description="The snapshot's event; filled from the snapshot."
    )
    snapshot_id: Int8 | None = Field(
        default=None, nullable=False, description="The snapshot that it is part of."
    )

    snapshot: CompetitorOddsSnapshot = Relationship(back_populates="markets")
