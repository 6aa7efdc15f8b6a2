"""Connections of asyncpg that are terminated when the server does not answer.

A network that drops packets silently closes no connection, and neither does a server process that
is stopped. asyncio's sockets have no keepalive, and asyncpg waits for an answer for ever.
"""

import asyncio
import socket
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext, suppress
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import asyncpg
from asyncpg.transaction import Transaction

from oddsschema.database.durations import format_duration
from oddsschema.database.known_databases import KnownDatabase, builtin_arrays
from oddsschema.errors import DatabaseUnavailableError

#: The number of parts in which a deadline is counted.
_PARTS = 10

#: The time in seconds for the next answer after a cancellation, and for the end of a connection.
_END_WITHIN = 1.0


class Deadline:
    """The time within which the server answers a statement of a connection.

    The time is counted in parts by the event loop: while a program blocks the loop, which answers
    may wait for, it does not pass. During a COPY, it counts from the last block that was taken.

    After the cancellation of a statement, asyncpg waits until the server has ended the statement.
    This wait, and that for the rollback, have a short time of their own.
    """

    #: The time for the answer to a statement; 0 for no limit.
    answer_within: timedelta
    #: Whether the connection was terminated because the server did not answer.
    gave_up: bool
    _parts_left: int
    _timer: asyncio.TimerHandle | None
    #: Terminates the connection unless an answer follows a cancellation.
    _cancellation: asyncio.TimerHandle | None

    def set_deadline(self, answer_within: timedelta) -> None:
        """Set the time for an answer, which is not running."""
        self.answer_within = answer_within
        self.gave_up = False
        self._parts_left = 0
        self._timer = self._cancellation = None

    if TYPE_CHECKING:

        def is_closed(self) -> bool:
            """Return whether the connection is closed."""

        def terminate(self) -> None:
            """Terminate the connection, without an answer of the server."""

    def no_answer(self) -> DatabaseUnavailableError:
        """Build the error for a server that did not answer."""
        limit = format_duration(self.answer_within)
        return DatabaseUnavailableError(reason=f"the server did not answer within {limit}")

    @contextmanager
    def awaiting_answer(self) -> Iterator[None]:
        """Terminate the connection if the server does not answer meanwhile."""
        is_first = self.begin_deadline()
        try:
            yield
            self._end_cancellation()
        except asyncio.CancelledError:
            if self._cancellation is None:
                loop = asyncio.get_running_loop()
                self._cancellation = loop.call_later(_END_WITHIN, self._give_up)
            raise
        finally:
            if is_first:
                self.end_deadline()

    def begin_deadline(self) -> bool:
        """Begin the time for an answer; return whether it was not running yet."""
        if not self.answer_within or self._timer is not None:
            return False
        self._parts_left = _PARTS
        self._set_timer()
        return True

    def end_deadline(self) -> None:
        """End the time for an answer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self) -> None:
        part = self.answer_within.total_seconds() / _PARTS
        self._timer = asyncio.get_running_loop().call_later(part, self._count_part)

    def _count_part(self) -> None:
        self._parts_left -= 1
        if self._parts_left > 0:
            self._set_timer()
        else:
            self._give_up()

    def _give_up(self) -> None:
        if not self.is_closed():
            self.gave_up = True
            self.terminate()

    def _end_cancellation(self) -> None:
        if self._cancellation is not None:
            self._cancellation.cancel()
            self._cancellation = None

    async def taken(self, blocks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        """Begin the time for an answer again whenever the connection asks for the next block."""
        async for block in blocks:
            self._parts_left = _PARTS
            yield block
        self._parts_left = _PARTS


class SearchPathTransaction(Transaction):  # type: ignore[misc]  # asyncpg is untyped
    """A transaction that begins with the search path of its connection.

    A pooler refuses a search path in the request for a connection, and each transaction may run on
    another connection of the pooler's.
    """

    async def start(self) -> None:
        """Begin the transaction or the savepoint, and set the search path of a transaction."""
        connection = self._connection
        is_savepoint = connection.is_in_transaction()
        await super().start()
        if connection.search_path is None or is_savepoint:
            return
        try:
            # An E'' literal has the same meaning under every setting of the server.
            path = connection.search_path.replace("\\", "\\\\").replace("'", "''")
            await connection.execute(f"SELECT set_config('search_path', E'{path}', true)")
        except BaseException:
            with suppress(Exception):
                await self.rollback()
            raise


class DeadlineConnection(Deadline, asyncpg.Connection):  # type: ignore[misc]  # asyncpg is untyped
    """A connection that is terminated when a statement gets no answer within a time."""

    def __init__(self, protocol: Any, transport: Any, *args: Any) -> None:
        super().__init__(protocol, transport, *args)
        self.set_deadline(timedelta(0))
        #: The search path of each transaction; None for the server's.
        self.search_path: str | None = None
        #: The facts that are known about the database, shared by the connections to it; None for
        #: statements that are not this package's own: their types may change at any time.
        self.known: KnownDatabase | None = None

    def transaction(self, **options: Any) -> "SearchPathTransaction":
        """Return a transaction, or a savepoint inside a transaction."""
        arguments = {"isolation": None, "readonly": False, "deferrable": False, **options}
        return SearchPathTransaction(self, **arguments)

    def alone(self) -> AbstractAsyncContextManager[None]:
        """Return the context of a single statement, which is a transaction of its own."""
        return nullcontext() if self.search_path is None else self.transaction()

    @property
    def socket(self) -> socket.socket:
        """The socket of the connection."""
        connected: socket.socket = self._transport.get_extra_info("socket")
        return connected

    @property
    def unproxied(self) -> "DeadlineConnection":
        """The connection itself: asyncpg's pool hands out proxies."""
        return self

    # -- the descriptions of statements ------------------------------------------------------------

    async def _get_statement(
        self,
        query: str,
        timeout: float | None,  # noqa: ASYNC109  # asyncpg's
        *,
        named: Any = False,
        **options: Any,
    ) -> Any:
        """Return the description of a statement: a remembered one needs no round trip.

        It is asyncpg's own step before each execution. asyncpg parses a statement without a name
        again with each execution, in the same round trip.
        """
        known = self.known
        if known is None or named or not options.get("use_cache", True):
            return await super()._get_statement(query, timeout, named=named, **options)
        key = query, options.get("record_class"), options.get("ignore_custom_codec", False)
        state = known.described(key)
        if state is None:
            state = await super()._get_statement(query, timeout, **options)
            known.describe(key, state)
        return state

    async def _introspect_types(
        self,
        oids: Any,
        timeout: float | None,  # noqa: ASYNC109  # asyncpg's
    ) -> Any:
        """Return the descriptions of types, and the statement that has read them."""
        if (types := builtin_arrays(oids)) is None:
            return await super()._introspect_types(oids, timeout)
        # The name of a statement that replaces none: nothing was sent.
        return types, SimpleNamespace(name="none")

    @contextmanager
    def _forgetting_at_errors(self) -> Iterator[None]:
        """Forget the known facts after an error that a migration meanwhile may have caused.

        Raises asyncpg.InternalClientError, which is transient, for an argument or a result in
        another form than its description.
        """
        try:
            yield
        except asyncpg.InvalidBinaryRepresentationError as error:
            self._forget()
            raise _changed_types() from error
        except (asyncpg.PostgresError, asyncpg.InternalClientError):
            self._forget()
            raise
        except (BufferError, AssertionError, UnicodeDecodeError) as error:
            # asyncpg's, while it decodes values of other types than it expects.
            if self.known is None:
                raise
            self._forget()
            raise _changed_types() from error

    def _forget(self) -> None:
        if self.known is not None:
            self.known.forget()

    # -- the methods that wait for an answer -------------------------------------------------------

    async def close(self, **options: Any) -> None:
        """Close the connection; terminate it if the server does not answer soon."""
        with suppress(TimeoutError):
            await super().close(**{"timeout": _END_WITHIN, **options})

    async def execute(self, *args: Any, **options: Any) -> Any:
        """Execute a statement, or several without arguments."""
        with self.awaiting_answer(), self._forgetting_at_errors():
            return await super().execute(*args, **options)

    async def executemany(self, *args: Any, **options: Any) -> None:
        """Execute a statement for each sequence of arguments."""
        with self.awaiting_answer(), self._forgetting_at_errors():
            await super().executemany(*args, **options)

    async def prepare(self, *args: Any, **options: Any) -> Any:
        """Prepare a statement. Its own executions have no deadline."""
        with self.awaiting_answer():
            return await super().prepare(*args, **options)

    async def fetch(self, *args: Any, **options: Any) -> Any:
        """Fetch the rows of a statement."""
        with self.awaiting_answer(), self._forgetting_at_errors():
            return await super().fetch(*args, **options)

    async def fetchrow(self, *args: Any, **options: Any) -> Any:
        """Fetch the first row of a statement."""
        with self.awaiting_answer(), self._forgetting_at_errors():
            return await super().fetchrow(*args, **options)

    async def fetchval(self, *args: Any, **options: Any) -> Any:
        """Fetch a value of the first row of a statement."""
        with self.awaiting_answer(), self._forgetting_at_errors():
            return await super().fetchval(*args, **options)

    async def copy_to_table(self, *args: Any, source: Any, **options: Any) -> Any:
        """Copy blocks of rows into a table."""
        with self.awaiting_answer():
            return await super().copy_to_table(*args, source=self.taken(source), **options)


def _changed_types() -> asyncpg.InternalClientError:
    return asyncpg.InternalClientError("the types of a statement have changed meanwhile")
