"""Engines of SQLAlchemy for every URL that this package takes."""

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, overload
from urllib.parse import parse_qsl, quote, urlencode

from oddsschema.database.driver import open_connection
from oddsschema.database.settings import APPLICATION_NAME
from oddsschema.database.targets import refused_url, url_of
from oddsschema.database.time_limits import LONG_ANSWER_WITHIN, OPEN_WITHIN
from oddsschema.database.urls import normalize, redact
from oddsschema.errors import DatabaseUnavailableError, DatabaseURLError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pydantic import PostgresDsn
    from sqlalchemy import URL, Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

    from oddsschema.database.deadlines import DeadlineConnection
    from oddsschema.database.targets import Connection


@overload
def create_engine(
    url: "str | URL | PostgresDsn",
    *,
    sync: Literal[False] = False,
    answer_within: timedelta = LONG_ANSWER_WITHIN,
    **options: Any,
) -> "AsyncEngine": ...


@overload
def create_engine(
    url: "str | URL | PostgresDsn", *, sync: Literal[True], **options: Any
) -> "Engine": ...


def create_engine(
    url: "str | URL | PostgresDsn",
    *,
    sync: bool = False,
    answer_within: timedelta = LONG_ANSWER_WITHIN,
    **options: Any,
) -> "AsyncEngine | Engine":
    """Create an engine of SQLAlchemy, whose connections are opened as those of this package.

    It works with every URL that the functions of this package take, through PgBouncer in
    transaction mode, and beside migrations: no statement is cached on the server or in the driver.
    `options` are those of SQLAlchemy's `create_async_engine`, such as `pool_size` and `echo`.

    A statement that gets no answer within `answer_within` (0: no limit) loses its connection, which
    raises SQLAlchemy's DBAPIError.

    With `sync`, it is an engine for synchronous code, and its driver is psycopg, of the extra
    `psycopg`. A statement then waits for its answer as psycopg does.

    Opening a connection raises DatabaseUnavailableError, and DatabaseURLError for a URL that is not
    understood. Raises TypeError for anything but a URL, and MissingExtraError without psycopg.
    """
    text = url_of(url)
    if text is None:
        raise refused_url(url)
    return _sync_engine(text, options) if sync else _async_engine(text, answer_within, options)


def _async_engine(url: str, answer_within: timedelta, options: dict[str, Any]) -> "AsyncEngine":
    async def open_url() -> "DeadlineConnection":
        return await open_connection(url, answer_within)

    return engine_of(open_url, **options)


def engine_of(connect: "Callable[[], Awaitable[Connection]]", **options: Any) -> "AsyncEngine":
    """Create an engine on connections of the driver that have deadlines; no statement is cached."""
    from sqlalchemy.ext.asyncio import create_async_engine

    def creator() -> Any:
        # `async_creator` would not turn off the cache of SQLAlchemy's dialect.
        driver: Any = engine.dialect.dbapi
        return driver.connect(async_creator_fn=connect, prepared_statement_cache_size=0)

    engine = create_async_engine("postgresql+asyncpg://", creator=creator, **options)
    _limit_answers(engine.sync_engine)
    return engine


def _limit_answers(engine: "Engine") -> None:
    """Apply the deadline of an engine's connections to its statements."""
    from sqlalchemy import event

    def begin(connection: Any, *_: Any) -> None:
        connection.connection.driver_connection.begin_deadline()

    def end(connection: Any, *_: Any) -> None:
        connection.connection.driver_connection.end_deadline()

    def end_failed(context: Any) -> None:
        if context.connection is not None and not context.connection.closed:
            end(context.connection)

    event.listen(engine, "before_cursor_execute", begin)
    event.listen(engine, "after_cursor_execute", end)
    event.listen(engine, "handle_error", end_failed)


def _sync_engine(url: str, options: dict[str, Any]) -> "Engine":
    from sqlalchemy import create_engine

    try:
        import psycopg
    except ImportError as error:
        raise MissingExtraError(package="psycopg", extra="psycopg") from error

    def connect() -> Any:
        try:
            return psycopg.connect(
                _libpq_url(url),
                # Prepared statements would fail after a migration, and behind PgBouncer.
                prepare_threshold=None,
            )
        except psycopg.OperationalError as error:
            raise DatabaseUnavailableError(reason=str(error), url=redact(url)) from error
        except (psycopg.Error, ValueError):
            # Their messages quote the URL.
            reason = "libpq cannot read the database's URL"
        raise DatabaseURLError(reason=reason, url=redact(url))

    return create_engine("postgresql+psycopg://", creator=connect, **options)


def _libpq_url(url: str) -> str:
    """Return a URL in the form for libpq, which knows no settings of the server but `options`."""
    import psycopg

    base, _, query = normalize(url).partition("?")
    known = {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()}
    given = dict(parse_qsl(query, keep_blank_values=True))
    # A space ends an option, unless a backslash is before it.
    settings = [
        "-c " + re.sub(r"([\\\s])", r"\\\1", f"{name}={value}")
        for name, value in given.items()
        if name not in known
    ]
    parameters = {name: value for name, value in given.items() if name in known}
    parameters.setdefault("application_name", APPLICATION_NAME)
    parameters.setdefault("connect_timeout", str(round(OPEN_WITHIN.total_seconds())))
    if settings:
        parameters["options"] = " ".join([parameters.get("options", ""), *settings]).strip()
    return f"{base}?{urlencode(parameters, quote_via=quote)}"
