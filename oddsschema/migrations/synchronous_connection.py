"""A connection of SQLAlchemy that is not asynchronous, for the comparison of catalogs.

Alembic's env.py has such a connection, of any driver. The comparison awaits a connection of
asyncpg's; it never waits here, because each answer is there when a method returns.
"""

from collections.abc import Coroutine, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import asyncpg
from sqlalchemy import ARRAY, Boolean, Connection, NestedTransaction, Text, bindparam, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.util import await_only

T = TypeVar("T")


class SynchronousConnection:
    """The methods of asyncpg's Connection that the comparison calls, inside a transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def fetch(self, query: str, *arguments: Any) -> Sequence[Any]:
        """Fetch the rows of a statement with arrays of texts, and booleans, as arguments."""
        names = [f"argument_{number}" for number in range(1, len(arguments) + 1)]
        for number, name in enumerate(names, 1):
            query = query.replace(f"${number}", f"(:{name})")
        statement = text(query).bindparams(
            *(
                bindparam(name, value, Boolean() if isinstance(value, bool) else ARRAY(Text()))
                for name, value in zip(names, arguments, strict=True)
            )
        )
        return self._connection.execute(statement).mappings().all()

    async def execute(self, query: str) -> None:
        """Execute one or more statements."""
        if self._connection.dialect.driver == "asyncpg":
            # SQLAlchemy prepares each statement, which can then be only one.
            await_only(self._driver_connection.execute(query))
            return
        try:
            options = {"no_parameters": True}
            self._connection.exec_driver_sql(query, execution_options=options)
        except DBAPIError as error:
            raise asyncpg.PostgresError(str(error.orig)) from error

    def transaction(self, **_: Any) -> "Savepoint":
        """Make a savepoint."""
        return Savepoint(self._connection)

    def is_in_transaction(self) -> bool:
        """Return True: the caller has begun the transaction."""
        return True

    def is_closed(self) -> bool:
        """Return whether the connection is closed."""
        return self._connection.closed

    @property
    def _driver_connection(self) -> Any:
        return self._connection.connection.driver_connection


class Savepoint:
    """A savepoint, with the methods of asyncpg's Transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._begun: NestedTransaction | None = None

    async def start(self) -> None:
        """Begin."""
        self._begun = self._connection.begin_nested()

    async def rollback(self) -> None:
        """Roll back."""
        if self._begun is not None:
            self._begun.rollback()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._begun is not None and kind is None:
            self._begun.commit()
        else:
            await self.rollback()


def complete(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits to its end."""
    try:
        work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise RuntimeError("the coroutine waits")
