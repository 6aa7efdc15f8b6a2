"""Copies of rows are rows of their own."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import delete, func, inspect, select, text
from sqlalchemy.exc import MissingGreenlet
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from oddsschema import CompetitorOddsSnapshot, Event, MarketOdds, Outcome, Table
from oddsschema.strategies import rows
from tests.support.example_world import opened, stored
from tests.support.stored_captures import comparable
from tests.support.tables import TABLES

Run = Callable[..., Any]

#: The ways to copy the fields of a row.
SHALLOW: dict[str, Callable[[Any], Any]] = {
    "copy.copy": copy.copy,
    "model_copy": lambda row: row.model_copy(),
    "model_copy with update": lambda row: row.model_copy(update={"id": row.id}),
    "copy": lambda row: row.copy(),
    "copy.replace": lambda row: row.__replace__(id=row.id),
}
#: The ways to copy a row with its related rows.
DEEP: dict[str, Callable[[Any], Any]] = {
    "copy.deepcopy": copy.deepcopy,
    "model_copy of depth": lambda row: row.model_copy(deep=True),
    "pickle": lambda row: pickle.loads(pickle.dumps(row)),
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
@given(data=st.data())
def test_copies_are_inserted(
    table: type[Table], data: st.DataObject, connection: AsyncConnection, run: Run
) -> None:
    """A copy of a stored row is inserted in its place, with the same values; so is a deep copy."""
    row: Any = data.draw(rows(table))
    shallow = data.draw(st.sampled_from(sorted(SHALLOW)))
    deep = data.draw(st.sampled_from(sorted(DEEP)))

    async def body() -> None:
        # Drawn rows could have the same names.
        await connection.execute(text("DELETE FROM bookmakers"))
        await connection.execute(text("DELETE FROM sports"))
        async with AsyncSession(connection, expire_on_commit=False) as session:
            savepoint = await session.begin_nested()
            twin = DEEP[deep](row)
            session.add(twin)
            await session.flush()
            assert inspect(row).transient
            assert await session.scalar(select(func.count()).select_from(table)) == 1
            await savepoint.rollback()
            session.expunge_all()

            session.add(row)
            await session.flush()
            await session.refresh(row)
            values = row.model_dump()
            copied = SHALLOW[shallow](row)
            assert inspect(copied).transient
            assert copied == row
            session.expunge_all()
            await session.execute(delete(table))
            session.add(copied)
            await session.flush()
            session.expunge_all()
            found = await session.get_one(table, values["id"])
            assert comparable(found.model_dump()) == comparable(values)

    try:
        run(body())
    finally:
        run(connection.rollback())


def test_second_row(database: str, run: Run) -> None:
    """A copy without a primary key is a second row; its changes are stored, the first row stays."""

    async def body() -> None:
        async with opened(database) as session:
            await stored(session)
            market = (await session.scalars(select(MarketOdds))).one()
            before = market.model_dump()
            second = market.model_copy(update={"id": None, "line": 2.5})
            session.add(second)
            await session.commit()
            assert second.id not in (None, market.id)
            second.outcomes = (Outcome(name="1", odds=9),)
            assert market not in session.dirty
            await session.commit()
            session.expunge_all()
            first, found = await session.scalars(select(MarketOdds).order_by(MarketOdds.id))
            assert first.model_dump() == before
            changed = {"id": second.id, "line": 2.5, "outcomes": found.model_dump()["outcomes"]}
            assert found.model_dump() == before | changed
            assert found.outcomes == second.outcomes

    run(body())


def test_values_that_are_not_loaded(database: str, run: Run) -> None:
    """A copy has the values that its source has not loaded, or raises the error of loading them."""

    async def body() -> None:
        async with opened(database) as session:
            await stored(session)
            event = (await session.scalars(select(Event))).one()
            values = event.model_dump()
            session.expire(event)
            with pytest.raises(MissingGreenlet):
                event.model_copy()
            copied = await session.run_sync(lambda _: event.model_copy())
            assert copied.model_dump() == values

    run(body())


def test_deep_copy_of_loaded_rows(database: str, run: Run) -> None:
    """A deep copy has copies of the related rows that are loaded, which refer to each other."""

    async def body() -> None:
        async with opened(database) as session:
            await stored(session)
            snapshot = (await session.scalars(select(CompetitorOddsSnapshot))).one()
            markets = await session.run_sync(lambda _: snapshot.markets)
            copied = snapshot.model_copy(deep=True, update={"raw_response": {"a": [1]}})
            (market,) = copied.markets
            assert market.snapshot is copied
            assert market == markets[0]
            assert market is not markets[0]
            assert all(inspect(row).transient for row in (copied, market))
            assert not session.dirty
            assert copied.raw_response == {"a": [1]}
            assert "markets" not in vars(copy.copy(snapshot))

    run(body())


def test_row_of_another_release(database: str, run: Run) -> None:
    """A copy is validated: a stored value that breaks the contract is refused, or replaced."""

    async def body() -> None:
        async with opened(database) as session:
            await stored(session)
            await session.execute(text("ALTER TABLE events DROP CONSTRAINT ck_events_name"))
            await session.execute(text("UPDATE events SET name = ' '"))
            event = (await session.scalars(select(Event))).one()
            with pytest.raises(ValidationError):
                copy.copy(event)
            assert event.model_copy(update={"name": "Basel - Bern"}).name == "Basel - Bern"

    run(body())
