"""The SportRadar ids of captures: both forms, missing ones, and the matches that they make."""

from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from oddsschema import ingest
from oddsschema.database.connections import sqlalchemy_connect
from tests.conftest import Run
from tests.support.scrapes import capture as scraped

#: Each competitor's event, with its SportRadar id and that of the event that it is linked to.
LINKS = text(
    "SELECT c.source, c.external_id, c.sportradar_id, e.sportradar_id"
    " FROM competitor_events AS c LEFT JOIN events AS e ON e.id = c.betpawa_event_id"
)

#: An external id whose placeholder is cut, between characters of several bytes.
LONG = "é漢😀" * 33


def offered(
    sportradar_id: Any, minute: int = 0, source: str = "bet9ja", external_id: str = "a"
) -> dict[str, Any]:
    """Build a competitor's capture of an event with a SportRadar id."""
    capture = scraped(source, 1, minute)
    capture["competitor_event"] |= {"external_id": external_id, "sportradar_id": sportradar_id}
    return capture


def reference(sportradar_id: Any, minute: int = 0) -> dict[str, Any]:
    """Build BetPawa's capture of an event with a SportRadar id."""
    capture = scraped("betpawa", 1, minute)
    capture["event"]["sportradar_id"] = sportradar_id
    return capture


@pytest.fixture
def connection(database: str, run: Run[Any]) -> Iterator[AsyncConnection]:
    """Open a connection, and roll back at the end."""
    stack = AsyncExitStack()
    connection = run(stack.enter_async_context(sqlalchemy_connect(database)))
    yield connection
    run(connection.rollback())
    run(stack.aclose())


@pytest.mark.parametrize("in_one_delivery", [True, False])
@pytest.mark.parametrize(
    ("captures", "links"),
    [
        ([offered("sr:match:5"), reference(5)], {("bet9ja", "a", "5", "5")}),
        ([reference("sr:match:5"), offered("5")], {("bet9ja", "a", "5", "5")}),
        ([reference("vf:match:5"), offered("5")], {("bet9ja", "a", "5", None)}),
        ([reference("vf:match:5"), offered("vf:match:5")], {("bet9ja", "a", *["vf:match:5"] * 2)}),
        # The id is missing in every other capture.
        (
            [reference("5"), offered("5"), offered(None, 1), offered("5", 2), offered("", 3)],
            {("bet9ja", "a", "5", "5")},
        ),
        # The id is in a late capture only.
        ([reference("5"), offered(None, 2), offered("5", 1)], {("bet9ja", "a", "5", "5")}),
        # The id changes; a late capture has the old one.
        (
            [reference("5"), offered("5"), offered("6", 2), offered("5", 1)],
            {("bet9ja", "a", "6", None)},
        ),
        (
            [offered(None), offered(None, source="sportybet")],
            {("bet9ja", "a", "bet9ja:a", None), ("sportybet", "a", "sportybet:a", None)},
        ),
        # An event of another bookmaker is named as a placeholder.
        (
            [offered(None), reference("bet9ja:a"), offered("bet9ja:a", source="sportybet")],
            {("bet9ja", "a", "bet9ja:a", None), ("sportybet", "a", *["bet9ja:a"] * 2)},
        ),
    ],
)
def test_ids_and_links(
    captures: list[dict[str, Any]],
    links: set[tuple[str, ...]],
    in_one_delivery: bool,
    connection: AsyncConnection,
    run: Run[Any],
) -> None:
    """An event keeps the newest SportRadar id that was captured, and is linked by it alone."""

    async def body() -> set[tuple[Any, ...]]:
        for delivery in [captures] if in_one_delivery else [[capture] for capture in captures]:
            assert (await ingest(connection, delivery)).all_stored
        return {tuple(row) for row in await connection.execute(LINKS)}

    assert run(body()) == links


def test_placeholder_that_is_cut(connection: AsyncConnection, run: Run[Any]) -> None:
    """A placeholder that is cut is recognized in the database: it links nothing."""

    async def body() -> list[tuple[Any, ...]]:
        await ingest(connection, [offered(None, external_id=LONG)])
        ((_, _, placeholder, _),) = await connection.execute(LINKS)
        await ingest(connection, [reference(placeholder), offered(placeholder, 1, "bet9ja", LONG)])
        return [tuple(row) for row in await connection.execute(LINKS)]

    ((_, _, placeholder, linked),) = run(body())
    assert len(placeholder) == 100
    assert linked is None


@pytest.mark.parametrize("in_one_delivery", [True, False])
def test_competitor_tournament_keeps_its_id(
    in_one_delivery: bool, connection: AsyncConnection, run: Run[Any]
) -> None:
    """A capture without the tournament's SportRadar id leaves the id of another capture."""
    captures = [offered("5"), offered("5", 1)]
    for capture, sportradar_id in zip(captures, ("sr:tournament:17", None), strict=True):
        capture["competitor_event"]["tournament"] |= {"name": "Cup", "sportradar_id": sportradar_id}

    async def body() -> list[str | None]:
        for delivery in [captures] if in_one_delivery else [[capture] for capture in captures]:
            assert (await ingest(connection, delivery)).all_stored
        ids = text("SELECT sportradar_id FROM competitor_tournaments")
        return list(await connection.scalars(ids))

    assert run(body()) == ["17"]
