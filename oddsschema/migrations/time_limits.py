"""The time limits of a migration: on its wait for locks and on its statements, for any env.py."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError

from oddsschema.database.time_limits import LOCK_TIMEOUT, STATEMENT_TIMEOUT
from oddsschema.errors import (
    LockTimeoutError,
    MigrationDeadlockError,
    MigrationError,
    StatementTimeoutError,
)

#: The greatest number of milliseconds that PostgreSQL accepts.
_MAX_MILLISECONDS = 2**31 - 1
_SETTINGS = ("lock_timeout", "statement_timeout")
#: Read the session's limits.
_READ_SETTINGS = f"SELECT {', '.join(f'current_setting({name!r})' for name in _SETTINGS)}"

#: The longest statement that a message quotes in full, in characters.
_LONGEST_STATEMENT = 100


@contextmanager
def timeouts(
    context: MigrationContext,
    *,
    lock_timeout: float | str = LOCK_TIMEOUT,
    statement_timeout: float | str = STATEMENT_TIMEOUT,
) -> Iterator[None]:
    """Limit the transactions of a migration in time. Limits are in seconds; 0 means no limit.

    A transaction that is already open gets its own limits back at the end. SQL text (alembic's
    offline mode) begins with statements that set the limits. Statements outside of a transaction
    (`autocommit_block`) keep the session's limits.

        with timeouts(context.get_context()), context.begin_transaction():
            context.run_migrations()

    Raises alembic's CommandError for an invalid limit, and when a limit is reached or PostgreSQL
    ends a deadlock. In the latter cases, its `__cause__` is a LockTimeoutError,
    StatementTimeoutError or MigrationDeadlockError.
    """
    values = (
        _milliseconds("lock_timeout", lock_timeout),
        _milliseconds("statement_timeout", statement_timeout),
    )
    if context.as_sql:
        for name, value in zip(_SETTINGS, values, strict=True):
            context.execute(f"SET {name} = '{value}ms'")
        yield
        return
    connection = context.connection
    assert connection is not None  # set unless the migration is printed as SQL

    def begin(connection: Connection) -> None:
        _set(connection, tuple(f"{value}ms" for value in values))

    before = (
        connection.exec_driver_sql(_READ_SETTINGS).one() if connection.in_transaction() else None
    )
    if before is not None:
        begin(connection)
    event.listen(connection, "begin", begin)
    try:
        yield
        if before is not None:
            _set(connection, tuple(before))
    except DBAPIError as error:
        lock, statement = (timedelta(milliseconds=value) for value in values)
        failure = timeout_error(error, lock_timeout=lock, statement_timeout=statement)
        if failure is None:
            raise
        failure.__cause__ = error
        raise CommandError(str(failure)) from failure
    finally:
        event.remove(connection, "begin", begin)


def timeout_error(
    error: DBAPIError, *, lock_timeout: timedelta, statement_timeout: timedelta
) -> MigrationError | None:
    """Build the error for a limit that was reached, or a deadlock; None for any other error."""
    statement = " ".join((error.statement or "").split())
    if len(statement) > _LONGEST_STATEMENT:
        statement = f"{statement[: _LONGEST_STATEMENT - 1]}…"
    match getattr(error.orig, "sqlstate", None):
        case "55P03":  # lock_not_available
            return LockTimeoutError(timeout=lock_timeout, statement=statement)
        case "40P01":  # deadlock_detected
            return MigrationDeadlockError(statement=statement)
        case "57014":  # query_canceled
            return StatementTimeoutError(timeout=statement_timeout, statement=statement)
    return None


def _milliseconds(name: str, seconds: float | str) -> int:
    try:
        milliseconds = float(seconds) * 1000
    except ValueError:
        milliseconds = math.nan
    if not 0 <= milliseconds <= _MAX_MILLISECONDS:
        raise CommandError(
            f"{name} is a number of seconds, 0 (none) to {_MAX_MILLISECONDS // 1000:,}, "
            f"not {seconds!r}"
        )
    return math.ceil(milliseconds)


def _set(connection: Connection, values: tuple[str, ...]) -> None:
    calls = (
        f"set_config('{name}', '{value}', true)"
        for name, value in zip(_SETTINGS, values, strict=True)
    )
    connection.exec_driver_sql(f"SELECT {', '.join(calls)}")
