"""Rows of every table, written and read by a session."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from oddsschema import Table
from oddsschema.models import metadata
from oddsschema.strategies import rows
from tests.support.stored_captures import comparable
from tests.support.tables import TABLES

Run = Callable[..., Any]


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
@given(data=st.data())
def test_rows_read_back(
    table: type[Table], data: st.DataObject, connection: AsyncConnection, run: Run
) -> None:
    """A row that a session wrote reads back with the same values."""
    drawn = data.draw(st.lists(rows(table), min_size=1, max_size=5))
    filled = {
        column.key
        for column in metadata.tables[str(table.__tablename__)].columns
        if column.primary_key or column.foreign_keys or column.server_default is not None
    }

    async def body() -> None:
        # Drawn rows could have the same names.
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
