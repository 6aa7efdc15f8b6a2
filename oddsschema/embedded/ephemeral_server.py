"""A throw-away server, removed even when the process that started it is killed."""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from oddsschema.embedded.account import server_account
from oddsschema.embedded.server import EmbeddedPostgres

#: The program that waits for a byte or for the end of the owner's process, then stops the server
#: and removes the directory. It repeats both, as an initdb or a pg_ctl may outlive the owner and
#: still write files.
_WATCHDOG = """
import os, pathlib, shutil, signal, sys, time
directory = pathlib.Path(sys.argv[1])
sys.stdin.buffer.read(1)
deadline = time.monotonic() + 10
while directory.exists() and time.monotonic() < deadline:
    try:
        [pid_file] = directory.glob("pg*/postmaster.pid")
        os.kill(int(pid_file.read_text().split()[0]), signal.SIGQUIT)
    except (OSError, ValueError, IndexError):
        shutil.rmtree(directory, ignore_errors=True)
    time.sleep(0.02)
shutil.rmtree(directory, ignore_errors=True)
"""


@contextlib.contextmanager
def ephemeral(
    *, settings: Mapping[str, str] | None = None, binaries: Path | None = None
) -> Iterator[EmbeddedPostgres]:
    """Start a new server in a temporary directory, and remove both at the end.

    They are also removed when this process is killed.
    """
    with (
        _temporary_directory() as directory,
        EmbeddedPostgres(directory, durable=False, settings=settings, binaries=binaries) as server,
    ):
        yield server


@contextlib.contextmanager
def _temporary_directory() -> Iterator[Path]:
    """Create a directory that a watchdog process removes, together with the server in it."""
    account = server_account()
    # $TMPDIR can be too long for a socket, or closed to the server's user.
    directory = Path(tempfile.mkdtemp(prefix="oddsschema-", dir="/tmp"))
    try:
        if account:
            directory.chmod(0o711)
        watchdog = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _WATCHDOG, str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )
    except BaseException:
        directory.rmdir()
        raise
    try:
        yield directory
    finally:
        # Closing the pipe is not enough: a forked child may hold its other end open.
        watchdog.communicate(b".")
