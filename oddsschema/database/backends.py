"""The server's processes of connections that were lost, and their end."""

import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oddsschema.database.deadlines import DeadlineConnection

#: The difference between two clocks in the time since the opening of a connection.
_TOLERANCE = timedelta(seconds=1)

# End the backend $1, if it is of this role and application and was started $2 to $3 ago.
_END = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid = $1 AND usename = session_user
    AND application_name = current_setting('application_name')
    AND clock_timestamp() - backend_start BETWEEN $2 AND $3
"""


@dataclass(frozen=True, slots=True)
class Backend:
    """The server's process of a connection.

    It outlives a connection that was lost without the server's notice, and keeps its locks.
    """

    connection: "DeadlineConnection"
    pid: int

    @classmethod
    def of(cls, connection: "DeadlineConnection") -> "Backend":
        """Return the backend of an open connection."""
        return cls(connection, connection.get_server_pid())

    @property
    def is_lost(self) -> bool:
        """Whether the connection is closed."""
        is_closed: bool = self.connection.is_closed()
        return is_closed

    async def end(self, connection: "DeadlineConnection") -> None:
        """End the process through another connection.

        Behind a pooler, the process has another id, and is the pooler's.
        """
        import asyncpg

        # Another process may have got the same id since: its age tells them apart.
        age = timedelta(seconds=time.monotonic() - self.connection.opened_at)
        with suppress(asyncpg.InsufficientPrivilegeError):
            oldest = age + self.connection.open_within
            await connection.execute(_END, self.pid, age - _TOLERANCE, oldest)


class LostBackends:
    """The backends of connections that were lost: they may still have locks."""

    def __init__(self) -> None:
        self._backends: list[Backend] = []

    def add(self, backend: Backend) -> None:
        """Add a backend, to be ended through the next connection."""
        self._backends.append(backend)

    async def end(self, connection: "DeadlineConnection") -> None:
        """End the backends; other transactions may do so at the same time."""
        while self._backends:
            backend = self._backends.pop()
            try:
                await backend.end(connection)
            except BaseException:
                self._backends.append(backend)
                raise
