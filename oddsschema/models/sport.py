"""Sports and BetPawa's tournaments: the reference side of the hierarchy."""

from typing import TYPE_CHECKING, ClassVar

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, Relationship

from oddsschema.contracts.base import Contract
from oddsschema.contracts.columns import foreign_key, primary_key
from oddsschema.contracts.scalars import Int4, Name100, Name255
from oddsschema.contracts.table import Table

if TYPE_CHECKING:
    from oddsschema.models.competitor import CompetitorTournament
    from oddsschema.models.event import Event


class Named(Contract):
    """What has a name for people and a slug for programs."""

    name: Name100 = Field(description="For people: 'Football'.")
    slug: Name100 = Field(description="For programs: 'football'.")


class Competition(Contract):
    """What every bookmaker knows of a tournament."""

    name: Name255 = Field(description="'Super League': two countries may each have one.")
    sportradar_id: Name100 | None = Field(
        default=None, description="SportRadar's id of the tournament, where known."
    )


class NationalCompetition(Competition):
    """A tournament as BetPawa lists it: told apart by sport, name and country."""

    country: Name100 = Field(
        default="Unknown",
        nullable=False,
        sa_column_kwargs={"server_default": "Unknown"},
        description="In BetPawa's words: 'Switzerland', 'International'.",
    )


class Sport(Named, Table, table=True):
    """A sport."""

    __tablename__: ClassVar[str] = "sports"
    __table_args__ = (UniqueConstraint("name"), UniqueConstraint("slug"))

    id: Int4 | None = primary_key()

    tournaments: list["Tournament"] = Relationship(back_populates="sport")
    competitor_tournaments: list["CompetitorTournament"] = Relationship(back_populates="sport")


class Tournament(NationalCompetition, Table, table=True):
    """A tournament of the reference bookmaker, BetPawa."""

    __tablename__: ClassVar[str] = "tournaments"
    __table_args__ = (
        UniqueConstraint("sportradar_id"),
        UniqueConstraint("sport_id", "name", "country"),
    )

    id: Int4 | None = primary_key()
    sport_id: Int4 | None = foreign_key("sports.id", "The sport.")

    sport: Sport = Relationship(back_populates="tournaments")
    events: list["Event"] = Relationship(
        back_populates="tournament", cascade_delete=True, passive_deletes=True
    )
