"""The time limits of a migration, for any env.py, and its errors in this package's words."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError

from oddsschema.database.durations import format_duration, in_milliseconds, require_durations
from oddsschema.database.time_limits import LOCK_TIMEOUT, STATEMENT_TIMEOUT
from oddsschema.errors import (
    LockTimeoutError,
    MigrationDeadlockError,
    MigrationError,
    StatementTimeoutError,
)
from oddsschema.migrations.version_tables import require_own_place
from oddsschema.migrations.violations import violation_error

#: The longest time limit: PostgreSQL counts milliseconds in 32 bits.
_LONGEST = timedelta(milliseconds=2**31 - 1)
_LIMITS = ("lock_timeout", "statement_timeout")

#: The settings of a transaction that a migration changes.
_SETTINGS = (*_LIMITS, "client_connection_check_interval")

# Read the settings.
_READ_SETTINGS = f"SELECT {', '.join(f'current_setting({name!r})' for name in _SETTINGS)}"

# Let the server end a statement whose client has gone. Some systems cannot detect that.
_CHECK_CLIENT = """
DO $$
BEGIN
    PERFORM set_config('client_connection_check_interval', '1s', true);
EXCEPTION WHEN invalid_parameter_value THEN
    NULL;
END
$$
"""

#: The longest statement that a message quotes in full, in characters.
_LONGEST_STATEMENT = 100

#: A comment at the beginning of a statement, which a message quotes in place of the statement.
_COMMENT = re.compile(r"/\* (.*?) \*/")


@contextmanager
def timeouts(
    context: MigrationContext,
    *,
    lock_timeout: timedelta = LOCK_TIMEOUT,
    statement_timeout: timedelta = STATEMENT_TIMEOUT,
) -> Iterator[None]:
    """Limit the transactions of a migration in time; a duration of 0 means no limit.

    A transaction that is already open gets its own limits back at the end. SQL text (alembic's
    offline mode) begins with statements that set the limits. Statements outside of a transaction
    (`autocommit_block`) keep the session's limits. During a statement, the server looks once a
    second whether the client has gone, if its system can detect that, and then rolls back.

        with timeouts(context.get_context()), context.begin_transaction():
            context.run_migrations()

    It also makes sure that the search path leads to the tables of oddsschema in one schema, and, in
    another project's env.py, that the revision of oddsschema is in the project's version table, not
    in `oddsschema_version`.

    Raises alembic's CommandError for either, for an invalid limit, when a limit is reached or
    PostgreSQL ends a deadlock, and when rows break a CHECK or a sequence is behind. In the latter
    cases, its `__cause__` is a LockTimeoutError, StatementTimeoutError, MigrationDeadlockError,
    CheckViolationError (with the SELECT that finds the rows) or SequenceError.
    """
    limits = {"lock_timeout": lock_timeout, "statement_timeout": statement_timeout}
    require_durations(**limits)
    values = tuple(_setting(name, limit) for name, limit in limits.items())
    if context.as_sql:
        for name, value in zip(_LIMITS, values, strict=True):
            context.execute(f"SET {name} = '{value}'")
        yield
        return
    require_own_place(context)
    connection = context.connection
    assert connection is not None  # set unless the migration is printed as SQL

    def begin(connection: Connection) -> None:
        _set(connection, values)
        connection.exec_driver_sql(_CHECK_CLIENT)

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
        failure = timeout_error(
            error, lock_timeout=lock_timeout, statement_timeout=statement_timeout
        ) or violation_error(connection, error)
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
    if comment := _COMMENT.match(statement):
        statement = comment[1]
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


def _setting(name: str, limit: timedelta) -> str:
    if not timedelta(0) <= limit <= _LONGEST:
        longest = format_duration(_LONGEST)
        raise CommandError(
            f"{name} must be 0 (no limit) to {longest}, not {format_duration(limit)}"
        )
    return f"{in_milliseconds(limit)}ms"


def _set(connection: Connection, values: tuple[str, ...]) -> None:
    calls = (
        f"set_config('{name}', '{value}', true)"
        for name, value in zip(_SETTINGS, values, strict=False)
    )
    connection.exec_driver_sql(f"SELECT {', '.join(calls)}")
