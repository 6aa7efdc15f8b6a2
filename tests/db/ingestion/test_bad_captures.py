"""Captures and markets that break the contract are refused beside stored ones."""

import json
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col

from oddsschema import (
    Capture,
    CapturedCompetitorEvent,
    CapturedCompetitorTournament,
    CapturedEvent,
    CapturedSport,
    CapturedTournament,
    IngestOptions,
    ScrapeError,
    ingest,
)
from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.ingestion import Item, validate
from oddsschema.strategies import batches, contracts, damaged_captures
from tests.support.stored_captures import errors, keyed, read_back

Run = Callable[..., Any]

KEEP_RAW = IngestOptions(keep_raw=True)


@pytest.fixture
def connection(database: str, run: Run) -> Iterator[AsyncConnection]:
    """Open a connection for all examples of a test. Each example rolls back."""
    stack = AsyncExitStack()
    yield run(stack.enter_async_context(sqlalchemy_connect(database)))
    run(stack.aclose())


FEW = st.sampled_from(("1", "2"))
TIMES = st.sampled_from([datetime(2024, 1, day, tzinfo=UTC) for day in (1, 2)])
SPORTS = contracts(
    CapturedSport,
    slug=st.sampled_from(("football", "1", "2")),
    name=st.sampled_from(("Football", "1", "2")),
)
FIXTURE = {
    "sportradar_id": FEW,
    "name": FEW,
    **{name: st.just("1") for name in ("home_team", "away_team")},
    "kickoff": TIMES,
}
CONTRADICTORY_EVENTS: dict[str, st.SearchStrategy[Any]] = {
    "event": contracts(
        CapturedEvent,
        **FIXTURE,
        bookmaker=FEW,
        external_event_id=FEW,
        event_url=st.none(),
        tournament=contracts(
            CapturedTournament, sport=SPORTS, name=FEW, country=FEW, sportradar_id=st.none() | FEW
        ),
    ),
    "competitor_event": contracts(
        CapturedCompetitorEvent,
        **FIXTURE,
        source=FEW,
        external_id=FEW,
        tournament=contracts(
            CapturedCompetitorTournament,
            source=st.none(),
            external_id=FEW,
            sport=SPORTS,
            name=FEW,
            sportradar_id=st.none() | FEW,
            country_raw=st.none() | FEW,
            country_iso=st.none(),
        ),
    ),
}
#: Captures of so few events that they contradict each other.
CONTRADICTORY = st.sampled_from(sorted(CONTRADICTORY_EVENTS)).flatmap(
    lambda side: contracts(
        Capture,
        **{name: st.none() for name in CONTRADICTORY_EVENTS}
        | {
            side: CONTRADICTORY_EVENTS[side],
            "captured_at": TIMES,
            "raw_response": st.none(),
            "markets": st.just(()),
        },
    )
)


@given(deliveries=st.lists(st.lists(CONTRADICTORY, min_size=1, max_size=6), max_size=4))
def test_contradictions_are_no_errors(
    deliveries: list[list[Capture]], connection: AsyncConnection, run: Run
) -> None:
    """Contradictory captures are stored or refused without a database error."""

    async def body() -> None:
        stored = 0
        for delivery in deliveries:
            report = await ingest(connection, delivery)
            assert errors(report) == []
            assert (
                report.total.captures_refused
                + report.total.captures_known
                + report.total.captures_stored
                == len(delivery)
            )
            # Only a sport's name can be refused.
            for refusal in report.refusals:
                assert ["tournament.sport" in problem.path for problem in refusal.problems] == [
                    True
                ]
            stored += report.total.captures_stored
        assert len(keyed(await read_back(connection))) == stored

    try:
        run(body())
    finally:
        run(connection.rollback())


def delivered(capture: dict[str, Any], form: str) -> tuple[Any, bool]:
    """Return a capture in one of the forms of `ingest`, and whether it is refused as a whole."""
    payload = capture if form == "dict" else json.dumps(capture)
    return payload, validate(Item("-", 1, payload)).capture is None


@given(batch=batches(), damaged=st.lists(damaged_captures(), min_size=1), data=st.data())
def test_refused_captures_are_not_stored(
    batch: list[Capture],
    damaged: list[dict[str, Any]],
    data: st.DataObject,
    connection: AsyncConnection,
    run: Run,
) -> None:
    """Among bad captures only the good ones are stored.

    Each refusal is in the report and in `scrape_errors`, and nowhere else.
    """
    forms = st.sampled_from(("dict", "json"))
    bad = [
        capture
        for capture, is_refused in (delivered(capture, data.draw(forms)) for capture in damaged)
        if is_refused
    ]
    good = [delivered(capture.model_dump(mode="json"), data.draw(forms))[0] for capture in batch]

    async def body() -> None:
        mixed = data.draw(st.permutations([*good, *bad]))
        report = await ingest(connection, mixed, options=KEEP_RAW)
        assert errors(report) == []
        assert report.total.captures_refused == len(report.refusals) == len(bad)
        assert keyed(await read_back(connection)) == keyed(batch)
        recorded = select(func.count()).where(col(ScrapeError.error_type) == "refused")
        assert (await connection.execute(recorded)).scalar_one() == len(bad)

    try:
        run(body())
    finally:
        run(connection.rollback())


#: Changes that break a market.
SPOILT = st.sampled_from(
    (
        {"outcomes": []},
        {"line": "much"},
        {"betpawa_market_id": "\0"},
        {"handicap_type": "asian", "handicap_home": None},
        {"colour": "red"},
    )
)


# At one instant, a market that is refused has no state that it keeps.
@given(batch=batches(captured_at=datetime(2024, 1, 1, tzinfo=UTC)), data=st.data())
def test_bad_markets_are_left_out(
    batch: list[Capture], data: st.DataObject, connection: AsyncConnection, run: Run
) -> None:
    """A capture is stored without its bad markets, unless all of them are bad."""
    delivery, expected, refused, bad = [], [], 0, 0
    for capture in batch:
        spoilt = data.draw(st.lists(st.none() | SPOILT, max_size=len(capture.markets)))
        markets = [market.model_dump(mode="json") for market in capture.markets]
        left = [at for at in range(len(markets)) if at >= len(spoilt) or spoilt[at] is None]
        for market, damage in zip(markets, spoilt, strict=False):
            market.update(damage or {})
        if left and data.draw(st.booleans()):
            markets.append(markets[left[0]])
        delivery.append(capture.model_dump(mode="json") | {"markets": markets})
        not_empty = sum(market["outcomes"] != [] for market in markets)
        if not_empty == len(markets) > 0 and not left:
            refused += 1
        else:
            bad += not_empty - len(left)
            good = tuple(capture.markets[at] for at in left)
            expected.append(capture.model_copy(update={"markets": good}))

    async def body() -> None:
        report = await ingest(connection, delivery, options=KEEP_RAW)
        assert errors(report) == []
        assert (report.total.captures_refused, report.total.markets_refused) == (refused, bad)
        assert keyed(await read_back(connection)) == keyed(expected)

    try:
        run(body())
    finally:
        run(connection.rollback())
