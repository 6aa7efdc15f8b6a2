"""A migrated database with rows, and databases at an older revision."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from oddsschema import migrations
from oddsschema.migrations import (
    commands,
    release_schema,
    requirements,
    runs,
    script_location,
    scripts,
)
from tests.support.example_rows import ROWS
from tests.support.next_revision import HEADER, REVISION
from tests.support.sessions import execute
from tests.support.stored_histories import OLD_REVISION

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def filled(new_database: Callable[..., Any], template: str, run: Run) -> Iterator[str]:
    """Return the URL of a database with rows, in which every test rolls back."""
    with new_database(template) as url:
        run(execute(url, ROWS))
        yield url


@pytest.fixture(scope="session")
def old_template(new_database: Callable[..., Any], run: Run) -> Iterator[str]:
    """Return the URL of a database at revision 7, for clones only."""
    with new_database() as url:
        run(migrations.upgrade(url, OLD_REVISION))
        yield url


@pytest.fixture
def old_database(new_database: Callable[..., Any], old_template: str) -> Iterator[str]:
    """Return the URL of a database at revision 7 for one test."""
    with new_database(old_template) as url:
        yield url


@pytest.fixture
def write_revision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], None]]:
    """Return a function that writes REVISION, which follows the revisions of this release."""
    copied = tmp_path / "alembic"
    shutil.copytree(script_location(), copied)
    monkeypatch.setattr(scripts, "script_location", lambda: copied)

    def write(functions: str) -> None:
        for module in (commands, release_schema, requirements, runs):
            monkeypatch.setattr(module, "HEAD", REVISION)
        (copied / "versions" / f"{REVISION}.py").write_text(HEADER + functions)
        release_schema.current_release.cache_clear()

    yield write
    release_schema.current_release.cache_clear()
