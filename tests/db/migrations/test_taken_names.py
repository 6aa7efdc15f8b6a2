"""Databases that no migration can change: upgrade and downgrade say why, as `check` does."""

from collections.abc import Callable
from typing import Any

import pytest

from oddsschema import migrations
from oddsschema.cli.output import name_schema_option
from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.database.revision import HEAD
from oddsschema.errors import MigrationError
from oddsschema.migrations import CheckReport
from oddsschema.models import metadata
from oddsschema.queries.views import VIEWS
from tests.support.plan_tables import PLAN_TABLES
from tests.support.screens import program
from tests.support.sessions import execute, fetch

Run = Callable[..., Any]

#: The relations of a database, and the rows of its version tables.
CONTENT = """
SELECT oid::regclass::text, (SELECT count(*) FROM pg_attribute WHERE attrelid = c.oid)
FROM pg_class AS c WHERE relnamespace = 'public'::regnamespace ORDER BY 1
"""

EMPTY_RECORD = "CREATE TABLE alembic_version (version_num varchar(32))"
NULL_RECORD = f"{EMPTY_RECORD}; INSERT INTO alembic_version VALUES (NULL)"


async def create_all(url: str) -> None:
    """Create the tables from the models, without a revision."""
    async with sqlalchemy_connect(url) as connection:
        await connection.run_sync(metadata.create_all)
        await connection.commit()


@pytest.mark.sampled(6)
@pytest.mark.parametrize(
    "command", [("upgrade",), ("downgrade", "base", "--yes")], ids=lambda command: command[0]
)
@pytest.mark.parametrize(
    ("has_tables", "sql", "code"),
    [
        (False, "CREATE TABLE events (id int)", 5),
        (False, "CREATE TABLE scrape_runs (id int); CREATE VIEW sports AS SELECT 1 AS id", 5),
        (False, f"CREATE TABLE events (id int); {NULL_RECORD}", 5),
        (
            False,
            f"CREATE TABLE events (id int); {EMPTY_RECORD};"
            "INSERT INTO alembic_version VALUES ('theirs_1')",
            5,
        ),
        (False, PLAN_TABLES, 5),
        (
            False,
            f"{PLAN_TABLES} {EMPTY_RECORD}; INSERT INTO alembic_version VALUES ('theirs_1')",
            5,
        ),
        (True, "SELECT", 5),
        (True, EMPTY_RECORD, 5),
        (True, NULL_RECORD, 5),
        (True, "CREATE TABLE oddsschema_version (version_num text)", 5),
        (
            True,
            "CREATE TABLE oddsschema_version (version_num text);"
            "INSERT INTO oddsschema_version VALUES (NULL)",
            5,
        ),
        (
            True,
            "CREATE TABLE oddsschema_version (version_num text);"
            "INSERT INTO oddsschema_version VALUES ('oddsschema_9999')",
            4,
        ),
        (True, f"{EMPTY_RECORD}; INSERT INTO alembic_version VALUES ('oddsschema_9999')", 4),
    ],
    ids=[
        *("foreign-table", "foreign-view", "foreign-table-null", "foreign-app"),
        *("plan-tables", "plan-tables-of-app", "create-all"),
        *(
            "empty-record",
            "null-record",
            "own-empty",
            "own-null",
            "unknown",
            "unknown-in-alembic's",
        ),
    ],
)
def test_as_check_says(
    command: tuple[str, ...], has_tables: bool, sql: str, code: int, empty_database: str, run: Run
) -> None:
    """The words and the exit code of upgrade and downgrade are those of check."""
    if has_tables:
        run(create_all(empty_database))
    run(execute(empty_database, sql))
    before = run(fetch(empty_database, CONTENT))
    checked = program("check", "--json", "--url", empty_database)
    report = CheckReport.model_validate_json(checked.stdout)
    ended = program(*command, "--url", empty_database)
    assert (checked.code, ended.code) == (code, code)
    assert ended.stdout == ""
    assert ended.stderr.splitlines()[1:] == [f"error: {name_schema_option(report)}"]
    assert run(fetch(empty_database, CONTENT)) == before


@pytest.mark.sampled(2)
@pytest.mark.parametrize("record", ["SELECT", EMPTY_RECORD, NULL_RECORD])
@pytest.mark.parametrize("own", ["", "CREATE TABLE oddsschema_version (version_num text);"])
def test_repairs_of_check(record: str, own: str, empty_database: str, run: Run) -> None:
    """The repairs that the message names record the revision, and migrations work again."""
    run(create_all(empty_database))
    run(execute(empty_database, record, own or "SELECT"))
    if own:
        run(execute(empty_database, "INSERT INTO oddsschema_version VALUES (NULL)"))
    *views, revision = run(migrations.check(empty_database)).differences
    assert [(view.kind, view.location) for view in views] == [("view", name) for name in VIEWS]
    run(execute(empty_database, *(view.repair for view in views), revision.repair))
    assert run(migrations.upgrade(empty_database)) == ()
    assert run(migrations.current(empty_database)) == HEAD
    run(migrations.downgrade(empty_database, "oddsschema_0009"))
    assert run(migrations.upgrade(empty_database)) == ()


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE theirs (id int CONSTRAINT pk_sports PRIMARY KEY)",
        "CREATE DOMAIN market_odds AS int",
        "CREATE SEQUENCE idx_scrape_runs_status",
    ],
    ids=["constraint", "domain", "sequence"],
)
def test_other_names(sql: str, empty_database: str, run: Run) -> None:
    """Any other object of another application that has a name of ours is an error that says so."""
    run(execute(empty_database, sql))
    ended = program("upgrade", "--url", empty_database)
    assert ended.code == 2
    assert "Traceback" not in ended.stderr
    assert "give oddsschema a schema of its own" in ended.stderr
    with pytest.raises(MigrationError):
        run(migrations.upgrade(empty_database))


def test_version_table_of_others(empty_database: str, run: Run) -> None:
    """A table that is named like our version table, and that is none, is an error."""
    run(execute(empty_database, "CREATE TABLE oddsschema_version (id int)"))
    assert program("check", "--url", empty_database).code == 6
    ended = program("upgrade", "--url", empty_database)
    assert ended.code == 2
    assert "Traceback" not in ended.stderr
    assert "oddsschema_version.version_num does not exist" in ended.stderr


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE scrape_runs CASCADE",
        "ALTER TABLE scrape_runs DROP COLUMN heartbeat_at",
    ],
    ids=["table", "column"],
)
def test_missing_objects(sql: str, database: str, run: Run) -> None:
    """An object that a migration does not find is an error that names it."""
    run(execute(database, sql))
    ended = program("downgrade", "oddsschema_0007", "--yes", "--url", database)
    assert ended.code == 2
    assert "Traceback" not in ended.stderr
    assert "the tables are not those of the recorded revision" in ended.stderr
