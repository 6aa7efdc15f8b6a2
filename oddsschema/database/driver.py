"""The opening of connections of the driver to a URL."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from oddsschema.database.backends import APPLICATION_NAME
from oddsschema.database.durations import format_duration
from oddsschema.database.time_limits import OPEN_WITHIN
from oddsschema.database.urls import normalize, redact
from oddsschema.errors import DatabaseUnavailableError

if TYPE_CHECKING:
    from oddsschema.database.deadlines import DeadlineConnection


async def open_connection(
    url: str, answer_within: timedelta, options: Mapping[str, Any] | None = None
) -> "DeadlineConnection":
    """Connect to a URL. `options` are arguments of `asyncpg.connect`, such as those of a pool.

    Raises DatabaseUnavailableError.
    """
    import asyncpg

    from oddsschema.database.deadlines import DeadlineConnection

    dsn = normalize(url)
    open_within = min(OPEN_WITHIN, answer_within or OPEN_WITHIN)
    try:
        connection: DeadlineConnection = await asyncpg.connect(
            dsn,
            **{
                **(options or {}),
                "connection_class": DeadlineConnection,
                "timeout": open_within.total_seconds(),
                "server_settings": {"application_name": APPLICATION_NAME},
                # Cached statements would fail after a concurrent migration, and behind PgBouncer.
                "statement_cache_size": 0,
            },
        )
    except (
        *(OSError, TimeoutError, ValueError, OverflowError),
        *(asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError),
    ) as e:
        reason = str(e) or type(e).__name__
        if isinstance(e, TimeoutError):
            reason = f"the server did not answer within {format_duration(open_within)}"
        raise DatabaseUnavailableError(reason=reason, url=redact(url)) from e
    connection.answer_within = answer_within
    return connection
