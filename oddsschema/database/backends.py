"""The server's processes of connections that were lost, and their end."""

import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TypeAlias

    from oddsschema.database.deadlines import DeadlineConnection
    from oddsschema.database.foreign_connections import ForeignConnection

    AnyConnection: TypeAlias = DeadlineConnection | ForeignConnection

# End the backend $1, if it is of this role and program, and was started more than $2 ago.
_END = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid = $1 AND usename = session_user
    AND application_name = current_setting('application_name')
    AND clock_timestamp() - backend_start > $2
"""


@dataclass(frozen=True, slots=True)
class Backend:
    """The server's process of a connection.

    It outlives a connection that was lost without the server's notice, and keeps its locks.
    """

    connection: "AnyConnection"
    pid: int
    #: A time at which the process was there, by the monotonic clock.
    seen_at: float

    @classmethod
    def of(cls, connection: "AnyConnection") -> "Backend":
        """Return the backend of an open connection."""
        return cls(connection, connection.get_server_pid(), time.monotonic())

    @property
    def is_lost(self) -> bool:
        """Whether the connection is closed."""
        is_closed: bool = self.connection.is_closed()
        return is_closed

    async def end(self, connection: "AnyConnection") -> None:
        """End the process through another connection.

        Behind a pooler, the process has another id, and is the pooler's.
        """
        import asyncpg

        # Another process may have got the same id since: it was started later.
        since = timedelta(seconds=time.monotonic() - self.seen_at)
        with suppress(asyncpg.InsufficientPrivilegeError):
            await connection.execute(_END, self.pid, since)


class LostBackends:
    """The backends of connections that were lost: they may still have locks."""

    def __init__(self) -> None:
        self._backends: list[Backend] = []

    def add(self, backend: Backend) -> None:
        """Add a backend, to be ended through the next connection."""
        self._backends.append(backend)

    async def end(self, connection: "AnyConnection") -> None:
        """End the backends; other transactions may do so at the same time."""
        while self._backends:
            backend = self._backends.pop()
            try:
                await backend.end(connection)
            except BaseException:
                self._backends.append(backend)
                raise
