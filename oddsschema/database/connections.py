"""Connections to a database, and the transactions that run on them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from oddsschema.database.backends import Backend, LostBackends
from oddsschema.database.driver import open_connection
from oddsschema.database.retry import as_package_error, is_transient, retrying
from oddsschema.database.revision import require_migrated
from oddsschema.database.time_limits import LONG_ANSWER_WITHIN
from oddsschema.errors import (
    OddsSchemaError,
    ReadOnlyDatabaseError,
    SequenceError,
)

if TYPE_CHECKING:
    import asyncpg
    from sqlalchemy import Engine
    from sqlalchemy.ext.asyncio import AsyncConnection
    from tenacity import AsyncRetrying

    from oddsschema.database.deadlines import DeadlineConnection

#: A connection of the driver.
Connection: TypeAlias = "asyncpg.Connection[Any]"

#: A database to work on: a URL, or an open connection with a transaction of the caller's.
Target: TypeAlias = "str | asyncpg.Connection[Any] | AsyncConnection"

#: A database to migrate: a URL, or an open connection whose transaction belongs to the caller.
MigrationTarget: TypeAlias = "str | AsyncConnection"

#: The time in seconds for the end of connections.
_CLOSE_WITHIN = 2

_Result = TypeVar("_Result")


def never(_error: BaseException) -> bool:
    """Return False: no transient error is final."""
    return False


class Connections:
    """The connections that transactions run on: a pool, or a connection of the caller's.

    On a pool, a transaction that fails with a transient error (a lost connection, no answer, a
    deadlock, a time limit, a server that starts up or accepts no writes) is repeated, with
    back-off, for `retry_for` from the first failure. On a connection of the caller's, nothing is
    repeated.
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
        self._lost = LostBackends()
        #: The number of repetitions so far.
        self.retries = 0

    @property
    def is_borrowed(self) -> bool:
        """Whether there is a single connection, which belongs to the caller."""
        return self._connection is not None

    async def transact(
        self,
        work: Callable[[Connection], Awaitable[_Result]],
        *,
        is_final: Callable[[BaseException], bool] = never,
    ) -> _Result:
        """Run `work(connection)` in a transaction of its own. It may run more than once.

        A transient error for which `is_final` returns true is not repeated.

        Raises DatabaseUnavailableError when the connection is lost or the server does not answer,
        TransactionError when the server ended the transaction with another transient error,
        ReadOnlyDatabaseError when the server or the transaction accepts no writes,
        SequenceError when a new row got the id of another row, and NotMigratedError when a table or
        a column is missing since a migration.
        """
        import asyncpg

        try:
            return await self._transact(work, is_final)
        except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError):
            await self._transact(require_migrated)
            raise
        except Exception as error:
            failure: OddsSchemaError | None = None
            if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
                failure = ReadOnlyDatabaseError(reason=str(error))
            elif isinstance(error, asyncpg.UniqueViolationError):
                failure = SequenceError.of_violation(error)
            elif not (self.is_borrowed or is_final(error)):
                failure = as_package_error(error)
            if failure is None:
                raise
            raise failure from error

    async def _transact(
        self,
        work: Callable[[Connection], Awaitable[_Result]],
        is_final: Callable[[BaseException], bool] = never,
    ) -> _Result:
        if self._connection is not None:
            # Concurrent transactions on a single connection would nest.
            async with self._lock:
                if self._begin is not None:
                    await self._begin()
                async with self._connection.transaction():
                    return await work(self._connection)
        async for attempt in self._retrying(is_final):
            with attempt:
                async with (
                    self._acquired() as connection,
                    # Rows that others commit meanwhile must be visible, whatever the default is.
                    connection.transaction(isolation="read_committed"),
                ):
                    return await work(connection)
        raise AssertionError("tenacity returns or raises")

    async def wait_for_server(self) -> None:
        """Connect once, waiting for the server. Raises DatabaseUnavailableError."""
        async for attempt in self._retrying():
            with attempt:
                async with self._acquired():
                    return

    @asynccontextmanager
    async def _acquired(self) -> AsyncIterator["DeadlineConnection"]:
        """Take a connection from the pool, after the end of the backends that were lost.

        Raises DatabaseUnavailableError in place of the error of a connection that was lost, and
        CancelledError after a cancellation of the task, also if the rollback fails.
        """
        import asyncpg

        assert self._pool is not None  # without a connection of the caller's
        backend: Backend | None = None
        cancellations = _cancellations()
        try:
            async with self._pool.acquire() as connection:
                backend = Backend.of(connection.unproxied)
                await self._lost.end(connection)
                yield connection
        except BaseException as error:
            is_lost = backend is not None and backend.is_lost
            if backend is not None and is_lost:
                self._lost.add(backend)
            if not isinstance(error, Exception):
                raise
            if _cancellations() > cancellations:
                # The rollback failed, and its error hides the cancellation: it would be retried.
                raise asyncio.CancelledError from error
            # The end of a transaction fails on a closed connection, and hides the reason of both.
            if isinstance(error, asyncpg.InterfaceError) and isinstance(
                error.__context__, asyncpg.PostgresError
            ):
                error = error.__context__
            if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
                # After a failover, a new connection may reach the new primary server.
                await self._pool.expire_connections()
            if backend is not None and is_lost and backend.connection.gave_up:
                raise backend.connection.no_answer() from error
            raise error

    def _retrying(self, is_final: Callable[[BaseException], bool] = never) -> "AsyncRetrying":
        def should_retry(error: BaseException) -> bool:
            return is_transient(error) and not is_final(error)

        return retrying(should_retry, self._retry_for, self._count_retry)

    def _count_retry(self) -> None:
        self.retries += 1


def _cancellations() -> int:
    """Return the number of cancellations of the current task."""
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


@asynccontextmanager
async def open_connections(
    target: Target,
    *,
    retry_for: timedelta = timedelta(0),
    answer_within: timedelta = LONG_ANSWER_WITHIN,
) -> AsyncIterator[Connections]:
    """Open connections to a URL, or wrap an open connection of asyncpg or SQLAlchemy.

    On a URL, transient errors are retried for `retry_for`, and a statement that gets no answer
    within `answer_within` (0: no limit) is such an error.

    Raises DatabaseUnavailableError when no connection to the URL can be opened, and TypeError for
    any other target.
    """
    import asyncpg
    from sqlalchemy.ext.asyncio import AsyncConnection

    if isinstance(target, str):
        pool = asyncpg.create_pool(
            connect=lambda *_, **options: open_connection(target, answer_within, options),
            min_size=0,
            max_size=10,
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
    elif isinstance(target, asyncpg.Connection):
        yield Connections(connection=target)
    else:
        raise refused_target(target, "a connection of asyncpg, or an AsyncConnection of SQLAlchemy")


def refused_target(target: object, connections: str) -> TypeError:
    """Make the error of a target that is neither a URL nor one of the accepted connections."""
    return TypeError(
        "the database should be given as a URL (text such as postgresql://user@host/name), "
        f"{connections}, not as {type(target).__name__}"
    )


def require_migration_target(target: MigrationTarget) -> None:
    """Raise TypeError for a target of a migration that is neither a URL nor an AsyncConnection."""
    from sqlalchemy.ext.asyncio import AsyncConnection

    if not isinstance(target, str | AsyncConnection):
        raise refused_target(target, "or an AsyncConnection of SQLAlchemy")


async def _close(pool: "asyncpg.Pool[Any]") -> None:
    """Close a pool. Its work is done: a server that is gone or does not answer is no error."""
    try:
        async with asyncio.timeout(_CLOSE_WITHIN):
            await pool.close()
    except Exception:
        pool.terminate()


@asynccontextmanager
async def sqlalchemy_connect(
    url: str,
    *,
    answer_within: timedelta = LONG_ANSWER_WITHIN,
    lost: LostBackends | None = None,
) -> AsyncIterator["AsyncConnection"]:
    """Connect to a URL through SQLAlchemy, for migrations and reads.

    A statement that gets no answer within `answer_within` (0: no limit) loses the connection. The
    backends in `lost`, of earlier connections, are ended. That of this one is added if it is lost.

    Raises DatabaseUnavailableError when no connection can be opened.
    """
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    backends: list[Backend] = []

    async def connect() -> "DeadlineConnection":
        connection = await open_connection(url, answer_within)
        backends.append(Backend.of(connection))
        if lost is not None:
            await lost.end(connection)
        return connection

    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        poolclass=NullPool,
        # After a lock, the rows that others committed before must be visible, whatever the default.
        isolation_level="READ COMMITTED",
    )
    _limit_answers(engine.sync_engine)
    try:
        async with engine.connect() as connection:
            yield connection
    except Exception as error:
        for backend in backends:
            if lost is not None and backend.is_lost:
                lost.add(backend)
            if backend.connection.gave_up:
                raise backend.connection.no_answer() from error
        raise
    finally:
        await engine.dispose()


def _limit_answers(engine: "Engine") -> None:
    """Apply the deadline of connections to the statements that SQLAlchemy prepares itself."""
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
