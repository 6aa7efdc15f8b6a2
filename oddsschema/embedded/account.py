"""Who the server runs as, and how programs run as that user."""

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
    """The user that the server runs as when we are root, which PostgreSQL refuses to run as."""

    uid: int
    gid: int


class Result(NamedTuple):
    """How a program ended, and all that it printed."""

    status: int
    output: str


def server_account() -> Account | None:
    """The server's user; None when that is ourselves.

    Raises EmbeddedPostgresError on Windows, and for a root who has no such user.
    """
    if sys.platform == "win32":
        raise EmbeddedPostgresError("the embedded PostgreSQL is POSIX only: give a --url")
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            return Account(user.pw_uid, user.pw_gid)
    raise EmbeddedPostgresError("PostgreSQL does not run as root: add a user named postgres")


def run(account: Account | None, *command: str | Path) -> Result:
    """Run to the end, in a session of its own: a terminal's Ctrl-C is for us, not for the server.

    The output goes through a file: the server inherits it, and a pipe would never end.
    """
    cleared = ("PG", "LC_", "LANG")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(cleared)}
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
    """The command of a running process; empty for a zombie, or when there is no such process."""
    if Path("/proc/self/cmdline").exists():
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return ""
        return os.fsdecode(command).replace("\0", " ")
    return run(None, "ps", "-ww", "-o", "command=", "-p", str(pid)).output
