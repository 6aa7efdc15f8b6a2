"""Engines of SQLAlchemy: their JSON, their URLs, and their connections beside migrations."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import Session

import oddsschema
from oddsschema import DatabaseUnavailableError, Sport, create_engine
from oddsschema.database.parameters import PARAMETERS, Effect
from oddsschema.errors import DatabaseURLError
from tests.support.pgbouncer import pgbouncer
from tests.support.scrapes import scrapes
from tests.support.sessions import fetch

Run = Callable[..., Any]

STATEMENT = text("SELECT '{\"a\": [1.5, null]}'::jsonb, '[]'::json, now(), t.* FROM sports AS t")


def test_json_and_migrations(database: str, run: Run) -> None:
    """A created engine decodes JSON as SQLAlchemy's own, and outlives a migration."""

    async def body() -> None:
        own = create_async_engine(
            "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(database)
        )
        engine = create_engine(database, pool_size=1, max_overflow=0)
        async with own.connect() as theirs, engine.connect() as connection:
            there, here = await theirs.execute(STATEMENT), await connection.execute(STATEMENT)
            assert there.one()[:2] == here.one()[:2] == ({"a": [1.5, None]}, [])
        await fetch(database, "ALTER TABLE sports ADD COLUMN more int DEFAULT 7")
        async with engine.connect() as connection:
            assert (await connection.execute(STATEMENT)).one()[-1] == 7
        await own.dispose()
        await engine.dispose()

    run(body())


@pytest.mark.parametrize("setting", ["search_path=odds", "options=-csearch_path%3Dodds"])
def test_urls(setting: str, database: str, run: Run) -> None:
    """A URL with a schema of its own has the same meaning for both engines."""
    url = f"{database}{'&' if '?' in database else '?'}{setting}"
    shown = text("SELECT current_setting('search_path')")

    async def body() -> str:
        engine = create_engine(make_url(url))
        async with engine.connect() as connection:
            found: str = (await connection.execute(shown)).scalar_one()
        await engine.dispose()
        return found

    engine = create_engine(url, sync=True)
    with engine.connect() as connection:
        assert connection.execute(shown).scalar_one() == run(body()) == "odds"
    engine.dispose()


@pytest.mark.parametrize(
    "given",
    [
        f"{parameter.name}={value}"
        for parameter in PARAMETERS.values()
        if parameter.program != "libpq" and parameter.effect is not Effect.REFUSED
        for value in parameter.values or ("postgres",)
        if value not in ("verify-ca", "verify-full")  # they need the server's certificates
    ],
)
def test_parameters_of_other_programs(given: str, server_url: str) -> None:
    """The synchronous engine takes the parameters that psycopg does not know."""
    server = make_url(server_url).set(database=None).render_as_string(hide_password=False)
    engine = create_engine(f"{server}{'&' if '?' in server else '?'}{given}", sync=True)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
    engine.dispose()


@given(name=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20))
def test_special_characters(name: str, server_url: str, run: Run) -> None:
    """A value of a parameter has the same meaning for both engines, also with a plus."""
    value = quote(name, safe="+/:")
    url = f"{server_url}{'&' if '?' in server_url else '?'}application_name={value}"
    shown = text("SELECT current_setting('application_name')")

    async def body() -> None:
        engine = create_engine(url)
        async with engine.connect() as connection:
            assert (await connection.execute(shown)).scalar_one() == name
        await engine.dispose()

    run(body())
    engine = create_engine(url, sync=True)
    with engine.connect() as connection:
        assert connection.execute(shown).scalar_one() == name
    engine.dispose()


def test_sync_engine_behind_a_pooler(database: str) -> None:
    """The synchronous engine has its schema in each transaction, also through PgBouncer."""
    shown = text("SELECT current_setting('search_path')")
    with pgbouncer(database) as url:
        engine = create_engine(f"{url}&search_path=odds", sync=True)
        other = create_engine(url, sync=True)
        for _ in range(3):
            with engine.connect() as connection:
                assert connection.execute(shown).scalar_one() == "odds"
                connection.commit()
                assert connection.execute(shown).scalar_one() == "odds"
            with other.connect() as connection:
                assert connection.execute(shown).scalar_one() != "odds"
        engine.dispose()
        other.dispose()


def test_sync_engine(database: str, run: Run) -> None:
    """The synchronous engine reads and writes the tables, and survives a migration."""
    run(oddsschema.ingest(database, scrapes([1], [0])))
    engine = create_engine(database, sync=True, pool_size=1, max_overflow=0)
    with Session(engine) as session:
        assert session.exec(select(Sport)).scalars().one().slug == "football"
        session.add(Sport(name="Tennis", slug="tennis"))
        session.commit()
    for _ in range(10):  # psycopg prepares what is repeated
        with engine.connect() as connection:
            connection.execute(STATEMENT).all()
    run(fetch(database, "ALTER TABLE sports ADD COLUMN more int DEFAULT 7"))
    with engine.connect() as connection:
        assert {row[-1] for row in connection.execute(STATEMENT)} == {7}
    engine.dispose()


def test_deadline(database: str, run: Run) -> None:
    """A statement without an answer loses its connection; the engine opens another one."""

    async def body() -> None:
        engine = create_engine(database, answer_within=timedelta(seconds=0.5))
        began = time.monotonic()
        with pytest.raises(DBAPIError) as raised:
            async with engine.connect() as connection:
                await connection.execute(text("SELECT pg_sleep(60)"))
        assert raised.value.connection_invalidated
        assert time.monotonic() - began < 30
        async with engine.connect() as connection:
            assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1
        await engine.dispose()

    run(body())


@pytest.mark.parametrize("sync", [False, True])
def test_unavailable_database(sync: Any, run: Run) -> None:
    """Opening a connection raises the package's errors, without the password."""
    engine: Any = create_engine("postgresql://me:secret@127.0.0.1:1/odds", sync=sync)
    with pytest.raises(DatabaseUnavailableError) as raised:
        engine.connect().close() if sync else run(_connect(engine))
    assert raised.value.url == "postgresql://me:***@127.0.0.1:1/odds"
    assert "secret" not in f"{raised.value!r} {raised.value} {engine!r}"
    engine = create_engine("mysql://me:secret@127.0.0.1:1/odds", sync=sync)
    with pytest.raises(DatabaseURLError) as refused:
        engine.connect().close() if sync else run(_connect(engine))
    assert "secret" not in str(refused.value)


async def _connect(engine: Any) -> None:
    async with engine.connect():
        pass


@pytest.mark.parametrize("url", [None, 5, object(), b"postgresql://localhost/odds"])
def test_no_url(url: Any) -> None:
    """Anything but a URL is a TypeError that lists the kinds of URLs."""
    with pytest.raises(TypeError, match=r"given as a URL .*PostgresDsn of pydantic"):
        create_engine(url)
