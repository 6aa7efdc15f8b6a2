"""The contracts and the tables, a file for each part of the domain.

Every table is imported here: SQLAlchemy resolves relationships by name among the classes it knows.
"""

from oddsschema.models.bookmaker import Bookmaker
from oddsschema.models.competitor import (
    CompetitorCompetition,
    CompetitorEvent,
    CompetitorKey,
    CompetitorMarketOdds,
    CompetitorOddsSnapshot,
    CompetitorTournament,
)
from oddsschema.models.event import Event, EventBookmaker, Fixture, Listing
from oddsschema.models.odds import Market, MarketOdds, MarketType, OddsSnapshot, Snapshot
from oddsschema.models.scrape import ScrapeBatch, ScrapeError, ScrapeRun
from oddsschema.models.sport import Competition, Named, NationalCompetition, Sport, Tournament

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
    "Fixture",
    "Listing",
    "Market",
    "MarketOdds",
    "MarketType",
    "Named",
    "NationalCompetition",
    "OddsSnapshot",
    "ScrapeBatch",
    "ScrapeError",
    "ScrapeRun",
    "Snapshot",
    "Sport",
    "Tournament",
]
