"""The contracts and tables, with a module for each part of the domain.

This package imports all tables, because SQLAlchemy resolves relationships by the names of the
imported classes. It has the base class of the tables and their MetaData as well: a program that
takes one of these from here has all tables.
"""

from oddsschema.contracts.base import metadata
from oddsschema.contracts.table import Table
from oddsschema.models import market_events as market_events  # fills columns for the ORM
from oddsschema.models.bookmaker import Bookmaker
from oddsschema.models.competitor import (
    CompetitorCompetition,
    CompetitorEvent,
    CompetitorKey,
    CompetitorMarketOdds,
    CompetitorOddsSnapshot,
    CompetitorTournament,
)
from oddsschema.models.event import Event, EventBookmaker, EventPage, Fixture, Listing
from oddsschema.models.odds import Market, MarketOdds, MarketType, OddsSnapshot, Snapshot
from oddsschema.models.scrape import ScrapeBatch, ScrapeError, ScrapeRun
from oddsschema.models.sport import Competition, NameAndSlug, NationalCompetition, Sport, Tournament
from oddsschema.models.unmapped import UnmappedMarket, UnmappedMarketType

__all__ = [
    "Bookmaker",
    "Competition",
    "CompetitorCompetition",
    "CompetitorEvent",
    "CompetitorKey",
    "CompetitorMarketOdds",
    "CompetitorOddsSnapshot",
    "CompetitorTournament",
    "Event",
    "EventBookmaker",
    "EventPage",
    "Fixture",
    "Listing",
    "Market",
    "MarketOdds",
    "MarketType",
    "NameAndSlug",
    "NationalCompetition",
    "OddsSnapshot",
    "ScrapeBatch",
    "ScrapeError",
    "ScrapeRun",
    "Snapshot",
    "Sport",
    "Table",
    "Tournament",
    "UnmappedMarket",
    "UnmappedMarketType",
    "metadata",
]
