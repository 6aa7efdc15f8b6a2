"""Faults that end no process: a server that hangs, accepts no writes or is slow, for a while."""

import asyncio
import random
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from tests.soak.figures import Figures
from tests.soak.writer import PROCESSES
from tests.support.crashing_server import Server
from tests.support.proxy import Proxy
from tests.support.sessions import execute
from tests.support.settings import END_SESSIONS, role_setting
from tests.support.stopped_backends import stopped

#: The share of messages at which a connection falls silent, and the most of these connections.
_SILENT, _MOST_SILENT = 1 / 300, 3

#: The number of backends that are stopped.
_STOPS = 6

#: Backends of the package's own connections.
_BACKENDS = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'oddsschema' ORDER BY pid"""


class SilentProxy(Proxy):
    """A proxy whose connections fall silent at random messages, in either direction."""

    def __init__(self, url: str, directory: Path, seed: float, silent: Any) -> None:
        super().__init__(url, directory, 0, before=True, silently=True)
        self._rng = random.Random(seed)
        #: The number of connections that fell silent, shared with the round.
        self._silent = silent

    def fails(self, data: bytes) -> bool:
        """Return whether the connection falls silent now."""
        if self._silent.value >= _MOST_SILENT or self._rng.random() >= _SILENT:
            return False
        self._before = self._rng.random() < 0.5
        self._silent.value += 1
        return True

    async def serve_for_ever(self, is_serving: Any) -> None:
        """Serve until the process is killed; set an event at the beginning."""
        async with self.serving():
            is_serving.set()
            await asyncio.Event().wait()


def _serve(url: str, directory: Path, seed: float, silent: Any, is_serving: Any) -> None:
    asyncio.run(SilentProxy(url, directory, seed, silent).serve_for_ever(is_serving))


@asynccontextmanager
async def silent_proxy(url: str, rng: random.Random, figures: Figures) -> AsyncIterator[str]:
    """Serve a SilentProxy, and yield its URL.

    It has a process of its own: the comparisons of a round keep the event loop busy.
    """
    silent, is_serving = PROCESSES.Value("i", 0), PROCESSES.Event()
    with tempfile.TemporaryDirectory(prefix="oddstest-", dir="/tmp") as name:
        directory, seed = Path(name), rng.random()
        process = PROCESSES.Process(
            target=_serve, args=(url, directory, seed, silent, is_serving), daemon=True
        )
        process.start()
        try:
            assert await asyncio.to_thread(is_serving.wait, 30)
            yield SilentProxy(url, directory, seed, silent).url
        finally:
            process.kill()
            process.join()
            figures.silent_connections += silent.value


class Hangs:
    """The faults of a round whose server hangs, accepts no writes or limits its statements."""

    def __init__(
        self,
        server: Server,
        url: str,
        rng: random.Random,
        figures: Figures,
        pause: Callable[[float, float], Awaitable[bool]],
        in_session: Callable[[Callable[[Any], Awaitable[None]]], Awaitable[None]],
    ) -> None:
        self._server = server
        self._url = url
        self._rng = rng
        self._figures = figures
        self._pause = pause
        self._in_session = in_session

    async def stop_backends(self) -> None:
        """Stop random backends, each for a while (SIGSTOP)."""
        pids: list[int] = []

        async def find(session: Any) -> None:
            pids[:] = [pid for (pid,) in await session.fetch(_BACKENDS)]

        for _ in range(_STOPS):
            if not await self._pause(0.1, 1):
                return
            await self._in_session(find)
            with suppress(IndexError, ProcessLookupError), stopped(self._rng.choice(pids)):
                self._figures.stopped_backends += 1
                await asyncio.sleep(self._rng.uniform(0.05, 1.5))

    async def change_server(self) -> None:
        """Freeze the server, limit its statements or let it accept no writes, in turns."""
        faults = [
            self._freeze,
            self._fail_over,
            lambda: self._limit("statement_timeout", 50, 500),
            lambda: self._limit("lock_timeout", 1, 50),
            lambda: self._limit("transaction_timeout", 100, 500),
            lambda: self._limit("idle_in_transaction_session_timeout", 1, 50),
        ]
        self._rng.shuffle(faults)
        for fault in faults:
            if not await self._pause(0.1, 0.5):
                return
            await fault()
            self._figures.conditions += 1

    async def _freeze(self) -> None:
        with self._server.frozen():
            await asyncio.sleep(self._rng.uniform(0.2, 2))

    async def _fail_over(self) -> None:
        async with role_setting(self._url, "default_transaction_read_only", "on") as session:
            await session.execute(END_SESSIONS)
            await asyncio.sleep(self._rng.uniform(0.2, 1.5))

    async def _limit(self, setting: str, least: int, most: int) -> None:
        limit = f"{self._rng.randint(least, most)}ms"
        async with role_setting(self._url, setting, limit) as session:
            # The sessions that are open already have the old limit.
            await session.execute(END_SESSIONS)
            await asyncio.sleep(self._rng.uniform(0.5, 1.5))
        await execute(self._url, END_SESSIONS)
