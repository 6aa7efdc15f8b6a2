"""How long a migration waits for a lock and how long a statement may take: for an env.py."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError

from oddsschema.database.time_limits import LOCK_TIMEOUT, STATEMENT_TIMEOUT

#: What PostgreSQL counts milliseconds with.
_MOST = 2**31 - 1
_SETTINGS = ("lock_timeout", "statement_timeout")
_READ = f"SELECT {', '.join(f'current_setting({name!r})' for name in _SETTINGS)}"


@contextmanager
def timeouts(
    context: MigrationContext,
    *,
    lock_timeout: float | str = LOCK_TIMEOUT,
    statement_timeout: float | str = STATEMENT_TIMEOUT,
) -> Iterator[None]:
    """Hold a migration's transactions to timeouts, in seconds; 0 stands for none.

    A transaction that is open already has its own timeouts back in the end. To SQL text (`--sql`)
    they are added in front. Statements outside of a transaction (`autocommit_block`) keep the
    session's timeouts.

        with timeouts(context.get_context()), context.begin_transaction():
            context.run_migrations()

    Raises alembic's CommandError when time is up, or was given as something else than seconds.
    """
    values = (
        _milliseconds("lock_timeout", lock_timeout),
        _milliseconds("statement_timeout", statement_timeout),
    )
    if context.as_sql:
        for name, value in zip(_SETTINGS, values, strict=True):
            context.execute(f"SET {name} = '{value}'")
        yield
        return
    connection = context.connection
    assert connection is not None  # there is one, or there is SQL text

    def begin(connection: Connection) -> None:
        _set(connection, values)

    before = connection.exec_driver_sql(_READ).one() if connection.in_transaction() else None
    if before is not None:
        begin(connection)
    event.listen(connection, "begin", begin)
    try:
        yield
        if before is not None:
            _set(connection, tuple(before))
    except DBAPIError as error:
        if said := _in_words(error, values):
            raise CommandError(said) from error
        raise
    finally:
        event.remove(connection, "begin", begin)


def _milliseconds(name: str, seconds: float | str) -> str:
    try:
        milliseconds = float(seconds) * 1000
    except ValueError:
        milliseconds = math.nan
    if not 0 <= milliseconds <= _MOST:
        raise CommandError(
            f"{name} is a number of seconds, 0 (none) to {_MOST // 1000:,}, not {seconds!r}"
        )
    return f"{math.ceil(milliseconds)}ms"


def _set(connection: Connection, values: tuple[str, ...]) -> None:
    calls = (
        f"set_config('{name}', '{value}', true)"
        for name, value in zip(_SETTINGS, values, strict=True)
    )
    connection.exec_driver_sql(f"SELECT {', '.join(calls)}")


def _in_words(error: DBAPIError, values: tuple[str, ...]) -> str | None:
    """What happened and what to do; None when it was no lack of time."""
    lock, statement = (f"{int(value.removesuffix('ms')) / 1000:g}" for value in values)
    done = " ".join((error.statement or "").split())
    done = done if len(done) <= 100 else f"{done[:99]}…"
    match getattr(error.orig, "sqlstate", None):
        case "55P03":  # lock_not_available
            return (
                f"waited {lock} s for a lock that another session holds: {done}\n"
                "Nothing of this revision stays. Run it again when that session is done, one of "
                "the first here:\n"
                "  SELECT pid, application_name, state, xact_start FROM pg_stat_activity"
                " ORDER BY xact_start\n"
                "or let it wait longer (lock_timeout, in seconds), with all who want that table "
                "waiting behind it"
            )
        case "40P01":  # deadlock_detected
            return (
                f"this migration and another session waited for each other's locks: {done}\n"
                "Nothing of this revision stays. Run it again"
            )
        case "57014":  # query_canceled
            return (
                f"a statement did not end within {statement} s, or was cancelled: {done}\n"
                "Nothing of this revision stays. Run it again, with more time "
                "(statement_timeout, in seconds; 0 for no limit)"
            )
    return None
