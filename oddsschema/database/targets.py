"""Targets: the databases that functions take, and the connections that each kind gives."""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakSet

from oddsschema.database.driver import open_connection
from oddsschema.database.durations import format_duration
from oddsschema.database.known_databases import known_database
from oddsschema.database.retry import driver_error
from oddsschema.database.time_limits import OPEN_WITHIN
from oddsschema.errors import DatabaseUnavailableError, OddsSchemaError, UnsupportedDriverError

if TYPE_CHECKING:
    import asyncpg
    from pydantic import PostgresDsn
    from sqlalchemy import URL
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from oddsschema.database.foreign_connections import ForeignConnection

#: A connection of the driver.
Connection: TypeAlias = "asyncpg.Connection[Any]"

#: A database to work on. A URL, a pool, an engine and a function that opens a connection give
#: connections for transactions of ours; in a connection, the caller may have a transaction open.
Target: TypeAlias = (
    "str | URL | PostgresDsn | AsyncEngine | AsyncConnection | asyncpg.Connection[Any] "
    "| asyncpg.Pool[Any] | Callable[[], Awaitable[asyncpg.Connection[Any]]]"
)

URLS = (
    "a URL (text such as postgresql://user@host/name, a URL of SQLAlchemy, or a PostgresDsn of "
    "pydantic)"
)
_TARGETS = (
    f"{URLS}, an AsyncEngine or AsyncConnection of SQLAlchemy, a connection or a pool of asyncpg, "
    "or an async function that opens a connection of asyncpg"
)

#: The greatest number of connections at a time to a URL, or of a function that opens them.
_MOST_CONNECTIONS = 10


async def _end(connection: Connection) -> None:
    connection.terminate()


async def _begin_nothing() -> None:
    pass


@dataclass(frozen=True)
class Source:
    """The connections of a target."""

    #: Opens a connection, or takes one from a pool; closes it, or gives it back, at the end.
    acquire: Callable[[], AbstractAsyncContextManager[Connection]]
    #: Whether the only connection is the caller's, and a transaction may be open in it.
    is_borrowed: bool = False
    #: Begins the transaction of a caller whose library does so with its next statement.
    begin: Callable[[], Awaitable[None]] = _begin_nothing
    #: Lets later transactions run on connections that are opened after this moment.
    expire: Callable[[Connection], Awaitable[None]] = _end


def url_of(target: Target) -> str | None:
    """Return the URL of a target that is a URL of any kind; None for any other target."""
    from pydantic import PostgresDsn
    from sqlalchemy import URL

    if isinstance(target, str):
        return target
    if isinstance(target, URL):
        url, mark, query = target.render_as_string(hide_password=False).partition("?")
        # SQLAlchemy writes a space as +, which libpq reads as +.
        return url + mark + query.replace("+", "%20")
    return str(target) if isinstance(target, PostgresDsn) else None


def refused_target(target: object, taken: str = _TARGETS) -> TypeError:
    """Make the error of a target of an unknown kind."""
    if target is None:
        return TypeError(
            "the database is None: is the environment variable with its URL set? It should be "
            f"given as {taken}"
        )
    return TypeError(f"the database should be given as {taken}, not as {type(target).__name__}")


def refused_url(given: object) -> TypeError:
    """Make the error of anything but a URL, where only a URL is taken."""
    return refused_target(given, URLS)


def is_connection(target: Target) -> bool:
    """Return whether the target is a connection of the caller's, on which nothing is repeated."""
    import asyncpg
    from sqlalchemy.ext.asyncio import AsyncConnection

    return isinstance(target, asyncpg.Connection | AsyncConnection)


def has_open_transaction(target: Target) -> bool:
    """Return whether the work belongs into a transaction that the caller ends.

    SQLAlchemy's transactions always are the caller's, also one that we have to begin.
    """
    import asyncpg
    from sqlalchemy.ext.asyncio import AsyncConnection

    if isinstance(target, asyncpg.Connection):
        # A connection that is closed, or was released to its pool, is refused at its use.
        with suppress(asyncpg.InterfaceError):
            return bool(target.is_in_transaction())
        return False
    return isinstance(target, AsyncConnection)


@asynccontextmanager
async def open_source(
    target: Target, answer_within: timedelta, *, remembers: bool = False
) -> AsyncIterator[Source]:
    """Open the source of a target's connections.

    A statement that gets no answer within `answer_within` (0: no limit) loses its connection,
    except on a connection of the caller's. With `remembers`, connections to a URL share what this
    process knows about the database: only the package's own statements may run on them.

    Raises TypeError for a target of an unknown kind, UnsupportedDriverError for SQLAlchemy with
    another driver, DatabaseUnavailableError for a pool or a connection that is closed, and
    RuntimeError under trio.
    """
    import asyncpg
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    _require_asyncio()
    if (url := url_of(target)) is not None:
        known = known_database(url) if remembers else None

        async def open_url(*_: Any, **options: Any) -> Connection:
            return await open_connection(url, answer_within, options, known)

        async with _own_pool(open_url) as pool:
            yield Source(lambda: _from_own_pool(pool), expire=_expiring(pool))
    elif isinstance(target, asyncpg.Pool):
        yield Source(lambda: _from_pool(target, answer_within), expire=_expiring(target))
    elif isinstance(target, AsyncEngine):
        require_usable(target)
        yield Source(lambda: _from_engine(target, answer_within))
    elif isinstance(target, AsyncConnection):
        require_usable(target)

        async def begin() -> None:
            raw = await target.get_raw_connection()
            driver_connection: Any = raw.driver_connection
            # SQLAlchemy sends its BEGIN with its first statement, also after the caller's commit.
            # Without this statement, we would write outside the caller's transaction.
            if not driver_connection.is_in_transaction():
                await target.exec_driver_sql("SELECT 1")

        yield Source(lambda: _from_sqlalchemy(target), is_borrowed=True, begin=begin)
    elif isinstance(target, asyncpg.Connection):
        yield Source(lambda: _borrowed(target), is_borrowed=True)
    elif callable(target) and not isinstance(target, type):

        async def open_by_function(*_: Any, **__: Any) -> Connection:
            return await _called(target)

        async with _own_pool(open_by_function) as pool:
            yield Source(lambda: _from_pool(pool, answer_within), expire=_expiring(pool))
    else:
        raise refused_target(target)


def _require_asyncio() -> None:
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            "no event loop of asyncio runs here: oddsschema works on asyncio, and not on trio. "
            "Start the program by asyncio.run (or by anyio.run with the backend asyncio), or call "
            "oddsschema.sync in a thread of its own (trio.to_thread.run_sync)"
        ) from None


def require_usable(used: "AsyncEngine | AsyncConnection") -> None:
    """Raise an error for a connection that is closed, and for another driver than asyncpg.

    The errors are DatabaseUnavailableError and UnsupportedDriverError.
    """
    from sqlalchemy.ext.asyncio import AsyncConnection

    if isinstance(used, AsyncConnection) and used.closed:
        raise DatabaseUnavailableError(reason="the connection is closed")
    if used.dialect.driver != "asyncpg":
        raise UnsupportedDriverError(driver=f"{used.dialect.name}+{used.dialect.driver}")


# -- pools -----------------------------------------------------------------------------------------


@asynccontextmanager
async def _own_pool(
    connect: Callable[..., Awaitable[Connection]],
) -> AsyncIterator["asyncpg.Pool[Any]"]:
    import asyncio

    import asyncpg

    pool = asyncpg.create_pool(
        connect=connect, min_size=0, max_size=_MOST_CONNECTIONS, reset=_keep_settings
    )
    await pool
    try:
        yield pool
    finally:
        # The work is done: a server that is gone or does not answer is no error.
        try:
            async with asyncio.timeout(_CLOSE_WITHIN):
                await pool.close()
        except Exception:
            pool.terminate()


#: The time in seconds for the end of the connections of a pool.
_CLOSE_WITHIN = 2


@asynccontextmanager
async def _from_own_pool(pool: "asyncpg.Pool[Any]") -> AsyncIterator[Connection]:
    async with pool.acquire() as connection:
        yield connection.unproxied


@asynccontextmanager
async def _from_pool(
    pool: "asyncpg.Pool[Any]", answer_within: timedelta
) -> AsyncIterator["ForeignConnection"]:
    from oddsschema.database.foreign_connections import ForeignConnection

    try:
        acquired = await pool.acquire(timeout=OPEN_WITHIN.total_seconds())
    except OddsSchemaError:
        raise
    except Exception as error:
        raise _unavailable(error) from error
    try:
        yield ForeignConnection(acquired, answer_within)
    finally:
        await pool.release(acquired)


def _expiring(pool: "asyncpg.Pool[Any]") -> Callable[[Connection], Awaitable[None]]:
    return lambda _: pool.expire_connections()


async def _keep_settings(_connection: Connection) -> None:
    """Keep the settings that a function has made for its connections, and save a round trip.

    Transactions of ours leave nothing else: asyncpg has rolled back an open one before.
    """


async def _called(target: Callable[[], Any]) -> Connection:
    """Open a connection by the caller's function. Raises TypeError for any other result."""
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

    opened = target()
    if inspect.isawaitable(opened):
        opened = await opened
    if not isinstance(opened, asyncpg.Connection) or isinstance(opened, PoolConnectionProxy):
        raise _WrongResultError(
            f"the function that opens a connection returned {type(opened).__name__}: it should "
            "return a new connection of asyncpg"
        )
    is_known = opened in _returned
    if is_known or opened.is_closed() or opened.is_in_transaction():
        state = "the same connection twice" if is_known else "a connection that was used before"
        raise _WrongResultError(
            f"the function that opens a connection returned {state}: it should return a new "
            "connection each time"
        )
    _returned.add(opened)
    return opened


#: The connections that functions have returned.
_returned: "WeakSet[Connection]" = WeakSet()


class _WrongResultError(TypeError):
    """The error of a function that opens no connection."""


def _unavailable(error: Exception) -> Exception:
    """Build the error for a connection that could not be opened."""
    if isinstance(error, _WrongResultError):
        return TypeError(str(error))
    cause = driver_error(error)
    reason = str(cause) or type(cause).__name__
    if isinstance(cause, LookupError):  # its text is a key alone
        reason = f"{type(cause).__name__}: {reason}"
    if isinstance(error, TimeoutError):
        reason = f"no connection was open or free within {format_duration(OPEN_WITHIN)}"
    return DatabaseUnavailableError(reason=reason)


# -- SQLAlchemy ------------------------------------------------------------------------------------


@asynccontextmanager
async def _from_engine(
    engine: "AsyncEngine", answer_within: timedelta
) -> AsyncIterator["ForeignConnection"]:
    from oddsschema.database.foreign_connections import ForeignConnection

    while True:
        try:
            connection = await engine.connect()
            driver_connection: Any = (await connection.get_raw_connection()).driver_connection
        except OddsSchemaError:
            raise
        except Exception as error:
            raise _unavailable(error) from driver_error(error)
        if not driver_connection.is_closed():
            break
        # It was lost while it was in the pool of the engine.
        await connection.invalidate()
        await connection.close()
    try:
        yield ForeignConnection(driver_connection, answer_within)
    finally:
        with suppress(Exception):
            # The engine knows nothing of a transaction of ours, and would not end it.
            if driver_connection.is_closed() or driver_connection.is_in_transaction():
                await connection.invalidate()
            await connection.close()


@asynccontextmanager
async def _from_sqlalchemy(connection: "AsyncConnection") -> AsyncIterator["ForeignConnection"]:
    from oddsschema.database.foreign_connections import ForeignConnection

    driver_connection: Any = (await connection.get_raw_connection()).driver_connection
    yield ForeignConnection(driver_connection)


@asynccontextmanager
async def _borrowed(connection: Connection) -> AsyncIterator["ForeignConnection"]:
    from oddsschema.database.foreign_connections import ForeignConnection

    yield ForeignConnection(connection)
