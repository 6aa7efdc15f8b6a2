"""The opening of connections of the driver."""

import os
import random
import ssl
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oddsschema.database.durations import format_duration
from oddsschema.database.known_databases import KnownDatabase
from oddsschema.database.retry import driver_errors
from oddsschema.database.settings import ConnectionSettings, Host, read_settings
from oddsschema.database.time_limits import OPEN_WITHIN
from oddsschema.database.tls import tls_attempts
from oddsschema.database.urls import redact
from oddsschema.errors import DatabaseUnavailableError

if TYPE_CHECKING:
    from oddsschema.database.deadlines import DeadlineConnection

# Read whether the server is a standby, and whether its transactions may write.
_READ_ROLE = """
SELECT pg_is_in_recovery(),
    NOT pg_is_in_recovery() AND NOT current_setting('default_transaction_read_only')::boolean
"""

#: A path that no file has. The driver would read the user's password file without one.
_NO_FILE = Path(os.devnull, "none")


async def open_connection(
    url: str,
    answer_within: timedelta,
    options: Mapping[str, Any] | None = None,
    known: KnownDatabase | None = None,
) -> "DeadlineConnection":
    """Open a connection to a URL, as libpq does: to the first host that takes it.

    The opening takes at most `answer_within` (0: no limit of its own) for each host. `options` are
    arguments of the driver, as its pool gives them.

    Raises DatabaseUnavailableError when no host takes a connection, and DatabaseURLError for a URL
    whose meaning the driver cannot keep.
    """
    settings = read_settings(url)
    limit = settings.connect_timeout or OPEN_WITHIN
    open_within = min(limit, answer_within or limit)
    attempts = _Attempts(settings, open_within, answer_within, dict(options or {}), url, known)
    return await attempts.connect()


class _Attempts:
    """The attempts to connect to the hosts of a URL."""

    def __init__(
        self,
        settings: ConnectionSettings,
        open_within: timedelta,
        answer_within: timedelta,
        options: dict[str, Any],
        url: str,
        known: KnownDatabase | None,
    ) -> None:
        self._settings = settings
        self._open_within = open_within
        self._answer_within = answer_within
        self._options = options
        #: The URL without its password.
        self._shown = redact(url)
        self._known = known

    async def connect(self) -> "DeadlineConnection":
        """Connect to the first host that is of the wanted kind."""
        hosts = list(self._settings.hosts)
        if self._settings.is_balanced:
            random.shuffle(hosts)
        wanted = self._settings.session_attributes
        rounds = ["standby", "any"] if wanted == "prefer-standby" else [wanted]
        failures: list[str] = []
        cause: Exception | None = None
        for attributes in rounds:
            failures.clear()
            for host in hosts:
                try:
                    return await self._connect_to(host, attributes)
                except _NextHost as error:
                    cause = error.cause
                    failures.append(
                        error.reason if len(hosts) == 1 else f"{host.name}: {error.reason}"
                    )
        raise DatabaseUnavailableError(reason="; ".join(failures), url=self._shown) from cause

    async def _connect_to(self, host: Host, attributes: str) -> "DeadlineConnection":
        """Connect to a host. Raises _NextHost when another host may take the connection."""
        import asyncpg

        contexts = tls_attempts(self._settings.tls, host, os.environ)
        for context in contexts:
            try:
                return await self._open(host, context, attributes)
            except (*driver_errors(), TimeoutError, ValueError, OverflowError) as error:
                if context is not contexts[-1] and _may_change_encryption(error):
                    continue
                reason = "; ".join(str(error).splitlines()) or type(error).__name__
                if isinstance(error, TimeoutError):
                    limit = format_duration(self._open_within)
                    reason = f"the server did not answer within {limit}"
                if isinstance(error, asyncpg.InvalidPasswordError) and host.password is None:
                    reason += " (no password was given, and no password file has one)"
                if isinstance(error, OSError | asyncpg.CannotConnectNowError):
                    raise _NextHost(reason, error) from error
                raise DatabaseUnavailableError(reason=reason, url=self._shown) from error
        raise AssertionError("the last attempt returns or raises")

    async def _open(
        self, host: Host, context: ssl.SSLContext | None, attributes: str
    ) -> "DeadlineConnection":
        import asyncpg

        from oddsschema.database.deadlines import DeadlineConnection

        settings = self._settings
        connection: DeadlineConnection = await asyncpg.connect(
            **{
                **self._options,
                "host": [host.address or host.name],
                "port": [host.port],
                "user": settings.user,
                "password": host.password,
                "passfile": _NO_FILE,
                "database": settings.database,
                "ssl": False if context is None else context,
                "direct_tls": context is not None and settings.tls.is_direct,
                "server_settings": settings.server_settings,
                "target_session_attrs": "any",
                "krbsrvname": settings.kerberos_service,
                "gsslib": settings.gss_library,
                "connection_class": DeadlineConnection,
                "timeout": self._open_within.total_seconds(),
                # Cached statements would fail after a concurrent migration, and behind PgBouncer.
                "statement_cache_size": 0,
            },
        )
        connection.answer_within = self._answer_within
        connection.known = self._known
        connection.search_path = settings.search_path
        try:
            settings.keepalives.apply(connection.socket)
            await self._require_kind(connection, attributes)
            if settings.search_path is not None:
                # The server refuses a search path that is no list of names.
                async with connection.transaction():
                    pass
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def _require_kind(self, connection: "DeadlineConnection", attributes: str) -> None:
        """Raise _NextHost unless the server is of the wanted kind."""
        if attributes == "any":
            return
        is_standby, may_write = await connection.fetchrow(_READ_ROLE)
        is_wanted = {
            "read-write": may_write,
            "read-only": not may_write,
            "primary": not is_standby,
            "standby": is_standby,
        }[attributes]
        if not is_wanted:
            raise _NextHost(f"the server is not {attributes} (target_session_attrs)", None)


class _NextHost(Exception):
    """The failure of a host, after which the next one is tried."""

    def __init__(self, reason: str, cause: Exception | None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.cause = cause


def _may_change_encryption(error: Exception) -> bool:
    """Return whether the server may take the same connection with other encryption."""
    import asyncpg

    if isinstance(error, asyncpg.InvalidAuthorizationSpecificationError):
        return not isinstance(error, asyncpg.InvalidPasswordError)
    # The server has no TLS, or its handshake failed.
    return isinstance(error, ssl.SSLError) or "rejected SSL upgrade" in str(error)
