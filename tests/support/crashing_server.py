"""A server that tests kill, stop and continue."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
from sqlalchemy import make_url

from oddsschema import migrations
from oddsschema.embedded import EmbeddedPostgres


class Server:
    """A server that only one test module uses and that loses no committed data."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._users: list[EmbeddedPostgres] = []
        self._databases = 0
        self.start()

    def start(self) -> None:
        """Start the server, also after a kill."""
        server = EmbeddedPostgres(self._directory)
        server.start()
        self._users.append(server)

    def stop(self) -> None:
        """Shut the server down."""
        while self._users:
            self._users.pop().stop()

    def _url(self, database: str) -> str:
        return EmbeddedPostgres(self._directory).url_for(database)

    @property
    def data(self) -> Path:
        """The server's data directory."""
        return Path(str(make_url(self._url("postgres")).query["host"]))

    @property
    def _pid(self) -> int:
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def kill(self) -> None:
        """Send SIGKILL to the server's first process; its other processes end by themselves."""
        os.kill(self._pid, signal.SIGKILL)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop all processes of the server meanwhile (SIGSTOP), as a machine that hangs does."""
        # The first process is stopped first: it would start others.
        os.kill(self._pid, signal.SIGSTOP)
        listing = ["ps", "-A", "-o", "ppid=,pid="]
        lines = subprocess.run(listing, capture_output=True, text=True, check=True).stdout
        pids = [
            int(pid)
            for parent, pid in map(str.split, lines.splitlines())
            if int(parent) == self._pid
        ]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in [*pids, self._pid]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    async def new_database(self) -> str:
        """Create a migrated database and return its URL."""
        self._databases += 1
        name = f"test_{self._databases}"
        connection = await asyncpg.connect(self._url("postgres"))
        await connection.execute(f"CREATE DATABASE {name}")
        await connection.close()
        url = self._url(name)
        await migrations.upgrade(url)
        return url

    async def _accepting(self, *, may_recover: bool = True) -> None:
        """Wait until the server accepts connections, or until it has ended a recovery."""
        while True:
            with contextlib.suppress(asyncpg.CannotConnectNowError):
                connection = await asyncpg.connect(self._url("postgres"))
                is_recovering = await connection.fetchval("SELECT pg_is_in_recovery()")
                await connection.close()
                if may_recover or not is_recovering:
                    return
            await asyncio.sleep(0.05)

    async def drop(self, url: str) -> None:
        """Drop a database and the tablespace that it may have."""
        connection = await asyncpg.connect(self._url("postgres"))
        await connection.execute(f"DROP DATABASE {make_url(url).database} WITH (FORCE)")
        await connection.execute("DROP TABLESPACE IF EXISTS small")
        await connection.close()

    @asynccontextmanager
    async def starting_up(self) -> AsyncIterator[None]:
        """Restart the server and refuse connections meanwhile, as in a long recovery."""
        async with self._in_recovery("hot_standby = off\nrestore_command = 'false'\n"):
            yield

    @asynccontextmanager
    async def hot_standby(self) -> AsyncIterator[None]:
        """Restart the server as a hot standby, which answers queries and waits for more WAL."""
        async with self._in_recovery("hot_standby = on\nrestore_command = 'false'\n"):
            await self._accepting()
            yield

    @asynccontextmanager
    async def _in_recovery(self, settings: str) -> AsyncIterator[None]:
        self.stop()
        owner = self.data.stat()
        for name, text in (("standby.signal", ""), ("postgresql.auto.conf", settings)):
            (self.data / name).write_text(text)
            os.chown(self.data / name, owner.st_uid, owner.st_gid)
        await asyncio.to_thread(self.start)
        try:
            yield
        finally:
            # The way of `pg_ctl promote`.
            (self.data / "promote").touch()
            os.kill(self._pid, signal.SIGUSR1)
            # A hot standby accepts connections before the end of the promotion.
            await self._accepting(may_recover=False)


@contextmanager
def crashing_server() -> Iterator[Server]:
    """Run a server that may be killed; whoever kills it starts it again."""
    path = Path(tempfile.mkdtemp(prefix="oddstest-", dir="/tmp"))
    path.chmod(0o711)
    server = Server(path / "db")
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(path, ignore_errors=True)
