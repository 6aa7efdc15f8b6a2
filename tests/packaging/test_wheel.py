"""The built wheel in an environment of its own, outside the checkout."""

import re
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from oddsschema.database.revision import HEAD
from tests.support.environments import ROOT, Environment

pytestmark = pytest.mark.wheel


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Install the wheel with its core dependencies only."""
    environment = Environment(tmp_path_factory.mktemp("core"))
    environment.install(wheel)
    return environment


def test_import_is_light(installed: Environment) -> None:
    """The import loads neither Hypothesis nor alembic nor the command line."""
    heavy = "{'hypothesis', 'alembic', 'click', 'platformdirs'}"
    code = f"import sys, oddsschema; assert not {heavy} & sys.modules.keys()"
    installed.run("python", "-W", "error", "-c", code)


def test_help_without_the_extras(installed: Environment) -> None:
    """Python's help describes the package where no extra is installed."""
    output = installed.run("python", "-W", "error", "-c", "import oddsschema; help(oddsschema)")
    assert "class Capture(" in output


def test_type_information_is_shipped(installed: Environment) -> None:
    """The wheel has the marker file for type checkers."""
    code = (
        "import oddsschema, pathlib; print(pathlib.Path(oddsschema.__file__).parent / 'py.typed')"
    )
    assert Path(installed.run("python", "-c", code).strip()).is_file()


def test_upgrade_as_sql_needs_no_database(installed: Environment) -> None:
    """`upgrade --sql` prints every table from the migrations inside the wheel."""
    sql = installed.run("oddsschema", "upgrade", "--sql")
    assert "CREATE TABLE competitor_market_odds" in sql


def test_migrations_run_from_an_empty_directory(
    installed: Environment, empty_database: str
) -> None:
    """upgrade, current, check and downgrade work without a checkout and an alembic.ini."""
    run = installed.run
    assert f"base -> {HEAD}" in run("oddsschema", "upgrade", url=empty_database)
    assert run("oddsschema", "current", url=empty_database).strip() == HEAD
    assert "matches this release" in run("oddsschema", "check", url=empty_database)
    assert "-> base" in run("oddsschema", "downgrade", "--yes", "base", url=empty_database)
    assert "oddsschema upgrade" in run("oddsschema", "check", url=empty_database, status=6)


def test_without_the_extra_the_error_names_it(installed: Environment) -> None:
    """Without a URL and the embedded PostgreSQL, the error names the extra to install."""
    output = installed.run("oddsschema", "batches", status=2)
    assert "oddsschema[embedded]" in output


def test_consumer_is_well_typed(installed: Environment) -> None:
    """A consumer's code passes mypy --strict and pyright."""
    assert_well_typed(installed, Path(__file__).with_name("consumer.py"))


def test_examples_are_well_typed(installed: Environment, tmp_path: Path) -> None:
    """The README's Python, and the conditions on outcomes, pass mypy --strict and pyright."""
    blocks = python_of(ROOT / "README.md")
    reading = python_of(ROOT / "docs/how-to/reading.md")
    blocks += [block for block in reading if "queries.jsonb(" in block]
    functions = [PRELUDE]
    for number, block in enumerate(blocks):
        # A line that shows an error at run time may be an error for type checkers, too.
        lines = [line for line in block.splitlines() if "# pydantic.ValidationError" not in line]
        functions.append(f"async def block_{number}(captures: list[bytes]) -> None:")
        functions += [f"    {line}" for line in lines]
    program = tmp_path / "examples.py"
    program.write_text("\n".join(functions))
    assert_well_typed(installed, program)


#: The names of the page on reads, which its first block defines without types.
PRELUDE = """
from typing import Any
from oddsschema import queries
from oddsschema.queries import Offer
async def ask(statement: Any) -> Any: ...
"""


def python_of(page: Path) -> list[str]:
    """List the Python blocks of a page."""
    return re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


def assert_well_typed(installed: Environment, program: Path) -> None:
    """Check a file by mypy --strict and pyright."""
    python = str(installed.bin / "python")
    for checker in (
        ["mypy", "--strict", "--config-file=", "--python-executable", python],
        ["pyright", "--pythonpath", python],
    ):
        done = subprocess.run(
            [sys.executable, "-m", *checker, program],
            cwd=installed.empty,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_names_are_ours(wheel: Path) -> None:
    """No file is installed under a name that another project may use."""
    names = {name.split("/")[0] for name in ZipFile(wheel).namelist()}
    assert all(name.removeprefix("_").startswith("oddsschema") for name in names)
