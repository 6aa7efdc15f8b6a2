"""One row of each table, joined to each other."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

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
    Outcome,
    ScrapeBatch,
    ScrapeError,
    ScrapeRun,
    Sport,
    Table,
    Tournament,
    UnmappedMarket,
)
from oddsschema.database.connections import sqlalchemy_connect

NOON = datetime(2024, 1, 9, 12, tzinfo=UTC)
FIXTURE = {
    "sportradar_id": "07767614",
    "name": "Basel - Zurich",
    "home_team": "Basel",
    "away_team": "Zurich",
    "kickoff": NOON,
}
MARKET = {
    "betpawa_market_id": "3743",
    "betpawa_market_name": "1X2 - Full Time",
    "outcomes": (Outcome(name="1", odds=1.46), Outcome(name="X", odds=4.2)),
}


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[AsyncSession]:
    """Open a session on a connection of its own. Uncommitted changes are rolled back."""
    async with (
        sqlalchemy_connect(url) as connection,
        AsyncSession(connection, expire_on_commit=False) as session,
    ):
        yield session


def world() -> dict[type[Table], Table]:
    """Build one row of each table, joined through relationships alone where there are any."""
    sport = Sport(name="Tennis", slug="tennis")
    tournament = Tournament(name="Super League", sport=sport)
    event = Event(**FIXTURE, tournament=tournament)
    bookmaker = Bookmaker(name="BetKing", slug="betking")
    batch = ScrapeBatch()
    run = ScrapeRun(batch=batch, platform="betking")
    snapshot = OddsSnapshot(event=event, bookmaker=bookmaker, scrape_run=run, captured_at=NOON)
    competition = CompetitorTournament(
        source="bet9ja", external_id="1", name="Super League", sport=sport
    )
    competitor_event = CompetitorEvent(
        **FIXTURE, source="bet9ja", external_id="1", tournament=competition, betpawa_event=event
    )
    competitor_snapshot = CompetitorOddsSnapshot(
        competitor_event=competitor_event, scrape_run=run, captured_at=NOON
    )
    rows = (
        *(sport, tournament, event, bookmaker, batch, run, snapshot),
        EventBookmaker(event=event, bookmaker=bookmaker, external_event_id="1"),
        ScrapeError(
            scrape_run=run, bookmaker=bookmaker, event=event, error_type="x", error_message="y"
        ),
        MarketOdds(**MARKET, snapshot=snapshot),
        *(competition, competitor_event, competitor_snapshot),
        CompetitorMarketOdds(**MARKET, snapshot=competitor_snapshot),
        UnmappedMarket(source="bet9ja", market_id="S_OU@9.5", times_seen=1),
    )
    return {type(row): row for row in rows}


async def stored(session: AsyncSession) -> dict[type[Table], Any]:
    """Write the world and expunge it, so that later reads load it again."""
    rows = world()
    session.add(rows[Sport])
    session.add(rows[Bookmaker])
    session.add(rows[UnmappedMarket])
    await session.commit()
    session.expunge_all()
    return rows


async def count(session: AsyncSession, table: type[Table]) -> int:
    """Count the rows of the world in a table, without the reference data."""
    known = {Sport: ["football"], Bookmaker: ["betpawa", "sportybet", "bet9ja"]}.get(table)
    rows = select(func.count()).select_from(table)
    if known:
        rows = rows.where(table.slug.not_in(known))
    return (await session.execute(rows)).scalar_one()
