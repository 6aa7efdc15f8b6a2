"""A database that another application migrates with an alembic of its own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oddsschema import ingest, migrations
from oddsschema.database.revision import HEAD
from oddsschema.migrations import CheckState
from tests.support.other_project import OtherProject
from tests.support.scrapes import scrapes
from tests.support.screens import program
from tests.support.sessions import execute, fetch_column

Run = Callable[..., Any]

#: The version tables of the database, with their rows.
VERSIONS = """
SELECT table_schema || '.' || table_name FROM information_schema.columns
WHERE column_name = 'version_num' ORDER BY 1
"""


@pytest.mark.sampled(1)
@pytest.mark.parametrize("schema", ["public", "odds"])
@pytest.mark.parametrize("is_first", [True, False], ids=["ours-first", "theirs-first"])
def test_side_by_side(
    schema: str, is_first: bool, empty_database: str, tmp_path: Path, run: Run
) -> None:
    """Both projects migrate the database in either order, and so do their next releases."""
    run(execute(empty_database, f"CREATE SCHEMA IF NOT EXISTS {schema}"))
    # In a schema of ours, they need to know nothing of us.
    theirs = OtherProject(tmp_path, empty_database, only_own=schema == "public")
    url = f"{empty_database}{'&' if '?' in empty_database else '?'}search_path={schema}"

    def upgrade_ours(revision: str) -> None:
        ended = program("upgrade", revision, "--url", url)
        assert (ended.code, "Traceback" in ended.stderr) == (0, False), ended
        assert run(migrations.current(url)) == (HEAD if revision == "head" else revision)

    def upgrade_theirs() -> None:
        theirs.run("upgrade", "head")
        theirs.require_newest()

    for upgrade in (upgrade_ours, upgrade_theirs) if is_first else (upgrade_theirs, upgrade_ours):
        upgrade("oddsschema_0009") if upgrade is upgrade_ours else upgrade()
    theirs.require_newest()
    theirs.release()
    upgrade_theirs()
    upgrade_ours("head")
    theirs.require_newest()
    theirs.release()
    upgrade_theirs()

    assert run(migrations.check(url)).state is CheckState.CLEAN
    assert run(ingest(url, scrapes([0], range(1)))).all_stored
    both = sorted(["public.alembic_version", f"{schema}.oddsschema_version"])
    assert run(fetch_column(empty_database, VERSIONS)) == both

    assert program("downgrade", "base", "--yes", "--url", url).code == 0
    assert run(migrations.check(url)).state is CheckState.EMPTY
    assert run(fetch_column(empty_database, VERSIONS)) == ["public.alembic_version"]
    theirs.require_newest()
