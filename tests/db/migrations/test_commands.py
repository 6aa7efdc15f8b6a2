"""Upgrades and downgrades: alembic's own checks, and unknown revisions."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import pytest_alembic
from alembic.config import Config
from hypothesis import given
from hypothesis import strategies as st
from pytest_alembic import tests as alembic_tests
from sqlalchemy import Connection

from oddsschema import migrations
from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.database.revision import HEAD
from oddsschema.errors import OddsSchemaError, UnknownRevisionError
from oddsschema.migrations import CheckState, script_location
from tests.support.catalog import catalog
from tests.support.sessions import execute, fetch_column

Run = Callable[..., Any]


@pytest.mark.parametrize(
    "check",
    [
        alembic_tests.test_single_head_revision,
        alembic_tests.test_upgrade,
        alembic_tests.test_model_definitions_match_ddl,
        alembic_tests.test_up_down_consistency,
    ],
    ids=lambda check: check.__name__.removeprefix("test_"),
)
def test_alembic(check: Callable[[Any], None], empty_database: str, run: Run) -> None:
    """The history has one head, ends at the models, and can be downgraded completely."""

    def on_connection(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(script_location()).replace("%", "%%"))
        with pytest_alembic.runner(
            pytest_alembic.Config(alembic_config=config), connection
        ) as alembic_runner:
            check(alembic_runner)

    async def on_database() -> None:
        # pytest-alembic is synchronous, and env.py runs on the given connection.
        async with sqlalchemy_connect(empty_database) as connection:
            await connection.run_sync(on_connection)

    run(on_database())


def test_models_need_no_migration(database: str, run: Run) -> None:
    """A migrated database is at the head, and is clean."""
    assert run(migrations.check(database)).state is CheckState.CLEAN
    assert run(migrations.current(database)) == HEAD


def test_downgrade_leaves_others_alone(database: str, run: Run) -> None:
    """A downgrade keeps the tables of other applications."""
    run(execute(database, "CREATE TABLE theirs (id int PRIMARY KEY, note text UNIQUE)"))
    run(migrations.downgrade(database, "base"))
    assert run(fetch_column(database, "SELECT count(*) FROM theirs")) == [0]


def test_unknown_revision(empty_database: str, run: Run) -> None:
    """An unknown revision is an error of this package, and changes nothing."""
    with pytest.raises(UnknownRevisionError, match="no_such"):
        run(migrations.upgrade(empty_database, "no_such"))
    assert run(catalog(empty_database)) == []


ODD_REVISIONS = [
    *("@", "", "a:b:c", ":", ":head", "base:", "head+1", "heads+1", "oddsschema@", "@+1", "+"),
    *("head ", "%", "\0", "oddsschema_9999"),
]


@pytest.mark.sampled(4)
@pytest.mark.parametrize("revision", ODD_REVISIONS)
def test_invalid_revision(revision: str, database: str, run: Run) -> None:
    """Text that is no revision is an error that lists the revisions, and changes nothing."""
    for move in (
        lambda: run(migrations.upgrade(database, revision)),
        lambda: run(migrations.downgrade(database, revision)),
        lambda: migrations.upgrade_sql(revision),
    ):
        with pytest.raises(UnknownRevisionError, match=f"oddsschema_0001, oddsschema_0002.*{HEAD}"):
            move()
    assert run(migrations.check(database)).state is CheckState.CLEAN


@given(
    st.text() | st.text("@:+-01", max_size=6) | st.from_regex(r"(head|oddsschema(_000\d)?)\W*\d?")
)
def test_any_text_as_a_revision(revision: str) -> None:
    """Any text leads to SQL or to an error of this package."""
    with suppress(OddsSchemaError):
        assert "COMMIT" in migrations.upgrade_sql(revision)
