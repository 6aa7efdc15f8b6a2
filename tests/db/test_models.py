"""The tables under an ORM session: what goes in comes out, and what PostgreSQL guards."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import CheckConstraint, delete, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

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
    ScrapeStatus,
    Sport,
    Table,
    Tournament,
)
from oddsschema.contracts.base import metadata
from oddsschema.database.connections import sqlalchemy_connect

Run = Callable[..., Any]

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
    """A session on a connection of its own. What it does not commit is gone afterwards."""
    async with (
        sqlalchemy_connect(url) as connection,
        AsyncSession(connection, expire_on_commit=False) as session,
    ):
        yield session


def world() -> dict[type[Table], Table]:
    """One row of each table, all joined to each other through their relationships alone."""
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
    )
    return {type(row): row for row in rows}


async def stored(session: AsyncSession) -> dict[type[Table], Any]:
    """The world, written and forgotten, so that whatever is asked for is read anew."""
    rows = world()
    session.add(rows[Sport])
    session.add(rows[Bookmaker])
    await session.commit()
    session.expunge_all()
    return rows


async def count(session: AsyncSession, table: type[Table]) -> int:
    """How many rows of the world a table has; the reference data is not counted."""
    known = {Sport: ["football"], Bookmaker: ["betpawa", "sportybet", "bet9ja"]}.get(table)
    rows = select(func.count()).select_from(table)
    if known:
        rows = rows.where(table.slug.not_in(known))
    return (await session.execute(rows)).scalar_one()


def test_world_is_whole() -> None:
    """The rows below are of every table that there is."""
    assert {table.__tablename__ for table in world()} == set(metadata.tables)


def test_relationships_carry_everything(database: str, run: Run) -> None:
    """Adding two roots stores a row in each table, and every foreign key is filled."""

    async def body() -> None:
        async with opened(database) as session:
            rows = await stored(session)
            for table in rows:
                assert await count(session, table) == 1
            for table in (MarketOdds, CompetitorMarketOdds):
                market = (await session.scalars(select(table))).one()
                snapshot = await session.get_one(
                    {MarketOdds: OddsSnapshot, CompetitorMarketOdds: CompetitorOddsSnapshot}[table],
                    market.snapshot_id,
                )
                name = "event_id" if table is MarketOdds else "competitor_event_id"
                assert getattr(market, name) == getattr(snapshot, name)
                assert market.outcomes == MARKET["outcomes"]

    run(body())


@pytest.mark.parametrize("name", ["odds_snapshots", "competitor_odds_snapshots"])
def test_run_of_a_batch_reads_back(name: str, database: str, run: Run) -> None:
    """The screen's question, a batch with its runs and their snapshots, is one eager load."""

    async def body() -> None:
        async with opened(database) as session:
            await stored(session)
            load = selectinload(ScrapeBatch.runs).selectinload(getattr(ScrapeRun, name))
            batch = (await session.scalars(select(ScrapeBatch).options(load))).one()
            assert [one.platform for one in batch.runs] == ["betking"]
            assert batch.runs[0].batch is batch
            assert [one.captured_at for one in getattr(batch.runs[0], name)] == [NOON]
            assert batch.status is ScrapeStatus.PENDING

    run(body())


def test_server_fills_what_is_left_out(database: str, run: Run) -> None:
    """Ids and times come from PostgreSQL, the times aware and in UTC."""

    async def body() -> None:
        async with opened(database) as session:
            rows = await stored(session)
            for table in rows:
                row = (await session.scalars(select(table).order_by(table.id.desc()))).first()
                assert row.id is not None
                for name in {"created_at", "updated_at", "started_at", "occurred_at"} & {
                    *vars(row)
                }:
                    assert getattr(row, name).tzinfo is UTC
                    assert abs(getattr(row, name) - datetime.now(UTC)) < timedelta(minutes=5)

    run(body())


ALL = frozenset(world())

#: What is left when a row is deleted: the tables that lose theirs, the references that are emptied.
DELETIONS: list[tuple[type[Table], set[type[Table]], dict[type[Table], str]]] = [
    (ScrapeBatch, {ScrapeBatch}, {ScrapeRun: "batch_id"}),
    (
        ScrapeRun,
        {ScrapeRun, ScrapeError},
        {OddsSnapshot: "scrape_run_id", CompetitorOddsSnapshot: "scrape_run_id"},
    ),
    (OddsSnapshot, {OddsSnapshot, MarketOdds}, {}),
    (CompetitorOddsSnapshot, {CompetitorOddsSnapshot, CompetitorMarketOdds}, {}),
    (
        Event,
        {Event, EventBookmaker, OddsSnapshot, MarketOdds},
        {CompetitorEvent: "betpawa_event_id", ScrapeError: "event_id"},
    ),
    (CompetitorEvent, {CompetitorEvent, CompetitorOddsSnapshot, CompetitorMarketOdds}, {}),
    (
        Tournament,
        {Tournament, Event, EventBookmaker, OddsSnapshot, MarketOdds},
        {CompetitorEvent: "betpawa_event_id", ScrapeError: "event_id"},
    ),
    (
        CompetitorTournament,
        {
            CompetitorTournament,
            CompetitorEvent,
            CompetitorOddsSnapshot,
            CompetitorMarketOdds,
        },
        {},
    ),
]


@pytest.mark.parametrize("by", ["session", "statement"])
@pytest.mark.parametrize(
    ("table", "gone", "emptied"), DELETIONS, ids=[table.__name__ for table, *_ in DELETIONS]
)
def test_deletion(
    table: type[Table],
    gone: set[type[Table]],
    emptied: dict[type[Table], str],
    by: str,
    database: str,
    run: Run,
) -> None:
    """What a row owns goes with it, what refers to it stays: through a session and without."""

    async def body() -> None:
        async with opened(database) as session:
            await stored(session)
            if by == "session":
                await session.delete((await session.scalars(select(table))).one())
            else:
                await session.execute(delete(table))
            await session.commit()
            session.expunge_all()
            left = {one for one in ALL if await count(session, one)}
            assert left == ALL - gone
            for referrer, name in emptied.items():
                row = (await session.scalars(select(referrer))).one()
                assert getattr(row, name) is None

    run(body())


@pytest.mark.parametrize("table", [Sport, Bookmaker])
def test_reference_rows_in_use_stay(table: type[Table], database: str, run: Run) -> None:
    """A sport or bookmaker that something refers to cannot be deleted."""

    async def body() -> None:
        async with opened(database) as session:
            await stored(session)
            with pytest.raises(IntegrityError, match="foreign key"):
                await session.execute(delete(table))

    run(body())


@pytest.mark.parametrize(
    ("market", "name"),
    [(MarketOdds, "event_id"), (CompetitorMarketOdds, "competitor_event_id")],
)
def test_wrong_event_of_a_market(market: Any, name: str, database: str, run: Run) -> None:
    """A market can only name its snapshot's event, though another one exists."""

    async def body() -> None:
        async with opened(database) as session:
            rows = await stored(session)
            owner = rows[Event if name == "event_id" else CompetitorEvent]
            keys = {"tournament_id": owner.tournament_id, "sportradar_id": "2"}
            if isinstance(owner, CompetitorEvent):
                keys |= {"source": "bet9ja", "external_id": "2"}
            other = type(owner)(**FIXTURE | keys)
            session.add(other)
            await session.flush()
            with pytest.raises(IntegrityError, match=f"fk_{market.__tablename__}"):
                await session.execute(update(market).values({name: other.id}))

    run(body())


@pytest.mark.parametrize(
    ("table", "changed"),
    [
        (Sport, {"name": "T"}),
        (Sport, {"slug": "t"}),
        (Bookmaker, {"name": "B"}),
        (Bookmaker, {"slug": "b"}),
        (Tournament, {"country": "Elsewhere"}),
        (Event, {"sportradar_id": "2"}),
        (EventBookmaker, None),
        (OddsSnapshot, {"captured_at": NOON + timedelta(microseconds=1)}),
        (CompetitorTournament, {"source": "other"}),
        (CompetitorTournament, {"external_id": "2"}),
        (CompetitorEvent, {"source": "other"}),
        (CompetitorEvent, {"external_id": "2"}),
        (CompetitorOddsSnapshot, {"captured_at": NOON + timedelta(microseconds=1)}),
    ],
)
def test_uniqueness(
    table: type[Table], changed: dict[str, Any] | None, database: str, run: Run
) -> None:
    """A row that differs in one part of its key is another row; one that does not is refused."""

    async def body() -> None:
        async with opened(database) as session:
            await stored(session)
            row = (await session.scalars(select(table).order_by(table.id.desc()))).first()
            values = {**row.model_dump(), "id": None}
            names = {"name": "T2", "slug": "t2"} if table in (Sport, Bookmaker) else {}
            if changed is not None:
                async with session.begin_nested() as savepoint:
                    session.add(table(**values | names | changed))
                    await session.flush()
                    await savepoint.rollback()
            session.add(table(**values))
            with pytest.raises(IntegrityError, match=f"uq_{table.__tablename__}"):
                await session.flush()

    run(body())


async def drop_checks(url: str) -> None:
    """Leave a database that takes what its contracts would refuse."""
    async with sqlalchemy_connect(url) as connection:
        for table in metadata.sorted_tables:
            for check in table.constraints:
                if isinstance(check, CheckConstraint):
                    await connection.execute(
                        text(f"ALTER TABLE {table} DROP CONSTRAINT {check.name}")
                    )
        await connection.commit()


def test_loading_validates_nothing(database: str, run: Run) -> None:
    """Rows that today's contract would refuse, written by another release, load as they are."""

    async def body() -> None:
        async with opened(database) as session:
            await stored(session)
            for statement in (
                "UPDATE events SET name = '  ', kickoff = '1950-01-01T00:00:00Z'",
                "UPDATE competitor_tournaments SET source = 'Not A Slug', country_iso = 'zzz'",
                "UPDATE market_odds SET handicap_home = 'NaN', outcomes = "
                """'[{"name": "", "odds": 0.5, "margin": 1}, {"name": "", "odds": 2}]'""",
                "UPDATE scrape_runs SET events_failed = -1",
            ):
                await session.execute(text(statement))
            event = (await session.scalars(select(Event))).one()
            assert (event.name, event.kickoff.year) == ("  ", 1950)
            tournament = (await session.scalars(select(CompetitorTournament))).one()
            assert (tournament.source, tournament.country_iso) == ("Not A Slug", "zzz")
            market = (await session.scalars(select(MarketOdds))).one()
            assert market.handicap_home != market.handicap_home
            assert [outcome.model_dump() for outcome in market.outcomes] == [
                {"name": "", "odds": 0.5, "is_active": True},
                {"name": "", "odds": 2.0, "is_active": True},
            ]
            assert (await session.scalars(select(ScrapeRun))).one().events_failed == -1

    # Before there were CHECKs.
    run(drop_checks(database))
    run(body())


def test_assignment_is_written(database: str, run: Run) -> None:
    """An assignment to a loaded row reaches the database; a refused one leaves nothing to write."""

    async def body() -> None:
        async with opened(database) as session:
            await stored(session)
            market = (await session.scalars(select(MarketOdds))).one()
            with pytest.raises(ValidationError):
                market.outcomes = ()
            assert market not in session.dirty
            market.outcomes = (Outcome(name="1", odds=1.5, is_active=False),)
            await session.commit()
            raw = await session.execute(text("SELECT outcomes FROM market_odds"))
            assert raw.scalar_one() == [{"name": "1", "odds": 1.5, "is_active": False}]

    run(body())


def test_core_insert_of_outcomes(database: str, run: Run) -> None:
    """Core inserts take outcomes as objects or as dicts, and hold both to the contract."""

    async def body() -> None:
        async with opened(database) as session:
            rows = await stored(session)
            snapshot = rows[CompetitorOddsSnapshot]
            keys = {
                "snapshot_id": snapshot.id,
                "competitor_event_id": snapshot.competitor_event_id,
            }
            await session.execute(delete(CompetitorMarketOdds))
            as_dicts = [one.model_dump() for one in MARKET["outcomes"]]
            await session.execute(
                insert(CompetitorMarketOdds),
                [MARKET | keys, MARKET | keys | {"outcomes": as_dicts}],
            )
            found = (await session.scalars(select(CompetitorMarketOdds.outcomes))).all()
            assert found == [MARKET["outcomes"]] * 2
            for bad in ([{"name": "1", "odds": 0.5}], [], [{"name": "1", "odds": 2.0, "x": 1}]):
                with pytest.raises(Exception, match="validation error") as caught:
                    await session.execute(
                        insert(CompetitorMarketOdds), [MARKET | keys | {"outcomes": bad}]
                    )
                assert isinstance(caught.value, ValidationError) or isinstance(
                    caught.value.__cause__, ValidationError
                )

    run(body())


@pytest.mark.parametrize("value", [None, {}, [], 0, "x", {"a": [1, None, {"b": 1.5}]}])
def test_json_null(value: Any, database: str, run: Run) -> None:
    """A missing document is SQL's NULL, any other value is itself."""

    async def body() -> None:
        async with opened(database) as session:
            session.add(ScrapeRun(platform_timings=value))
            await session.flush()
            session.expunge_all()
            assert (await session.scalars(select(ScrapeRun.platform_timings))).one() == value
            is_null = await session.execute(
                text("SELECT platform_timings IS NULL FROM scrape_runs")
            )
            assert is_null.scalar_one() is (value is None)

    run(body())
