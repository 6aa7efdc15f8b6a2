"""The built wheel, in an environment with nothing else, far from the checkout."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.wheel


class Installed:
    """A virtual environment with the wheel, and an empty directory to run it in."""

    def __init__(self, directory: Path) -> None:
        self.bin = directory / "venv" / ("Scripts" if os.name == "nt" else "bin")
        self.empty = directory / "empty"

    def run(self, *command: str, status: int = 0, url: str | None = None) -> str:
        """The output of a program of the environment, which must end with `status`."""
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        environment.pop("DATABASE_URL", None)
        if url is not None:
            environment["DATABASE_URL"] = url
        done = subprocess.run(
            [self.bin / command[0], *command[1:]],
            cwd=self.empty,
            env=environment,
            text=True,
            capture_output=True,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel, built from the checkout and installed with its core dependencies alone."""
    directory = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", directory, ROOT]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = directory.glob("*.whl")
    venv.create(directory / "venv", with_pip=True)
    (directory / "empty").mkdir()
    made = Installed(directory)
    constraints = str(ROOT / "constraints.txt")
    made.run("pip", "install", "--quiet", "--constraint", constraints, str(wheel))
    return made


def test_import_is_light(installed: Installed) -> None:
    """Importing the package brings in neither Hypothesis nor alembic nor the command line."""
    heavy = "{'hypothesis', 'alembic', 'click', 'platformdirs'}"
    code = f"import sys, oddsschema; assert not {heavy} & sys.modules.keys()"
    installed.run("python", "-W", "error", "-c", code)


def test_type_information_is_shipped(installed: Installed) -> None:
    """Type checkers find the marker file."""
    code = (
        "import oddsschema, pathlib; print(pathlib.Path(oddsschema.__file__).parent / 'py.typed')"
    )
    assert Path(installed.run("python", "-c", code).strip()).is_file()


def test_upgrade_as_sql_needs_no_database(installed: Installed) -> None:
    """`upgrade --sql` prints every table from the migrations inside the wheel."""
    sql = installed.run("oddsschema", "upgrade", "--sql")
    assert "CREATE TABLE competitor_market_odds" in sql


def test_migrations_run_from_an_empty_directory(installed: Installed, empty_database: str) -> None:
    """upgrade, current, check and downgrade work where there is no checkout and no alembic.ini."""
    run = installed.run
    assert "base -> oddsschema_0003" in run("oddsschema", "upgrade", url=empty_database)
    assert run("oddsschema", "current", url=empty_database).strip() == "oddsschema_0003"
    assert "expects" in run("oddsschema", "check", url=empty_database)
    assert "-> base" in run("oddsschema", "downgrade", "base", url=empty_database)
    assert "oddsschema upgrade" in run("oddsschema", "check", url=empty_database, status=1)


def test_without_the_extra_the_error_names_it(installed: Installed) -> None:
    """Without a URL and without the embedded PostgreSQL, a command says what to install."""
    said = installed.run("oddsschema", "batches", status=2)
    assert "oddsschema[embedded]" in said
