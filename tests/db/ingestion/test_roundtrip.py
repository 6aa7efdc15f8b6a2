"""Good captures are stored and read back unchanged."""

from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from oddsschema import (
    Capture,
    CompetitorEvent,
    CompetitorOddsSnapshot,
    Event,
    IngestOptions,
    OddsSnapshot,
    ScrapeBatch,
    ingest,
)
from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.strategies import batches
from tests.support.scrapes import capture as scraped
from tests.support.stored_captures import errors, keyed, read_back

Run = Callable[..., Any]

KEEP_RAW = IngestOptions(keep_raw=True)


@pytest.fixture
def connection(database: str, run: Run) -> Iterator[AsyncConnection]:
    """Open a connection for all examples of a test. Each example rolls back."""
    stack = AsyncExitStack()
    yield run(stack.enter_async_context(sqlalchemy_connect(database)))
    run(stack.aclose())


@given(batch=batches(), keep_raw=st.booleans(), chunk_rows=st.integers(1, 20))
def test_batch_reads_back(
    batch: list[Capture], keep_raw: bool, chunk_rows: int, connection: AsyncConnection, run: Run
) -> None:
    """Every batch is stored whole, and its captures are read back from the tables."""

    async def body() -> None:
        options = IngestOptions(keep_raw=keep_raw, chunk_rows=chunk_rows)
        report = await ingest(connection, batch, options=options)
        assert (errors(report), report.refusals) == ([], ())
        assert (report.total.captures_stored, report.total.captures_known) == (len(batch), 0)
        expected = keyed(batch)
        if not keep_raw:
            expected = {
                key: capture | {"raw_response": "None"} for key, capture in expected.items()
            }
        assert keyed(await read_back(connection)) == expected

    try:
        run(body())
    finally:
        run(connection.rollback())


@given(batch=batches(), data=st.data())
def test_parts_and_repeats_make_the_same(
    batch: list[Capture], data: st.DataObject, connection: AsyncConnection, run: Run
) -> None:
    """Each capture is stored once, for any parts and repetitions of the delivery."""

    async def body() -> None:
        cuts = sorted(data.draw(st.lists(st.integers(0, len(batch)), max_size=3)))
        stored = 0
        for start, end in zip([0, *cuts], [*cuts, len(batch)], strict=True):
            again = data.draw(st.lists(st.sampled_from(batch[:end]), max_size=3)) if end else []
            report = await ingest(connection, [*batch[start:end], *again], options=KEEP_RAW)
            assert (errors(report), report.refusals) == ([], ())
            assert report.total.captures_stored + report.total.captures_known == end - start + len(
                again
            )
            stored += report.total.captures_stored
        assert stored == len(batch)
        assert keyed(await read_back(connection)) == keyed(batch)

    try:
        run(body())
    finally:
        run(connection.rollback())


@given(batch=batches())
def test_events_are_linked(batch: list[Capture], connection: AsyncConnection, run: Run) -> None:
    """A competitor's event is linked to BetPawa's of the same SportRadar id, in any order."""

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


@given(batch=batches())
def test_rollback_leaves_nothing(
    batch: list[Capture], connection: AsyncConnection, run: Run
) -> None:
    """The caller's rollback takes back a whole ingestion, with the rows of COPY."""

    async def body() -> None:
        await ingest(connection, batch)
        await connection.rollback()
        for table in (OddsSnapshot, CompetitorOddsSnapshot, ScrapeBatch):
            found = await connection.execute(select(func.count()).select_from(table))
            assert found.scalar_one() == 0
        await connection.rollback()

    run(body())


def test_url_commits(database: str, run: Run) -> None:
    """An ingestion by URL is committed."""
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


def test_renamed_tournament_is_known_by_both_names(connection: AsyncConnection, run: Run) -> None:
    """A tournament is known by both names when a capture of the delivery renames it."""

    def renamed(number: int, **tournament: Any) -> dict[str, Any]:
        capture = scraped("betpawa", number, number)
        capture["event"]["tournament"] |= tournament
        return capture

    async def body() -> list[str]:
        await ingest(connection, [renamed(0, name="Cup", country="Africa", sportradar_id="7")])
        delivery = [
            renamed(1, name="Cup", country="Africa"),
            renamed(2, name="Super Cup", country="Africa", sportradar_id="7"),
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
