"""BetPawa's events, which are the reference for matching, and their listings at bookmakers."""

from typing import TYPE_CHECKING, ClassVar

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, Relationship

from oddsschema.contracts.base import Contract
from oddsschema.contracts.columns import foreign_key, primary_key, server_time
from oddsschema.contracts.scalars import (
    Id100,
    Int4,
    Name255,
    Name500,
    SportradarEventId,
    Text1000,
    UtcTime,
)
from oddsschema.contracts.table import Table
from oddsschema.models.bookmaker import Bookmaker
from oddsschema.models.sport import Tournament

if TYPE_CHECKING:
    from oddsschema.models.competitor import CompetitorEvent
    from oddsschema.models.odds import OddsSnapshot
    from oddsschema.models.scrape import ScrapeError


class Fixture(Contract):
    """The data of an event that every bookmaker has."""

    sportradar_id: SportradarEventId = Field(
        description="SportRadar's id of the event. It matches events across bookmakers."
    )
    name: Name500 = Field(description="The name, as the bookmaker writes it: 'Basel - Zurich'.")
    home_team: Name255 = Field(description="The team named first.")
    away_team: Name255 = Field(description="The team named second.")
    kickoff: UtcTime = Field(description="The time when the event starts, UTC.")


class EventPage(Contract):
    """The page of an event at a bookmaker."""

    event_url: Text1000 | None = Field(default=None, description="The URL of the event's page.")


class Listing(EventPage):
    """The id and the page of an event at a bookmaker."""

    external_event_id: Id100 = Field(description="The bookmaker's own id of the event.")


class Event(Fixture, Table, table=True):
    """An event of the reference bookmaker, BetPawa."""

    __tablename__: ClassVar[str] = "events"
    __table_args__ = (UniqueConstraint("sportradar_id"),)

    id: Int4 | None = primary_key()
    tournament_id: Int4 | None = foreign_key(
        "tournaments.id", "The tournament.", ondelete="CASCADE"
    )
    created_at: UtcTime | None = server_time("The time when the row was inserted, UTC.")

    tournament: Tournament = Relationship(back_populates="events")
    event_bookmakers: list["EventBookmaker"] = Relationship(
        back_populates="event", cascade_delete=True, passive_deletes=True
    )
    odds_snapshots: list["OddsSnapshot"] = Relationship(
        back_populates="event", cascade_delete=True, passive_deletes=True
    )
    competitor_events: list["CompetitorEvent"] = Relationship(
        back_populates="betpawa_event", passive_deletes=True
    )
    scrape_errors: list["ScrapeError"] = Relationship(back_populates="event", passive_deletes=True)


class EventBookmaker(Listing, Table, table=True):
    """A bookmaker's listing of a reference event."""

    __tablename__: ClassVar[str] = "event_bookmakers"
    __named_by__: ClassVar[tuple[str, ...]] = ("external_event_id",)
    __table_args__ = (UniqueConstraint("event_id", "bookmaker_id"),)

    id: Int4 | None = primary_key()
    event_id: Int4 | None = foreign_key("events.id", "The event.", ondelete="CASCADE")
    bookmaker_id: Int4 | None = foreign_key("bookmakers.id", "The bookmaker that lists the event.")
    created_at: UtcTime | None = server_time("The time when the row was inserted, UTC.")

    event: Event = Relationship(back_populates="event_bookmakers")
    bookmaker: Bookmaker = Relationship(back_populates="event_bookmakers")
