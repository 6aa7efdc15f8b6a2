"""The opening of connections: time limits, keepalives, several hosts, and lost ones."""

import asyncio
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from oddsschema import DatabaseUnavailableError
from oddsschema.database.backends import Backend
from oddsschema.database.driver import open_connection
from oddsschema.database.time_limits import ANSWER_WITHIN
from tests.support.sessions import execute, fetch
from tests.support.tls_server import PASSWORD, TLSServer

Run = Callable[..., Any]


@asynccontextmanager
async def silent_server() -> AsyncIterator[int]:
    """Listen on a port, take connections, and never answer."""

    async def ignore(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(ignore, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def test_connect_timeout(run: Run) -> None:
    """A server that does not answer is given up after connect_timeout."""

    async def body() -> float:
        async with silent_server() as port:
            began = time.monotonic()
            with pytest.raises(DatabaseUnavailableError, match="did not answer within 1s"):
                url = f"postgresql://ann@127.0.0.1:{port}/ann?sslmode=disable&connect_timeout=1"
                await open_connection(url, ANSWER_WITHIN)
            return time.monotonic() - began

    assert 0.9 < run(body()) < 10


def test_next_host_after_the_timeout(secured: TLSServer, run: Run) -> None:
    """The limit is for each host: the next one is tried after a silent one."""

    async def body() -> dict[str, Any]:
        async with silent_server() as port:
            hosts = f"127.0.0.1:{port},{secured.address}:5432"
            url = f"postgresql://ann:{PASSWORD}@{hosts}/ann?connect_timeout=1&sslmode=require"
            return await secured.answer(url, {})

    assert run(body())["role"] == "ann"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other options")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", (1, 30, 10, 3, 60000)),
        (
            "keepalives_idle=7&keepalives_interval=8&keepalives_count=9&tcp_user_timeout=1234",
            (1, 7, 8, 9, 1234),
        ),
        ("keepalives=0&tcp_user_timeout=0", (0, None, None, None, 0)),
    ],
)
def test_keepalives(
    query: str, expected: tuple[int | None, ...], secured: TLSServer, run: Run
) -> None:
    """The socket of a connection has the keepalives of its URL."""

    async def body() -> list[int]:
        url = f"postgresql://ann:{PASSWORD}@{secured.address}/ann?{query}".rstrip("?")
        connection = await open_connection(url, ANSWER_WITHIN)
        try:
            return [
                connection.socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
                *(
                    connection.socket.getsockopt(socket.IPPROTO_TCP, option)
                    for option in (
                        socket.TCP_KEEPIDLE,
                        socket.TCP_KEEPINTVL,
                        socket.TCP_KEEPCNT,
                        socket.TCP_USER_TIMEOUT,
                    )
                ),
            ]
        finally:
            await connection.close()

    for found, wanted in zip(run(body()), expected, strict=True):
        assert wanted in (None, found)


def test_lost_backends_of_named_applications(server_url: str, run: Run) -> None:
    """The process of a lost connection is ended if it has the application's name, and only then."""

    async def is_alive(pid: int) -> bool:
        for _ in range(100):
            if not await fetch(server_url, "SELECT FROM pg_stat_activity WHERE pid = $1", pid):
                return False
            await asyncio.sleep(0.01)
        return True

    async def body() -> list[bool]:
        found = []
        for name in ("scraper%207", "scraper%208"):
            lost = await open_connection(f"{server_url}&application_name={name}", timedelta(0))
            other = await open_connection(
                f"{server_url}&application_name=scraper%207", timedelta(0)
            )
            await Backend.of(lost).end(other)
            found.append(await is_alive(lost.get_server_pid()))
            lost.terminate()
            await other.close()
        return found

    assert run(body()) == [False, True]


def test_hosts_without_a_wanted_server(server_url: str, empty_database: str, run: Run) -> None:
    """A database that is read-only by default is no server for read-write."""
    name = empty_database.rpartition("/")[2].partition("?")[0]
    database = empty_database

    async def body() -> None:
        await execute(server_url, f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        for kind in ("read-only", "primary"):
            connection = await open_connection(f"{database}&target_session_attrs={kind}", limit)
            await connection.close()
        with pytest.raises(DatabaseUnavailableError, match="is not read-write"):
            await open_connection(f"{database}&target_session_attrs=read-write", limit)

    limit = ANSWER_WITHIN
    run(body())
