"""Dumps of stored rows: no field is left out in silence."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError
from sqlalchemy import select, text
from sqlalchemy.exc import MissingGreenlet
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer
from sqlalchemy.orm.exc import DetachedInstanceError

from oddsschema import Bookmaker, CompetitorOddsSnapshot, Event, ScrapeBatch, Table
from oddsschema.database.connections import sqlalchemy_connect
from tests.support.example_world import opened, stored, world

Run = Callable[..., Any]

#: The ways to read all fields of a row.
DUMPS: dict[str, Callable[[Any], Any]] = {
    "model_dump": lambda row: row.model_dump(),
    "model_dump_json": lambda row: (
        type(row).model_validate_json(row.model_dump_json()).model_dump()
    ),
    "only fields that were set": lambda row: row.model_dump(exclude_unset=True),
    "inside a list": lambda row: TypeAdapter(list[type(row)]).dump_python([row])[0],
    "dict": dict,
    "named": lambda row: row.model_dump(include=set(type(row).model_fields)),
}


@pytest.mark.parametrize("table", world())
def test_dump_of_an_expired_row(table: type[Table], database: str, run: Run) -> None:
    """A dump of a loaded row has all fields; so has that of a row that expired, or it raises."""

    async def body() -> None:
        async with opened(database) as session:
            await stored(session)
            row = (await session.scalars(select(table).limit(1))).one()
            assert row.model_fields_set == set(table.model_fields)
            expected = {name: vars(row)[name] for name in table.model_fields}
            assert dict(row) == expected
            for dump in DUMPS.values():
                session.expunge_all()
                row = (await session.scalars(select(table).limit(1))).one()
                before = dump(row)
                assert before.keys() == expected.keys()
                session.expire(row)
                with pytest.raises((MissingGreenlet, PydanticSerializationError)):
                    dump(row)
                assert await session.run_sync(lambda _, dump=dump, row=row: dump(row)) == before
                session.expire(row)
                session.expunge_all()
                with pytest.raises((DetachedInstanceError, PydanticSerializationError)):
                    dump(row)

    run(body())


def test_dump_loads_only_the_needed(database: str, run: Run) -> None:
    """A deferred column is loaded for a dump, unless the dump leaves it out."""

    async def body() -> None:
        async with opened(database) as session:
            await stored(session)
            query = select(CompetitorOddsSnapshot).options(
                defer(CompetitorOddsSnapshot.raw_response)
            )
            row = (await session.scalars(query)).one()
            with pytest.raises(PydanticSerializationError, match="raw_response has expired or was"):
                row.model_dump()
            left_out: list[dict[str, Any]] = [
                {"exclude": {"raw_response"}},
                {"exclude": {"raw_response": True}},
                {"include": {"id", "captured_at"}},
                {"include": {"id": True}, "exclude_unset": True},
            ]
            for options in left_out:
                assert "raw_response" not in row.model_dump(**options)
            with pytest.raises(PydanticSerializationError):
                row.model_dump(exclude={"raw_response": {"markets"}})
            assert await session.run_sync(lambda _: row.model_dump()) == {
                **row.model_dump(exclude={"raw_response"}),
                "raw_response": None,
            }

    run(body())


def test_fields_of_a_new_row(database: str, run: Run) -> None:
    """The set fields of a new row are those that were given, and those of a stored row are all."""

    async def body() -> None:
        async with sqlalchemy_connect(database) as connection, AsyncSession(connection) as session:
            row = Bookmaker(name="Betway", slug="betway")
            assert row.model_dump(exclude_unset=True) == {"name": "Betway", "slug": "betway"}
            session.add(row)
            await session.commit()
            await session.refresh(row)
            assert row.model_dump(exclude_unset=True) == row.model_dump()
            assert row.model_dump()["id"] is not None

    run(body())


def test_awaitable_relationships(database: str, run: Run) -> None:
    """A relationship that is not loaded is awaited."""

    async def body() -> None:
        async with opened(database) as session:
            await stored(session)
            batch = (await session.scalars(select(ScrapeBatch))).one()
            (platform_run,) = await batch.awaitable_attrs.runs
            assert platform_run.platform == "betking"
            event = (await session.scalars(select(Event))).one()
            assert (await event.awaitable_attrs.tournament).name == "Super League"

    run(body())


@pytest.mark.parametrize("table", world())
def test_merge_keeps_the_rest(table: type[Table], database: str, run: Run) -> None:
    """A merge of a validated object writes the fields that it was given, and no defaults."""

    async def body() -> None:
        async with opened(database) as session:
            await stored(session)
            row: Any = (await session.scalars(select(table).limit(1))).one()
            required = {name for name, field in table.model_fields.items() if field.is_required()}
            # Values that are no defaults, where a column has a default.
            others = {
                "notes": "n",
                "status": "failed",
                "trigger": "t",
                "is_active": False,
                "events_failed": 3,
                "country": "Chile",
                "line": 2.5,
                "raw_response": {"a": 1},
                "event_url": "u",
            }
            row.sqlmodel_update(others)
            await session.commit()
            values = row.model_dump()
            session.expunge_all()
            payload = {name: getattr(row, name) for name in required} | {"id": row.id}
            merged = await session.merge(table(**payload))
            assert not session.is_modified(merged)
            await session.commit()
            session.expunge_all()
            found = await session.get_one(table, row.id)
            left = {"updated_at"}
            assert found.model_dump(exclude=left) == {
                name: value for name, value in values.items() if name not in left
            }

    run(body())


def test_merge_writes_what_was_given(database: str, run: Run) -> None:
    """A merge writes given values, None too; a new row has its defaults; a stored row is whole."""

    async def body() -> None:
        async with opened(database) as session:
            session.add(ScrapeBatch(id=1, notes="n", trigger="t"))
            await session.commit()
            session.expunge_all()
            await session.merge(ScrapeBatch(id=1, notes=None, status="failed"))
            new = await session.merge(ScrapeBatch(id=2))
            assert new.status == "pending"
            await session.commit()
            rows = await session.execute(
                text("SELECT id, notes, status, trigger FROM scrape_batches ORDER BY id")
            )
            assert rows.all() == [(1, None, "failed", "t"), (2, None, "pending", None)]
            detached = await session.get_one(ScrapeBatch, 1)
            session.expunge_all()
            await session.execute(text("UPDATE scrape_batches SET trigger = 'other'"))
            merged = await session.merge(detached)
            assert (merged.trigger, session.is_modified(merged)) == ("t", True)
            session.expunge_all()
            copied = await session.merge(detached, load=False)
            assert vars(copied).items() >= detached.model_dump().items()

    run(body())
