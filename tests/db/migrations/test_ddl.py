"""The migrations' result, compared by PostgreSQL's catalog.

Alembic's comparison does not see an index's WHERE or method, nor the text of a CHECK. The catalog
has them. ddl.sql holds the catalog of a migrated database, so that a review shows every change of
the schema. To write the file anew:

    ODDSSCHEMA_WRITE_DDL=1 python -m pytest tests/db/migrations/test_ddl.py
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory

from oddsschema import migrations
from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.database.revision import HEAD
from oddsschema.migrations import CheckState, script_location
from oddsschema.models import metadata
from oddsschema.queries.views import VIEWS
from tests.support.catalog import REFERENCE, REFERENCE_DATA, catalog
from tests.support.example_rows import ROWS
from tests.support.sessions import execute, fetch_column

DDL = Path(__file__).with_name("ddl.sql")

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def migrated(template: str, run: Run) -> list[str]:
    """Return the catalog of a migrated database."""
    found: list[str] = run(catalog(template))
    return found


def test_ddl(migrated: list[str]) -> None:
    """The migrations create the database that ddl.sql describes."""
    if os.environ.get("ODDSSCHEMA_WRITE_DDL"):
        DDL.write_text("\n".join(migrated) + "\n", encoding="utf-8")
    assert "\n".join(migrated) + "\n" == DDL.read_text(encoding="utf-8")


def test_models_make_the_same_database(migrated: list[str], empty_database: str, run: Run) -> None:
    """`metadata.create_all` and the migrations create the same tables."""

    async def create_all() -> None:
        async with sqlalchemy_connect(empty_database) as connection:
            await connection.run_sync(metadata.create_all)
            await connection.commit()

    run(create_all())
    tables = [part for part in migrated if not part.startswith("CREATE v ")]
    assert run(catalog(empty_database)) == tables
    assert len(migrated) - len(tables) == len(VIEWS)


def test_sql_makes_the_same_database(migrated: list[str], empty_database: str, run: Run) -> None:
    """The SQL text of an upgrade creates the same database."""
    run(execute(empty_database, migrations.upgrade_sql()))
    assert run(catalog(empty_database)) == migrated
    assert run(migrations.current(empty_database)) == HEAD
    assert run(migrations.check(empty_database)).state is CheckState.CLEAN
    assert run(fetch_column(empty_database, REFERENCE_DATA)) == REFERENCE


def test_each_revision_is_taken_back(migrated: list[str], empty_database: str, run: Run) -> None:
    """Each revision has the same catalog on the way up, down and up again."""
    script = ScriptDirectory(str(script_location()))
    revisions = ["base", *reversed([revision.revision for revision in script.walk_revisions()])]

    def state() -> tuple[list[str], list[str]]:
        # A validated CHECK remains valid after a downgrade.
        found = [part.replace(" NOT VALID", "") for part in run(catalog(empty_database))]
        return found, run(fetch_column(empty_database, REFERENCE_DATA)) if found else []

    states = {"base": state()}
    for revision in revisions[1:]:
        run(migrations.upgrade(empty_database, revision))
        states[revision] = state()
    assert states[HEAD] == (migrated, REFERENCE)
    for revision in reversed(revisions[:-1]):
        run(migrations.downgrade(empty_database, revision))
        assert state() == states[revision]
    for revision in revisions[1:]:
        run(migrations.upgrade(empty_database, revision))
        assert state() == states[revision]


def test_upgrade_is_idempotent(migrated: list[str], database: str, run: Run) -> None:
    """A second upgrade changes nothing."""
    run(migrations.upgrade(database))
    assert run(catalog(database)) == migrated


def test_downgrade_leaves_nothing(database: str, run: Run) -> None:
    """A downgrade to base leaves nothing, also when it is run again."""
    left = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    for _ in range(2):
        run(migrations.downgrade(database, "base"))
        assert run(migrations.current(database)) is None
        assert run(fetch_column(database, left)) == []


def test_downgrade_with_data(database: str, run: Run) -> None:
    """A downgrade removes rows that refer to each other."""
    run(execute(database, ROWS))
    run(migrations.downgrade(database, "base"))
    assert run(catalog(database)) == []


def test_transaction_is_the_callers(empty_database: str, run: Run) -> None:
    """On a given connection, only the caller commits."""

    async def upgrade_and_roll_back() -> None:
        async with sqlalchemy_connect(empty_database) as connection:
            await migrations.upgrade(connection)
            assert await migrations.current(connection) == HEAD
            await connection.rollback()

    run(upgrade_and_roll_back())
    assert run(catalog(empty_database)) == []
