"""Betting odds in PostgreSQL: validated tables, migrations, ingestion. See the README."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from oddsschema.capture import (
    Capture,
    CapturedCompetitorEvent,
    CapturedCompetitorTournament,
    CapturedEvent,
    CapturedSport,
    CapturedTournament,
)
from oddsschema.contracts.base import Contract, metadata
from oddsschema.contracts.outcomes import Outcome
from oddsschema.contracts.scalars import CompetitorSource, HandicapType, ScrapeStatus
from oddsschema.contracts.table import Table
from oddsschema.database.engines import create_engine
from oddsschema.errors import (
    AdoptionError,
    AdoptionTimeZoneError,
    BatchNotFoundError,
    ChunkError,
    DatabaseUnavailableError,
    EmbeddedPostgresError,
    MigrationError,
    NotMigratedError,
    OddsSchemaError,
    ReadOnlyDatabaseError,
    SequenceError,
)
from oddsschema.ingestion import (
    Batch,
    Doubt,
    Ingester,
    IngestOptions,
    IngestProgress,
    IngestReport,
    Limits,
    Problem,
    Refusal,
    Run,
    RunReport,
    batch,
    connect,
    ingest,
    problems,
)
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
    UnmappedMarket,
)
from oddsschema.retention import PruneOptions, PruneReport, SizeReport, prune, prune_ahead, size

if TYPE_CHECKING:
    from oddsschema import admin as admin
    from oddsschema import adoption as adoption
    from oddsschema import embedded as embedded
    from oddsschema import errors as errors
    from oddsschema import feeds as feeds
    from oddsschema import frames as frames
    from oddsschema import migrations as migrations
    from oddsschema import queries as queries
    from oddsschema import schema as schema
    from oddsschema import scrapes as scrapes
    from oddsschema import simulate as simulate
    from oddsschema import strategies as strategies
    from oddsschema import sync as sync
    from oddsschema.adoption import AdoptReport as AdoptReport
    from oddsschema.adoption import adopt as adopt

    __version__: str

__all__ = [
    "AdoptReport",
    "AdoptionError",
    "AdoptionTimeZoneError",
    "Batch",
    "BatchNotFoundError",
    "Bookmaker",
    "Capture",
    "CapturedCompetitorEvent",
    "CapturedCompetitorTournament",
    "CapturedEvent",
    "CapturedSport",
    "CapturedTournament",
    "ChunkError",
    "CompetitorEvent",
    "CompetitorMarketOdds",
    "CompetitorOddsSnapshot",
    "CompetitorSource",
    "CompetitorTournament",
    "Contract",
    "DatabaseUnavailableError",
    "Doubt",
    "EmbeddedPostgresError",
    "Event",
    "EventBookmaker",
    "HandicapType",
    "IngestOptions",
    "IngestProgress",
    "IngestReport",
    "Ingester",
    "Limits",
    "Market",
    "MarketOdds",
    "MigrationError",
    "NotMigratedError",
    "OddsSchemaError",
    "OddsSnapshot",
    "Outcome",
    "Problem",
    "PruneOptions",
    "PruneReport",
    "ReadOnlyDatabaseError",
    "Refusal",
    "Run",
    "RunReport",
    "ScrapeBatch",
    "ScrapeError",
    "ScrapeRun",
    "ScrapeStatus",
    "SequenceError",
    "SizeReport",
    "Sport",
    "Table",
    "Tournament",
    "UnmappedMarket",
    "adopt",
    "batch",
    "connect",
    "create_engine",
    "ingest",
    "metadata",
    "problems",
    "prune",
    "prune_ahead",
    "size",
]

#: Modules that are imported at their first use: `oddsschema.queries` works after
#: `import oddsschema` alone, and a program that does not need alembic or Hypothesis does not wait
#: for them.
_LAZY_MODULES = frozenset(
    {
        *("admin", "adoption", "embedded", "feeds", "frames", "migrations", "queries", "schema"),
        *("scrapes", "simulate", "strategies", "sync"),
    }
)

#: Other names that are imported at their first use, with their modules: they are rarely needed.
_LAZY_NAMES = {"AdoptReport": "oddsschema.adoption", "adopt": "oddsschema.adoption"}


def __getattr__(name: str) -> Any:
    if name in _LAZY_MODULES:
        return import_module(f"oddsschema.{name}")
    if name in _LAZY_NAMES:
        return getattr(import_module(_LAZY_NAMES[name]), name)
    if name == "__version__":
        from importlib.metadata import version

        return version("oddsschema")
    raise AttributeError(f"module 'oddsschema' has no attribute {name!r}")


def __dir__() -> list[str]:
    # help() imports each of them, and the strategies need an extra.
    modules = _LAZY_MODULES - {"strategies"}
    return sorted({*globals(), *modules, *_LAZY_NAMES, "__version__"})
