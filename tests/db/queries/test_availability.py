"""Offers at an instant, compared with a model that keeps everything."""

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, update
from sqlmodel import col, select

from oddsschema import CompetitorEvent, CompetitorTournament, Event, queries
from oddsschema.queries import Offer
from tests.support.histories import plain
from tests.support.query_model import (
    EVENTS,
    INSTANTS,
    KICKOFF,
    Stored,
    batches,
    key,
    listing,
    overround,
    stored,
)

Run = Callable[..., Any]


@given(parts=batches)
def test_offers(parts: Any, connection: Any, run: Run) -> None:
    """An offer at an instant is that of the last capture until then, and of refused markets."""

    async def check(stored: Stored) -> None:
        listings = stored.listings
        for at in [*INSTANTS, None]:
            found: dict[Any, dict[Any, Any]] = defaultdict(dict)
            carried: dict[Any, set[Any]] = defaultdict(set)
            for offer in await stored.all(queries.offers(at)):
                found[listing(offer)][key(offer)] = plain(offer.model_dump())
                past = [seen for seen in listings[listing(offer)] if at is None or seen <= at]
                assert offer.seen_at == max(past)
                if offer.is_carried:
                    carried[listing(offer)].add(key(offer))
            wanted = {
                (platform, event): stored.model.at(platform, at or INSTANTS[-1], event)
                for platform, event in listings
            }
            assert found == {listed: state for listed, state in wanted.items() if state}, at
            assert carried == {
                listed: keys for listed, keys in stored.carried(at or INSTANTS[-1]).items() if keys
            }, at

    stored(connection, run, parts, check)


@given(parts=batches, at=st.sampled_from([*INSTANTS, None]))
def test_conditions(parts: Any, at: datetime | None, connection: Any, run: Run) -> None:
    """A condition in SQL selects the same offers as in Python."""
    conditions: list[tuple[Any, Callable[[Offer], bool]]] = [
        (Offer.bookmaker == "bet9ja", lambda offer: offer.bookmaker == "bet9ja"),
        (Offer.sportradar_id == "1", lambda offer: offer.sportradar_id == "1"),
        (col(Offer.event_id).is_(None), lambda offer: offer.event_id is None),
        (col(Offer.line).is_(None), lambda offer: offer.line is None),
        (Offer.line == 0, lambda offer: offer.line == 0),
        (Offer.handicap_type == "asian", lambda offer: offer.handicap_type == "asian"),
        (Offer.betpawa_market_name == "Goals", lambda offer: offer.betpawa_market_name == "Goals"),
        (Offer.specifiers == "minute=15", lambda offer: offer.specifiers == "minute=15"),
        (col(Offer.is_carried), lambda offer: offer.is_carried),
        (Offer.seen_at < KICKOFF, lambda offer: offer.seen_at < KICKOFF),
        (queries.overround(Offer.outcomes) > 0, lambda offer: (overround(offer.outcomes) or 0) > 0),
    ]

    async def check(stored: Stored) -> None:
        offers = await stored.all(queries.offers(at))
        ids = sorted({offer.event_id for offer in offers if offer.event_id is not None})
        for event_id in ids:
            conditions.append(
                (Offer.event_id == event_id, lambda offer, i=event_id: offer.event_id == i)
            )
        conditions.append((col(Offer.event_id).in_(ids), lambda offer: offer.event_id in ids))
        for condition, holds in conditions:
            found = await stored.all(queries.offers(at).where(condition))
            assert set(found) == {offer for offer in offers if holds(offer)}, str(condition)

    stored(connection, run, parts, check)


@given(parts=batches)
def test_events_are_side_by_side(parts: Any, connection: Any, run: Run) -> None:
    """Offers of matched events refer to BetPawa's event; unmatched events are listed."""

    async def check(stored: Stored) -> None:
        events = dict(await stored.all(select(Event.sportradar_id, Event.id)))
        theirs = {
            (event.source, event.sportradar_id): event.id
            for event in await stored.all(select(CompetitorEvent))
        }
        for offer in await stored.all(queries.offers()):
            assert offer.event_id == events.get(offer.sportradar_id)
            assert offer.competitor_event_id == theirs.get(listing(offer))
        unmatched = await stored.all(queries.unmatched_events())
        assert {event.id for event in unmatched} == {
            id for (_, event), id in theirs.items() if event not in events
        }

    stored(connection, run, parts, check)


@given(parts=batches, at=st.sampled_from([*INSTANTS, None]))
def test_best_prices_are_the_highest(
    parts: Any, at: datetime | None, connection: Any, run: Run
) -> None:
    """Each open outcome has its highest odds, and every bookmaker that offers them."""

    async def check(stored: Stored) -> None:
        names = {"2": "X"}
        wanted: dict[Any, dict[float, set[str]]] = defaultdict(lambda: defaultdict(set))
        for offer in await stored.all(queries.offers(at)):
            for outcome in offer.outcomes:
                if outcome.is_active:
                    price_key = (
                        offer.sportradar_id,
                        key(offer),
                        names.get(outcome.name, outcome.name),
                    )
                    wanted[price_key][outcome.odds].add(offer.bookmaker)
        best = queries.best_prices(queries.offers(at), names)
        found = await stored.all(best)
        assert {
            (price.sportradar_id, key(price), price.outcome): (price.odds, price.bookmakers)
            for price in found
        } == {
            price_key: (max(odds), tuple(sorted(odds[max(odds)])))
            for price_key, odds in wanted.items()
        }
        assert len(found) == len(wanted)
        some = await stored.all(
            queries.best_prices(queries.offers(at).where(Offer.sportradar_id == "1"), names)
        )
        assert set(some) == {price for price in found if price.sportradar_id == "1"}

    stored(connection, run, parts, check)


@given(
    parts=batches,
    deleted=st.sets(st.tuples(st.sampled_from(["bet9ja", "sportybet"]), st.sampled_from(EVENTS))),
    model=st.sampled_from([CompetitorEvent, CompetitorTournament]),
)
def test_deleted_is_not_listed(
    parts: Any, deleted: set[Any], model: Any, connection: Any, run: Run
) -> None:
    """No query lists a soft-deleted event, or an event of a soft-deleted tournament."""

    async def check(stored: Stored) -> None:
        times = 0, stored.batch_ids[-1]
        statements = [
            queries.offers(),
            queries.offers(INSTANTS[-1]),
            queries.price_history(),
            queries.opening_prices(),
            queries.closing_prices(),
            queries.moves(*times),
        ]
        before = [await stored.all(statement) for statement in statements]
        for source, external_id in deleted:
            # A tournament has the external id of its only event: see `capture`.
            await connection.execute(
                update(model)
                .where(model.source == source, model.external_id == external_id)
                .values(deleted_at=func.now())
            )
        for statement, rows in zip(statements, before, strict=True):
            assert set(await stored.all(statement)) == {
                row for row in rows if listing(row) not in deleted
            }
        unmatched = await stored.all(queries.unmatched_events())
        assert not {(event.source, event.external_id) for event in unmatched} & deleted
        if len(deleted) == 4:
            assert all(
                row.markets == row.markets_gone == 0
                for row in await stored.all(queries.coverage())
                if row.platform in ("bet9ja", "sportybet")
            )

    stored(connection, run, parts, check)
