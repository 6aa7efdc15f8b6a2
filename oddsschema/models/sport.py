"""The sports and BetPawa's tournaments: the upper levels of the reference hierarchy."""

from typing import TYPE_CHECKING, ClassVar

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, Relationship

from oddsschema.contracts.base import Contract
from oddsschema.contracts.columns import foreign_key, primary_key
from oddsschema.contracts.scalars import Int4, Name100, Name255, SportradarTournamentId
from oddsschema.contracts.table import Table
from oddsschema.release import MARK

if TYPE_CHECKING:
    from oddsschema.models.competitor import CompetitorTournament
    from oddsschema.models.event import Event


class NameAndSlug(Contract):
    """A name for people and a slug for programs."""

    name: Name100 = Field(description="The name for people: 'Football'.")
    slug: Name100 = Field(description="The name for programs: 'football'.")


class Competition(Contract):
    """The data of a tournament that every bookmaker has."""

    name: Name255 = Field(description="The name, which two countries may share: 'Super League'.")
    sportradar_id: SportradarTournamentId | None = Field(
        default=None, description="SportRadar's id of the tournament, if known."
    )


class NationalCompetition(Competition):
    """A tournament as BetPawa lists it, identified by sport, name and country."""

    country: Name100 = Field(
        default="Unknown",
        nullable=False,
        sa_column_kwargs={"server_default": "Unknown"},
        description="The country, as BetPawa writes it: 'Switzerland', 'International'.",
    )


class Sport(NameAndSlug, Table, table=True):
    """A sport."""

    __tablename__: ClassVar[str] = "sports"
    __table_args__ = (UniqueConstraint("name"), UniqueConstraint("slug"), {"comment": str(MARK)})

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
