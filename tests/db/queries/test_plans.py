"""The cost of reads: plans that use indexes."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import settings
from sqlalchemy import Integer, bindparam
from sqlmodel import col

from oddsschema import ingest, queries
from oddsschema.database.statements import compile_select
from oddsschema.queries import (
    ClosingOutcome,
    Coverage,
    Move,
    Offer,
    OfferedOutcome,
    OpeningOutcome,
    Price,
    PricePoint,
    PriceSpan,
)
from tests.support import bulk_history
from tests.support.histories import START
from tests.support.scrapes import capture as scraped
from tests.support.statements import explain, nodes

Run = Callable[..., Any]

NIGHTLY = settings.get_current_profile_name() == "nightly"

MANY = {"rows": 10_000_000, "events": 300} if NIGHTLY else {"rows": 50_000, "events": 30}


@pytest.fixture(scope="module")
def many(new_database: Callable[..., Any], template: str, run: Run) -> Iterator[tuple[Any, int]]:
    """Fill a database with a long history; return a connection and the number of scrapes."""
    with new_database(template) as url:
        connection = run(asyncpg.connect(url))
        yield connection, run(bulk_history.fill(connection, **MANY))
        run(connection.close())


def on_day(row: Any) -> tuple[Any, Any]:
    """Return the conditions on the kickoff that select event 7 alone."""
    day = datetime(2024, 1, 27, tzinfo=UTC)
    return row.kickoff >= day, row.kickoff < day + timedelta(days=1)


def reads(at: datetime, scrapes: int) -> dict[str, tuple[Any, float]]:
    """List statements with the number of buffers that each may touch."""
    side_by_side = Offer.event_id == 7
    history = queries.price_history().where(PricePoint.betpawa_market_id == "3743")
    changes = queries.moves(scrapes - 1, scrapes)
    last = bulk_history.at(scrapes - 1)
    since_keyframe = 10 * min(scrapes, 20) + 400
    of_day = queries.prices(last).where(*on_day(PriceSpan))
    # The tables of events are read.
    of_events = MANY["events"]
    return {
        # A keyframe of 170 markets and at most 19 snapshots of changes, for each platform.
        "an event as of an instant": (queries.offers(at).where(side_by_side), 400),
        "an event now": (queries.offers().where(side_by_side), 400),
        "an event by SportRadar id": (queries.offers().where(Offer.sportradar_id == "7"), 400),
        "one platform": (queries.offers(at).where(Offer.competitor_event_id == 7), 150),
        "one market": (
            queries.offers().where(
                Offer.competitor_event_id == 7, Offer.betpawa_market_id == "3743"
            ),
            150,
        ),
        "ten events": (queries.offers().where(col(Offer.event_id).in_(range(1, 11))), 4_000),
        "best prices": (queries.best_prices(queries.offers().where(side_by_side)), 400),
        # All snapshots of the event.
        "a market's history": (history.where(PricePoint.competitor_event_id == 7), 10 * scrapes),
        "a market's history everywhere": (history.where(PricePoint.event_id == 7), 30 * scrapes),
        "opening prices": (queries.opening_prices().where(Price.event_id == 7), 30 * scrapes),
        # And the last instant of each market.
        "closing prices": (
            queries.closing_prices().where(Price.event_id == 7),
            30 * scrapes + 3_000,
        ),
        "an event's prices": (queries.prices(events=[7]), 30 * scrapes),
        "an event's last prices": (queries.prices(last, events=[7]), since_keyframe),
        "an event's overrounds": (queries.overrounds(events=[7]), 30 * scrapes),
        "an event's last overrounds": (queries.overrounds(last, events=[7]), since_keyframe),
        "an event's best prices": (
            queries.best_price_spans(queries.prices(events=[7], markets=["3743"])),
            30 * scrapes,
        ),
        "an event's last best prices": (
            queries.best_price_spans(queries.prices(last, events=[7])),
            since_keyframe,
        ),
        # A day with one event.
        "a day's offers": (
            queries.offered_outcomes(at).where(*on_day(OfferedOutcome)),
            400 + of_events,
        ),
        "a day's opening prices": (
            queries.opening_outcomes().where(*on_day(OpeningOutcome)),
            30 * scrapes + of_events,
        ),
        "a day's closing prices": (
            queries.closing_outcomes().where(*on_day(ClosingOutcome)),
            30 * scrapes + 3_000 + of_events,
        ),
        "a day's last prices": (of_day, since_keyframe + of_events),
        "a day's last best prices": (queries.best_price_spans(of_day), since_keyframe + of_events),
        "a day's last best overrounds": (
            queries.best_overrounds(of_day),
            since_keyframe + of_events,
        ),
        # The states of all events at two instants.
        "moves": (changes, 1_000 * MANY["events"]),
        "an event's moves": (changes.where(Move.event_id == 7), 1_000 + 20 * MANY["events"]),
        "coverage": (queries.coverage().where(Coverage.batch_id == scrapes), 60 * MANY["events"]),
        "unmatched events": (queries.unmatched_events(), 100),
    }


@pytest.mark.parametrize("name", reads(START, 1))
def test_reads_use_indexes(name: str, many: tuple[Any, int], run: Run) -> None:
    """No read scans a whole table of snapshots or markets, or touches too many buffers."""
    connection, scrapes = many
    statement, most = reads(bulk_history.at(scrapes // 2), scrapes)[name]
    plan = run(explain(connection, statement))["Plan"]
    assert plan["Actual Rows"] > 0 or name == "unmatched events"
    read_through = {
        node["Relation Name"] for node in nodes(plan) if node["Node Type"] == "Seq Scan"
    }
    assert not read_through & {
        *("odds_snapshots", "competitor_odds_snapshots", "market_odds", "competitor_market_odds")
    }
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] <= most


@pytest.mark.parametrize("name", ["an event now", "one market", "ten events", "best prices"])
def test_now_bounds_the_index(name: str, many: tuple[Any, int], run: Run) -> None:
    """Snapshots of the future are not read: now is a bound of the index, not a filter of rows."""
    connection, scrapes = many
    statement, _ = reads(START, scrapes)[name]
    scans = [
        node for node in nodes(run(explain(connection, statement))["Plan"]) if "Index Cond" in node
    ]
    assert any("statement_timestamp" in node["Index Cond"] for node in scans)
    assert not any("statement_timestamp" in node.get("Filter", "") for node in scans)


#: Reads that a program keeps, with the number of buffers that each may touch.
EVENT = bindparam("event", type_=Integer)
KEPT: dict[str, tuple[Any, int]] = {
    "an event": (queries.offers().where(col(Offer.event_id) == EVENT), 400),
    "one platform": (queries.offers().where(col(Offer.competitor_event_id) == EVENT), 150),
    "best prices": (
        queries.best_prices(queries.offers().where(col(Offer.event_id) == EVENT)),
        400,
    ),
}


@pytest.mark.parametrize("name", KEPT)
def test_generic_plans(name: str, many: tuple[Any, int], run: Run) -> None:
    """A plan that PostgreSQL keeps for all events touches as few buffers as one for an event."""
    connection, _ = many
    statement, most = KEPT[name]
    select = compile_select(statement)
    values = ", ".join(map(_literal, select.arguments({"event": 7})))

    async def body() -> Any:
        await connection.execute(
            f"SET plan_cache_mode = force_generic_plan; PREPARE kept AS {select.text}"
        )
        try:
            plan = await connection.fetchval(
                f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE kept ({values})"
            )
            generic = "SELECT generic_plans FROM pg_prepared_statements WHERE name = 'kept'"
            assert await connection.fetchval(generic) == 1
        finally:
            await connection.execute("DEALLOCATE kept; RESET plan_cache_mode")
        return json.loads(plan)[0]["Plan"]

    plan = run(body())
    assert plan["Actual Rows"] > 0
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] <= most


def _literal(value: object) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value)


def test_keys_of_refused_markets_are_read_once(many: tuple[Any, int], run: Run) -> None:
    """A read of a snapshot with many refused markets reads their keys once, not for each row."""
    connection, _ = many
    captures = [scraped("bet9ja", 9_999, minute, markets=300) for minute in (0, 1)]
    for market in captures[1]["markets"][::2]:
        market["outcomes"][0]["odds"] = 0.5

    async def body() -> list[Any]:
        transaction = connection.transaction()
        await transaction.start()
        try:
            report = await ingest(connection, captures)
            assert report.total.markets_refused == 150
            statements = (
                queries.offers().where(Offer.sportradar_id == "40009999"),
                queries.coverage().where(Coverage.batch_id == report.batch_id),
            )
            return [(await explain(connection, each))["Plan"] for each in statements]
        finally:
            await transaction.rollback()

    for plan in run(body()):
        loops = [
            node["Actual Loops"]
            for node in nodes(plan)
            if node.get("Function Name") == "jsonb_array_elements"
        ]
        assert 1 <= sum(loops) <= 2
