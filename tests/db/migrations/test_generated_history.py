"""Autogenerate leads from the tables of each of our revisions to today's.

The steps that move rows aside: the generated revisions know tables and no rows.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory

from oddsschema import migrations
from oddsschema.database.recorded_revisions import OWN_TABLE
from oddsschema.database.revision import HEAD
from oddsschema.migrations import autogenerate_options, script_location
from tests.support.catalog import catalog
from tests.support.generated_revisions import Project, connected, own_history

Run = Callable[..., Any]

REVISIONS = [
    "base",
    *sorted(script.revision for script in ScriptDirectory(str(script_location())).walk_revisions())[
        :-1
    ],
]


@pytest.fixture(scope="session")
def today(template: str, run: Run) -> list[str]:
    """Return the catalog of a migrated database."""
    return list(run(table_catalog(template)))


async def table_catalog(url: str) -> list[str]:
    """List the catalog of a database without views, which the models do not have."""
    return [part for part in await catalog(url) if not part.startswith("CREATE v ")]


def comparable(parts: list[str]) -> list[str]:
    """Leave out what a downgrade changes.

    A CHECK that was not valid is added as a valid one. PostgreSQL adds parentheses to a jsonpath
    that it has printed before.
    """
    return [re.sub(r" NOT VALID|[()\s]", "", part) for part in parts]


@pytest.mark.sampled(4)
@pytest.mark.parametrize("revision", REVISIONS)
def test_today(
    revision: str, empty_database: str, today: list[str], tmp_path: Path, run: Run
) -> None:
    """Autogenerate from a revision writes revisions that lead to today's tables, and back."""
    if revision != "base":
        run(migrations.upgrade(empty_database, revision))
    before = run(table_catalog(empty_database))
    project = Project(
        tmp_path / "project",
        lambda: {**autogenerate_options(), "version_table": OWN_TABLE},
        [own_history(tmp_path / "history", revision)],
    )
    with connected(empty_database) as connection:
        head = {} if revision == "base" else {"head": revision}
        project.generate(connection, **head)
        project.upgrade(connection)
        assert run(table_catalog(empty_database)) == today
        project.downgrade(connection, revision)
        assert comparable(run(table_catalog(empty_database))) == comparable(before)


def test_no_difference_today(database: str, tmp_path: Path) -> None:
    """Autogenerate finds nothing to change in a migrated database."""
    project = Project(
        tmp_path / "project",
        lambda: {**autogenerate_options(), "version_table": OWN_TABLE},
        [own_history(tmp_path / "history", HEAD)],
    )
    with connected(database) as connection:
        (script,) = project.generate(connection, head=HEAD)
        assert Path(script.path).read_text().count("    pass") == 2
