"""The tournaments, events, snapshots and markets of competitors, keyed by the competitors' ids."""

from typing import Any, ClassVar, Optional

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, Relationship

from oddsschema.contracts.base import Contract
from oddsschema.contracts.columns import foreign_key, primary_key, server_time
from oddsschema.contracts.scalars import CountryIso, Id100, Int4, Int8, Slug, Text100, UtcTime
from oddsschema.contracts.table import Table
from oddsschema.models.event import Event, EventPage, Fixture
from oddsschema.models.odds import SNAPSHOT_STORAGE, StoredMarket, StoredSnapshot
from oddsschema.models.scrape import ScrapeRun
from oddsschema.models.sport import Competition, Sport


class CompetitorKey(Contract):
    """The key of a competitor's tournament or event: the source and the source's own id."""

    source: Slug = Field(description="The competitor: 'sportybet', 'bet9ja' or any other slug.")
    external_id: Id100 = Field(description="The competitor's own id.")


class CompetitorCompetition(CompetitorKey, Competition):
    """A tournament as a competitor lists it."""

    country_raw: Text100 | None = Field(
        default=None, description="The country, as the competitor writes it."
    )
    country_iso: CountryIso | None = Field(
        default=None, description="The country's code in ISO 3166-1 alpha-3: 'CHE'."
    )


class CompetitorTournament(CompetitorCompetition, Table, table=True):
    """A tournament that a competitor offers."""

    __tablename__: ClassVar[str] = "competitor_tournaments"
    __named_by__: ClassVar[tuple[str, ...]] = ("source", "name")
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
    created_at: UtcTime | None = server_time("The time when the row was inserted, UTC.")
    deleted_at: UtcTime | None = Field(
        default=None,
        description="Soft delete: the time when it was found missing, UTC. NULL if it is offered.",
    )

    sport: Sport = Relationship(back_populates="competitor_tournaments")
    events: list["CompetitorEvent"] = Relationship(
        back_populates="tournament", cascade_delete=True, passive_deletes=True
    )


class CompetitorEvent(CompetitorKey, EventPage, Fixture, Table, table=True):
    """An event that a competitor offers, matched to BetPawa's by SportRadar id if possible."""

    __tablename__: ClassVar[str] = "competitor_events"
    __named_by__: ClassVar[tuple[str, ...]] = ("source", "name")
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
    # So that `updated_at` is loaded after an update: an AsyncSession cannot load it on access.
    __mapper_args__: ClassVar[dict[str, Any]] = {"eager_defaults": True}

    id: Int4 | None = primary_key()
    tournament_id: Int4 | None = foreign_key(
        "competitor_tournaments.id", "The competitor's tournament.", ondelete="CASCADE"
    )
    betpawa_event_id: Int4 | None = foreign_key(
        "events.id",
        "BetPawa's event with the same SportRadar id. NULL until that event exists.",
        ondelete="SET NULL",
        nullable=True,
    )
    created_at: UtcTime | None = server_time("The time when the row was inserted, UTC.")
    updated_at: UtcTime | None = server_time(
        "The time when a capture or a match with BetPawa's event last changed the row, UTC.",
        of_update=True,
    )
    deleted_at: UtcTime | None = Field(
        default=None,
        description="Soft delete: the time when it was found missing, UTC. NULL if it is offered.",
    )

    tournament: CompetitorTournament = Relationship(back_populates="events")
    betpawa_event: Optional[Event] = Relationship(back_populates="competitor_events")
    snapshots: list["CompetitorOddsSnapshot"] = Relationship(
        back_populates="competitor_event", cascade_delete=True, passive_deletes=True
    )


class CompetitorOddsSnapshot(StoredSnapshot, Table, table=True):
    """The odds of a competitor's event at one instant."""

    __tablename__: ClassVar[str] = "competitor_odds_snapshots"
    __named_by__: ClassVar[tuple[str, ...]] = ("captured_at",)
    __table_args__ = (
        ForeignKeyConstraint(
            ["competitor_event_id"],
            ["competitor_events.id"],
            # With the whole column name it would have 66 bytes. PostgreSQL allows 63.
            name="fk_competitor_odds_snapshots_event_id_competitor_events",
            ondelete="CASCADE",
        ),
        UniqueConstraint("competitor_event_id", "captured_at"),
        UniqueConstraint(
            "competitor_event_id", "id"
        ),  # for the foreign key of competitor_market_odds
        Index("idx_competitor_odds_snapshots_event", "competitor_event_id"),
        Index("idx_competitor_odds_snapshots_captured", "captured_at"),
        # Without this index, deleting a run reads the whole table.
        Index("idx_competitor_odds_snapshots_run", "scrape_run_id"),
        # No index on the confirmations, whose updates would write to it.
        SNAPSHOT_STORAGE,
    )

    id: Int8 | None = primary_key()
    competitor_event_id: Int4 | None = Field(
        default=None, nullable=False, description="The event of the competitor."
    )
    scrape_run_id: Int4 | None = foreign_key(
        "scrape_runs.id", "The run that captured it.", ondelete="SET NULL", nullable=True
    )

    competitor_event: CompetitorEvent = Relationship(back_populates="snapshots")
    scrape_run: Optional[ScrapeRun] = Relationship(back_populates="competitor_odds_snapshots")
    markets: list["CompetitorMarketOdds"] = Relationship(
        back_populates="snapshot", cascade_delete=True, passive_deletes=True
    )


class CompetitorMarketOdds(StoredMarket, Table, table=True):
    """A market of a competitor's event at one instant."""

    __tablename__: ClassVar[str] = "competitor_market_odds"
    __named_by__: ClassVar[tuple[str, ...]] = ("betpawa_market_name", "line", "specifiers")
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
        default=None,
        nullable=False,
        description="The event of the snapshot, filled from the snapshot.",
    )
    snapshot_id: Int8 | None = Field(
        default=None, nullable=False, description="The snapshot of the market."
    )

    snapshot: CompetitorOddsSnapshot = Relationship(back_populates="markets")
