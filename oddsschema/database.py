"""Which database, and whether it can be used: URLs, connections, the revision that is expected."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, unquote

from oddsschema.errors import DatabaseUnavailableError, NotMigratedError, UncertainCommitError

if TYPE_CHECKING:
    import asyncpg
    from sqlalchemy.ext.asyncio import AsyncConnection
    from tenacity import AsyncRetrying

#: The newest revision of the migrations that this release carries.
HEAD = "oddsschema_0007"

# How long migrations wait and take, in seconds: here, the command line has them without alembic.
#: Whoever wants a table queues behind a migration that waits for it: better it gives up.
LOCK_TIMEOUT = 5.0
#: The statements that read a whole table block nobody, and can take minutes.
STATEMENT_TIMEOUT = 3600.0

_log = logging.getLogger(__name__)

_Result = TypeVar("_Result")

_SCHEMES = {"postgresql", "postgres", "postgresql+asyncpg"}

# What can be read in one way only. In anything else, a piece of a password whose special characters
# are not encoded would pass for a host, a port, a database or a parameter, and would be shown.
_OTHER = r"/?#@\[\]\ud800-\udfff"
_HOST = r"([\w.%-]+|\[[\da-fA-F:.]+\])(:\d{1,5})?"
_FIELD = r"[^#@&=]+=[^#@&]*"
_URL = re.compile(
    r"(?P<scheme>[a-z][a-z\d+]*)://"
    rf"((?P<user>[^:{_OTHER}]*)(:(?P<password>[^{_OTHER}]*))?@)?"
    rf"(?P<hosts>({_HOST}(,{_HOST})*)?)"
    r"(?P<path>(/[^?#@]*)?)"
    rf"(\?(?P<query>({_FIELD}(&{_FIELD})*)?))?"
)
_UNREADABLE = (
    "the database's URL cannot be read: it should look like "
    "postgresql://user:password@host:5432/name, with what is special in a user or a password "
    "percent-encoded (%40 for @)"
)
#: Whether each of $1, tables, has a column, a constraint or an index with the name beside it in $2.
_ALL_THERE = """
WITH wanted AS (
    SELECT to_regclass(quote_ident(owner)) AS oid, name
    FROM unnest($1::text[], $2::text[]) AS _ (owner, name)
)
SELECT NOT EXISTS (
    SELECT oid, name FROM wanted
    EXCEPT (
        SELECT attrelid, attname::text FROM pg_attribute WHERE NOT attisdropped
        UNION ALL SELECT conrelid, conname FROM pg_constraint WHERE convalidated
        UNION ALL SELECT indrelid, relname FROM pg_index JOIN pg_class ON oid = indexrelid
    )
)
"""
_SECRETS = {"password", "sslpassword"}
#: What may stand beside a secret among the parameters, and is not a piece of it.
_PARAMETERS = _SECRETS | {
    *("host", "port", "user", "dbname", "database", "passfile", "service"),
    *("application_name", "search_path", "options", "target_session_attrs"),
    *("sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslnegotiation"),
    *("ssl_min_protocol_version", "ssl_max_protocol_version", "krbsrvname", "gsslib"),
}


def normalize(url: str) -> str:
    """The URL as asyncpg takes it, from postgresql://, postgres:// or postgresql+asyncpg://.

    Raises DatabaseUnavailableError when it is none of these, or can be read in several ways.
    """
    parts = _parts(url)
    if parts is None:
        raise DatabaseUnavailableError(_UNREADABLE)
    if parts["scheme"] not in _SCHEMES:
        raise DatabaseUnavailableError(
            f"not a PostgreSQL URL: {redact(url)}; it should look like postgresql://user@host/name"
        )
    login = _encoded(parts["user"])
    if parts["password"] is not None:
        login += f":{_encoded(parts['password'])}"
    if parts["user"] is not None:
        login += "@"
    query = f"?{parts['query']}" if parts["query"] else ""
    return f"postgresql://{login}{parts['hosts']}{parts['path']}{query}"


def redact(url: str) -> str:
    """The URL without its password, for messages; of its parameters, those that say where it is."""
    parts = _parts(url)
    if parts is None:
        return "(a URL that cannot be read)"
    login = parts["user"] or ""
    if parts["password"] is not None:
        login += ":***"
    if parts["user"] is not None:
        login += "@"
    fields = (parts["query"] or "").split("&")
    query = "&".join(field for field in fields if field.startswith(("host=", "port=")))
    shown = f"{parts['scheme']}://{login}{parts['hosts']}{parts['path']}"
    return f"{shown}?{query}" if query else shown


def _parts(url: str) -> re.Match[str] | None:
    parts = _URL.fullmatch(url)
    if parts is None:
        return None
    names = {unquote(field.partition("=")[0]) for field in (parts["query"] or "").split("&")}
    return None if names & _SECRETS and not names <= _PARAMETERS else parts


def _encoded(part: str | None) -> str:
    # Read by urllib, which would name a URL in its errors whose characters it takes for others.
    return quote(unquote(part or ""), safe="")


class Connections:
    """Where transactions run: on a pool of connections to a URL, or on one that was handed over.

    On a pool, a transaction that fails for a passing reason (the connection lost, a deadlock, a
    serialization failure, the server starting up) is run again, with back-off, until `retry_for`
    seconds are over. What runs on a connection that was handed over is the caller's to repeat.
    """

    def __init__(
        self,
        *,
        pool: "asyncpg.Pool[Any] | None" = None,
        handed: "asyncpg.Connection[Any] | None" = None,
        retry_for: float = 0,
    ) -> None:
        self._pool = pool
        self._handed = handed
        self._retry_for = retry_for
        self._lock = asyncio.Lock()
        #: How often something was run again.
        self.retries = 0

    async def transact(
        self, work: Callable[["asyncpg.Connection[Any]"], Awaitable[_Result]]
    ) -> _Result:
        """Run `work(connection)` in a transaction of its own. It may run more than once."""
        if self._handed is not None:
            # One that was handed over is lent to one at a time.
            async with self._lock, self._handed.transaction():
                return await work(self._handed)
        assert self._pool is not None  # one of the two
        async for attempt in self._retrying(is_transient):
            with attempt:
                async with (
                    self._pool.acquire() as connection,
                    # What others commit meanwhile must be seen, whatever the database's default.
                    connection.transaction(isolation="read_committed"),
                ):
                    return await work(connection)
        raise AssertionError("tenacity returns or raises")

    async def reach(self) -> None:
        """Connect, once: a server that is starting up is waited for, any other reason is final."""
        assert self._pool is not None  # for a URL
        async for attempt in self._retrying(_is_starting_up):
            with attempt:
                async with self._pool.acquire():
                    return

    def _retrying(self, is_passing: Callable[[BaseException], bool]) -> "AsyncRetrying":
        from tenacity import AsyncRetrying, retry_if_exception, stop_before_delay
        from tenacity.wait import wait_random_exponential

        return AsyncRetrying(
            retry=retry_if_exception(is_passing),
            stop=stop_before_delay(self._retry_for),
            wait=wait_random_exponential(multiplier=0.1, max=5),
            before_sleep=self._count_retry,
            reraise=True,
        )

    def _count_retry(self, state: Any) -> None:
        self.retries += 1
        _log.warning("trying again: %s", state.outcome.exception())


def _is_starting_up(error: BaseException) -> bool:
    import asyncpg

    return isinstance(error.__cause__, asyncpg.CannotConnectNowError)


def is_transient(error: BaseException) -> bool:
    """Whether the same transaction may well succeed a little later."""
    import asyncpg

    return isinstance(
        error,
        (
            asyncpg.PostgresConnectionError,  # the connection was lost
            asyncpg.ConnectionDoesNotExistError,
            asyncpg.SerializationError,
            asyncpg.DeadlockDetectedError,
            asyncpg.CannotConnectNowError,  # starting up, or shutting down
            asyncpg.AdminShutdownError,
            asyncpg.CrashShutdownError,
            asyncpg.TooManyConnectionsError,
            asyncpg.InternalClientError,  # a dead connection, found out while it was in use
            ConnectionError,
            DatabaseUnavailableError,
            UncertainCommitError,
        ),
    ) or (
        # How asyncpg may put it that a connection died while it was in use: nobody else uses ours.
        isinstance(error, asyncpg.InterfaceError)
        and any(
            said in str(error)
            for said in ("connection is closed", "another operation is in progress")
        )
    )


@asynccontextmanager
async def open_connections(
    target: "str | asyncpg.Connection[Any] | AsyncConnection", *, retry_for: float = 60
) -> AsyncIterator[Connections]:
    """Connections to a URL, or the one of asyncpg's or SQLAlchemy's that was handed over.

    Raises DatabaseUnavailableError when the URL leads nowhere.
    """
    from sqlalchemy.ext.asyncio import AsyncConnection

    if isinstance(target, str):
        import asyncpg

        pool = asyncpg.create_pool(
            connect=lambda *_, **options: _open(target, options), min_size=0, max_size=10
        )
        async with pool:
            connections = Connections(pool=pool, retry_for=retry_for)
            await connections.reach()
            yield connections
    elif isinstance(target, AsyncConnection):
        # SQLAlchemy sends its BEGIN with the first statement: without one, COPY would run outside
        # the caller's transaction and survive its rollback.
        await target.exec_driver_sql("SELECT 1")
        raw = await target.get_raw_connection()
        yield Connections(handed=raw.driver_connection)
    else:
        yield Connections(handed=target)


@asynccontextmanager
async def sqlalchemy_connect(url: str) -> AsyncIterator["AsyncConnection"]:
    """The same connection in SQLAlchemy's dress: for migrations."""
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: _open(url), poolclass=NullPool
    )
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()


async def _open(url: str, options: Mapping[str, Any] | None = None) -> "asyncpg.Connection[Any]":
    import asyncpg

    dsn = normalize(url)
    try:
        return await asyncpg.connect(
            dsn,
            server_settings={"application_name": "oddsschema"},
            # Statements that are not kept survive a migration that runs meanwhile, and PgBouncer.
            statement_cache_size=0,
            **(options or {}),
        )
    except (
        *(OSError, TimeoutError, ValueError, OverflowError),
        *(asyncpg.PostgresError, asyncpg.InterfaceError),
    ) as e:
        reason = str(e) or type(e).__name__
        raise DatabaseUnavailableError(f"cannot connect to {redact(url)}: {reason}") from e


async def require_migrated(connection: "asyncpg.Connection[Any]") -> None:
    """Raise NotMigratedError unless the tables of this release are there."""
    revisions = []
    if await connection.fetchval("SELECT to_regclass('alembic_version') NOTNULL"):
        rows = await connection.fetch("SELECT version_num FROM alembic_version")
        revisions = [row[0] for row in rows]
    current = next((one for one in revisions if one.startswith("oddsschema_")), None)
    if HEAD in revisions or (current is None and await _is_there(connection)):
        return
    if current is None and revisions:
        state = f"is at {', '.join(revisions)} of another project, without this release's tables"
        cure = "run that project's 'alembic upgrade heads'"
    else:
        state = f"is at revision {current}" if current else "has no tables of oddsschema"
        cure = "run 'oddsschema upgrade'"
    raise NotMigratedError(
        f"the database {state}, this release needs {HEAD}: {cure}", current=current, head=HEAD
    )


async def _is_there(connection: "asyncpg.Connection[Any]") -> bool:
    """Whether all that this release's tables consist of is there, by its names.

    `metadata.create_all` records no revision, and another project's may be recorded in the place
    of the one of ours that it depends on.
    """
    from oddsschema.models import Sport

    tables = Sport.metadata.tables.values()
    wanted = [
        (table.name, str(part.name))
        for table in tables
        for part in (*table.columns, *table.constraints, *table.indexes)
    ]
    return bool(await connection.fetchval(_ALL_THERE, *zip(*wanted, strict=True)))
