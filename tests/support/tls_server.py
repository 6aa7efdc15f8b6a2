"""A server with TLS on an address of its own, whose roles need passwords or certificates."""

import json
import os
import random
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import asyncpg
from psycopg import pq

from oddsschema.database.driver import open_connection
from oddsschema.database.time_limits import ANSWER_WITHIN
from oddsschema.embedded import EmbeddedPostgres
from oddsschema.embedded.ephemeral_server import _temporary_directory
from tests.support.passwords import SECRET

#: The password of every role.
PASSWORD = SECRET

#: A role and a database whose names need quotes and percent-encoding.
ODD_NAME = "o'd\"d %:@/é"

#: The rules for connections of clients.
RULES = """
local all postgres trust
local all all scram-sha-256
hostnossl all encrypted all reject
hostssl all plain all reject
hostssl all certified all cert
host all all all scram-sha-256
"""

#: The answer of a connection: all that a URL decides.
ANSWER = """
SELECT json_build_object(
    'database', current_database(), 'role', current_user,
    'application', current_setting('application_name'),
    'path', current_setting('search_path'),
    'timeout', current_setting('statement_timeout'),
    'zone', current_setting('TimeZone'),
    'work_mem', current_setting('work_mem'),
    'port', inet_server_port(),
    'tls', (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid())
)
"""


class _TLSServer(EmbeddedPostgres):
    address: str

    def _listen_options(self) -> str:
        return f"{super()._listen_options()} -c listen_addresses={self.address}"


class TLSServer:
    """A server, and its certificates in a directory."""

    def __init__(self, server: EmbeddedPostgres, address: str, directory: Path) -> None:
        self.server = server
        self.address = address
        self.directory = directory

    @property
    def socket(self) -> str:
        """The directory of the server's socket."""
        return self.server.url.partition("host=")[2].partition("&")[0]

    def answer_of_libpq(self, url: str, environment: Mapping[str, str]) -> dict[str, Any] | None:
        """Connect with libpq, as psql does, and return the answer; None if it fails."""
        with mock.patch.dict(os.environ, self.variables(environment), clear=True):
            connection = pq.PGconn.connect(url.encode())
        try:
            if connection.status != pq.ConnStatus.OK:
                return None
            value = connection.exec_(ANSWER.encode()).get_value(0, 0)
            assert value is not None
            answer: dict[str, Any] = json.loads(value)
            return answer
        finally:
            connection.finish()

    async def answer(self, url: str, environment: Mapping[str, str]) -> dict[str, Any]:
        """Connect as the package does, and return the answer of a transaction."""
        with mock.patch.dict(os.environ, self.variables(environment), clear=True):
            connection = await open_connection(url, ANSWER_WITHIN)
        try:
            async with connection.transaction():
                answer: dict[str, Any] = json.loads(await connection.fetchval(ANSWER))
                return answer
        finally:
            await connection.close()

    def variables(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of a program: this directory is its home."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return {**kept, "HOME": str(self.directory / "home"), **environment}


def tls_binaries() -> Path | None:
    """Find a PostgreSQL with TLS: the system's, as the wheel's has none."""
    given = os.environ.get("POSTGRES_15")
    found = [Path(given)] if given else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((path for path in reversed(found) if (path / "initdb").exists()), None)


@contextmanager
def tls_server() -> Iterator[TLSServer]:
    """Start a server with TLS, and create its roles and databases."""
    # A watchdog stops the server and removes the directory when this process is killed.
    with _temporary_directory() as directory:
        certificates = directory / "certificates"
        (certificates / "home").mkdir(parents=True)
        certificates.chmod(0o755)
        _make_certificates(certificates)
        rules = certificates / "pg_hba.conf"
        rules.write_text(RULES)
        settings = {
            "hba_file": str(rules),
            "ssl": "on",
            "ssl_ca_file": str(certificates / "root.crt"),
            "ssl_cert_file": str(certificates / "server.crt"),
            "ssl_key_file": str(certificates / "server.key"),
        }
        server = _TLSServer(directory, durable=False, settings=settings, binaries=tls_binaries())
        server.address = f"127.77.{random.randrange(255)}.{random.randrange(1, 255)}"
        if server._account is not None:
            for name in ("server.key", "server.crt", "root.crt", "pg_hba.conf"):
                os.chown(certificates / name, server._account.uid, server._account.gid)
        with server:
            yield TLSServer(server, server.address, certificates)


async def create_roles(server: TLSServer) -> None:
    """Create the roles and the databases."""
    connection = await asyncpg.connect(server.server.url)
    try:
        quoted = ODD_NAME.replace('"', '""')
        for role in ("encrypted", "plain", "certified", "ann", quoted):
            await connection.execute(f"CREATE ROLE \"{role}\" LOGIN PASSWORD '{PASSWORD}'")
        for database in ("ann", quoted):
            await connection.execute(f'CREATE DATABASE "{database}"')
    finally:
        await connection.close()


def _make_certificates(directory: Path) -> None:
    """Create an authority, another one, and certificates of localhost and of `certified`."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)

    new = ("req", "-new", "-newkey", "rsa:2048", "-nodes")
    for authority in ("root", "other"):
        openssl(
            *(*new, "-x509", "-days", "2", "-subj", f"/CN={authority}"),
            *("-keyout", f"{authority}.key", "-out", f"{authority}.crt"),
        )
    for name, subject in (("server", "localhost"), ("client", "certified")):
        openssl(*new, "-subj", f"/CN={subject}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        (directory / "names").write_text(f"subjectAltName=DNS:{subject}")
        openssl(
            *("x509", "-req", "-days", "2", "-in", f"{name}.csr", "-out", f"{name}.crt"),
            *("-CA", "root.crt", "-CAkey", "root.key", "-CAcreateserial", "-extfile", "names"),
        )
    for key in directory.glob("*.key"):
        key.chmod(0o600)
