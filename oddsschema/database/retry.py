"""The retry policy: which errors are transient, and how long a transaction is repeated."""

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from oddsschema.errors import DatabaseUnavailableError, DatabaseURLError, UncertainCommitError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tenacity import AsyncRetrying, RetryCallState

_log = logging.getLogger(__name__)

#: Messages of asyncpg's InterfaceError when a connection died while it was in use. The class has no
#: SQLSTATE, and no other task uses our connections.
_DEAD_CONNECTION_MESSAGES = ("connection is closed", "another operation is in progress")


def retrying(
    should_retry: "Callable[[BaseException], bool]",
    retry_for: timedelta,
    on_retry: "Callable[[], None]",
) -> "AsyncRetrying":
    """Return attempts with exponential back-off and jitter, for `retry_for`.

    `on_retry` is called before each further attempt. The last error is raised unchanged.
    """
    from tenacity import AsyncRetrying, retry_if_exception, stop_before_delay
    from tenacity.wait import wait_random_exponential

    def before_sleep(state: "RetryCallState") -> None:
        on_retry()
        error: Any = state.outcome.exception() if state.outcome is not None else None
        _log.warning("trying again: %s", error)

    return AsyncRetrying(
        retry=retry_if_exception(should_retry),
        stop=stop_before_delay(retry_for),
        wait=wait_random_exponential(multiplier=0.1, max=5),
        before_sleep=before_sleep,
        reraise=True,
    )


def is_answering(error: BaseException) -> bool:
    """Return whether a connection failed at a server that is there, and may serve it later.

    The server is starting up, or the connection was lost while it was opened. A server that refuses
    connections is most likely another one than the user means.
    """
    cause = error.__cause__ if isinstance(error, DatabaseUnavailableError) else error
    return (
        cause is not None and is_transient(cause) and not isinstance(cause, ConnectionRefusedError)
    )


def is_transient(error: BaseException) -> bool:
    """Return whether the same transaction may succeed a little later."""
    import asyncpg

    if isinstance(error, DatabaseURLError):
        return False
    if isinstance(error, asyncpg.InterfaceError):
        return any(message in str(error) for message in _DEAD_CONNECTION_MESSAGES)
    return isinstance(
        error,
        (
            asyncpg.PostgresConnectionError,  # a lost connection
            asyncpg.ConnectionDoesNotExistError,
            asyncpg.SerializationError,
            asyncpg.DeadlockDetectedError,
            asyncpg.CannotConnectNowError,  # a server that is starting up or shutting down
            asyncpg.AdminShutdownError,
            asyncpg.CrashShutdownError,
            asyncpg.TooManyConnectionsError,
            asyncpg.InternalClientError,  # a connection that died while it was in use
            ConnectionError,
            DatabaseUnavailableError,
            UncertainCommitError,
        ),
    )
