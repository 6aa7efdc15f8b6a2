"""Rows under an ORM session: loading, assignment and insertion."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import CheckConstraint, delete, insert, select, text

from oddsschema import (
    CompetitorMarketOdds,
    CompetitorOddsSnapshot,
    CompetitorTournament,
    Event,
    MarketOdds,
    Outcome,
    ScrapeRun,
)
from oddsschema.contracts.base import metadata
from oddsschema.database.connections import sqlalchemy_connect
from tests.support.example_world import MARKET, opened, stored

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
