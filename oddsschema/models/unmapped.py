"""The markets of platforms that scrapers could not map to markets of BetPawa's."""

from typing import ClassVar

from sqlalchemy import UniqueConstraint
from sqlmodel import Field

from oddsschema.contracts.base import Contract
from oddsschema.contracts.columns import primary_key, server_time
from oddsschema.contracts.scalars import Count8, Id100, Int4, Json, Slug, Text255, UtcTime
from oddsschema.contracts.table import Table


class UnmappedMarketType(Contract):
    """A type of markets that a platform offers and a scraper could not map to one of BetPawa's."""

    source: Slug = Field(description="The platform: 'sportybet', 'bet9ja' or any other slug.")
    market_id: Id100 = Field(description="The platform's own id of the market type.")
    name: Text255 | None = Field(
        default=None, description="The platform's name of the market type, if known."
    )
    example: Json | None = Field(
        default=None,
        description="Outcomes of a market of the type, as the platform writes them. Of many "
        "outcomes, the first.",
    )


class UnmappedMarket(UnmappedMarketType, Table, table=True):
    """An unmapped type of markets, with the number of markets that scrapers have reported."""

    __tablename__: ClassVar[str] = "unmapped_markets"
    __table_args__ = (UniqueConstraint("source", "market_id"),)

    id: Int4 | None = primary_key()
    first_seen_at: UtcTime | None = server_time("The time of the first report, UTC.")
    last_seen_at: UtcTime | None = server_time("The time of the last report, UTC.")
    times_seen: Count8 = Field(description="The number of reports.")
