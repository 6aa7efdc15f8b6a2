"""Reads against a model that keeps everything, and what they cost.

However captures came and were stored, each query says of every event, market and instant what the
model says. Conditions on its columns leave of it what they leave of the model's answer.
"""

import gzip
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, func, literal, make_url, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool
from sqlmodel import Session, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from oddsschema import (
    Capture,
    CompetitorEvent,
    CompetitorTournament,
    Event,
    IngestOptions,
    Outcome,
    ingest,
    queries,
    strategies,
)
from oddsschema.contracts.outcomes import OutcomesJSONB
from oddsschema.ingestion.records import Key
from oddsschema.models.odds import market_key
from oddsschema.queries import Coverage, Move, Offer, Price, PricePoint
from tests.benchmarks import bulk
from tests.db._histories import REAL_ODDS, START, STORAGE, Model, capture, captured, plain

Run = Callable[..., Any]

NIGHTLY = settings.get_current_profile_name() == "nightly"

PLATFORMS = ("betpawa", "mozzart", "bet9ja", "sportybet")
EVENTS = ("1", "2")
#: Among the instants of the captures, so that some come after it.
KICKOFF = START + timedelta(minutes=5)
#: The captures' instants, and those between.
INSTANTS = [START + timedelta(seconds=30 * at) for at in range(-1, 20)]

#: Batches of captures, each with how it is stored.
batches = st.lists(st.tuples(captured(PLATFORMS, EVENTS, KICKOFF), STORAGE), min_size=1, max_size=4)


@pytest.fixture
def connection(database: str, run: Run) -> Iterator[AsyncConnection]:
    """A connection for all examples of a test. Each rolls back what it wrote."""
    stack = AsyncExitStack()
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: asyncpg.connect(database),
        poolclass=NullPool,
    )
    opened = run(stack.enter_async_context(engine.connect()))
    yield opened
    run(stack.aclose())


class Stored:
    """Batches in the database, and the model of them."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection
        self.session = AsyncSession(connection, expire_on_commit=False)
        self.model = Model()
        self.batch_ids: list[int] = []
        self.captures: list[list[dict[str, Any]]] = []

    async def take(self, captures: list[dict[str, Any]], options: IngestOptions) -> None:
        """Store a batch."""
        for one in captures:
            self.model.take(one)
        report = await ingest(self.connection, captures, options=options)
        assert report.all_stored, report
        self.batch_ids.append(report.batch_id)
        self.captures.append(captures)

    async def all(self, statement: Any) -> Any:
        """What the query yields."""
        return (await self.session.exec(statement)).all()

    @property
    def listings(self) -> Any:
        """Each platform and event that was captured, with its states by instant."""
        return {one: instants for one, instants in self.model.instants.items() if instants}


def stored(
    connection: AsyncConnection, run: Run, parts: Any, check: Callable[[Stored], Awaitable[None]]
) -> None:
    """Store batches, check, and leave the database as it was."""

    async def body() -> None:
        transaction = await connection.begin()
        try:
            everything = Stored(connection)
            for captures, options in parts:
                await everything.take(captures, options)
            await check(everything)
        finally:
            await transaction.rollback()

    run(body())


def listing(row: Any) -> tuple[str, str]:
    """Whose odds of which event they are."""
    return row.bookmaker, row.sportradar_id


def key(row: Any) -> Key:
    """What tells a row's market apart."""
    return market_key(row.model_dump())


def prices(row: Any) -> Any:
    """The prices of a row's outcomes, by name."""
    return {one.name: (one.odds, one.is_active) for one in row.outcomes}


# -- what is on offer ------------------------------------------------------------------------------


@given(parts=batches)
def test_offers_are_what_was_offered(parts: Any, connection: Any, run: Run) -> None:
    """At each instant and now, a bookmaker offers what its last capture until then tells."""

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
    """A condition on a column leaves of the offers what it leaves of all of them."""
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
    """What is matched has BetPawa's event, at each bookmaker; what is not matched has none."""

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
    """Of each outcome that can be bet on, the highest odds, and all who offer them."""

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


# -- history ---------------------------------------------------------------------------------------


def points(instants: dict[datetime, Any], market: Key) -> list[tuple[datetime, bool, Any]]:
    """A market's price history in the model: instants, availability, the last known prices."""
    found: list[tuple[datetime, bool, Any]] = []
    for at in sorted(instants):
        known = instants[at].get(market)
        if known is not None and (not found or not found[-1][1] or found[-1][2] != known[1]):
            found.append((at, True, known[1]))
        elif known is None and found and found[-1][1]:
            found.append((at, False, found[-1][2]))
    last = max(instants)
    if found[-1][0] < last:
        found.append((last, *found[-1][1:]))
    return found


@given(parts=batches)
def test_price_history_is_every_change(parts: Any, connection: Any, run: Run) -> None:
    """A point for each change of a market's prices, for each absence, and for the last capture."""

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
            for market in {one for state in instants.values() for one in state}
        }
        assert found == wanted
        one = queries.price_history().where(
            PricePoint.bookmaker == "bet9ja",
            PricePoint.sportradar_id == "1",
            PricePoint.betpawa_market_id == "a",
            PricePoint.line == 0,
        )
        assert await stored.all(one) == [
            row
            for row in rows
            if listing(row) == ("bet9ja", "1") and (row.betpawa_market_id, row.line) == ("a", 0)
        ]
        for point, margin in await stored.all(queries.overround_history()):
            assert margin == pytest.approx(overround(point.outcomes))

    stored(connection, run, parts, check)


@given(parts=batches)
def test_opening_and_closing_prices(parts: Any, connection: Any, run: Run) -> None:
    """The first prices that were seen, and the last before kickoff; how old each is at kickoff."""

    async def check(stored: Stored) -> None:
        opening, closing = {}, {}
        for of, instants in stored.listings.items():
            for at in sorted(instants):
                for market, (_, known) in instants[at].items():
                    opening.setdefault((*of, market), (at, known, KICKOFF - at))
                    if at < KICKOFF:
                        closing[(*of, market)] = (at, known, KICKOFF - at)
        for statement, wanted in (
            (queries.opening_prices(), opening),
            (queries.closing_prices(), closing),
        ):
            rows = await stored.all(statement)
            assert {
                (*listing(one), key(one)): (one.seen_at, prices(one), one.age) for one in rows
            } == wanted
            assert len(rows) == len(wanted)
            some = await stored.all(statement.where(Price.line == 0))
            assert set(some) == {one for one in rows if one.line == 0}

    stored(connection, run, parts, check)


# -- scrapes ---------------------------------------------------------------------------------------

#: The last snapshot of each event that a batch, or one before it, has brought.
LAST_SNAPSHOTS = """
SELECT b.slug, e.sportradar_id, max(s.captured_at)
FROM odds_snapshots AS s JOIN events AS e ON e.id = s.event_id
JOIN bookmakers AS b ON b.id = s.bookmaker_id JOIN scrape_runs AS r ON r.id = s.scrape_run_id
WHERE r.batch_id <= :batch GROUP BY 1, 2
UNION ALL
SELECT e.source, e.sportradar_id, max(s.captured_at)
FROM competitor_odds_snapshots AS s JOIN competitor_events AS e ON e.id = s.competitor_event_id
JOIN scrape_runs AS r ON r.id = s.scrape_run_id
WHERE r.batch_id <= :batch GROUP BY 1, 2
"""


@given(parts=batches)
def test_moves_are_what_differs(parts: Any, connection: Any, run: Run) -> None:
    """Between any two batches, each price that is not the same, or not on offer in one of them."""

    async def odds(stored: Stored, batch: int) -> dict[Any, float]:
        found = {}
        for platform, event, at in await connection.execute(text(LAST_SNAPSHOTS), {"batch": batch}):
            for market, (_, known) in stored.model.at(platform, at, event).items():
                for name, (price, is_active) in known.items():
                    if is_active:
                        found[platform, event, market, name] = price
        return found

    async def check(stored: Stored) -> None:
        times = [0, *stored.batch_ids]
        for before, after in zip(times, times[1:] + times[-1:], strict=True):
            was, now = await odds(stored, before), await odds(stored, after)
            rows = await stored.all(queries.moves(before, after))
            assert {
                (*listing(one), key(one), one.outcome): (one.odds_before, one.odds_after)
                for one in rows
            } == {
                which: (was.get(which), now.get(which))
                for which in was.keys() | now.keys()
                if was.get(which) != now.get(which)
            }
            some = await stored.all(queries.moves(before, after).where(Move.bookmaker == "bet9ja"))
            assert set(some) == {one for one in rows if one.bookmaker == "bet9ja"}

    stored(connection, run, parts, check)


@given(parts=batches)
def test_coverage_counts_what_came(parts: Any, connection: Any, run: Run) -> None:
    """Each platform's captures of a batch, those included that only confirmed, and its rows."""

    async def check(stored: Stored) -> None:
        stored_rows = 0
        for batch_id, captures in zip(stored.batch_ids, stored.captures, strict=True):
            rows = await stored.all(queries.coverage().where(Coverage.batch_id == batch_id))
            counts: dict[Any, int] = defaultdict(int)
            for one in captures:
                told = one.get("event") or one["competitor_event"]
                counts[told.get("bookmaker") or told["source"]] += 1
            assert {one.platform: one.events for one in rows} == counts
            stored_rows += sum(one.markets + one.markets_gone for one in rows)
        assert stored_rows == await connection.scalar(
            text(
                "SELECT (SELECT count(*) FROM market_odds)"
                " + (SELECT count(*) FROM competitor_market_odds)"
            )
        )

    stored(connection, run, parts, check)


def test_moves_go_forward() -> None:
    """The earlier batch comes first; the other way round would be told as if nothing moved."""
    with pytest.raises(ValueError, match=r"batch 8 came after batch 7: moves\(before, after\)"):
        queries.moves(8, 7)


# -- real odds -------------------------------------------------------------------------------------


@pytest.mark.skipif(not REAL_ODDS, reason="the real captures are not beside the clone")
@pytest.mark.parametrize("order", ["shuffled", "by day", "reverse"] if NIGHTLY else ["shuffled"])
def test_real_odds_are_told_as_captured(order: str, connection: Any, run: Run) -> None:
    """However the days come, each market's history and each state is that of the captures."""
    files = sorted(REAL_ODDS, key=lambda path: path.name.split("-", 2)[2])
    if order == "reverse":
        files.reverse()
    elif order == "shuffled":
        random.Random(7).shuffle(files)
    parts = []
    for path in files:
        with gzip.open(path) as lines:
            captures = [Capture.model_validate_json(line).model_dump() for line in lines]
        for one in captures:  # Bet9ja lists some events twice, which the model takes for one
            event = one["competitor_event"]
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
            for market in {one for state in instants.values() for one in state}
        }
        for at in {at for instants in stored.listings.values() for at in instants}:
            states: dict[Any, dict[Any, Any]] = defaultdict(dict)
            for offer in await stored.all(queries.offers(at)):
                states[listing(offer)][key(offer)] = plain(offer.model_dump())
            wanted = {of: stored.model.at(of[0], at, of[1]) for of in stored.listings}
            assert states == {of: state for of, state in wanted.items() if state}

    stored(connection, run, parts, check)


# -- soft deletion ---------------------------------------------------------------------------------


@given(
    parts=batches,
    deleted=st.sets(st.tuples(st.sampled_from(["bet9ja", "sportybet"]), st.sampled_from(EVENTS))),
    model=st.sampled_from([CompetitorEvent, CompetitorTournament]),
)
def test_deleted_is_not_listed(
    parts: Any, deleted: set[Any], model: Any, connection: Any, run: Run
) -> None:
    """Nothing tells of an event that is soft-deleted, or whose tournament is; all else stays."""

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


# -- outcomes --------------------------------------------------------------------------------------


def overround(outcomes: tuple[Outcome, ...], winners: int = 1) -> float | None:
    """The overround of a book that is complete."""
    if len(outcomes) < 2 or not all(one.is_active for one in outcomes):
        return None
    return sum(1 / one.odds for one in outcomes) / winners - 1


@given(books=st.lists(strategies.outcomes(), min_size=1, max_size=20), winners=st.integers(1, 3))
def test_margin_is_of_complete_books(
    books: list[tuple[Outcome, ...]], winners: int, connection: Any, run: Run
) -> None:
    """The overround and the probabilities are those of two or more outcomes, all of them active."""

    async def body() -> None:
        for book in books:
            column = literal(book, OutcomesJSONB())
            statement = select(
                queries.overround(column, winners), queries.implied_probabilities(column, winners)
            )
            margin, probabilities = (await connection.execute(statement)).one()
            wanted = overround(book, winners)
            assert margin == (None if wanted is None else pytest.approx(wanted, abs=1e-9))
            if wanted is None:
                assert probabilities is None
            else:
                booksum = sum(1 / one.odds for one in book)
                shares = {one.name: winners / one.odds / booksum for one in book}
                assert probabilities == pytest.approx(shares)
        await connection.rollback()

    run(body())


def test_margin_is_that_of_the_literature(connection: Any, run: Run) -> None:
    """The definitions are those of the R package `implied`, whose manual has these values."""
    book = tuple(
        Outcome(name=name, odds=odds)
        for name, odds in (("Home", 4.20), ("Draw", 3.70), ("Away", 1.95))
    )

    async def body() -> None:
        column = literal(book, OutcomesJSONB())
        statement = select(queries.overround(column), queries.implied_probabilities(column))
        margin, probabilities = (await connection.execute(statement)).one()
        assert margin == pytest.approx(0.02118602)
        assert probabilities == pytest.approx(
            {"Home": 0.2331556, "Draw": 0.2646631, "Away": 0.5021813}
        )
        await connection.rollback()

    run(body())


# -- what a query is -------------------------------------------------------------------------------


@given(parts=batches)
def test_queries_are_parts_of_others(parts: Any, connection: Any, run: Run) -> None:
    """A query is a subquery as well, also twice in one statement."""

    async def check(stored: Stored) -> None:
        then, now = (queries.offers(at).subquery() for at in (KICKOFF, None))
        statement = (
            select(then.c.market_odds_id, now.c.market_odds_id)
            .join(now, now.c.market_odds_id == then.c.market_odds_id)
            .where(now.c.bookmaker == "bet9ja", then.c.bookmaker == "bet9ja")
        )
        both = {
            one.market_odds_id
            for one in await stored.all(queries.offers().where(Offer.bookmaker == "bet9ja"))
        } & {
            one.market_odds_id
            for one in await stored.all(queries.offers(KICKOFF).where(Offer.bookmaker == "bet9ja"))
        }
        assert {one for one, _ in (await connection.execute(statement)).all()} == both

    stored(connection, run, parts, check)


def test_rows_are_values(database: str, run: Run) -> None:
    """A sync session with another driver yields the same: values that outlive it, and serialize."""
    captures = [
        capture(
            platform,
            START,
            [
                {
                    "betpawa_market_id": "3743",
                    "betpawa_market_name": "1X2 - Full Time",
                    "outcomes": [{"name": "1", "odds": 1.5}, {"name": "2", "odds": 2.5}],
                }
            ],
            kickoff=KICKOFF,
        )
        for platform in ("betpawa", "bet9ja")
    ]
    run(ingest(database, captures))
    engine = create_engine(make_url(database).set(drivername="postgresql+psycopg"))
    with Session(engine) as session:
        statement = queries.offers(START).where(Offer.event_id == 1, Offer.seen_at <= START)
        offers = session.exec(statement.order_by(Offer.bookmaker)).all()
        history = session.exec(queries.price_history()).all()
        best = session.exec(queries.best_prices()).all()
        assert [one.age for one in session.exec(queries.closing_prices())] == [
            KICKOFF - START for _ in captures
        ]
        session.commit()
    engine.dispose()
    assert [offer.bookmaker for offer in offers] == ["bet9ja", "betpawa"]
    assert Offer.model_validate_json(offers[0].model_dump_json()) == offers[0]
    assert {one.bookmakers for one in best} == {("bet9ja", "betpawa")}
    assert [point.at for point in history] == [START, START]


def test_rows_can_be_extended() -> None:
    """A subclass of a row is a contract like another, with a field more, and no columns."""

    class Response(Offer):
        flag: str

    assert Response.model_fields["event_id"].is_required()
    assert not hasattr(Response, "event_id")
    assert set(Response.model_fields) == {*Offer.model_fields, "flag"}


# -- what it costs ---------------------------------------------------------------------------------

MANY = {"rows": 10_000_000, "events": 300} if NIGHTLY else {"rows": 50_000, "events": 30}


@pytest.fixture(scope="module")
def many(new_database: Callable[..., Any], template: str, run: Run) -> Iterator[tuple[Any, int]]:
    """A connection to a database with a long history of many events, and of how many scrapes."""
    with new_database(template) as url:
        connection = run(asyncpg.connect(url))
        yield connection, run(bulk.fill(connection, **MANY))
        run(connection.close())


def reads(at: datetime, scrapes: int) -> dict[str, tuple[Any, float]]:
    """Statements, and how many buffers each may touch."""
    side_by_side = Offer.event_id == 7
    history = queries.price_history().where(PricePoint.betpawa_market_id == "3743")
    changes = queries.moves(scrapes - 1, scrapes)
    return {
        # Of each platform, a keyframe of 170 markets and 19 snapshots of changes at most.
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
        # And for each market when it was last seen.
        "closing prices": (
            queries.closing_prices().where(Price.event_id == 7),
            30 * scrapes + 3_000,
        ),
        # Of all events, the state at two instants.
        "moves": (changes, 1_000 * MANY["events"]),
        "an event's moves": (changes.where(Move.event_id == 7), 1_000 + 20 * MANY["events"]),
        "coverage": (queries.coverage().where(Coverage.batch_id == scrapes), 60 * MANY["events"]),
        "unmatched events": (queries.unmatched_events(), 100),
    }


@pytest.mark.parametrize("name", reads(START, 1))
def test_reads_use_indexes(name: str, many: tuple[Any, int], run: Run) -> None:
    """No table of snapshots or markets is read through, and no more is read than what is asked."""
    connection, scrapes = many
    statement, most = reads(bulk.at(scrapes // 2), scrapes)[name]
    plan = run(bulk.explain(connection, statement))["Plan"]
    assert plan["Actual Rows"] > 0 or name == "unmatched events"
    read_through = {
        node["Relation Name"] for node in nodes(plan) if node["Node Type"] == "Seq Scan"
    }
    assert not read_through & {
        *("odds_snapshots", "competitor_odds_snapshots", "market_odds", "competitor_market_odds")
    }
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] <= most


def nodes(plan: Any) -> Iterator[Any]:
    """All nodes of a plan."""
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)
