"""The bookmakers whose odds are stored as BetPawa's are: by reference event."""

from typing import TYPE_CHECKING, ClassVar

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, Relationship

from oddsschema.contracts.columns import defaulted, primary_key, server_time
from oddsschema.contracts.scalars import Flag, Int4, Text500, UtcTime
from oddsschema.contracts.table import Table
from oddsschema.models.sport import Named

if TYPE_CHECKING:
    from oddsschema.models.event import EventBookmaker
    from oddsschema.models.odds import OddsSnapshot
    from oddsschema.models.scrape import ScrapeError


class Bookmaker(Named, Table, table=True):
    """A bookmaker: betpawa, sportybet and bet9ja are there from the start (revision 2)."""

    __tablename__: ClassVar[str] = "bookmakers"
    __table_args__ = (UniqueConstraint("name"), UniqueConstraint("slug"))

    id: Int4 | None = primary_key()
    is_active: Flag = defaulted(
        True, "Whether it is in use: one whose odds are stored cannot be deleted."
    )
    base_url: Text500 | None = Field(default=None, description="The URL of its site.")
    logo_url: Text500 | None = Field(default=None, description="The URL of its logo.")
    created_at: UtcTime | None = server_time("When the row was written, UTC.")
    updated_at: UtcTime | None = server_time("When the row was last changed, UTC.")

    event_bookmakers: list["EventBookmaker"] = Relationship(back_populates="bookmaker")
    odds_snapshots: list["OddsSnapshot"] = Relationship(back_populates="bookmaker")
    scrape_errors: list["ScrapeError"] = Relationship(
        back_populates="bookmaker", passive_deletes=True
    )
