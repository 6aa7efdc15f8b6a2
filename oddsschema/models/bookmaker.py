"""The table of the bookmakers: their odds are stored by reference event, as BetPawa's are."""

from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, Relationship

from oddsschema.contracts.columns import defaulted, primary_key, server_time
from oddsschema.contracts.scalars import Flag, Int4, Text500, UtcTime
from oddsschema.contracts.table import Table
from oddsschema.models.sport import NameAndSlug

if TYPE_CHECKING:
    from oddsschema.models.event import EventBookmaker
    from oddsschema.models.odds import OddsSnapshot
    from oddsschema.models.scrape import ScrapeError


class Bookmaker(NameAndSlug, Table, table=True):
    """A bookmaker. Revision 2 of the migrations adds betpawa, sportybet and bet9ja."""

    __tablename__: ClassVar[str] = "bookmakers"
    __table_args__ = (UniqueConstraint("name"), UniqueConstraint("slug"))
    # So that `updated_at` is loaded after an update: an AsyncSession cannot load it on access.
    __mapper_args__: ClassVar[dict[str, Any]] = {"eager_defaults": True}

    id: Int4 | None = primary_key()
    is_active: Flag = defaulted(
        True, "Whether the bookmaker is in use. A bookmaker with stored odds cannot be deleted."
    )
    base_url: Text500 | None = Field(default=None, description="The URL of the bookmaker's site.")
    logo_url: Text500 | None = Field(default=None, description="The URL of the bookmaker's logo.")
    created_at: UtcTime | None = server_time("The time when the row was inserted, UTC.")
    updated_at: UtcTime | None = server_time(
        "The time when the row was last changed, UTC.", of_update=True
    )

    event_bookmakers: list["EventBookmaker"] = Relationship(back_populates="bookmaker")
    odds_snapshots: list["OddsSnapshot"] = Relationship(back_populates="bookmaker")
    scrape_errors: list["ScrapeError"] = Relationship(
        back_populates="bookmaker", passive_deletes=True
    )
