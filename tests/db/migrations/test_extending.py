"""The sections of docs/how-to/extending.md about projects that are laid out in another way.

A test takes the settings and the commands of its section, and runs alembic in its own process.
"""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.config import CommandLine, Config
from alembic.util import CommandError
from sqlalchemy import Column, Float, ForeignKey, Integer, MetaData, String, Table

import oddsschema
from oddsschema import migrations
from oddsschema.database.revision import HEAD
from oddsschema.embedded.binaries import find_binaries
from oddsschema.migrations import CheckState, script_location
from tests.support.paths import ROOT
from tests.support.sessions import execute, fetch_column

Run = Callable[..., Any]

PAGE = (ROOT / "docs/how-to/extending.md").read_text(encoding="utf-8")
VERSIONS = Path("odds_watch/migrations/versions")
NOTHING_NEW = "No new upgrade operations detected"


def section(title: str) -> str:
    """Return a section of the page."""
    _, _, text = PAGE.partition(f"\n## {title}\n")
    assert text
    return text.partition("\n## ")[0]


def blocks(title: str, language: str) -> list[str]:
    """Return the code blocks of a section."""
    return re.findall(rf"^```{language}\b[^\n]*\n(.*?)^```$", section(title), re.M | re.S)


def commands(title: str) -> list[list[str]]:
    """Return the commands of a section, each as its arguments."""
    text = "\n".join(blocks(title, "sh")).replace("\\\n", "")
    return [shlex.split(line, comments=True) for line in text.splitlines() if line]


#: The MetaData of docs/examples/extending.
ASSIGNMENT = "metadata = MetaData(naming_convention=oddsschema.metadata.naming_convention)"


def models(assignment: str = ASSIGNMENT) -> MetaData:
    """Return the models of docs/examples/extending, as tables alone, in a MetaData of a page."""
    names: dict[str, Any] = {"MetaData": MetaData, "oddsschema": oddsschema}
    exec(assignment, names)
    metadata: MetaData = names["metadata"]
    accounts = Table(
        "accounts",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("name", String(100), unique=True, nullable=False),
    )
    ours = oddsschema.metadata.tables["competitor_events"]
    Table(
        "watches",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("account_id", ForeignKey(accounts.c.id, ondelete="CASCADE"), nullable=False),
        Column(
            "competitor_event_id",
            ForeignKey(ours.c.id, ondelete="CASCADE"),
            nullable=False,
            index=True,
        ),
        Column("outcome", String, nullable=False),
        Column("odds", Float, nullable=False),
    )
    return metadata


class Project:
    """A copy of docs/examples/extending, in the working directory."""

    def __init__(self, package: ModuleType) -> None:
        self._package = package
        self.set_models(models())

    def set_models(self, metadata: MetaData | list[MetaData]) -> None:
        """Replace the models, which env.py imports."""
        vars(self._package)["metadata"] = metadata

    def replace(self, name: str, old: str, new: str) -> None:
        """Replace a part of a file."""
        path = Path(name)
        text, count = re.subn(old, lambda _: new, path.read_text(), flags=re.S)
        assert count == 1, old
        path.write_text(text)

    def alembic(self, *arguments: str) -> str:
        """Run a command of alembic; return its output."""
        options = CommandLine("alembic").parser.parse_args(arguments)
        output = StringIO()
        config = Config(
            "alembic.ini", "pyproject.toml", cmd_opts=options, output_buffer=output, stdout=output
        )
        function, positional, keywords = options.cmd
        function(
            config,
            *(getattr(options, name, None) for name in positional),
            **{name: getattr(options, name, None) for name in keywords},
        )
        return output.getvalue()

    def execute(self, command: list[str]) -> str:
        """Run a command of the page; return its output."""
        program, *arguments = command
        assert program == "alembic", command
        return self.alembic(*arguments)


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_database: str
) -> Iterator[Project]:
    """Copy the project, for an empty database."""
    directory = shutil.copytree(ROOT / "docs/examples/extending", tmp_path / "project")
    monkeypatch.chdir(directory)
    monkeypatch.setenv("DATABASE_URL", empty_database)
    package = ModuleType("odds_watch")
    monkeypatch.setitem(sys.modules, "odds_watch", package)
    project = Project(package)
    # Our revisions are those of the checkout, and not of an installed package.
    ours = str(script_location() / "versions")
    project.replace("pyproject.toml", re.escape("oddsschema:alembic/versions"), ours)
    yield project


def recorded(url: str, run: Run, table: str = "alembic_version") -> list[str]:
    """Return the revisions of a version table."""
    return list(run(fetch_column(url, f"SELECT version_num FROM {table} ORDER BY 1")))


def tables(url: str, run: Run, schema: str) -> set[str]:
    """Return the tables of a schema."""
    query = f"SELECT tablename FROM pg_tables WHERE schemaname = '{schema}'"
    return set(run(fetch_column(url, query)))


def require_clean(project: Project, url: str, run: Run) -> None:
    """Check that neither the project's tables nor ours differ from their models."""
    assert NOTHING_NEW in project.alembic("check")
    assert run(migrations.check(url)).state is CheckState.CLEAN


def psql(url: str, sql: str) -> None:
    """Run SQL text as the page does: a statement at a time."""
    binaries = find_binaries()
    subprocess.run(
        [binaries / "psql", "-q", "-v", "ON_ERROR_STOP=1", url],
        input=sql,
        text=True,
        check=True,
        capture_output=True,
    )


def with_index(metadata: MetaData) -> MetaData:
    """Add an index to the models: a revision outside of transactions."""
    (watches,) = (table for table in metadata.sorted_tables if table.name == "watches")
    sa.Index("ix_watches_outcome", watches.c.outcome)
    return metadata


SCHEMA = "A schema of your own"
BRANCHES = "Several branches"
SQUASHED = "Squashed revisions"
SQL = "SQL text"
NEWEST = "A table of our newest revision"


def test_schema(project: Project, empty_database: str, run: Run) -> None:
    """A project has its tables and its version table in a schema, and our tables beside it."""
    assignment, options = blocks(SCHEMA, "python")
    project.set_models(models(assignment))
    project.replace("odds_watch/migrations/env.py", r"def run\(.*?\n    \)\n", options)
    for path in VERSIONS.glob("*.py"):
        path.unlink()
    (create, *others) = commands(SCHEMA)
    assert create[:2] == ["psql", "-c"]
    run(execute(empty_database, create[2]))
    for command in others:
        project.execute(command)
    assert tables(empty_database, run, "watch") == {"accounts", "watches", "watch_version"}
    assert recorded(empty_database, run, "watch.watch_version") == [HEAD, "watch_0001"]
    require_clean(project, empty_database, run)

    project.set_models(with_index(models(assignment)))
    project.alembic("revision", "--autogenerate", "--rev-id", "watch_0002", "--head", "watch@head")
    project.alembic("upgrade", "heads")
    require_clean(project, empty_database, run)
    project.alembic("downgrade", "watch@base")
    assert tables(empty_database, run, "watch") == {"watch_version"}
    assert run(migrations.check(empty_database)).state is CheckState.CLEAN


def test_branches(project: Project, empty_database: str, run: Run) -> None:
    """A second branch of the project has its own base, and is downgraded alone."""
    project.alembic("upgrade", "heads")
    alerts = MetaData(naming_convention=oddsschema.metadata.naming_convention)
    events = oddsschema.metadata.tables["events"]
    Table("alerts", alerts, Column("event_id", ForeignKey(events.c.id), primary_key=True))
    own = models()
    project.set_models([own, alerts])  # what the documented call gets
    assert "`autogenerate_options([metadata, alerts])`" in section(BRANCHES)
    directory = "odds_watch/migrations/alerts"
    project.replace(
        "pyproject.toml", 'odds_watch/migrations/versions", ', f'{VERSIONS}", "{directory}", '
    )
    generate, upgrade, downgrade = commands(BRANCHES)
    project.execute(generate)
    project.execute(upgrade)
    assert recorded(empty_database, run) == ["alerts_0001", HEAD, "watch_0001"]
    require_clean(project, empty_database, run)

    with_index(own)
    project.alembic("revision", "--autogenerate", "--rev-id", "watch_0002", "--head", "watch@head")
    assert {path.name for path in Path(directory).glob("*.py")} == {"alerts_0001.py"}
    assert (VERSIONS / "watch_0002.py").exists()
    project.alembic("upgrade", "heads")
    require_clean(project, empty_database, run)
    project.execute(downgrade)
    assert recorded(empty_database, run) == [HEAD, "watch_0002"]
    assert {"watches", "alerts"} & tables(empty_database, run, "public") == {"watches"}


def test_squashed(
    project: Project,
    empty_database: str,
    new_database: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    run: Run,
) -> None:
    """One revision replaces those before; a database in use gets a record, and is clean."""
    project.alembic("upgrade", "heads")
    project.set_models(with_index(models()))
    project.alembic("revision", "--autogenerate", "--rev-id", "watch_0002", "--head", "watch@head")
    project.alembic("upgrade", "heads")
    for path in VERSIONS.glob("*.py"):
        path.unlink()
    upgrade, generate, stamp, check, our_check = commands(SQUASHED)
    with new_database() as other:
        monkeypatch.setenv("DATABASE_URL", other)
        project.execute(upgrade)
        project.execute(generate)
        project.alembic("upgrade", "heads")
        require_clean(project, other, run)
    monkeypatch.setenv("DATABASE_URL", empty_database)
    with pytest.raises(CommandError, match="Can't locate revision"):
        project.alembic("stamp", "watch@head")
    project.execute(stamp)
    assert recorded(empty_database, run) == [HEAD, "watch_1000"]
    assert (check, our_check) == (["alembic", "check"], ["oddsschema", "check"])
    require_clean(project, empty_database, run)
    run(execute(empty_database, "DROP INDEX ix_watches_outcome"))
    with pytest.raises(CommandError, match="New upgrade operations detected"):
        project.alembic("check")


def test_sql(
    project: Project, empty_database: str, new_database: Callable[..., Any], run: Run
) -> None:
    """The SQL texts lead to the tables of both, and to those of the next revisions."""
    (both,) = blocks(SQL, "python")
    project.replace(
        "odds_watch/migrations/env.py", re.escape("asyncio.run(connect_and_run())\n"), both
    )
    everything, ours, theirs = commands(SQL)
    psql(empty_database, project.execute(everything))
    assert recorded(empty_database, run) == [HEAD, "watch_0001"]
    require_clean(project, empty_database, run)

    project.set_models(with_index(models()))
    project.alembic("revision", "--autogenerate", "--rev-id", "watch_0002", "--head", "watch@head")
    psql(empty_database, project.execute(theirs))
    assert recorded(empty_database, run) == [HEAD, "watch_0002"]
    require_clean(project, empty_database, run)
    former, _, _ = ours[2].partition(":")
    with new_database() as other:
        psql(other, project.alembic("upgrade", former, "--sql"))
        psql(other, project.execute(ours))
        assert recorded(other, run) == [HEAD]
        assert run(migrations.check(other)).state is CheckState.CLEAN


def test_our_newest(project: Project, empty_database: str, run: Run) -> None:
    """A dependency on our newest revision is refused; without one, both are recorded."""
    for path in VERSIONS.glob("*.py"):
        path.unlink()
    upgrade, generate, again = commands(NEWEST)
    project.execute(upgrade)
    with pytest.raises(CommandError, match=f"depends on {HEAD}: let it depend on the revision"):
        project.execute([*generate, "--depends-on", HEAD])
    assert list(VERSIONS.glob("*.py")) == []
    project.execute(generate)
    project.execute(again)
    assert recorded(empty_database, run) == [HEAD, "watch_0001"]
    require_clean(project, empty_database, run)
