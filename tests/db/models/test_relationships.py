"""Relationships, and PostgreSQL's guards: deletions, uniqueness and references."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
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
    ScrapeBatch,
    ScrapeError,
    ScrapeRun,
    ScrapeStatus,
    Sport,
    Table,
    Tournament,
)
from oddsschema.models import metadata
from tests.support.example_world import FIXTURE, MARKET, NOON, count, opened, stored, world

Run = Callable[..., Any]


def test_world_is_whole() -> None:
    """The world has a row of every table."""
    assert {table.__tablename__ for table in world()} == set(metadata.tables)


def test_relationships_carry_everything(database: str, run: Run) -> None:
    """The added roots store a row in each table, with every foreign key."""

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
    """A batch with its runs and their snapshots is one eager load."""

    async def body() -> None:
        async with opened(database) as session:
            await stored(session)
            load = selectinload(ScrapeBatch.runs).selectinload(getattr(ScrapeRun, name))
            batch = (await session.scalars(select(ScrapeBatch).options(load))).one()
            assert [platform_run.platform for platform_run in batch.runs] == ["betking"]
            assert batch.runs[0].batch is batch
            assert [platform_run.captured_at for platform_run in getattr(batch.runs[0], name)] == [
                NOON
            ]
            assert batch.status is ScrapeStatus.PENDING

    run(body())


ALL = frozenset(world())

#: The effects of a row's deletion: tables that lose their row, references that become NULL.
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
    """A deletion removes owned rows and keeps referring rows, by session and by statement."""

    async def body() -> None:
        async with opened(database) as session:
            await stored(session)
            if by == "session":
                await session.delete((await session.scalars(select(table))).one())
            else:
                await session.execute(delete(table))
            await session.commit()
            session.expunge_all()
            left = {table for table in ALL if await count(session, table)}
            assert left == ALL - gone
            for referrer, name in emptied.items():
                row = (await session.scalars(select(referrer))).one()
                assert getattr(row, name) is None

    run(body())


@pytest.mark.parametrize("table", [Sport, Bookmaker])
def test_reference_rows_in_use_stay(table: type[Table], database: str, run: Run) -> None:
    """A sport or bookmaker with references cannot be deleted."""

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
    """A market can only refer to its snapshot's event."""

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
    """A row with another key is accepted; a row with the same key is refused."""

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
