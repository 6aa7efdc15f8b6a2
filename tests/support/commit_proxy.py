"""A proxy that cuts the connection at a commit."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import make_url


class Proxy:
    """A proxy between a client and its server that cuts the connection at a commit.

    The cut happens before the commit reaches the server, or after the commit and before its answer
    reaches the client. `meanwhile` then runs before anybody can connect again.
    """

    def __init__(
        self,
        url: str,
        directory: Path,
        cut_at: int,
        *,
        before: bool,
        meanwhile: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.commits = 0
        self._cut_at = cut_at
        self._before = before
        self._meanwhile = meanwhile
        self._open = asyncio.Event()
        self._open.set()
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
            yield self.url
        await asyncio.wait_for(asyncio.gather(*self._connections), 10)

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
        cut = False

        async def forward() -> None:
            nonlocal cut
            while data := await client.read(1 << 16):
                if b"COMMIT;" in data:
                    self.commits += 1
                    cut = self.commits == self._cut_at
                    if cut and self._meanwhile is not None:
                        self._open.clear()
                        await self._meanwhile()
                        self._open.set()
                    if cut and self._before:
                        break
                to_server.write(data)
            to_server.close()

        async def backward() -> None:
            while data := await server.read(1 << 16):
                if cut:
                    break
                to_client.write(data)
            to_client.close()
            to_server.close()

        with contextlib.suppress(ConnectionError):
            await asyncio.gather(forward(), backward())
        to_client.close()
        to_server.close()
