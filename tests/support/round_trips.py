"""A proxy that counts a client's round trips, statements and written rows, and can delay them."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from struct import unpack_from
from typing import Any

from sqlalchemy import make_url

#: Messages of the client. Source: PostgreSQL's documentation, "Message Formats".
_QUERY, _PARSE, _EXECUTE, _TERMINATE = b"Q", b"P", b"E", b"X"
#: The server's message at the end of a statement, and the statements whose rows are written.
_COMPLETE, _WRITES = b"C", ("INSERT", "UPDATE", "DELETE", "COPY")


@dataclass
class Traffic:
    """The traffic of connections, from the moment that each is open."""

    #: The number of times that the client sent messages and waited for the answer.
    round_trips: int = 0
    #: The statements that were executed, with the number of their executions, in their order.
    statements: Counter[str] = field(default_factory=Counter)
    #: The number of rows that the server reports as inserted, updated and deleted. It reports none
    #: for a statement of which the client fetches a single row.
    rows: int = 0
    #: The names of prepared statements; a statement without a name has "".
    names: set[str] = field(default_factory=set)
    #: The number of connections.
    connections: int = 0

    def clear(self) -> None:
        """Begin to count again."""
        self.round_trips = self.connections = self.rows = 0
        self.statements.clear()
        self.names.clear()


class _ClientMessages:
    """The messages of one client, from the startup on."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._data = b""
        self._is_started = False
        self._parsed: dict[str, str] = {}
        #: Whether the client has sent something since the last data of the server.
        self._has_sent = False
        self._answer = b""

    def add(self, data: bytes) -> None:
        """Count the messages in data of the client."""
        if not self._is_started:
            self._is_started = True
            self._traffic.connections += 1
            self._has_sent = True
            return
        if not self._has_sent and not data.startswith(_TERMINATE):
            self._has_sent = True
            self._traffic.round_trips += 1
        messages, self._data = _split(self._data + data)
        for kind, body in messages:
            self._note(kind, body)

    def answered(self, data: bytes) -> None:
        """Count the messages in data of the server."""
        self._has_sent = False
        messages, self._answer = _split(self._answer + data)
        for kind, body in messages:
            tag = body[:-1].split()
            if kind == _COMPLETE and tag[0].decode() in _WRITES:
                self._traffic.rows += int(tag[-1])

    def _note(self, kind: bytes, body: bytes) -> None:
        if kind == _QUERY:
            self._traffic.statements[_shortened(body)] += 1
        elif kind == _PARSE:
            name, _, rest = body.partition(b"\0")
            self._traffic.names.add(name.decode())
            self._parsed["statement"] = _shortened(rest)
        elif kind == _EXECUTE:
            self._traffic.statements[self._parsed["statement"]] += 1


def _split(data: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Split data into messages, as their kinds and bodies, and the beginning of the next one."""
    messages, start = [], 0
    while len(data) >= start + 5:
        (length,) = unpack_from("!I", data, start + 1)
        if len(data) < start + 1 + length:
            break
        messages.append((data[start : start + 1], data[start + 5 : start + 1 + length]))
        start += 1 + length
    return messages, data[start:]


def _shortened(body: bytes) -> str:
    return " ".join(body.partition(b"\0")[0].decode().split())


@asynccontextmanager
async def counting(
    url: str, directory: Path, *, delay: float = 0
) -> AsyncIterator[tuple[str, Traffic]]:
    """Serve a proxy in front of a server; yield the URL to connect to, and the traffic.

    Each round trip takes `delay` seconds more.
    """
    traffic = Traffic()
    server = make_url(url)
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[Any]] = set()

    async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter, note: Any) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(1 << 16):
                note(data)
                if delay:
                    loop.call_later(delay / 2, target.write, data)
                else:
                    target.write(data)
            await asyncio.sleep(delay / 2)
        target.close()

    async def serve(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        if isinstance(socket := server.query.get("host"), str):
            answers, to_server = await asyncio.open_unix_connection(
                f"{socket}/.s.PGSQL.{server.query.get('port', 5432)}"
            )
        else:
            answers, to_server = await asyncio.open_connection(server.host, server.port or 5432)
        messages = _ClientMessages(traffic)
        await asyncio.gather(
            pump(client, to_server, messages.add),
            pump(answers, to_client, messages.answered),
        )

    path = directory / ".s.PGSQL.5432"
    async with await asyncio.start_unix_server(serve, path):
        query = {"host": str(directory), "port": "5432"}
        shown = server.set(host=None, port=None, query=query)
        yield shown.render_as_string(hide_password=False), traffic
        if tasks:
            await asyncio.wait(tasks, timeout=5)
