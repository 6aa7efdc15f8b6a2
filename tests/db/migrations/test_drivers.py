"""Migrations through another driver than ours, as another project's env.py has it."""

from collections.abc import Callable
from typing import Any

import pytest
from alembic import command

import oddsschema
from oddsschema import migrations
from oddsschema.database.urls import with_schema
from oddsschema.migrations import CheckState
from oddsschema.migrations.scripts import alembic_config
from tests.support.example_rows import ROWS
from tests.support.sessions import execute, fetch

Run = Callable[..., Any]


@pytest.mark.parametrize("in_transaction", [False, True], ids=["own transactions", "one"])
def test_psycopg(empty_database: str, run: Run, in_transaction: bool) -> None:
    """All revisions run on psycopg too, in transactions of alembic's and in one of the caller's."""

    def migrate(move: Callable[..., None], revision: str) -> None:
        engine = oddsschema.create_engine(empty_database, sync=True)
        with engine.connect() as connection:
            if in_transaction:
                connection.begin()
            config = alembic_config()
            config.attributes["connection"] = connection
            move(config, revision)
            connection.commit()
        engine.dispose()

    migrate(command.upgrade, "oddsschema_0007")
    run(execute(empty_database, ROWS))
    run(execute(empty_database, "UPDATE events SET sportradar_id = 'sr:match:1'"))
    migrate(command.upgrade, "head")
    assert run(fetch(empty_database, "SELECT sportradar_id FROM events")) == [("1",)]
    assert run(migrations.check(empty_database)).state is CheckState.CLEAN
    migrate(command.downgrade, "oddsschema_0003")
    migrate(command.downgrade, "base")
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert run(fetch(empty_database, tables)) == [(0,)]


def test_percent_sign_in_a_name(empty_database: str, run: Run) -> None:
    """A % in the name of the schema is no parameter to psycopg."""
    url = with_schema(empty_database, "100% odds")
    run(execute(empty_database, 'CREATE SCHEMA "100% odds"'))
    engine = oddsschema.create_engine(url, sync=True)
    with engine.connect() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
    engine.dispose()
    assert run(migrations.check(url)).state is CheckState.CLEAN
