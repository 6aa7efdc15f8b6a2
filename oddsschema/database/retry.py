"""The retry policy: which errors are transient, and for how long a transaction is run again."""

import logging
from typing import TYPE_CHECKING, Any

from oddsschema.errors import DatabaseUnavailableError, UncertainCommitError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tenacity import AsyncRetrying, RetryCallState

_log = logging.getLogger(__name__)


def retrying(
    should_retry: "Callable[[BaseException], bool]",
    retry_for: float,
    on_retry: "Callable[[], None]",
) -> "AsyncRetrying":
    """Attempts with exponential back-off and jitter, until `retry_for` seconds are over.

    `on_retry` is called before each further attempt. The last error is raised as it is.
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


def is_starting_up(error: BaseException) -> bool:
    """Whether the server refuses a connection because it is starting up."""
    import asyncpg

    return isinstance(error.__cause__, asyncpg.CannotConnectNowError)


def is_transient(error: BaseException) -> bool:
    """Whether the same transaction may well succeed a little later."""
    import asyncpg

    return isinstance(
        error,
        (
            asyncpg.PostgresConnectionError,  # the connection was lost
            asyncpg.ConnectionDoesNotExistError,
            asyncpg.SerializationError,
            asyncpg.DeadlockDetectedError,
            asyncpg.CannotConnectNowError,  # starting up, or shutting down
            asyncpg.AdminShutdownError,
            asyncpg.CrashShutdownError,
            asyncpg.TooManyConnectionsError,
            asyncpg.InternalClientError,  # a dead connection, found out while it was in use
            ConnectionError,
            DatabaseUnavailableError,
            UncertainCommitError,
        ),
    ) or (
        # How asyncpg may put it that a connection died while it was in use: nobody else uses ours.
        isinstance(error, asyncpg.InterfaceError)
        and any(
            said in str(error)
            for said in ("connection is closed", "another operation is in progress")
        )
    )
