"""Price histories, opening and closing prices, compared with a model that keeps everything."""

import gzip
import random
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings

from oddsschema import Capture, IngestOptions, queries
from oddsschema.queries import Price, PricePoint
from tests.support.histories import plain
from tests.support.paths import REAL_ODDS
from tests.support.query_model import (
    KICKOFF,
    Stored,
    batches,
    key,
    listing,
    overround,
    points,
    prices,
    stored,
)

Run = Callable[..., Any]

NIGHTLY = settings.get_current_profile_name() == "nightly"


@given(parts=batches)
def test_price_history_is_every_change(parts: Any, connection: Any, run: Run) -> None:
    """A history has a point for each change of prices, each absence, and the last capture."""

    async def check(stored: Stored) -> None:
        found: dict[Any, Any] = defaultdict(list)
        rows = await stored.all(queries.price_history())
        for point in rows:
            found[(*listing(point), key(point))].append(
                (point.at, point.is_available, prices(point))
            )
        wanted = {
            (*of, market): points(instants, market)
            for of, instants in stored.listings.items()
            for market in {known for state in instants.values() for known in state}
        }
        assert found == wanted
        narrowed = queries.price_history().where(
            PricePoint.bookmaker == "bet9ja",
            PricePoint.sportradar_id == "1",
            PricePoint.betpawa_market_id == "a",
            PricePoint.line == 0,
        )
        assert await stored.all(narrowed) == [
            row
            for row in rows
            if listing(row) == ("bet9ja", "1") and (row.betpawa_market_id, row.line) == ("a", 0)
        ]
        for point, margin in await stored.all(queries.overround_history()):
            assert margin == pytest.approx(overround(point.outcomes))

    stored(connection, run, parts, check)


@given(parts=batches)
def test_opening_and_closing_prices(parts: Any, connection: Any, run: Run) -> None:
    """Opening and closing prices are the first and the last before kickoff with an open outcome."""

    async def check(stored: Stored) -> None:
        opening, closing = {}, {}
        for of, instants in stored.listings.items():
            for at in sorted(instants):
                for market, (_, known) in instants[at].items():
                    if at < KICKOFF and any(is_active for _, is_active in known.values()):
                        opening.setdefault((*of, market), (at, known, KICKOFF - at))
                        closing[(*of, market)] = (at, known, KICKOFF - at)
        for statement, wanted in (
            (queries.opening_prices(), opening),
            (queries.closing_prices(), closing),
        ):
            rows = await stored.all(statement)
            assert {
                (*listing(row), key(row)): (row.seen_at, prices(row), row.age) for row in rows
            } == wanted
            assert len(rows) == len(wanted)
            some = await stored.all(statement.where(Price.line == 0))
            assert set(some) == {row for row in rows if row.line == 0}

    stored(connection, run, parts, check)


@pytest.mark.skipif(not REAL_ODDS, reason="the real captures are not beside the clone")
@pytest.mark.parametrize("order", ["shuffled", "by day", "reverse"] if NIGHTLY else ["shuffled"])
def test_real_odds(order: str, connection: Any, run: Run) -> None:
    """Histories and states are those of the real captures, for any order of the days."""
    files = sorted(REAL_ODDS, key=lambda path: path.name.split("-", 2)[2])
    if order == "reverse":
        files.reverse()
    elif order == "shuffled":
        random.Random(7).shuffle(files)
    parts = []
    for path in files:
        with gzip.open(path) as lines:
            captures = [Capture.model_validate_json(line).model_dump() for line in lines]
        for (
            capture
        ) in captures:  # Bet9ja lists some events twice; the model has a single event for them
            event = capture["competitor_event"]
            event["sportradar_id"] = event["external_id"]
        parts.append((captures, IngestOptions()))

    async def check(stored: Stored) -> None:
        found: dict[Any, Any] = defaultdict(list)
        for point in await stored.all(queries.price_history()):
            found[(*listing(point), key(point))].append(
                (point.at, point.is_available, prices(point))
            )
        assert found == {
            (*of, market): points(instants, market)
            for of, instants in stored.listings.items()
            for market in {known for state in instants.values() for known in state}
        }
        for at in {at for instants in stored.listings.values() for at in instants}:
            states: dict[Any, dict[Any, Any]] = defaultdict(dict)
            for offer in await stored.all(queries.offers(at)):
                states[listing(offer)][key(offer)] = plain(offer.model_dump())
            wanted = {of: stored.model.at(of[0], at, of[1]) for of in stored.listings}
            assert states == {of: state for of, state in wanted.items() if state}

    stored(connection, run, parts, check)
