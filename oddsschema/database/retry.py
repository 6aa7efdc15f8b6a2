"""The retry policy: which errors are transient, and how long a transaction is repeated."""

import logging
import ssl
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from oddsschema.database.durations import format_duration
from oddsschema.errors import (
    DatabaseUnavailableError,
    DatabaseURLError,
    LockTimeoutError,
    MigrationDeadlockError,
    OddsSchemaError,
    ReadOnlyDatabaseError,
    TransactionError,
    UncertainCommitError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from asyncpg import InterfaceError, InternalClientError, PostgresError
    from tenacity import AsyncRetrying, RetryCallState

#: The logger of retries. It gets a warning at the first failure; the others are for debugging.
logger = logging.getLogger(__name__)

#: Messages of asyncpg's InterfaceError when a connection died while it was in use. The class has no
#: SQLSTATE, and no other task uses our connections.
_DEAD_CONNECTION_MESSAGES = ("connection is closed", "another operation is in progress")

#: A part of the message of asyncpg's ConnectionError when the server has no TLS.
_NO_TLS = "rejected SSL upgrade"

#: The beginnings of the SQLSTATEs of errors that may be gone a little later. Source: PostgreSQL's
#: documentation, "PostgreSQL Error Codes".
_TRANSIENT_STATES = (
    "08",  # a connection that was lost
    "25006",  # a server that accepts no writes, as after a failover
    "25P03",  # idle_in_transaction_session_timeout
    "25P04",  # transaction_timeout
    "40001",  # a serialization failure
    "40P01",  # a deadlock
    "53300",  # too many connections
    "55P03",  # lock_timeout
    "57014",  # statement_timeout, or a statement that an administrator cancelled
    "57P",  # a server that starts up, shuts down, or has ended the connection
)

#: The database itself is gone: no later attempt finds it.
_DATABASE_DROPPED = "57P04"

#: The beginnings of the SQLSTATEs of connections that were lost.
_LOST_STATES = ("08", "57P")

#: A disk that is full. The same transaction has no room a little later; a smaller one may have.
_DISK_FULL = "53100"

#: The SQLSTATEs of conflicts: of transactions with one another, and with the recovery of a standby.
_CONFLICTS = ("40001", "40P01")

#: The file of PostgreSQL's source that reports the interrupts of a session.
_SOURCE_OF_INTERRUPTS = "postgres.c"

#: The time limits of the server on the work of a transaction. Less work may keep them.
_TIME_LIMITS = ("25P04", "57014")


def retrying(
    should_retry: "Callable[[BaseException], bool]",
    retry_for: timedelta,
    on_retry: "Callable[[], None]" = lambda: None,
) -> "AsyncRetrying":
    """Return attempts with exponential back-off and jitter, for `retry_for` from the first failure.

    `on_retry` is called before each further attempt. The last error is raised unchanged.
    """
    from tenacity import AsyncRetrying, retry_if_exception
    from tenacity.wait import wait_random_exponential

    failed_at: float | None = None

    def is_too_late(state: "RetryCallState") -> bool:
        nonlocal failed_at
        now = state.outcome_timestamp or 0.0
        failed_at = now if failed_at is None else failed_at
        return now + state.upcoming_sleep - failed_at >= retry_for.total_seconds()

    def before_sleep(state: "RetryCallState") -> None:
        on_retry()
        error = state.outcome.exception() if state.outcome is not None else None
        level = logging.WARNING if state.attempt_number == 1 else logging.DEBUG
        reason = str(error).partition("\n")[0]
        logger.log(level, "%s: trying again for %s", reason, format_duration(retry_for))

    return AsyncRetrying(
        retry=retry_if_exception(should_retry),
        stop=is_too_late,
        wait=wait_random_exponential(multiplier=0.1, max=5),
        before_sleep=before_sleep,
        reraise=True,
    )


def driver_errors() -> (
    "tuple[type[PostgresError], type[InterfaceError], type[InternalClientError], type[OSError]]"
):
    """Return the classes of errors that asyncpg raises, on a lost connection as well."""
    import asyncpg

    return asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError


def driver_error(error: BaseException) -> BaseException:
    """Return the error that SQLAlchemy, or asyncpg, has wrapped; or the error itself."""
    import asyncpg

    wrapped: BaseException | None = getattr(getattr(error, "orig", None), "__cause__", None)
    error = wrapped or error
    # The server's last message before it closed the connection.
    reason = error.__cause__
    is_closed = isinstance(error, asyncpg.ConnectionDoesNotExistError)
    return reason if is_closed and isinstance(reason, asyncpg.PostgresError) else error


def is_transient(error: BaseException) -> bool:
    """Return whether the same transaction may succeed a little later."""
    import asyncpg

    match error := driver_error(error):
        case DatabaseURLError():
            return False
        case DatabaseUnavailableError(__cause__=OSError() as cause):
            return not (isinstance(cause, ssl.SSLError) or _NO_TLS in str(cause))
        case DatabaseUnavailableError() | TransactionError() | ReadOnlyDatabaseError():
            return error.__cause__ is None or is_transient(error.__cause__)
        case UncertainCommitError() | LockTimeoutError() | MigrationDeadlockError():
            return True
        case ConnectionError():
            return True
        case asyncpg.InternalClientError():  # a connection that died while it was in use
            return True
        case asyncpg.InterfaceError():
            return any(message in str(error) for message in _DEAD_CONNECTION_MESSAGES)
        case asyncpg.PostgresError():
            return _has_state(error, _TRANSIENT_STATES) and error.sqlstate != _DATABASE_DROPPED
    return False


def as_package_error(error: BaseException) -> OddsSchemaError | None:
    """Build the error of this package for a transient error or a full disk; None for any other.

    It is a DatabaseUnavailableError or a TransactionError.
    """
    import asyncpg

    cause = driver_error(error)
    if isinstance(cause, OddsSchemaError) or not (is_transient(cause) or is_disk_full(cause)):
        return None
    if isinstance(cause, asyncpg.PostgresError) and not _has_state(cause, _LOST_STATES):
        return TransactionError(
            reason=str(cause),
            sqlstate=cause.sqlstate,
            is_recovery_conflict=_is_recovery_conflict(cause),
        )
    return DatabaseUnavailableError(reason=f"the connection was lost: {cause}")


def is_time_limit(error: BaseException | None) -> bool:
    """Return whether the server's time limit on a statement or a transaction was reached."""
    if isinstance(error, TransactionError):
        error = error.__cause__
    return error is not None and _has_state(driver_error(error), _TIME_LIMITS)


def is_disk_full(error: BaseException) -> bool:
    """Return whether the server's disk had no room for a transaction."""
    if isinstance(error, TransactionError) and error.__cause__ is not None:
        error = error.__cause__
    return _has_state(driver_error(error), (_DISK_FULL,))


def _is_recovery_conflict(error: Any) -> bool:
    """Return whether a standby ended a transaction, in the place of a conflict of transactions.

    The SQLSTATEs are the same, and the message may be in any language. The file of PostgreSQL's
    source that reports an error is that of interrupts only for conflicts with the recovery.
    """
    source = getattr(error, "server_source_filename", None)
    return source == _SOURCE_OF_INTERRUPTS and _has_state(error, _CONFLICTS)


def _has_state(error: Any, states: tuple[str, ...]) -> bool:
    state = getattr(error, "sqlstate", None) or ""
    return state.startswith(states)
