"""Betting odds in PostgreSQL: validated tables, migrations, ingestion. See the README."""

from oddsschema.base import Contract, Table, metadata
from oddsschema.capture import (
    Capture,
    CapturedCompetitorEvent,
    CapturedCompetitorTournament,
    CapturedEvent,
    CapturedSport,
    CapturedTournament,
)
from oddsschema.errors import (
    DatabaseUnavailableError,
    EmbeddedPostgresError,
    NotMigratedError,
    OddsSchemaError,
)
from oddsschema.ingest import Batch, IngestReport, Refusal, Run, RunReport, batch, ingest
from oddsschema.models import (
    Bookmaker,
    CompetitorEvent,
    CompetitorMarketOdds,
    CompetitorOddsSnapshot,
    CompetitorTournament,
    Event,
    EventBookmaker,
    Market,
    MarketOdds,
    OddsSnapshot,
    ScrapeBatch,
    ScrapeError,
    ScrapeRun,
    Sport,
    Tournament,
)
from oddsschema.outcomes import Outcome
from oddsschema.types import CompetitorSource, HandicapType, ScrapeStatus

__all__ = [
    "Batch",
    "Bookmaker",
    "Capture",
    "CapturedCompetitorEvent",
    "CapturedCompetitorTournament",
    "CapturedEvent",
    "CapturedSport",
    "CapturedTournament",
    "CompetitorEvent",
    "CompetitorMarketOdds",
    "CompetitorOddsSnapshot",
    "CompetitorSource",
    "CompetitorTournament",
    "Contract",
    "DatabaseUnavailableError",
    "EmbeddedPostgresError",
    "Event",
    "EventBookmaker",
    "HandicapType",
    "IngestReport",
    "Market",
    "MarketOdds",
    "NotMigratedError",
    "OddsSchemaError",
    "OddsSnapshot",
    "Outcome",
    "Refusal",
    "Run",
    "RunReport",
    "ScrapeBatch",
    "ScrapeError",
    "ScrapeRun",
    "ScrapeStatus",
    "Sport",
    "Table",
    "Tournament",
    "batch",
    "ingest",
    "metadata",
]
