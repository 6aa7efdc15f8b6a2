"""A consumer's code for type checkers: it is checked, not run."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar, assert_type

from sqlalchemy import Engine, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession as ModelSession

import oddsschema
from oddsschema import (
    Capture,
    CompetitorEvent,
    CompetitorMarketOdds,
    CompetitorOddsSnapshot,
    CompetitorTournament,
    Contract,
    IngestOptions,
    IngestReport,
    Market,
    Outcome,
    PruneReport,
    ScrapeBatch,
    ScrapeRun,
    ScrapeStatus,
    Sport,
    migrations,
    queries,
    sync,
)
from oddsschema.queries import EventListing, ListedEvent, Matching, Offer

T = TypeVar("T")

KICKOFF = datetime(2026, 1, 20, 17, tzinfo=UTC)


def build() -> CompetitorMarketOdds:
    """Construct rows, with relationships beside the fields."""
    sport = Sport(name="Football", slug="football")
    tournament = CompetitorTournament(
        source="bet9ja", external_id="1", name="Super League", country_iso="CHE", sport=sport
    )
    event = CompetitorEvent(
        source="bet9ja",
        external_id="2",
        sportradar_id="3",
        name="Basel - Zurich",
        home_team="Basel",
        away_team="Zurich",
        kickoff=KICKOFF,
        tournament=tournament,
    )
    snapshot = CompetitorOddsSnapshot(competitor_event=event, captured_at=KICKOFF)
    market = CompetitorMarketOdds(
        betpawa_market_id="3743",
        betpawa_market_name="1X2 - Full Time",
        outcomes=(Outcome(name="1", odds=1.46), Outcome(name="X", odds=4.6)),
        snapshot=snapshot,
    )
    market.line = 2.5
    assert_type(market.outcomes, tuple[Outcome, ...])
    assert_type(market.snapshot.competitor_event.tournament.sport.name, str)
    assert_type(market.handicap_home, float | None)
    return market


def validate(line: bytes) -> Capture:
    """Validate JSON, and use the result."""
    capture = Capture.model_validate_json(line)
    assert_type(capture.source, str)
    if capture.competitor_event is not None:
        assert_type(capture.competitor_event.tournament.country_iso, str | None)
    return capture


class Page(Contract, Generic[T]):
    """A generic contract."""

    items: list[T]


def as_dicts() -> Page[Market]:
    """Construct outcomes from dicts, as the README does, and read them as objects."""
    outcomes = [{"name": "1", "odds": 1.46}, {"name": "X", "odds": 4.6, "is_active": True}]
    market = Market(betpawa_market_id="3743", betpawa_market_name="1X2", outcomes=outcomes)
    row = CompetitorMarketOdds(
        betpawa_market_id="3743",
        betpawa_market_name="1X2 - Full Time",
        outcomes=[{"name": "1", "odds": 1.46}, Outcome(name="X", odds=4.6)],
    )
    assert_type(market.outcomes, tuple[Outcome, ...])
    row.outcomes = [Outcome(name="1", odds=1.46)]
    page = Page[Market](items=[market])
    assert_type(page.items[0], Market)
    # An unused comment to ignore an error would be an error: these must be refused.
    Market(betpawa_market_id="3743", betpawa_market_name="1X2", outcomes=5)  # type: ignore[arg-type]
    Market(betpawa_market_id="3743", nothing=5)  # type: ignore[call-arg]
    return page


async def filter_by_outcomes(session: AsyncSession) -> None:
    """Use PostgreSQL's operators on outcomes."""
    outcomes = queries.jsonb(CompetitorMarketOdds.outcomes)
    rows = await session.scalars(
        select(CompetitorMarketOdds).where(
            outcomes.contains([{"name": "Over"}]),
            outcomes.path_exists("$[*] ? (@.odds > 3.0)"),
            outcomes.has_key("Over"),
            outcomes[0]["name"].astext == "Over",
            queries.jsonb(CompetitorMarketOdds.outcomes)[0].is_not(None),
        )
    )
    assert_type(rows.one(), CompetitorMarketOdds)


async def follow(batch: ScrapeBatch) -> None:
    """Await a relationship that is not loaded."""
    await batch.awaitable_attrs.runs


async def read(session: AsyncSession) -> Sequence[ScrapeRun]:
    """Select, join, and follow relationships."""
    found = await session.execute(
        select(CompetitorEvent, CompetitorTournament)
        .join(CompetitorTournament)
        .where(col(CompetitorEvent.kickoff) > KICKOFF, col(CompetitorEvent.deleted_at).is_(None))
        .order_by(col(CompetitorEvent.kickoff))
    )
    for event, tournament in found.tuples():
        assert_type(event, CompetitorEvent)
        assert_type(tournament.name, str)
    batch = await session.get_one(ScrapeBatch, 1)
    assert_type(batch.status, ScrapeStatus)
    return batch.runs


async def ask(session: ModelSession) -> None:
    """Run queries with additional conditions."""
    offers = queries.offers().where(col(Offer.event_id).in_([1, 2]), Offer.line == 2.5)
    for offer in await session.exec(offers.order_by(Offer.bookmaker)):
        assert_type(offer, Offer)
        assert_type(offer.seen_at, datetime)
    for point, margin in await session.exec(queries.overround_history()):
        assert_type(point.is_available, bool)
        assert_type(margin, float | None)
    best = (await session.exec(queries.best_prices(offers))).one()
    assert_type(best.bookmakers, tuple[str, ...])
    among = queries.events().where(ListedEvent.bookmaker_count >= 2)
    for event in await session.exec(among):
        assert_type(event.listings, tuple[EventListing, ...])
        assert_type(event.matching, Matching)
    for tournament in await session.exec(queries.events_by_tournament(among)):
        assert_type(tournament.competitor_only, int)
    unmatched = (await session.exec(queries.unmatched_events())).all()
    assert_type(unmatched, Sequence[CompetitorEvent])


async def store(url: str, captures: AsyncIterator[bytes]) -> IngestReport:
    """Ingest in both ways."""
    await migrations.upgrade(url)
    async with (
        oddsschema.batch(url, trigger="scheduled", options=IngestOptions(strict=True)) as batch,
        batch.run("bet9ja") as run,
    ):
        await run.ingest(captures)
    assert_type(batch.report().total.captures_stored, int)
    return await oddsschema.ingest(url, [b"{}"])


def store_synchronously(url: str, captures: Sequence[bytes]) -> IngestReport:
    """Ingest in both ways without an event loop."""
    assert_type(sync.upgrade(url, lock_timeout=timedelta(seconds=5)), tuple[str, ...])
    with sync.batch(url, trigger="scheduled", options=IngestOptions(strict=True)) as batch:
        with batch.run("bet9ja") as run:
            run.ingest(captures)
            run.failed("no answer", external_id=7)
            assert_type(run.flush().captures_stored, int)
            for counts in run.progress():
                assert_type(counts.captures, int)
        assert_type(batch.open_run("sportybet"), sync.Run)
    assert_type(batch.report(), IngestReport)
    assert_type(sync.prune(url, timedelta(days=14), dry_run=True), PruneReport)
    assert_type(sync.current(target=url), str | None)
    return sync.ingest(url, (line for line in captures))


def engines(url: str) -> None:
    """Create engines: the argument `sync` decides the type."""
    assert_type(oddsschema.create_engine(url, pool_size=5), AsyncEngine)
    assert_type(oddsschema.create_engine(url, sync=True), Engine)


async def targets(engine: AsyncEngine) -> None:
    """Hand over an engine."""
    assert_type(await migrations.current(engine), str | None)
