"""The user that the server runs as, and the programs run as that user."""

import contextlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from oddsschema.errors import EmbeddedPostgresError

if sys.platform != "win32":
    import pwd


class Account(NamedTuple):
    """The user that the server runs as when this process is root, as PostgreSQL rejects root."""

    uid: int
    gid: int


class Result(NamedTuple):
    """The exit status of a program, and all of its output."""

    status: int
    output: str


def server_account() -> Account | None:
    """Return the server's user; None for the user of this process.

    Raises EmbeddedPostgresError on Windows, and for root on a machine without such a user.
    """
    if sys.platform == "win32":
        raise EmbeddedPostgresError(
            "the embedded PostgreSQL does not run on Windows: give a database URL"
        )
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            return Account(user.pw_uid, user.pw_gid)
    raise EmbeddedPostgresError("PostgreSQL does not run as root: add a user named postgres")


def run_as(account: Account | None, *command: str | Path) -> Result:
    """Run a program to its end, in a session of its own.

    A terminal's Ctrl-C then reaches this process, and not the server.
    """
    cleared = ("PG", "LC_", "LANG")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(cleared)}
    # The server inherits the output and keeps it open. Reading a pipe would never end.
    with tempfile.TemporaryFile() as output:
        finished = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment | {"LC_ALL": "C"},
            cwd="/",
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
        output.seek(0)
        return Result(finished.returncode, output.read().decode(errors="replace"))


def command_line(pid: int) -> str:
    """Return the command line of a process; empty for a zombie, and for an unknown process."""
    if Path("/proc/self/cmdline").exists():
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return ""
        return os.fsdecode(command).replace("\0", " ")
    return run_as(None, "ps", "-ww", "-o", "command=", "-p", str(pid)).output
