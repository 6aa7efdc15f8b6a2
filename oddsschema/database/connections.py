"""Connections to a database, and the transactions that run on them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from oddsschema.database.retry import is_answering, is_transient, retrying
from oddsschema.database.revision import require_migrated
from oddsschema.database.urls import normalize, redact
from oddsschema.errors import DatabaseUnavailableError, ReadOnlyDatabaseError, SequenceError

if TYPE_CHECKING:
    import asyncpg
    from sqlalchemy.ext.asyncio import AsyncConnection
    from tenacity import AsyncRetrying

#: A connection of the driver.
Connection: TypeAlias = "asyncpg.Connection[Any]"

#: A database to work on: a URL, or an open connection with a transaction of the caller's.
Target: TypeAlias = "str | asyncpg.Connection[Any] | AsyncConnection"

#: A database to migrate: a URL, or an open connection whose transaction belongs to the caller.
MigrationTarget: TypeAlias = "str | AsyncConnection"

#: The time in seconds for the end of connections.
_CLOSE_WITHIN = 2

_Result = TypeVar("_Result")


class Connections:
    """The connections that transactions run on: a pool, or a connection of the caller's.

    On a pool, a transaction that fails with a transient error (a lost connection, a deadlock, a
    serialization failure, a server that starts up) is repeated, with back-off, for `retry_for`.
    On a connection of the caller's, nothing is repeated.
    """

    def __init__(
        self,
        *,
        pool: "asyncpg.Pool[Any] | None" = None,
        connection: "Connection | None" = None,
        begin: Callable[[], Awaitable[None]] | None = None,
        retry_for: timedelta = timedelta(0),
    ) -> None:
        self._pool = pool
        self._connection = connection
        #: Begins the transaction of a caller whose library does so with its next statement.
        self._begin = begin
        self._retry_for = retry_for
        self._lock = asyncio.Lock()
        #: The number of repetitions so far.
        self.retries = 0

    @property
    def is_borrowed(self) -> bool:
        """Whether there is a single connection, which belongs to the caller."""
        return self._connection is not None

    async def transact(self, work: Callable[[Connection], Awaitable[_Result]]) -> _Result:
        """Run `work(connection)` in a transaction of its own. It may run more than once.

        Raises ReadOnlyDatabaseError when the server or the transaction accepts no writes,
        SequenceError when a new row got the id of another row, and NotMigratedError when a table or
        a column is missing since a migration.
        """
        import asyncpg

        try:
            return await self._transact(work)
        except asyncpg.ReadOnlySQLTransactionError as error:
            raise ReadOnlyDatabaseError(reason=str(error)) from error
        except asyncpg.UniqueViolationError as error:
            failure = SequenceError.of_violation(error)
            if failure is None:
                raise
            raise failure from error
        except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError):
            await self._transact(require_migrated)
            raise

    async def _transact(self, work: Callable[[Connection], Awaitable[_Result]]) -> _Result:
        if self._connection is not None:
            # Concurrent transactions on a single connection would nest.
            async with self._lock:
                if self._begin is not None:
                    await self._begin()
                async with self._connection.transaction():
                    return await work(self._connection)
        assert self._pool is not None  # without a connection of the caller's
        async for attempt in self._retrying(is_transient):
            with attempt:
                async with (
                    self._pool.acquire() as connection,
                    # Rows that others commit meanwhile must be visible, whatever the default is.
                    connection.transaction(isolation="read_committed"),
                ):
                    return await work(connection)
        raise AssertionError("tenacity returns or raises")

    async def wait_for_server(self) -> None:
        """Connect once, waiting for a server that answers. Any other failure is final.

        Raises DatabaseUnavailableError.
        """
        assert self._pool is not None  # for a URL
        async for attempt in self._retrying(is_answering):
            with attempt:
                async with self._pool.acquire():
                    return

    def _retrying(self, should_retry: Callable[[BaseException], bool]) -> "AsyncRetrying":
        return retrying(should_retry, self._retry_for, self._count_retry)

    def _count_retry(self) -> None:
        self.retries += 1


@asynccontextmanager
async def open_connections(
    target: Target, *, retry_for: timedelta = timedelta(minutes=1)
) -> AsyncIterator[Connections]:
    """Open connections to a URL, or wrap an open connection of asyncpg or SQLAlchemy.

    Raises DatabaseUnavailableError when no connection to the URL can be opened.
    """
    from sqlalchemy.ext.asyncio import AsyncConnection

    if isinstance(target, str):
        import asyncpg

        pool = asyncpg.create_pool(
            connect=lambda *_, **options: _open(target, options), min_size=0, max_size=10
        )
        await pool
        try:
            connections = Connections(pool=pool, retry_for=retry_for)
            await connections.wait_for_server()
            yield connections
        finally:
            await _close(pool)
    elif isinstance(target, AsyncConnection):
        connection = target
        raw = await target.get_raw_connection()
        driver_connection: Any = raw.driver_connection

        async def begin() -> None:
            # SQLAlchemy sends its BEGIN with its first statement, also after the caller's commit.
            # Without this statement, we would write outside the caller's transaction.
            if not driver_connection.is_in_transaction():
                await connection.exec_driver_sql("SELECT 1")

        yield Connections(connection=driver_connection, begin=begin)
    else:
        yield Connections(connection=target)


async def _close(pool: "asyncpg.Pool[Any]") -> None:
    """Close a pool. Its work is done: a server that is gone or does not answer is no error."""
    try:
        async with asyncio.timeout(_CLOSE_WITHIN):
            await pool.close()
    except Exception:
        pool.terminate()


@asynccontextmanager
async def sqlalchemy_connect(url: str) -> AsyncIterator["AsyncConnection"]:
    """Connect to a URL through SQLAlchemy, for migrations.

    Raises DatabaseUnavailableError when no connection can be opened.
    """
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: _open(url),
        poolclass=NullPool,
        # After a lock, the rows that others committed before must be visible, whatever the default.
        isolation_level="READ COMMITTED",
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
            # Cached statements would fail after a concurrent migration, and behind PgBouncer.
            statement_cache_size=0,
            **(options or {}),
        )
    except (
        *(OSError, TimeoutError, ValueError, OverflowError),
        *(asyncpg.PostgresError, asyncpg.InterfaceError),
    ) as e:
        raise DatabaseUnavailableError(reason=str(e) or type(e).__name__, url=redact(url)) from e
