"""Connections of asyncpg that another program has opened, such as those of its pool.

They may have codecs of their own for any type, and prepared statements in a cache. Both stay as
they are, and no statement of ours uses them. A cached statement would fail after a migration.

asyncpg has no public way to ignore a codec, or to read one in order to restore it: its own
statements ignore them by the argument that is used here. An array has the codec of its elements
all the same: statements take arrays of texts, and cast them.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from asyncpg.prepared_stmt import PreparedStatement

from oddsschema.database.deadlines import Deadline
from oddsschema.errors import DatabaseUnavailableError

if TYPE_CHECKING:
    from oddsschema.database.targets import Connection


class ForeignConnection(Deadline):
    """A connection of another program, for statements of ours. It never closes the connection.

    It has the methods of asyncpg's Connection. A statement that gets no answer within
    `answer_within` (0: no limit) terminates the connection.
    """

    def __init__(self, connection: "Connection", answer_within: timedelta = timedelta(0)) -> None:
        if isinstance(connection, PoolConnectionProxy):
            # Prepared statements outlive the proxy, and refer to their connection at their end.
            connection = connection._con
        if connection is None or connection.is_closed():
            state = "has been released to its pool" if connection is None else "is closed"
            raise DatabaseUnavailableError(reason=f"the connection {state}")
        self._connection: Any = connection
        #: The transaction or savepoint that was begun last, until it ends.
        self.begun: ForeignTransaction | None = None
        self.set_deadline(answer_within)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    @contextmanager
    def awaiting_answer(self) -> Iterator[None]:
        """Terminate the connection if the server does not answer meanwhile.

        Raises DatabaseUnavailableError after the connection's own `command_timeout`.
        """
        with super().awaiting_answer():
            try:
                yield
            except TimeoutError as error:
                reason = "the server did not answer within the command_timeout of the connection"
                raise DatabaseUnavailableError(reason=reason) from error

    def is_closed(self) -> bool:
        """Return whether the connection is closed."""
        is_closed: bool = self._connection.is_closed()
        return is_closed

    def terminate(self) -> None:
        """Terminate the connection, without an answer of the server."""
        self._connection.terminate()

    async def close(self, **_: Any) -> None:
        """Leave the connection open: its owner closes it. End a transaction of ours that is open.

        SQLAlchemy closes a connection, without a rollback, after the cancellation of a statement.
        """
        if self.begun is not None and not self.is_closed():
            await self.begun.abandon()

    async def set_type_codec(self, *_: Any, **__: Any) -> None:
        """Leave the codecs of the connection as they are: SQLAlchemy would set its own."""

    def transaction(self, **options: Any) -> "ForeignTransaction":
        """Make a transaction, or a savepoint in an open transaction."""
        return ForeignTransaction(self, self._connection.transaction(**options))

    def alone(self) -> "ForeignTransaction":
        """Make the transaction of a single statement, whatever the default of the connection is."""
        return self.transaction(isolation="read_committed")

    async def execute(self, query: str, *args: Any) -> str:
        """Execute a statement, or several without arguments; return the status."""
        if not args:
            with self.awaiting_answer():
                status: str = await self._connection.execute(query)
                return status
        statement = await self.prepare(query)
        with self.awaiting_answer(), self._logged(query, args):
            await statement.fetch(*args)
        return str(statement.get_statusmsg())

    async def executemany(self, query: str, args: Sequence[Sequence[Any]]) -> None:
        """Execute a statement for each sequence of arguments."""
        statement = await self.prepare(query)
        with self.awaiting_answer(), self._logged(query, args):
            await statement.executemany(args)

    async def fetch(self, query: str, *args: Any) -> Any:
        """Fetch the rows of a statement."""
        statement = await self.prepare(query)
        with self.awaiting_answer(), self._logged(query, args):
            return await statement.fetch(*args)

    async def fetchrow(self, query: str, *args: Any) -> Any:
        """Fetch the first row of a statement."""
        statement = await self.prepare(query)
        with self.awaiting_answer(), self._logged(query, args):
            return await statement.fetchrow(*args)

    async def fetchval(self, query: str, *args: Any) -> Any:
        """Fetch a value of the first row of a statement."""
        statement = await self.prepare(query)
        with self.awaiting_answer(), self._logged(query, args):
            return await statement.fetchval(*args)

    def _logged(self, query: str, args: Sequence[Any]) -> AbstractContextManager[None]:
        """Pass the query to the loggers of the connection."""
        logged: AbstractContextManager[None] = self._connection._time_and_log(query, args, None)
        return logged

    async def prepare(self, query: str, **_: Any) -> PreparedStatement:
        """Prepare a statement without a name, outside of the connection's cache."""
        with self.awaiting_answer():
            state = await self._connection._get_statement(
                query, None, use_cache=False, ignore_custom_codec=True, record_class=asyncpg.Record
            )
        # Any other statement without a name replaces it: each use prepares it again, in its trip.
        state.mark_unprepared()
        return PreparedStatement(self._connection, query, state)

    async def copy_to_table(self, *args: Any, source: Any, **options: Any) -> Any:
        """Copy blocks of rows into a table."""
        with self.awaiting_answer():
            return await self._connection.copy_to_table(*args, source=self.taken(source), **options)


class ForeignTransaction:
    """A transaction of asyncpg, whose statements have the deadline of their connection."""

    def __init__(self, connection: ForeignConnection, transaction: Any) -> None:
        self._connection = connection
        self._transaction = transaction
        self._is_savepoint = connection.is_in_transaction()

    async def __aenter__(self) -> None:
        await self.start()

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await (self.commit() if error_type is None else self.rollback())

    async def start(self) -> None:
        """Begin the transaction, or set the savepoint."""
        self._connection.begun = self
        with self._connection.awaiting_answer():
            await self._transaction.start()

    async def commit(self) -> None:
        """Commit the transaction, or release the savepoint."""
        with self._connection.awaiting_answer():
            await self._transaction.commit()
        self._connection.begun = None

    async def rollback(self) -> None:
        """Roll back the transaction, or roll back to the savepoint."""
        with self._connection.awaiting_answer():
            await self._transaction.rollback()
        self._connection.begun = None

    async def abandon(self) -> None:
        """Roll back, also after a cancellation in the middle of the beginning or the end."""
        with suppress(asyncpg.InterfaceError):
            await self.rollback()
        if not self._is_savepoint and self._connection.is_in_transaction():
            # asyncpg has forgotten the transaction, which is open on the server.
            await self._connection.execute("ROLLBACK")
        self._connection.begun = None
