"""A project as `alembic init` makes it, whose alembic has to find our revisions."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oddsschema import migrations
from oddsschema.database.revision import HEAD
from oddsschema.migrations import CheckState, script_location
from tests.support.paths import ROOT
from tests.support.sessions import fetch_column

Run = Callable[..., Any]

#: The place of our revisions in an installed package.
OURS = "oddsschema:alembic/versions"
#: The place of the project's own revisions.
OWN = "%(here)s/migrations/versions"
#: The separator of locations under each value of `path_separator`; None without the setting.
SEPARATORS = {"os": os.pathsep, ":": ":", ";": ";", "space": " ", "newline": "\n    ", None: " "}

TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"

_OWN_REVISION = """
revision = "theirs_0001"
down_revision = None
depends_on = {depends_on!r}


def upgrade():
    pass
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lay out the package as an installation has it, with the revisions in it."""
    site = tmp_path_factory.mktemp("site")
    without = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "oddsschema", site / "oddsschema", ignore=without)
    shutil.copytree(script_location(), site / "oddsschema" / "alembic", ignore=without)
    return site


def block(title: str) -> str:
    """Return a block of docs/how-to/moving-in.md by its title."""
    page = (ROOT / "docs/how-to/moving-in.md").read_text(encoding="utf-8")
    found = re.findall(rf'^```\w+ title="{re.escape(title)}"\n(.*?)^```$', page, re.M | re.S)
    (text,) = found
    return str(text)


class Project:
    """A project made by `alembic init`, with the documented env.py and a database in its ini."""

    def __init__(self, path: Path, installed: Path, url: str) -> None:
        self._path, self._installed = path, installed
        self.alembic("init", "--template", "async", "migrations")
        (path / "app").mkdir()
        models = ROOT / "docs/examples/comparison/odds_comparison/models.py"
        shutil.copy(models, path / "app" / "models.py")
        environment = path / "migrations" / "env.py"
        text = environment.read_text()
        changes = re.findall(
            r"((?:^-.*\n)+)((?:^\+.*\n)+)", block("migrations/env.py"), re.MULTILINE
        )
        for removed, added in changes:
            old, new = (re.sub("^[-+]", "", part, flags=re.M) for part in (removed, added))
            assert text.count(old) == 1
            text = text.replace(old, new)
        environment.write_text(text)
        address = url.replace("://", "+asyncpg://", 1).replace("%", "%%")
        self._replace_setting("sqlalchemy.url", f"sqlalchemy.url = {address}\n")
        self._ini = (path / "alembic.ini").read_text()

    def set_documented_locations(self) -> None:
        """Write `version_locations` and `path_separator` as the documentation has them."""
        self._replace_setting("path_separator", block("alembic.ini"))

    def set_locations(self, separator: str | None, *locations: str) -> None:
        """Write `version_locations` and `path_separator` into alembic.ini, as it was made."""
        (self._path / "alembic.ini").write_text(self._ini)
        joined = SEPARATORS[separator].join(locations)
        lines = f"version_locations = {joined}\n"
        if separator is not None:
            lines += f"path_separator = {separator}\n"
        self._replace_setting("path_separator", lines)

    def _replace_setting(self, name: str, lines: str) -> None:
        ini = self._path / "alembic.ini"
        text, count = re.subn(
            f"^{name} = .*\n", lambda _: lines, ini.read_text(), flags=re.MULTILINE
        )
        assert count == 1
        ini.write_text(text)

    def add_revision(self, depends_on: str) -> None:
        """Write a revision of the project, on one of ours."""
        revision = self._path / "migrations" / "versions" / "theirs_0001.py"
        revision.write_text(_OWN_REVISION.format(depends_on=depends_on))

    def alembic(self, *command: str) -> tuple[int, str]:
        """Run alembic. Return its exit code and its output."""
        done = subprocess.run(
            [sys.executable, "-m", "alembic", *command],
            cwd=self._path,
            env=os.environ | {"PYTHONPATH": str(self._installed)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout


@pytest.fixture
def project(tmp_path: Path, installed: Path, empty_database: str) -> Project:
    """Make a project on an empty database."""
    return Project(tmp_path, installed, empty_database)


def test_documented_project(project: Project, empty_database: str, run: Run) -> None:
    """The documented settings, env.py and commands add a table of the project's own to ours."""
    project.set_documented_locations()
    page = (ROOT / "docs/how-to/moving-in.md").read_text(encoding="utf-8").replace("\\\n", "")
    commands = re.findall("^alembic (.*)$", page, re.M)
    assert [command.split()[0] for command in commands] == ["upgrade", "revision", "upgrade"]
    for command in [*commands, "check"]:
        code, output = project.alembic(*shlex.split(command))
        assert code == 0, output
    assert run(migrations.check(empty_database)).state is CheckState.CLEAN
    assert run(fetch_column(empty_database, "SELECT count(*) FROM followed_events")) == [0]


@pytest.mark.sampled(1)
@pytest.mark.parametrize("separator", SEPARATORS)
def test_each_separator(
    separator: str | None, project: Project, empty_database: str, run: Run
) -> None:
    """Our revisions are found, or alembic refuses in words and changes nothing."""
    project.set_locations(separator, OWN, OURS)
    code, output = project.alembic("upgrade", "heads")
    if SEPARATORS[separator] != ":":
        assert code == 0, output
        assert run(migrations.current(empty_database)) == HEAD
        assert run(migrations.check(empty_database)).state is CheckState.CLEAN
        return
    assert code != 0
    message = output.splitlines()[-1]
    assert "alembic finds no revision of oddsschema in its version_locations" in message
    assert f"add {OURS} to them" in message
    assert "path_separator = newline" in message
    assert run(fetch_column(empty_database, TABLES)) == [0]


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("command", "locations"),
    [
        ("upgrade heads", ()),
        ("upgrade heads --sql", (OWN,)),
        ("current", (OWN, OURS + "-gone")),
        ("check", (OWN, "%(here)s/gone")),
        ("downgrade base", (OWN,)),
    ],
)
def test_no_revision_of_ours(
    command: str, locations: tuple[str, ...], project: Project, empty_database: str, run: Run
) -> None:
    """Each command refuses where our revisions are in no location."""
    if locations:
        project.set_locations("newline", *locations)
    code, output = project.alembic(*command.split())
    assert code != 0
    assert "alembic finds no revision of oddsschema" in output.splitlines()[-1]
    assert run(fetch_column(empty_database, TABLES)) == [0]


@pytest.mark.nightly
def test_revision_on_ours(project: Project, empty_database: str, run: Run) -> None:
    """A project whose own revision depends on one of ours gets the same words, then works."""
    project.add_revision(depends_on="oddsschema_0003")
    project.set_locations("os", OWN, OURS)
    code, output = project.alembic("upgrade", "heads")
    assert code != 0
    assert "alembic finds no oddsschema_0003 of oddsschema" in output.splitlines()[-1]
    project.set_locations("newline", OWN, OURS)
    assert project.alembic("upgrade", "heads")[0] == 0
    assert run(migrations.check(empty_database)).state is CheckState.CLEAN


def test_revisions_of_an_older_release(
    project: Project, tmp_path: Path, empty_database: str, run: Run
) -> None:
    """A location with the revisions of another release than the installed one is refused."""
    older = shutil.copytree(script_location() / "versions", tmp_path / "older")
    (newest,) = older.glob(f"{HEAD.removeprefix('oddsschema_')}_*.py")
    newest.unlink()
    project.set_locations("newline", OWN, str(older))
    code, output = project.alembic("upgrade", "heads")
    assert code != 0
    assert f"alembic finds no revision {HEAD}, the newest of this release" in output
    assert run(fetch_column(empty_database, TABLES)) == [0]
