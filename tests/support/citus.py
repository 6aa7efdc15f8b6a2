"""Servers with Citus: a coordinator with its worker nodes, and a server that is both at once."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import make_url

from oddsschema.database.citus import Node
from oddsschema.embedded import EmbeddedPostgres
from tests.support.sessions import execute, fetch

#: The settings of every node. The servers of the tests are few, and they share a machine.
SETTINGS = {
    "shared_preload_libraries": "citus",
    "wal_level": "logical",
    "max_connections": "200",
    "max_worker_processes": "20",
    # The nodes reach one another by sockets.
    "citus.node_conninfo": "sslmode=disable",
}


class CitusServer:
    """A server with Citus that may be killed; the databases are empty at first."""

    def __init__(self, binaries: Path) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="oddstest-", dir="/tmp"))
        self._directory.chmod(0o711)
        self._binaries = binaries
        self._users: list[EmbeddedPostgres] = []
        self.start()

    def _server(self) -> EmbeddedPostgres:
        place = self._directory / "db"
        socket = make_url(EmbeddedPostgres(place, binaries=self._binaries).url).query["host"]
        # A move connects to its own node, too.
        settings = {**SETTINGS, "citus.local_hostname": str(socket)}
        return EmbeddedPostgres(place, settings=settings, binaries=self._binaries)

    def start(self) -> None:
        """Start the server, also after a kill."""
        server = self._server()
        server.start()
        self._users.append(server)

    def remove(self) -> None:
        """Stop the server, and remove its files."""
        while self._users:
            self._users.pop().stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def url(self, database: str = "postgres") -> str:
        """Return the URL of a database."""
        return self._server().url_for(database)

    @property
    def node(self) -> Node:
        """The address by which other nodes reach this one: the directory of its socket."""
        return Node(str(make_url(self.url()).query["host"]), 5432)

    def kill(self) -> None:
        """Send SIGKILL to the server's first process; its other processes end by themselves."""
        os.kill(
            int((Path(self.node.host) / "postmaster.pid").read_text().split()[0]), signal.SIGKILL
        )


class CitusCluster:
    """A coordinator and its worker nodes, with a database on all of them."""

    def __init__(self, coordinator: CitusServer, workers: list[CitusServer]) -> None:
        self.coordinator = coordinator
        self.workers = workers

    @property
    def url(self) -> str:
        """The URL of the database at the coordinator."""
        return self.coordinator.url("odds")

    def schema(self, name: str) -> str:
        """Return the URL of a schema at the coordinator."""
        return f"{self.url}&search_path={name}"

    def server_of(self, node: Node) -> CitusServer:
        """Return the server with an address."""
        return next(server for server in self.workers if server.node == node)

    async def home_of(self, schema: str) -> Node:
        """Return the node that has a schema."""
        [(host, port)] = await fetch(
            self.url,
            """
            SELECT DISTINCT nodename, nodeport FROM citus_shards
            JOIN pg_class AS c ON c.oid = table_name
            WHERE relnamespace = $1::text::regnamespace""",
            schema,
        )
        return Node(host, port)


@contextmanager
def citus_cluster(binaries: Path, workers: int = 2) -> Iterator[CitusCluster]:
    """Start a coordinator, which knows no other node yet, and some worker nodes."""
    with ExitStack() as stack:
        servers = []
        for _ in range(workers + 1):
            servers.append(CitusServer(binaries))
            stack.callback(servers[-1].remove)
        cluster = CitusCluster(servers[0], servers[1:])

        async def prepare() -> None:
            for server in servers:
                await execute(server.url(), "CREATE DATABASE odds")
                await execute(server.url("odds"), "CREATE EXTENSION citus")
            host, port = servers[0].node
            await execute(cluster.url, f"SELECT citus_set_coordinator_host('{host}', {port})")

        asyncio.run(prepare())
        yield cluster
