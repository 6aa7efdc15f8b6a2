"""Prices and overrounds over time, compared with the offers at each instant."""

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsschema import queries
from oddsschema.queries import OverroundSpan, PriceSpan, lined_up
from tests.support.query_model import INSTANTS, Stored, batches, key, listing, overround, stored

Run = Callable[..., Any]

#: The bounds of a read: each may be left out.
bounds = (
    st.tuples(st.sampled_from([None, *INSTANTS]), st.sampled_from([None, *INSTANTS]))
    .map(lambda pair: pair if None in pair else tuple(sorted(pair)))
    .filter(lambda pair: None in pair or pair[0] < pair[1])
)


def within(spans: Any, at: datetime) -> list[Any]:
    """List the spans that an instant is in."""
    return [
        span
        for span in spans
        if span.valid_from <= at and (span.valid_to is None or at < span.valid_to)
    ]


def some_instants(since: datetime | None, until: datetime | None) -> list[datetime]:
    """List the first instants of the tests within bounds, and the last ones."""
    inside = [
        at for at in INSTANTS if (since is None or at >= since) and (until is None or at < until)
    ]
    return sorted({*inside[1:4], *inside[-3:]})


def check_spans(
    spans: Any, of: Callable[[Any], Any], values: Callable[[Any], Any], between: Any
) -> None:
    """Check that spans are in the bounds, and as long as they can be."""
    since, until = between
    histories = defaultdict(list)
    for span in spans:
        assert span.valid_to is None or span.valid_from < span.valid_to
        assert since is None or span.valid_from >= since
        assert until is None or (span.valid_to is not None and span.valid_to <= until)
        histories[of(span)].append(span)
    for history in histories.values():
        history.sort(key=lambda span: span.valid_from)
        for span, following in pairwise(history):
            assert span.valid_to is not None
            assert span.valid_to <= following.valid_from
            assert span.valid_to < following.valid_from or values(span) != values(following)


@given(parts=batches, between=bounds)
def test_prices_are_the_offers_of_each_instant(
    parts: Any, between: Any, connection: Any, run: Run
) -> None:
    """At each instant, the prices are those of the offers then; no span could be longer."""

    async def check(stored: Stored) -> None:
        spans = await stored.all(queries.prices(*between))
        for at in some_instants(*between):
            wanted = {
                (*listing(offer), key(offer), outcome.name): (outcome.odds, outcome.is_active)
                for offer in await stored.all(queries.offers(at))
                for outcome in lined_up(offer)
            }
            found = {
                (*listing(span), key(span), span.outcome): (span.odds, span.is_active)
                for span in within(spans, at)
            }
            assert found == wanted
            assert len(within(spans, at)) == len(wanted)
        check_spans(
            spans,
            lambda span: (*listing(span), key(span), span.outcome),
            lambda span: (span.odds, span.is_active),
            between,
        )

    stored(connection, run, parts, check)


@given(parts=batches, between=bounds)
def test_overrounds_are_those_of_each_instant(
    parts: Any, between: Any, connection: Any, run: Run
) -> None:
    """At each instant, the overrounds are those of the offers then; no span could be longer."""

    async def check(stored: Stored) -> None:
        spans = await stored.all(queries.overrounds(*between))
        for at in some_instants(*between):
            found = {(*listing(span), key(span)): span.overround for span in within(spans, at)}
            offers = await stored.all(queries.offers(at))
            assert set(found) == {(*listing(offer), key(offer)) for offer in offers}
            for offer in offers:
                margin = found[(*listing(offer), key(offer))]
                assert margin == pytest.approx(overround(offer.outcomes))
        check_spans(
            spans,
            lambda span: (*listing(span), key(span)),
            lambda span: span.overround,
            between,
        )

    stored(connection, run, parts, check)


@given(parts=batches)
def test_choices_are_conditions(parts: Any, connection: Any, run: Run) -> None:
    """A choice reads the rows that a condition would, and conditions can be added."""

    async def check(stored: Stored) -> None:
        rows = await stored.all(queries.prices())
        ids = {row.event_id for row in rows} - {None}
        for choice, is_chosen in (
            ({"events": ["sr:match:1"]}, lambda row: row.sportradar_id == "1"),
            ({"events": list(ids)}, lambda row: row.event_id is not None),
            (
                {"events": ["2", *ids]},
                lambda row: row.event_id is not None or row.sportradar_id == "2",
            ),
            ({"events": []}, lambda row: False),
            (
                {"bookmakers": ["betpawa", "bet9ja"]},
                lambda row: row.bookmaker in ("betpawa", "bet9ja"),
            ),
            ({"markets": ["a"]}, lambda row: row.betpawa_market_id == "a"),
        ):
            found = await stored.all(queries.prices(**choice))
            assert set(found) == set(filter(is_chosen, rows))
        some = await stored.all(queries.prices().where(PriceSpan.line == 0))
        assert set(some) == {row for row in rows if row.line == 0}
        await stored.all(queries.overrounds(events=["1"]).where(OverroundSpan.overround < 0))

    stored(connection, run, parts, check)


def test_wrong_bounds_are_refused() -> None:
    """Times without a zone, bounds in the wrong order, and a text for a list are refused."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="since must have a time zone"):
        queries.prices(datetime(2026, 1, 1))
    with pytest.raises(ValueError, match="until must have a time zone"):
        queries.prices(until=datetime(2026, 1, 1))
    with pytest.raises(ValueError, match="must be before until"):
        queries.prices(now, now - timedelta(days=1))
    with pytest.raises(TypeError, match="bookmakers must be a collection"):
        queries.prices(bookmakers="betpawa")
    with pytest.raises(TypeError, match=r"not 1\.5"):
        queries.prices(events=[1.5])  # type: ignore[list-item]
