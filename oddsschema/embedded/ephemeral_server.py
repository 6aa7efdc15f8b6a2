"""A throw-away server, that is gone however its owner ends."""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from oddsschema.embedded.account import server_account
from oddsschema.embedded.server import EmbeddedPostgres

#: Waits for a byte or for the end of its owner, then stops the server and removes the directory.
#: It tries again, as an initdb or a pg_ctl may have outlived the owner and still be writing.
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
    """A new server in a temporary directory, gone afterwards, however this process ends."""
    with (
        _temporary_directory() as directory,
        EmbeddedPostgres(directory, durable=False, settings=settings, binaries=binaries) as server,
    ):
        yield server


@contextlib.contextmanager
def _temporary_directory() -> Iterator[Path]:
    """A directory that a watchdog removes, with the server in it, even if we are killed."""
    account = server_account()
    # Not $TMPDIR, which can be too long for a socket or closed to the server's user.
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
        # A byte, not only the end of the pipe: a forked child may hold its other end.
        watchdog.communicate(b".")
