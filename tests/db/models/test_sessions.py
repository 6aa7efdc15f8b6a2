"""Rows under an ORM session: loading, assignment and insertion."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import CheckConstraint, delete, event, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from oddsschema import (
    Bookmaker,
    CompetitorEvent,
    CompetitorMarketOdds,
    CompetitorOddsSnapshot,
    CompetitorTournament,
    Event,
    MarketOdds,
    OddsSnapshot,
    Outcome,
    ScrapeRun,
)
from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.models import metadata
from oddsschema.models.sides import SIDES, Side
from tests.support.example_world import MARKET, NOON, opened, stored

Run = Callable[..., Any]


def test_server_fills_omitted_columns(database: str, run: Run) -> None:
    """PostgreSQL sets omitted ids and times; the times are aware and in UTC."""

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


async def drop_checks(url: str) -> None:
    """Drop all CHECKs, so that the database accepts rows that contracts refuse."""
    async with sqlalchemy_connect(url) as connection:
        for table in metadata.sorted_tables:
            for check in table.constraints:
                if isinstance(check, CheckConstraint):
                    await connection.execute(
                        text(f"ALTER TABLE {table} DROP CONSTRAINT {check.name}")
                    )
        await connection.commit()


def test_loading_validates_nothing(database: str, run: Run) -> None:
    """Rows of another release that break today's contract are loaded unchanged."""

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

    # As in a release without CHECKs.
    run(drop_checks(database))
    run(body())


def test_assignment_is_written(database: str, run: Run) -> None:
    """An assignment to a loaded row is written; a refused one writes nothing."""

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
    """Core inserts accept outcomes as objects or dicts, and validate both."""

    async def body() -> None:
        async with opened(database) as session:
            rows = await stored(session)
            snapshot = rows[CompetitorOddsSnapshot]
            keys = {
                "snapshot_id": snapshot.id,
                "competitor_event_id": snapshot.competitor_event_id,
            }
            await session.execute(delete(CompetitorMarketOdds))
            as_dicts = [outcome.model_dump() for outcome in MARKET["outcomes"]]
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
    """A missing document is NULL in SQL; any other value is stored unchanged."""

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


@pytest.mark.parametrize("side", SIDES, ids=["competitors", "betpawa"])
@pytest.mark.parametrize("is_loaded", [True, False], ids=["loaded", "unknown"])
def test_markets_by_the_id_of_their_snapshot(
    database: str, run: Run, side: Side, is_loaded: bool
) -> None:
    """Markets with their snapshot's id alone get its event, with one query if it is not loaded."""

    async def body() -> None:
        async with opened(database) as session:
            await stored(session)
            snapshot: Any = (await session.scalars(select(side.snapshot_model))).one()
            if not is_loaded:
                session.expunge_all()
            rows: list[Any] = [side.market_model(**MARKET, snapshot_id=snapshot.id) for _ in "abc"]
            session.add_all(rows)
            connection = (await session.connection()).sync_connection
            assert connection is not None
            sent: list[str] = []
            event.listen(connection, "before_cursor_execute", lambda *call: sent.append(call[2]))
            await session.flush()
            selects = [statement for statement in sent if statement.startswith("SELECT")]
            assert len(selects) == (0 if is_loaded else 1)
            for row in rows:
                await session.refresh(row)
                assert getattr(row, side.event_column) == getattr(snapshot, side.event_column)

    run(body())


def test_market_of_an_unknown_snapshot(database: str, run: Run) -> None:
    """A market of a snapshot that does not exist is refused by PostgreSQL."""

    async def body() -> None:
        async with opened(database) as session:
            await stored(session)
            session.add(CompetitorMarketOdds(**MARKET, snapshot_id=2**40))
            with pytest.raises(IntegrityError):
                await session.flush()

    run(body())


def test_captured_at_of_the_statement(database: str, run: Run) -> None:
    """Two snapshots of one event in one transaction have times of their own; others keep theirs."""

    async def body() -> None:
        async with opened(database) as session:
            await stored(session)
            for table in (OddsSnapshot, CompetitorOddsSnapshot):
                given = (await session.scalars(select(table))).one()
                rows = [given.model_copy(update={"id": None, "captured_at": None}) for _ in "ab"]
                for row in rows:
                    session.add(row)
                    await session.flush()
                assert given.captured_at == NOON
                assert NOON < rows[0].captured_at < rows[1].captured_at

    run(body())


@pytest.mark.parametrize("table", [Bookmaker, CompetitorEvent])
def test_updated_at(database: str, run: Run, table: Any) -> None:
    """An update by the ORM sets `updated_at`, which can be read at once."""

    async def body() -> None:
        async with opened(database) as session:
            await stored(session)
            row = (await session.scalars(select(table).limit(1))).one()
            await session.execute(update(table).values(updated_at=datetime(2024, 1, 1, tzinfo=UTC)))
            await session.refresh(row)
            row.name = f"{row.name} II"
            await session.flush()
            assert abs(row.updated_at - datetime.now(UTC)) < timedelta(minutes=5)

    run(body())
