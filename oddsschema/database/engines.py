"""Engines of SQLAlchemy for every URL that this package takes."""

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, overload

from oddsschema.database.driver import open_connection
from oddsschema.database.durations import require_not_negative
from oddsschema.database.json_text import decode_json
from oddsschema.database.parameters import PARAMETERS
from oddsschema.database.settings import ConnectionSettings, read_settings
from oddsschema.database.targets import refused_url, url_of
from oddsschema.database.time_limits import LONG_ANSWER_WITHIN, OPEN_WITHIN
from oddsschema.database.urls import redact, url_parameters
from oddsschema.errors import DatabaseUnavailableError, DatabaseURLError, MissingExtraError
from oddsschema.gc_threshold import RaisedThreshold

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pydantic import PostgresDsn
    from sqlalchemy import URL, Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

    from oddsschema.database.deadlines import DeadlineConnection
    from oddsschema.database.targets import Connection

# Set the search path of a transaction. A pooler refuses it in the request for a connection.
_SET_SEARCH_PATH = "SELECT set_config('search_path', %s, true)"


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

    Each transaction begins with the search path of the URL. Under the isolation level AUTOCOMMIT,
    which has no transactions, statements have the server's search path.

    A statement that gets no answer within `answer_within` (0: no limit) loses its connection, which
    raises SQLAlchemy's DBAPIError.

    With `sync`, it is an engine for synchronous code, and its driver is psycopg, of the extra
    `psycopg`. A statement then waits for its answer as psycopg does.

    Opening a connection raises DatabaseUnavailableError, and DatabaseURLError for a URL that is not
    understood. Raises TypeError for anything but a URL, for a wrong `answer_within`, and
    MissingExtraError without psycopg.
    """
    require_not_negative(answer_within=answer_within)
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

    options.setdefault("json_deserializer", decode_json)
    engine = create_async_engine("postgresql+asyncpg://", creator=creator, **options)
    _limit_answers(engine.sync_engine)
    _collect_less(engine.sync_engine)
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


def _collect_less(engine: "Engine") -> None:
    """Raise the threshold of the garbage collector while an engine receives rows."""
    from sqlalchemy import event

    def begin(connection: Any, cursor: Any, text: str, values: Any, context: Any, *_: Any) -> None:
        context.raised_threshold = RaisedThreshold()
        context.raised_threshold.open()

    def end(connection: Any, cursor: Any, text: str, values: Any, context: Any, *_: Any) -> None:
        context.raised_threshold.close()

    def end_failed(failed: Any) -> None:
        # A program may keep the error, and the context with it.
        if threshold := getattr(failed.execution_context, "raised_threshold", None):
            threshold.close()

    event.listen(engine, "before_cursor_execute", begin)
    event.listen(engine, "after_cursor_execute", end)
    event.listen(engine, "handle_error", end_failed)


def _sync_engine(url: str, options: dict[str, Any]) -> "Engine":
    from sqlalchemy import create_engine, event

    try:
        import psycopg
    except ImportError as error:
        raise MissingExtraError(package="psycopg", extra="psycopg") from error

    def connect() -> Any:
        parameters = _libpq_parameters(url, read_settings(url))
        try:
            # Prepared statements would fail after a migration, and behind PgBouncer.
            return psycopg.connect(**parameters, prepare_threshold=None)
        except psycopg.OperationalError as error:
            raise DatabaseUnavailableError(reason=str(error), url=redact(url)) from error
        except (psycopg.Error, ValueError):
            # Their messages quote the parameters.
            reason = "libpq cannot read the database's URL"
        raise DatabaseURLError(reason=reason, url=redact(url))

    def begin(connection: Any) -> None:
        path = read_settings(url).search_path
        if path is not None:
            connection.exec_driver_sql(_SET_SEARCH_PATH, (path,))

    engine = create_engine("postgresql+psycopg://", creator=connect, **options)
    event.listen(engine, "begin", begin)
    _collect_less(engine)
    return engine


def _libpq_parameters(url: str, settings: ConnectionSettings) -> dict[str, Any]:
    """Return the parameters for libpq, which knows no settings of the server but `options`."""
    given = {
        name: value
        for name, value in url_parameters(url).items()
        if name in PARAMETERS and PARAMETERS[name].program == "libpq"
    }
    own = {**settings.server_settings}
    application_name, arguments = own.pop("application_name"), own.pop("options", "")
    # A space ends an argument, unless a backslash is before it.
    more = ["-c " + re.sub(r"([\\\s])", r"\\\1", f"{key}={value}") for key, value in own.items()]
    return given | {
        "user": settings.user,
        "dbname": settings.database,
        "sslmode": settings.tls.mode,
        "application_name": application_name,
        "connect_timeout": round((settings.connect_timeout or OPEN_WITHIN).total_seconds()),
        "options": " ".join([arguments, *more]).strip(),
    }
