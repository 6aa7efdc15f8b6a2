"""What holds the contract is stored and reads back as it was; what breaks it never gets there."""

import json
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from oddsschema import (
    Capture,
    CapturedCompetitorEvent,
    CapturedCompetitorTournament,
    CapturedEvent,
    CapturedSport,
    CapturedTournament,
    CompetitorEvent,
    CompetitorOddsSnapshot,
    Event,
    IngestOptions,
    OddsSnapshot,
    ScrapeBatch,
    ScrapeError,
    Table,
    ingest,
)
from oddsschema.contracts.base import metadata
from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.strategies import batches, contracts, damaged_captures, rows
from tests.db._readback import comparable, errors, keyed, read_back
from tests.db._scrapes import capture as scraped

Run = Callable[..., Any]

TABLES = sorted(
    (table for table in Table.__subclasses__() if table.metadata is metadata),
    key=lambda table: table.__name__,
)


KEEP_RAW = IngestOptions(keep_raw=True)


@pytest.fixture
def connection(database: str, run: Run) -> Iterator[AsyncConnection]:
    """A connection for all examples of a test. Each rolls back what it wrote."""
    stack = AsyncExitStack()
    yield run(stack.enter_async_context(sqlalchemy_connect(database)))
    run(stack.aclose())


# -- captures --------------------------------------------------------------------------------------


@given(batch=batches(), keep_raw=st.booleans(), chunk_rows=st.integers(1, 20))
def test_batch_reads_back(
    batch: list[Capture], keep_raw: bool, chunk_rows: int, connection: AsyncConnection, run: Run
) -> None:
    """Every batch is taken whole, and its captures can be put together again from the tables."""

    async def body() -> None:
        options = IngestOptions(keep_raw=keep_raw, chunk_rows=chunk_rows)
        report = await ingest(connection, batch, options=options)
        assert (errors(report), report.refusals) == ([], ())
        assert (report.captures_stored, report.captures_known) == (len(batch), 0)
        expected = keyed(batch)
        if not keep_raw:
            expected = {key: one | {"raw_response": "None"} for key, one in expected.items()}
        assert keyed(await read_back(connection)) == expected

    try:
        run(body())
    finally:
        run(connection.rollback())


@given(batch=batches(), data=st.data())
def test_parts_and_repeats_make_the_same(
    batch: list[Capture], data: st.DataObject, connection: AsyncConnection, run: Run
) -> None:
    """In whatever parts captures come, and however often, each is stored once."""

    async def body() -> None:
        cuts = sorted(data.draw(st.lists(st.integers(0, len(batch)), max_size=3)))
        stored = 0
        for start, end in zip([0, *cuts], [*cuts, len(batch)], strict=True):
            again = data.draw(st.lists(st.sampled_from(batch[:end]), max_size=3)) if end else []
            report = await ingest(connection, [*batch[start:end], *again], options=KEEP_RAW)
            assert (errors(report), report.refusals) == ([], ())
            assert report.captures_stored + report.captures_known == end - start + len(again)
            stored += report.captures_stored
        assert stored == len(batch)
        assert keyed(await read_back(connection)) == keyed(batch)

    try:
        run(body())
    finally:
        run(connection.rollback())


@given(batch=batches())
def test_events_are_linked(batch: list[Capture], connection: AsyncConnection, run: Run) -> None:
    """A competitor's event points at BetPawa's of the same SportRadar id, whoever came first."""

    async def body() -> None:
        for capture in batch:
            await ingest(connection, [capture])
        theirs = CompetitorEvent.__table__.c  # type: ignore[attr-defined]
        ours = Event.__table__.c  # type: ignore[attr-defined]
        links = select(theirs.betpawa_event_id, ours.id).join_from(
            CompetitorEvent, Event, theirs.sportradar_id == ours.sportradar_id, isouter=True
        )
        for linked, wanted in await connection.execute(links):
            assert linked == wanted

    try:
        run(body())
    finally:
        run(connection.rollback())


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
#: Captures of so few things that they are bound to contradict each other.
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
    """Captures that contradict each other are stored or refused: the database objects to none."""

    async def body() -> None:
        stored = 0
        for delivery in deliveries:
            report = await ingest(connection, delivery)
            assert errors(report) == []
            assert report.captures_refused + report.captures_known + report.captures_stored == len(
                delivery
            )
            # The only thing to refuse is the name of a sport.
            for refusal in report.refusals:
                assert ["tournament.sport" in one.path for one in refusal.problems] == [True]
            stored += report.captures_stored
        assert len(keyed(await read_back(connection))) == stored

    try:
        run(body())
    finally:
        run(connection.rollback())


def delivered(capture: dict[str, Any], form: str) -> tuple[Any, bool]:
    """A capture in one of the forms that `ingest` takes, and whether it is a good one."""
    try:
        if form == "dict":
            Capture.model_validate(capture)
            return capture, True
        Capture.model_validate_json(json.dumps(capture))
        return json.dumps(capture), True
    except ValidationError:
        return (capture if form == "dict" else json.dumps(capture)), False


@given(batch=batches(), damaged=st.lists(damaged_captures(), min_size=1), data=st.data())
def test_refused_captures_never_get_there(
    batch: list[Capture],
    damaged: list[dict[str, Any]],
    data: st.DataObject,
    connection: AsyncConnection,
    run: Run,
) -> None:
    """Among captures that break the contract the good ones are stored, and they alone.

    Each refusal is in the report and in `scrape_errors`; nothing else of it is anywhere.
    """
    forms = st.sampled_from(("dict", "json"))
    bad = [
        capture
        for capture, is_good in (delivered(one, data.draw(forms)) for one in damaged)
        if not is_good
    ]
    good = [delivered(one.model_dump(mode="json"), data.draw(forms))[0] for one in batch]

    async def body() -> None:
        mixed = data.draw(st.permutations([*good, *bad]))
        report = await ingest(connection, mixed, options=IngestOptions(keep_raw=True, strict=True))
        assert errors(report) == []
        assert report.captures_refused == len(report.refusals) == len(bad)
        assert keyed(await read_back(connection)) == keyed(batch)
        recorded = select(func.count()).select_from(ScrapeError)
        assert (await connection.execute(recorded)).scalar_one() == len(bad)

    try:
        run(body())
    finally:
        run(connection.rollback())


#: Each of these breaks a market.
SPOILT = st.sampled_from(
    (
        {"outcomes": []},
        {"line": "much"},
        {"betpawa_market_id": "\0"},
        {"handicap_type": "asian", "handicap_home": None},
        {"colour": "red"},
    )
)


@given(batch=batches(), data=st.data())
def test_bad_markets_are_left_out(
    batch: list[Capture], data: st.DataObject, connection: AsyncConnection, run: Run
) -> None:
    """A capture is stored without its bad markets, unless there is none left."""
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
        if markets and not left:
            refused += 1
        else:
            bad += len(markets) - len(left)
            good = tuple(capture.markets[at] for at in left)
            expected.append(capture.model_copy(update={"markets": good}))

    async def body() -> None:
        report = await ingest(connection, delivery, options=KEEP_RAW)
        assert errors(report) == []
        assert (report.captures_refused, report.markets_refused) == (refused, bad)
        assert keyed(await read_back(connection)) == keyed(expected)

    try:
        run(body())
    finally:
        run(connection.rollback())


@given(batch=batches())
def test_rollback_leaves_nothing(
    batch: list[Capture], connection: AsyncConnection, run: Run
) -> None:
    """The caller's rollback takes back all of an ingestion, what COPY wrote too."""

    async def body() -> None:
        await ingest(connection, batch)
        await connection.rollback()
        for table in (OddsSnapshot, CompetitorOddsSnapshot, ScrapeBatch):
            found = await connection.execute(select(func.count()).select_from(table))
            assert found.scalar_one() == 0
        await connection.rollback()

    run(body())


def test_url_commits(database: str, run: Run) -> None:
    """Given a URL, what is ingested is there for others afterwards."""
    when = datetime(2024, 1, 9, 12, tzinfo=UTC)
    capture = {
        "captured_at": when,
        "competitor_event": {
            "source": "bet9ja",
            "external_id": "1",
            "sportradar_id": "1",
            "name": "A - B",
            "home_team": "A",
            "away_team": "B",
            "kickoff": when + timedelta(days=1),
            "tournament": {
                "external_id": "1",
                "name": "Super League",
                "sport": {"slug": "football", "name": "Football"},
            },
        },
        "markets": [],
    }

    async def body() -> list[Capture]:
        await ingest(database, [capture])
        async with sqlalchemy_connect(database) as connection:
            return await read_back(connection)

    assert keyed(run(body())) == keyed([Capture(**capture)])


# -- rows ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", TABLES)
@given(data=st.data())
def test_rows_read_back(
    table: type[Table], data: st.DataObject, connection: AsyncConnection, run: Run
) -> None:
    """A row that a session wrote reads back with the values that it had."""
    drawn = data.draw(st.lists(rows(table), min_size=1, max_size=5))
    filled = {
        column.key
        for column in metadata.tables[str(table.__tablename__)].columns
        if column.primary_key or column.foreign_keys or column.server_default is not None
    }

    async def body() -> None:
        # Their names could be among those that are drawn.
        await connection.execute(text("DELETE FROM bookmakers"))
        await connection.execute(text("DELETE FROM sports"))
        async with AsyncSession(connection) as session:
            for row in drawn:
                expected = row.model_dump()
                savepoint = await session.begin_nested()
                session.add(row)
                await session.flush()
                key = row.id  # type: ignore[attr-defined]
                session.expunge_all()
                found = (await session.get_one(table, key)).model_dump()
                for name, value in expected.items():
                    if value is None and name in filled:
                        continue
                    assert comparable(found[name]) == comparable(value)
                await savepoint.rollback()

    try:
        run(body())
    finally:
        run(connection.rollback())


def test_renamed_tournament_is_known_by_both_names(connection: AsyncConnection, run: Run) -> None:
    """One capture knows a tournament by its name, another of the delivery renames it."""

    def told(number: int, **tournament: Any) -> dict[str, Any]:
        capture = scraped("betpawa", number, number)
        capture["event"]["tournament"] |= tournament
        return capture

    async def body() -> list[str]:
        await ingest(connection, [told(0, name="Cup", country="Africa", sportradar_id="7")])
        delivery = [
            told(1, name="Cup", country="Africa"),
            told(2, name="Super Cup", country="Africa", sportradar_id="7"),
        ]
        report = await ingest(connection, delivery)
        assert errors(report) == []
        statement = select(text("t.name")).select_from(
            text("events AS e JOIN tournaments AS t ON t.id = e.tournament_id")
        )
        return list(await connection.scalars(statement))

    try:
        assert run(body()) == ["Super Cup"] * 3
    finally:
        run(connection.rollback())
