"""Connections to a database, and the transactions that run on them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from oddsschema.database.backends import Backend, LostBackends
from oddsschema.database.durations import require_not_negative
from oddsschema.database.engines import engine_of
from oddsschema.database.retry import as_package_error, driver_errors, is_transient, retrying
from oddsschema.database.revision import require_migrated
from oddsschema.database.targets import Connection as Connection
from oddsschema.database.targets import (
    Source,
    has_open_transaction,
    open_source,
    require_usable,
)
from oddsschema.database.targets import Target as Target
from oddsschema.database.time_limits import LONG_ANSWER_WITHIN
from oddsschema.errors import (
    DatabaseUnavailableError,
    OddsSchemaError,
    ReadOnlyDatabaseError,
    SequenceError,
    WorkerNodeError,
)

if TYPE_CHECKING:
    import asyncpg
    from sqlalchemy.ext.asyncio import AsyncConnection
    from tenacity import AsyncRetrying

_Result = TypeVar("_Result")


def never(_error: BaseException) -> bool:
    """Return False: no transient error is final."""
    return False


class Connections:
    """The connections that transactions run on: those of a source.

    Unless the source is a connection of the caller's, a transaction that fails with a transient
    error (a lost connection, no answer, a deadlock, a time limit, a server that starts up, a
    standby that accepts no writes) is repeated, with back-off, for `retry_for` from the first
    failure.
    """

    def __init__(self, source: Source, *, retry_for: timedelta = timedelta(0)) -> None:
        self._source = source
        self._retry_for = retry_for
        self._lock = asyncio.Lock()
        self._lost = LostBackends()
        #: The number of repetitions so far.
        self.retries = 0

    @property
    def is_borrowed(self) -> bool:
        """Whether there is a single connection, which belongs to the caller."""
        return self._source.is_borrowed

    async def transact(
        self,
        work: Callable[[Connection], Awaitable[_Result]],
        *,
        is_final: Callable[[BaseException], bool] = never,
        is_single: bool = False,
    ) -> _Result:
        """Run `work(connection)` in a transaction of its own. It may run more than once.

        A transient error for which `is_final` returns true is not repeated. With `is_single`, the
        work is statements of which each may be committed alone, mostly a single one: they save the
        round trips of the beginning and the end of a transaction.

        Raises DatabaseUnavailableError when the connection is lost or the server does not answer,
        TransactionError when the server ended the transaction with another transient error,
        ReadOnlyDatabaseError when the server or the transaction accepts no writes,
        SequenceError when a new row got the id of another row, WorkerNodeError on a worker node of
        Citus that should give an id, and NotMigratedError when a table or a column is missing since
        a migration.
        """
        import asyncpg

        try:
            return await self._transact_migrated(work, is_final, is_single)
        except Exception as error:
            failure: OddsSchemaError | None = None
            if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
                failure = ReadOnlyDatabaseError(reason=str(error))
            elif isinstance(error, asyncpg.SequenceGeneratorLimitExceededError):
                failure = WorkerNodeError() if "worker node" in (error.detail or "") else None
            elif isinstance(error, asyncpg.UniqueViolationError):
                failure = SequenceError.of_violation(error)
            elif not (self.is_borrowed or is_final(error)):
                failure = as_package_error(error)
            if failure is None:
                raise
            raise failure from error

    async def _transact_migrated(
        self,
        work: Callable[[Connection], Awaitable[_Result]],
        is_final: Callable[[BaseException], bool],
        is_single: bool,
    ) -> _Result:
        import asyncpg

        try:
            return await self._transact(work, is_final, is_single)
        except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError):
            await self._transact(require_migrated)
            raise

    async def _transact(
        self,
        work: Callable[[Connection], Awaitable[_Result]],
        is_final: Callable[[BaseException], bool] = never,
        is_single: bool = False,
    ) -> _Result:
        if self.is_borrowed:
            # Concurrent transactions on a single connection would nest.
            async with self._lock, self._source.acquire() as borrowed:
                await self._source.begin()
                async with borrowed.transaction():
                    return await work(borrowed)
        async for attempt in self._retrying(is_final):
            with attempt:
                async with (
                    self._acquired() as connection,
                    # Rows that others commit meanwhile must be visible, whatever the default is.
                    connection.alone()
                    if is_single
                    else connection.transaction(isolation="read_committed"),
                ):
                    return await work(connection)
        raise AssertionError("tenacity returns or raises")

    async def wait_for_server(self) -> None:
        """Connect once, waiting for the server.

        Raises DatabaseUnavailableError and TransactionError, also if the connection is lost.
        """
        try:
            async for attempt in self._retrying():
                with attempt:
                    async with self._acquired():
                        return
        except driver_errors() as error:
            if (failure := as_package_error(error)) is None:
                raise
            raise failure from error

    @asynccontextmanager
    async def _acquired(self) -> AsyncIterator[Connection]:
        """Take a connection from the source, after the end of the backends that were lost.

        Raises DatabaseUnavailableError in place of the error of a connection that was lost, and
        CancelledError after a cancellation of the task, also if the rollback fails.
        """
        import asyncpg

        backend: Backend | None = None
        cancellations = _cancellations()
        try:
            async with self._source.acquire() as connection:
                backend = Backend.of(connection)
                await self._lost.end(connection)
                try:
                    yield connection
                except asyncpg.ReadOnlySQLTransactionError as error:
                    raise await self._read_only(connection, error) from error
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
            if backend is not None and is_lost and backend.connection.gave_up:
                raise backend.connection.no_answer() from error
            raise error

    async def _read_only(
        self, connection: Connection, error: "asyncpg.ReadOnlySQLTransactionError"
    ) -> ReadOnlyDatabaseError:
        """Build the error for a server that accepts no writes, after its transaction."""
        is_standby = await was_standby(connection)
        # After a failover, a new connection may reach the new primary server. A new one also has
        # the defaults of its role again, which the administrator may have changed back.
        await self._source.expire(connection)
        return ReadOnlyDatabaseError(reason=str(error), is_standby=is_standby)

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
    remembers: bool = True,
) -> AsyncIterator[Connections]:
    """Open connections to a target; with `remembers`, for the package's own statements alone.

    Unless the target is a connection, transient errors are retried for `retry_for`, and a statement
    that gets no answer within `answer_within` (0: no limit) is such an error.

    Raises DatabaseUnavailableError when no connection can be opened, and the errors of
    `open_source`.
    """
    require_not_negative(retry_for=retry_for, answer_within=answer_within)
    async with open_source(target, answer_within, remembers=remembers) as source:
        connections = Connections(source, retry_for=retry_for)
        if not connections.is_borrowed:
            await connections.wait_for_server()
        yield connections


@asynccontextmanager
async def sqlalchemy_connect(
    target: Target,
    *,
    answer_within: timedelta = LONG_ANSWER_WITHIN,
    lost: LostBackends | None = None,
) -> AsyncIterator["AsyncConnection"]:
    """Connect to a target through SQLAlchemy, for migrations and reads.

    A statement that gets no answer within `answer_within` (0: no limit) loses the connection. The
    backends in `lost`, of earlier connections, are ended. That of this one is added if it is lost.
    Inside a transaction of the caller's, this one is a savepoint.

    Raises DatabaseUnavailableError when no connection can be opened, and the errors of
    `open_source`.
    """
    from sqlalchemy.ext.asyncio import AsyncConnection

    if isinstance(target, AsyncConnection):
        require_usable(target)
        if not target.in_transaction():
            # Without a transaction, alembic would begin and commit its own.
            await target.begin()
        yield target
        return
    is_nested = has_open_transaction(target)
    lost = lost or LostBackends()
    backend: Backend | None = None
    async with open_source(target, answer_within) as source:
        try:
            async with source.acquire() as driver_connection:
                backend = Backend.of(driver_connection)
                if not source.is_borrowed:
                    await lost.end(driver_connection)
                async with _through_sqlalchemy(driver_connection, is_nested) as connection:
                    yield connection
        except Exception as error:
            if backend is not None and backend.is_lost:
                lost.add(backend)
                if backend.connection.gave_up:
                    raise backend.connection.no_answer() from error
            raise


@asynccontextmanager
async def _through_sqlalchemy(
    driver_connection: Connection, is_nested: bool
) -> AsyncIterator["AsyncConnection"]:
    """Let SQLAlchemy use a connection of the driver, in a savepoint if it is nested."""
    from sqlalchemy.pool import NullPool

    async def connect() -> Connection:
        return driver_connection

    # After a lock, the rows that others committed before must be visible, whatever the default. The
    # isolation level of the caller's transaction is settled.
    options = {} if is_nested else {"isolation_level": "READ COMMITTED"}
    engine = engine_of(connect, poolclass=NullPool, **options)
    try:
        async with engine.connect() as connection:
            if is_nested:
                async with connection.begin():
                    yield connection
            else:
                yield connection
    finally:
        await engine.dispose()


async def was_standby(connection: Connection) -> bool:
    """Return whether a server that refused a write is, or just was, a standby.

    It is none if a setting of the role, the database or the URL forbids the write. A connection
    that is lost meanwhile may be a standby's, too.
    """
    try:
        return bool(await connection.fetchval(_IS_NOT_FORBIDDEN))
    except (*driver_errors(), DatabaseUnavailableError):
        return True


# Return whether no setting forbids to write. A standby may have become the primary server.
_IS_NOT_FORBIDDEN = """
SELECT pg_is_in_recovery() OR NOT current_setting('default_transaction_read_only')::boolean
"""
