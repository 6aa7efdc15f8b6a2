"""The projects of docs/examples, installed beside the built wheel, outside the checkout."""

import ast
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from oddsschema.release import HEAD, PROGRAMS_FROM
from tests.support.environments import ROOT, Environment, built

pytestmark = pytest.mark.wheel

DOCS = ROOT / "docs"
SHIPPED = Path("odds_watch/migrations/versions/watch_0001.py")


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Create an environment for all projects, beginning with the fewest dependencies."""
    environment = Environment(tmp_path_factory.mktemp("projects"))
    environment.install(f"{wheel}[embedded,testing]", "hatchling")
    return environment


@pytest.fixture(scope="module")
def project(
    environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """Return a function that installs a project and its tests' needs, and returns its directory."""

    def install(name: str) -> Path:
        directory = tmp_path_factory.mktemp("project") / name
        shutil.copytree(DOCS / "examples" / name, directory)
        group = f"{directory}/pyproject.toml:test"
        environment.install("--no-build-isolation", directory, "--group", group)
        return directory

    return install


@pytest.fixture(scope="module")
def extending(project: Callable[[str], Path]) -> Path:
    """Install the project with tables of its own."""
    return project("extending")


# -- a project with tables of its own --------------------------------------------------------------


def test_extending(environment: Environment, extending: Path, server_url: str) -> None:
    """The tests of the project with tables of its own pass."""
    assert " passed" in environment.run("pytest", url=server_url, directory=extending)


def test_migration_is_that_of_autogenerate(
    environment: Environment, extending: Path, empty_database: str, tmp_path: Path
) -> None:
    """The documented command writes the shown migration: the project's tables only."""
    page = (DOCS / "how-to" / "extending.md").read_text().replace("\\\n", "")
    _, _, section = page.partition("## The first revision\n")
    section, _, _ = section.partition("\n## ")
    (documented,) = re.findall(r"^alembic revision .*$", section, re.MULTILINE)
    copy = shutil.copytree(extending, tmp_path / "copy")
    shipped = copy / SHIPPED
    shown = ast.dump(ast.parse(shipped.read_text()))
    shipped.unlink()
    environment.run("alembic", "upgrade", "heads", url=empty_database, directory=copy)
    environment.run(*shlex.split(documented), url=empty_database, directory=copy)
    assert ast.dump(ast.parse(shipped.read_text())) == shown


def test_up_and_down(environment: Environment, extending: Path, empty_database: str) -> None:
    """Both are migrated together without a difference, and only the project's is downgraded."""

    def run(*command: str, status: int = 0) -> str:
        return environment.run(*command, status=status, url=empty_database, directory=extending)

    run("alembic", "upgrade", "heads")
    assert "No new upgrade operations detected" in run("alembic", "check")
    run("oddsschema", "check")
    captures = extending / "captures.ndjson"
    captures.write_text(run("oddsschema", "simulate", "--scrapes", "1"))
    assert "0 refused" in run("oddsschema", "ingest", captures.name)
    assert "'alembic upgrade heads'" in run("oddsschema", "upgrade", status=2)

    run("alembic", "downgrade", "watch@base")
    run("oddsschema", "check")
    assert "Batch 1" in run("oddsschema", "batches")
    run("alembic", "upgrade", "heads")
    assert "No new upgrade operations detected" in run("alembic", "check")
    run("alembic", "downgrade", "base")
    run("oddsschema", "check", status=6)


def test_later_release(
    environment: Environment, extending: Path, empty_database: str, tmp_path: Path
) -> None:
    """After an upgrade of oddsschema, `alembic upgrade heads` runs its new revision too."""

    def run(*command: str, status: int = 0) -> str:
        return environment.run(
            *command, status=status, url=empty_database, directory=extending, path=later
        )

    later = tmp_path / "later"
    later.mkdir()
    run("alembic", "upgrade", "heads")
    environment.install("--target", later, "--no-deps", built(later_release(tmp_path), tmp_path))
    run("oddsschema", "check", status=3)  # the database is older
    run("alembic", "upgrade", "heads")
    assert run("oddsschema", "current").strip() == "oddsschema_9999"
    run("oddsschema", "check")
    assert "No new upgrade operations detected" in run("alembic", "check")


def later_release(directory: Path) -> Path:
    """Write the source of a release with an additional revision."""
    source = directory / "source"
    leave = shutil.ignore_patterns(".*", "*.lock", "__pycache__", "docs", "tests", "build", "dist")
    shutil.copytree(ROOT, source, ignore=leave)
    (source / "alembic/versions/9999_later.py").write_text(f'''
import sqlalchemy as sa
from alembic import op

revision = "oddsschema_9999"
down_revision = "{HEAD}"
branch_labels = None
depends_on = None
programs_from = "{PROGRAMS_FROM}"


def upgrade() -> None:
    op.add_column("competitor_events", sa.Column("venue", sa.String(100)))
    op.create_table_comment("sports", f"{{revision}} serves programs from {{programs_from}}")


def downgrade() -> None:
    op.drop_column("competitor_events", "venue")
''')
    known = source / "oddsschema/release.py"
    known.write_text(known.read_text().replace(f'= "{HEAD}"', '= "oddsschema_9999"', 1))
    return source


# -- the others ------------------------------------------------------------------------------------


PROJECTS = ["scraper", "synchronous", "workers", "feeds", "api", "comparison", "admin"]


@pytest.mark.parametrize("name", PROJECTS)
def test_project(
    environment: Environment, project: Callable[[str], Path], name: str, server_url: str
) -> None:
    """A project's own tests pass."""
    assert " passed" in environment.run("pytest", url=server_url, directory=project(name))
