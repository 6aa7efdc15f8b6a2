"""A proxy that cuts a connection, or lets it fall silent, at a message of the client."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

#: Parts of the messages at which a connection may fail.
MESSAGES = {
    "opening": b"application_name",
    "begin": b"BEGIN ISOLATION",
    "copy": b"COPY ",
    "copied rows": b"PGCOPY",
    "commit": b"COMMIT;",
    "open run": b"INSERT INTO scrape_runs",
}

#: Parts of the statements of an ingestion that are transactions of their own.
_ALONE = (
    b"INSERT INTO scrape_batches",
    b"INSERT INTO scrape_runs",
    b"UPDATE scrape_runs\nSET status",
    b"UPDATE scrape_batches AS b",
)

#: The end of messages that execute a statement. Before its first execution, it is only described.
_SYNC = b"S\0\0\0\4"


def commits(data: bytes) -> bool:
    """Return whether messages of the client commit a transaction."""
    return MESSAGES["commit"] in data or (
        data.endswith(_SYNC) and any(part in data for part in _ALONE)
    )


class Proxy:
    """A proxy between a client and its server that fails at a message, by default at a commit.

    The connection fails before the message reaches the server, or after that and before the answer
    reaches the client: `meanwhile` then runs before anybody can connect again. A connection that
    fails silently stays open on both sides: no bytes pass any more, and the server keeps its locks.
    """

    def __init__(
        self,
        url: str,
        directory: Path,
        fail_at: int,
        *,
        before: bool,
        message: bytes | None = None,
        silently: bool = False,
        meanwhile: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        #: The number of messages so far with these bytes; without any, of those that commit.
        self.found = 0
        self._fail_at = fail_at
        self._before = before
        self._message = message
        self._silently = silently
        self._meanwhile = meanwhile
        self._open = asyncio.Event()
        self._open.set()
        self._is_over = asyncio.Event()
        self._url = make_url(url)
        self._directory = directory
        self._connections: list[asyncio.Task[Any]] = []
        query = {"host": str(directory), "port": "5432"}
        self.url = self._url.set(host=None, port=None, query=query).render_as_string(
            hide_password=False
        )

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serve, and yield the URL to connect to."""
        path = self._directory / ".s.PGSQL.5432"
        async with await asyncio.start_unix_server(self._serve, path):
            try:
                yield self.url
            finally:
                self._is_over.set()
                await asyncio.wait_for(asyncio.gather(*self._connections), 10)

    def fails(self, data: bytes) -> bool:
        """Return whether the connection fails at these bytes of the client."""
        if not (commits(data) if self._message is None else self._message in data):
            return False
        self.found += 1
        return self.found == self._fail_at

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.append(task)
        await self._open.wait()
        if isinstance(socket := self._url.query.get("host"), str):
            server, to_server = await asyncio.open_unix_connection(f"{socket}/.s.PGSQL.5432")
        else:
            server, to_server = await asyncio.open_connection(
                self._url.host, self._url.port or 5432
            )
        failed = False

        async def forward() -> None:
            nonlocal failed
            while data := await client.read(1 << 16):
                if not failed and self.fails(data):
                    failed = True
                    if self._meanwhile is not None:
                        self._open.clear()
                        await self._meanwhile()
                        self._open.set()
                    if self._before:
                        break
                to_server.write(data)
            if failed and self._silently:
                await self._is_over.wait()
            to_server.close()

        async def backward() -> None:
            while data := await server.read(1 << 16):
                if failed:
                    break
                to_client.write(data)
            if failed and self._silently:
                await self._is_over.wait()
            to_client.close()
            to_server.close()

        with contextlib.suppress(ConnectionError):
            await asyncio.gather(forward(), backward())
        to_client.close()
        to_server.close()
