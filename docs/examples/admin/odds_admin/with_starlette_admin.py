"""All tables in starlette-admin."""

import os

import uvicorn
from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.applications import Starlette
from starlette_admin.contrib.sqla import Admin, ModelView

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
from oddsschema.admin import StarletteAdminView

TABLES = (
    Sport,
    Tournament,
    Bookmaker,
    Event,
    EventBookmaker,
    ScrapeBatch,
    ScrapeRun,
    ScrapeError,
    OddsSnapshot,
    MarketOdds,
    CompetitorTournament,
    CompetitorEvent,
    CompetitorOddsSnapshot,
    CompetitorMarketOdds,
)


#: The plurals that starlette-admin gets wrong.
LABELS = {
    ScrapeBatch: "Scrape Batches",
    MarketOdds: "Market Odds",
    CompetitorMarketOdds: "Competitor Market Odds",
}


class OddsView(StarletteAdminView, ModelView):
    """A table of oddsschema."""


def application(engine: AsyncEngine | Engine, secret_key: str) -> Starlette:
    """Build the application, with the pages at /admin."""
    app = Starlette()
    admin = Admin(engine, title="Odds", secret_key=secret_key)
    for table in TABLES:
        admin.add_view(OddsView(table, menu_label=LABELS.get(table)))
    admin.mount_to(app)
    return app


if __name__ == "__main__":
    engine = oddsschema.create_engine(os.environ["DATABASE_URL"])
    uvicorn.run(application(engine, os.environ["SECRET_KEY"]))
