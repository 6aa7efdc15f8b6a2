"""Targets of every kind for one database, and codecs that nobody but their owner may use."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Literal
from urllib.parse import quote

import asyncpg
from pydantic import PostgresDsn
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import create_async_engine

import oddsschema

#: Types with codecs of their own in `set_codecs`.
TYPES = ("json", "jsonb", "timestamptz")

Format = Literal["text", "binary"]


class Theirs:
    """A value that went through a codec of the owner's."""


async def set_codecs(connection: Any, encoding: Format = "text") -> None:
    """Set codecs that decode to Theirs, and encode nothing."""

    def encode(value: object) -> Any:
        raise AssertionError(f"encoded by the owner's codec: {value!r}")

    for name in TYPES:
        await connection.set_type_codec(
            name,
            schema="pg_catalog",
            encoder=encode,
            decoder=lambda _: Theirs(),
            format=encoding,
        )


async def assert_codecs(connection: Any) -> None:
    """Check that a connection has the codecs of `set_codecs`."""
    for name in TYPES:
        value = "now()" if name == "timestamptz" else f"'{{}}'::{name}"
        assert isinstance(await connection.fetchval(f"SELECT {value}"), Theirs)


@asynccontextmanager
async def _text(url: str) -> AsyncIterator[Any]:
    yield url


@asynccontextmanager
async def _sqlalchemy_url(url: str) -> AsyncIterator[Any]:
    yield make_url(url)


@asynccontextmanager
async def _dsn(url: str) -> AsyncIterator[Any]:
    parts = make_url(url)
    text = url
    if isinstance(socket := parts.query.get("host"), str):
        # pydantic wants the host in its usual place.
        login, port = str(parts.username), parts.query["port"]
        text = f"postgresql://{login}@{quote(socket, safe='')}:{port}/{parts.database}"
    yield PostgresDsn(text)


@asynccontextmanager
async def _engine(url: str) -> AsyncIterator[Any]:
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(url), pool_size=2
    )
    yield engine
    await engine.dispose()


@asynccontextmanager
async def _created_engine(url: str) -> AsyncIterator[Any]:
    engine = oddsschema.create_engine(url)
    yield engine
    await engine.dispose()


@asynccontextmanager
async def _connection(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url)
    await set_codecs(connection)
    yield connection
    await assert_codecs(connection)
    await connection.close()


@asynccontextmanager
async def _small_pool(url: str) -> AsyncIterator[Any]:
    async with asyncpg.create_pool(url, min_size=1, max_size=1) as pool:
        yield pool


def _pool_with_codecs(encoding: Format) -> Callable[[str], AbstractAsyncContextManager[Any]]:
    @asynccontextmanager
    async def pool_with_codecs(url: str) -> AsyncIterator[Any]:
        async def init(connection: Any) -> None:
            await set_codecs(connection, encoding)

        async with asyncpg.create_pool(url, min_size=1, max_size=3, init=init) as pool:
            yield pool
            async with pool.acquire() as connection:
                await assert_codecs(connection)

    return pool_with_codecs


@asynccontextmanager
async def _function(url: str) -> AsyncIterator[Any]:
    async def connect() -> Any:
        connection = await asyncpg.connect(url)
        await set_codecs(connection, "binary")
        return connection

    yield connect


#: The kinds of targets whose transactions are ours or, without a transaction, may be.
KINDS: dict[str, Callable[[str], AbstractAsyncContextManager[Any]]] = {
    "text": _text,
    "URL of SQLAlchemy": _sqlalchemy_url,
    "PostgresDsn": _dsn,
    "AsyncEngine": _engine,
    "engine of create_engine": _created_engine,
    "connection with codecs": _connection,
    "pool of one connection": _small_pool,
    "pool with text codecs": _pool_with_codecs("text"),
    "pool with binary codecs": _pool_with_codecs("binary"),
    "function": _function,
}
