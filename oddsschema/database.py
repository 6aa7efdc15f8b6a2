"""Which database, and whether it can be used: URLs, connections, the revision that is expected."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from oddsschema.errors import DatabaseUnavailableError, NotMigratedError, UncertainCommitError

if TYPE_CHECKING:
    import asyncpg
    from sqlalchemy.ext.asyncio import AsyncConnection
    from tenacity import AsyncRetrying

#: The newest revision of the migrations that this release carries.
HEAD = "oddsschema_0003"

_log = logging.getLogger(__name__)

_Result = TypeVar("_Result")

_SCHEMES = {"postgresql", "postgres", "postgresql+asyncpg"}


def normalize(url: str) -> str:
    """The URL as asyncpg takes it, from postgresql://, postgres:// or postgresql+asyncpg://.

    Raises DatabaseUnavailableError when it is none of these.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in _SCHEMES:
        raise DatabaseUnavailableError(
            f"not a PostgreSQL URL: {redact(url)}; it should look like postgresql://user@host/name"
        )
    return f"postgresql://{rest}"


def redact(url: str) -> str:
    """The URL without its password, for messages."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return "(not a URL)"
    parsed = parsed.difference_update_query([key for key in parsed.query if "pass" in key.lower()])
    return parsed.render_as_string(hide_password=True)


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
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as e:
        reason = str(e) or type(e).__name__
        raise DatabaseUnavailableError(f"cannot connect to {redact(url)}: {reason}") from e


async def require_migrated(connection: "asyncpg.Connection[Any]") -> None:
    """Raise NotMigratedError unless the tables of this release are there."""
    if await connection.fetchval("SELECT to_regclass('alembic_version') IS NULL"):
        # Tables made by metadata.create_all() have no revision.
        current = None
        usable = await connection.fetchval("SELECT to_regclass('competitor_market_odds') NOTNULL")
    else:
        revisions = await connection.fetch("SELECT version_num FROM alembic_version")
        ours = [row[0] for row in revisions if row[0].startswith("oddsschema_")]
        current = ours[0] if ours else None
        usable = HEAD in ours
    if not usable:
        state = f"is at revision {current}" if current else "has no tables of oddsschema"
        raise NotMigratedError(
            f"the database {state}, this release needs {HEAD}: run 'oddsschema upgrade'",
            current=current,
            head=HEAD,
        )
