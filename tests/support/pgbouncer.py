"""A PgBouncer in front of a database."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

CONFIGURATION = """
[databases]
* = {server}
[pgbouncer]
listen_addr =
listen_port = 6432
unix_socket_dir = {directory}
auth_type = any
pool_mode = {mode}
default_pool_size = 2
reserve_pool_size = 0
max_client_conn = 200
"""


@contextmanager
def pgbouncer(database: str, mode: str = "transaction") -> Iterator[str]:
    """Start a PgBouncer with two connections to a database, and yield its URL.

    Skips the test without the program.
    """
    if PROGRAM is None:
        pytest.skip("there is no pgbouncer")
    url = make_url(database)
    server = {
        "host": url.query.get("host") or url.host,
        "port": url.query.get("port") or url.port,
        "user": url.username,
        "password": url.password,
    }
    directory = Path(tempfile.mkdtemp(prefix="oddstest-", dir="/tmp"))
    configuration = directory / "pgbouncer.ini"
    configuration.write_text(
        CONFIGURATION.format(
            server=" ".join(f"{key}={value}" for key, value in server.items() if value),
            directory=directory,
            mode=mode,
        )
    )
    # PgBouncer refuses to run as root, and enters the server's socket directory only as its owner.
    account: dict[str, Any] = {}
    if os.geteuid() == 0:
        place = str(url.query.get("host", ""))
        is_ours = place.startswith("/") and Path(place).is_dir()
        user = pwd.getpwuid(Path(place).stat().st_uid) if is_ours else pwd.getpwnam("nobody")
        if user.pw_uid == 0:
            user = pwd.getpwnam("nobody")
        account = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        for path in (directory, configuration):
            os.chown(path, user.pw_uid, user.pw_gid)
    with subprocess.Popen(
        [PROGRAM, "-q", configuration],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        **account,
    ) as process:
        try:
            deadline = time.monotonic() + 10
            while not _listens(directory / ".s.PGSQL.6432"):
                if process.poll() is not None or time.monotonic() > deadline:
                    process.kill()
                    assert process.stderr is not None
                    pytest.fail(f"pgbouncer did not start: {process.stderr.read()}")
                time.sleep(0.02)
            there = url.set(host=None, port=None, query={"host": str(directory), "port": "6432"})
            yield there.render_as_string(hide_password=False)
        finally:
            process.kill()
    shutil.rmtree(directory)


def _listens(path: Path) -> bool:
    """Return whether a program takes connections to a socket: its file is older than that."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True
