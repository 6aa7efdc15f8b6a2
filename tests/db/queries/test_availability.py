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
def test_offers_are_what_was_offered(parts: Any, connection: Any, run: Run) -> None:
    """A bookmaker's offer at an instant is that of its last capture until then."""

    async def check(stored: Stored) -> None:
        for at in [*INSTANTS, None]:
            found: dict[Any, dict[Any, Any]] = defaultdict(dict)
            for offer in await stored.all(queries.offers(at)):
                found[listing(offer)][key(offer)] = plain(offer.model_dump())
                past = [one for one in stored.listings[listing(offer)] if at is None or one <= at]
                assert offer.seen_at == max(past)
            wanted = {
                (platform, event): stored.model.at(platform, at or INSTANTS[-1], event)
                for platform, event in stored.listings
            }
            assert found == {one: state for one, state in wanted.items() if state}, at

    stored(connection, run, parts, check)


@given(parts=batches, at=st.sampled_from([*INSTANTS, None]))
def test_conditions_leave_what_they_say(
    parts: Any, at: datetime | None, connection: Any, run: Run
) -> None:
    """A condition in SQL selects the same offers as in Python."""
    conditions: list[tuple[Any, Callable[[Offer], bool]]] = [
        (Offer.bookmaker == "bet9ja", lambda one: one.bookmaker == "bet9ja"),
        (Offer.sportradar_id == "1", lambda one: one.sportradar_id == "1"),
        (col(Offer.event_id).is_(None), lambda one: one.event_id is None),
        (col(Offer.line).is_(None), lambda one: one.line is None),
        (Offer.line == 0, lambda one: one.line == 0),
        (Offer.handicap_type == "asian", lambda one: one.handicap_type == "asian"),
        (Offer.betpawa_market_name == "Goals", lambda one: one.betpawa_market_name == "Goals"),
        (Offer.seen_at < KICKOFF, lambda one: one.seen_at < KICKOFF),
        (queries.overround(Offer.outcomes) > 0, lambda one: (overround(one.outcomes) or 0) > 0),
    ]

    async def check(stored: Stored) -> None:
        offers = await stored.all(queries.offers(at))
        ids = sorted({one.event_id for one in offers if one.event_id is not None})
        for event_id in ids:
            conditions.append(
                (Offer.event_id == event_id, lambda one, i=event_id: one.event_id == i)
            )
        conditions.append((col(Offer.event_id).in_(ids), lambda one: one.event_id in ids))
        for condition, holds in conditions:
            found = await stored.all(queries.offers(at).where(condition))
            assert set(found) == {one for one in offers if holds(one)}, str(condition)

    stored(connection, run, parts, check)


@given(parts=batches)
def test_events_are_side_by_side(parts: Any, connection: Any, run: Run) -> None:
    """Offers of matched events refer to BetPawa's event; unmatched events are listed."""

    async def check(stored: Stored) -> None:
        events = dict(await stored.all(select(Event.sportradar_id, Event.id)))
        theirs = {
            (one.source, one.sportradar_id): one.id
            for one in await stored.all(select(CompetitorEvent))
        }
        for offer in await stored.all(queries.offers()):
            assert offer.event_id == events.get(offer.sportradar_id)
            assert offer.competitor_event_id == theirs.get(listing(offer))
        unmatched = await stored.all(queries.unmatched_events())
        assert {one.id for one in unmatched} == {
            id for (_, event), id in theirs.items() if event not in events
        }

    stored(connection, run, parts, check)


@given(parts=batches, at=st.sampled_from([*INSTANTS, None]))
def test_best_prices_are_the_highest(
    parts: Any, at: datetime | None, connection: Any, run: Run
) -> None:
    """Each active outcome has its highest odds, and every bookmaker that offers them."""

    async def check(stored: Stored) -> None:
        names = {"2": "1"}
        wanted: dict[Any, dict[float, set[str]]] = defaultdict(lambda: defaultdict(set))
        for offer in await stored.all(queries.offers(at)):
            for one in offer.outcomes:
                if one.is_active:
                    which = offer.sportradar_id, key(offer), names.get(one.name, one.name)
                    wanted[which][one.odds].add(offer.bookmaker)
        best = queries.best_prices(queries.offers(at), names)
        found = await stored.all(best)
        assert {
            (one.sportradar_id, key(one), one.outcome): (one.odds, one.bookmakers) for one in found
        } == {which: (max(odds), tuple(sorted(odds[max(odds)]))) for which, odds in wanted.items()}
        assert len(found) == len(wanted)
        some = await stored.all(
            queries.best_prices(queries.offers(at).where(Offer.sportradar_id == "1"), names)
        )
        assert set(some) == {one for one in found if one.sportradar_id == "1"}

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
        assert not {(one.source, one.external_id) for one in unmatched} & deleted
        if len(deleted) == 4:
            assert all(
                one.markets == one.markets_gone == 0
                for one in await stored.all(queries.coverage())
                if one.platform in ("bet9ja", "sportybet")
            )

    stored(connection, run, parts, check)
