"""Connections to a database, and the transactions that run on them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from oddsschema.database.retry import is_starting_up, is_transient, retrying
from oddsschema.database.urls import normalize, redact
from oddsschema.errors import DatabaseUnavailableError

if TYPE_CHECKING:
    import asyncpg
    from sqlalchemy.ext.asyncio import AsyncConnection
    from tenacity import AsyncRetrying

#: A connection of the driver.
Connection: TypeAlias = "asyncpg.Connection[Any]"

#: A database to work on: a URL, or an open connection whose transaction belongs to the caller.
Target: TypeAlias = "str | asyncpg.Connection[Any] | AsyncConnection"

_Result = TypeVar("_Result")


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
        handed: "Connection | None" = None,
        retry_for: float = 0,
    ) -> None:
        self._pool = pool
        self._handed = handed
        self._retry_for = retry_for
        self._lock = asyncio.Lock()
        #: How often something was run again.
        self.retries = 0

    async def transact(self, work: Callable[[Connection], Awaitable[_Result]]) -> _Result:
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
        async for attempt in self._retrying(is_starting_up):
            with attempt:
                async with self._pool.acquire():
                    return

    def _retrying(self, should_retry: Callable[[BaseException], bool]) -> "AsyncRetrying":
        return retrying(should_retry, self._retry_for, self._count_retry)

    def _count_retry(self) -> None:
        self.retries += 1


@asynccontextmanager
async def open_connections(target: Target, *, retry_for: float = 60) -> AsyncIterator[Connections]:
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


async def _open(url: str, options: Mapping[str, Any] | None = None) -> Connection:
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
