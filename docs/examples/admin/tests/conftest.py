"""The pages of both frameworks on a database with a row of each table."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from pages import Pages, SQLAdminPages, StarletteAdminPages
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlmodel import select

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
    Table,
    Tournament,
)

#: A time with a fraction of a second, which no form shows.
NOON = datetime(2024, 1, 9, 12, 0, 0, 123456, tzinfo=UTC)
FIXTURE = {
    "sportradar_id": "07767614",
    "name": "Basel - Zurich",
    "home_team": "Basel",
    "away_team": "Zurich",
    "kickoff": NOON,
}
MARKET = {
    "betpawa_market_id": "3743",
    "betpawa_market_name": "Over/Under",
    "line": 2.5,
    "outcomes": [{"name": "Over", "odds": 1.46}, {"name": "Under", "is_active": False}],
}
SNAPSHOT = {
    "captured_at": NOON,
    "last_confirmed_at": NOON,
    "confirmed_at": [NOON],
    "raw_response": {"id": 7},
    "unknown_markets": [["3743"]],
}


@pytest.fixture
def anyio_backend() -> str:
    """Select the backend of tests that are coroutines."""
    return "asyncio"


def world(sport: Sport, bookmaker: Bookmaker) -> list[Table]:
    """Build a row of each other table."""
    tournament = Tournament(name="Super League", sport=sport, country="Switzerland")
    event = Event(**FIXTURE, tournament=tournament)
    batch = ScrapeBatch(status="partial", notes="two\nlines", started_at=NOON)
    run = ScrapeRun(batch=batch, platform="bet9ja", status="failed", platform_timings={"all": 2.5})
    snapshot = OddsSnapshot(event=event, bookmaker=bookmaker, scrape_run=run, **SNAPSHOT)
    competition = CompetitorTournament(
        source="bet9ja", external_id="1", name="Super League", sport=sport, country_iso="CHE"
    )
    competitor_event = CompetitorEvent(
        **FIXTURE, source="bet9ja", external_id="1", tournament=competition, betpawa_event=event
    )
    competitor_snapshot = CompetitorOddsSnapshot(
        competitor_event=competitor_event, scrape_run=run, **SNAPSHOT
    )
    return [
        *(tournament, event, batch, run, snapshot, competition, competitor_event),
        *(competitor_snapshot, MarketOdds(**MARKET, snapshot=snapshot)),
        EventBookmaker(event=event, bookmaker=bookmaker, external_event_id="1"),
        ScrapeError(scrape_run=run, event=event, error_type="refused", error_message="$: a reason"),
        CompetitorMarketOdds(
            betpawa_market_id="4",
            betpawa_market_name="Handicap",
            handicap_type="european",
            handicap_home=-1,
            handicap_away=1,
            outcomes=[{"name": "1", "odds": 2}],
            snapshot=competitor_snapshot,
        ),
    ]


@pytest.fixture
async def engine(oddsschema_database: str) -> AsyncIterator[AsyncEngine]:
    """Open an engine."""
    engine = oddsschema.create_engine(oddsschema_database)
    yield engine
    await engine.dispose()


@pytest.fixture
async def session(engine: AsyncEngine) -> AsyncIterator[AsyncSession]:
    """Open a session on the database with a row of each table."""
    async with AsyncSession(engine, expire_on_commit=False) as session:
        sport = (await session.scalars(select(Sport))).one()
        bookmaker = (await session.scalars(select(Bookmaker).where(Bookmaker.id == 1))).one()
        session.add_all(world(sport, bookmaker))
        await session.commit()
        session.expunge_all()
        yield session


FRAMEWORKS = [SQLAdminPages, StarletteAdminPages]


@pytest.fixture(params=FRAMEWORKS)
async def synchronous_pages(
    request: pytest.FixtureRequest, session: AsyncSession, oddsschema_database: str
) -> AsyncIterator[Pages]:
    """Open the pages of a framework on a synchronous engine."""
    engine = oddsschema.create_engine(oddsschema_database, sync=True)
    async with request.param.opened(engine) as pages:
        yield pages
    engine.dispose()


@pytest.fixture(params=FRAMEWORKS)
async def pages(
    request: pytest.FixtureRequest, session: AsyncSession, engine: AsyncEngine
) -> AsyncIterator[Pages]:
    """Open the pages of a framework."""
    async with request.param.opened(engine) as pages:
        yield pages
