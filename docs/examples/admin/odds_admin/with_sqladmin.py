"""All tables in SQLAdmin."""

import os

import uvicorn
from sqladmin import Admin, ModelView
from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.applications import Starlette

import oddsschema
from oddsschema import (
    Bookmaker,
    CompetitorEvent,
    CompetitorMarketOdds,
    CompetitorOddsSnapshot,
    CompetitorTournament,
    Event,
    EventBookmaker,
    MarketOdds,
    OddsSnapshot,
    ScrapeBatch,
    ScrapeError,
    ScrapeRun,
    Sport,
    Tournament,
)
from oddsschema.admin import SQLAdminView


class SportAdmin(SQLAdminView, ModelView, model=Sport):
    """The sports."""


class TournamentAdmin(SQLAdminView, ModelView, model=Tournament):
    """BetPawa's tournaments."""

    column_searchable_list = ("name", "country")


class BookmakerAdmin(SQLAdminView, ModelView, model=Bookmaker):
    """The bookmakers."""


class EventAdmin(SQLAdminView, ModelView, model=Event):
    """BetPawa's events."""

    column_searchable_list = ("name", "sportradar_id")
    column_sortable_list = ("id", "kickoff")


class EventBookmakerAdmin(SQLAdminView, ModelView, model=EventBookmaker):
    """The listings of BetPawa's events at bookmakers."""


class ScrapeBatchAdmin(SQLAdminView, ModelView, model=ScrapeBatch):
    """The batches, with their runs."""

    name_plural = "Scrape Batches"
    column_details_list = ("id", "status", "started_at", "completed_at", "trigger", "notes", "runs")


class ScrapeRunAdmin(SQLAdminView, ModelView, model=ScrapeRun):
    """The runs."""


class ScrapeErrorAdmin(SQLAdminView, ModelView, model=ScrapeError):
    """The errors of runs."""


class OddsSnapshotAdmin(SQLAdminView, ModelView, model=OddsSnapshot):
    """The snapshots of BetPawa's events."""


class MarketOddsAdmin(SQLAdminView, ModelView, model=MarketOdds):
    """The markets of BetPawa's events."""

    name_plural = "Market Odds"


class CompetitorTournamentAdmin(SQLAdminView, ModelView, model=CompetitorTournament):
    """The competitors' tournaments."""


class CompetitorEventAdmin(SQLAdminView, ModelView, model=CompetitorEvent):
    """The competitors' events."""

    column_searchable_list = ("source", "name", "sportradar_id")


class CompetitorOddsSnapshotAdmin(SQLAdminView, ModelView, model=CompetitorOddsSnapshot):
    """The snapshots of competitors' events."""


class CompetitorMarketOddsAdmin(SQLAdminView, ModelView, model=CompetitorMarketOdds):
    """The markets of competitors' events."""

    name_plural = "Competitor Market Odds"


VIEWS = (
    SportAdmin,
    TournamentAdmin,
    BookmakerAdmin,
    EventAdmin,
    EventBookmakerAdmin,
    ScrapeBatchAdmin,
    ScrapeRunAdmin,
    ScrapeErrorAdmin,
    OddsSnapshotAdmin,
    MarketOddsAdmin,
    CompetitorTournamentAdmin,
    CompetitorEventAdmin,
    CompetitorOddsSnapshotAdmin,
    CompetitorMarketOddsAdmin,
)


def application(engine: AsyncEngine | Engine) -> Starlette:
    """Build the application, with the pages at /admin."""
    app = Starlette()
    admin = Admin(app, engine, title="Odds")
    for view in VIEWS:
        admin.add_view(view)
    return app


if __name__ == "__main__":
    uvicorn.run(application(oddsschema.create_engine(os.environ["DATABASE_URL"])))
