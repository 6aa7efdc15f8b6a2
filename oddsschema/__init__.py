"""Betting odds in PostgreSQL: validated tables, migrations, ingestion. See the README."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oddsschema import admin as admin
    from oddsschema import adoption as adoption
    from oddsschema import capture as capture
    from oddsschema import contracts as contracts
    from oddsschema import database as database
    from oddsschema import distribution as distribution
    from oddsschema import embedded as embedded
    from oddsschema import errors as errors
    from oddsschema import feeds as feeds
    from oddsschema import frames as frames
    from oddsschema import ingestion as ingestion
    from oddsschema import migrations as migrations
    from oddsschema import models as models
    from oddsschema import queries as queries
    from oddsschema import retention as retention
    from oddsschema import schema as schema
    from oddsschema import scrapes as scrapes
    from oddsschema import simulate as simulate
    from oddsschema import strategies as strategies
    from oddsschema import sync as sync
    from oddsschema.adoption import AdoptReport, adopt
    from oddsschema.capture import (
        Capture,
        CapturedCompetitorEvent,
        CapturedCompetitorTournament,
        CapturedEvent,
        CapturedSport,
        CapturedTournament,
    )
    from oddsschema.contracts.base import Contract
    from oddsschema.contracts.outcomes import Outcome
    from oddsschema.contracts.scalars import CompetitorSource, HandicapType, ScrapeStatus
    from oddsschema.database.engines import create_engine
    from oddsschema.distribution import distribute, undistribute
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
        Table,
        Tournament,
        UnmappedMarket,
        metadata,
    )
    from oddsschema.retention import PruneOptions, PruneReport, SizeReport, prune, prune_ahead, size

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
    "distribute",
    "ingest",
    "metadata",
    "problems",
    "prune",
    "prune_ahead",
    "size",
    "undistribute",
]

#: Each module is imported at the first use of one of its names: a program does not wait for modules
#: that it does not use. The names are those of `__all__`, and of the imports for type checkers
#: above. All tables are imported together: SQLAlchemy needs the others for the relationships of
#: one, and `metadata` has all of them.
_MODULES = {
    "adoption": ("AdoptReport", "adopt"),
    "capture": (
        "Capture",
        "CapturedCompetitorEvent",
        "CapturedCompetitorTournament",
        "CapturedEvent",
        "CapturedSport",
        "CapturedTournament",
    ),
    "contracts.base": ("Contract",),
    "contracts.outcomes": ("Outcome",),
    "contracts.scalars": ("CompetitorSource", "HandicapType", "ScrapeStatus"),
    "database.engines": ("create_engine",),
    "distribution": ("distribute", "undistribute"),
    "errors": (
        "AdoptionError",
        "AdoptionTimeZoneError",
        "BatchNotFoundError",
        "ChunkError",
        "DatabaseUnavailableError",
        "EmbeddedPostgresError",
        "MigrationError",
        "NotMigratedError",
        "OddsSchemaError",
        "ReadOnlyDatabaseError",
        "SequenceError",
    ),
    "ingestion": (
        "Batch",
        "Doubt",
        "IngestOptions",
        "IngestProgress",
        "IngestReport",
        "Ingester",
        "Limits",
        "Problem",
        "Refusal",
        "Run",
        "RunReport",
        "batch",
        "connect",
        "ingest",
        "problems",
    ),
    "models": (
        "Bookmaker",
        "CompetitorEvent",
        "CompetitorMarketOdds",
        "CompetitorOddsSnapshot",
        "CompetitorTournament",
        "Event",
        "EventBookmaker",
        "Market",
        "MarketOdds",
        "OddsSnapshot",
        "ScrapeBatch",
        "ScrapeError",
        "ScrapeRun",
        "Sport",
        "Table",
        "Tournament",
        "UnmappedMarket",
        "metadata",
    ),
    "retention": ("PruneOptions", "PruneReport", "SizeReport", "prune", "prune_ahead", "size"),
}

#: Modules that are attributes after `import oddsschema` alone.
_SUBMODULES = frozenset(
    {
        *("admin", "adoption", "capture", "contracts", "database", "distribution", "embedded"),
        *("errors", "feeds"),
        *("frames", "ingestion", "migrations", "models", "queries", "retention", "schema"),
        *("scrapes", "simulate", "strategies", "sync"),
    }
)

_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return import_module(f"oddsschema.{name}")
    if name == "__version__":
        from importlib.metadata import version

        return version("oddsschema")
    if name not in _HOMES:
        raise AttributeError(f"module 'oddsschema' has no attribute {name!r}")
    value = getattr(import_module(f"oddsschema.{_HOMES[name]}"), name)
    globals()[name] = value  # the next use finds it without this function
    return value


def __dir__() -> list[str]:
    # help() imports each of them, and the strategies need an extra.
    return sorted({*globals(), *(_SUBMODULES - {"strategies"}), *_HOMES, "__version__"})
