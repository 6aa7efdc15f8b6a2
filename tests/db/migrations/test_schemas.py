"""The schemas of the search path: tables in two of them, and schemas that do not exist."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import make_url

import oddsschema
from oddsschema import migrations
from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.database.urls import with_schema
from oddsschema.errors import MigrationError, MissingSchemaError, SplitTablesError
from oddsschema.migrations import CheckState
from oddsschema.models import metadata
from tests.support.sessions import execute, fetch, fetch_column, holding, waiting

Run = Callable[..., Any]

#: The definition of everything in a schema that a migration or a repair could change.
CONTENTS = """
SELECT c.relname, c.relkind::text, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relnamespace = $1::regnamespace
ORDER BY 1, 2, 3
"""


def with_path(url: str, path: str) -> str:
    """Return the URL with a search path."""
    return f"{url}{'&' if '?' in url else '?'}search_path={quote(path, safe='')}"


def in_quotes(name: str) -> str:
    """Return a name, quoted for SQL."""
    return '"{}"'.format(name.replace('"', '""'))


def oddsschema_command(*arguments: str, url: str) -> "subprocess.Popen[str]":
    """Start `oddsschema` in a new process."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "oddsschema", *arguments],
        env=os.environ | {"DATABASE_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


# -- two schemas -----------------------------------------------------------------------------------


@pytest.fixture
def shadowed(database: str, run: Run) -> str:
    """Return a URL whose search path has another application's table of the same name first."""
    run(execute(database, "CREATE SCHEMA shadow; CREATE TABLE shadow.events (id int, venue text)"))
    return with_path(database, "shadow,public")


SENTENCE = (
    "the search path leads to tables of oddsschema in several schemas: events in shadow; the other "
    f"{len(metadata.tables) - 1} in public. All of them have to be in one schema, and nothing was "
    "changed: give a search path with only the schema of oddsschema, such as ?search_path=public "
    "in the URL"
)


def test_tables_in_two_schemas(shadowed: str, database: str, run: Run) -> None:
    """Every command names the tables and their schemas, and changes nothing in either."""
    before = [run(fetch(database, CONTENTS, schema)) for schema in ("shadow", "public")]
    report = run(migrations.check(shadowed))
    assert (report.state, report.message) == (CheckState.SPLIT, SENTENCE)
    assert report.differences == ()

    async def open_batch() -> None:
        async with oddsschema.batch(shadowed):
            pass

    for refused in (
        migrations.upgrade(shadowed),
        migrations.downgrade(shadowed, "base"),
        migrations.plan_downgrade(shadowed, "base"),
        open_batch(),
    ):
        with pytest.raises(SplitTablesError) as error:
            run(refused)
        assert str(error.value) == SENTENCE
    assert [run(fetch(database, CONTENTS, schema)) for schema in ("shadow", "public")] == before
    assert run(migrations.check(with_path(database, "public"))).state is CheckState.CLEAN


def test_exit_code_of_two_schemas(shadowed: str) -> None:
    """`oddsschema check` has an exit code for tables in two schemas."""
    checking = oddsschema_command("check", url=shadowed)
    output, errors = checking.communicate()
    printed = f"{SENTENCE} (--schema NAME sets the search path)\n"
    assert (output, errors, checking.returncode) == (printed, "", 8)


def test_tables_of_the_same_name_in_a_later_schema(empty_database: str, run: Run) -> None:
    """Another application's table later in the search path neither counts nor changes."""
    run(
        execute(
            empty_database, "CREATE SCHEMA odds; CREATE TABLE public.events (id int, venue text)"
        )
    )
    before = run(fetch(empty_database, CONTENTS, "public"))
    url = with_path(empty_database, "odds,public")
    report = run(migrations.check(url))
    assert report.state is CheckState.EMPTY
    assert report.message.startswith("found no tables of oddsschema in the schema odds: ")
    run(migrations.upgrade(url))
    assert run(migrations.check(url)).state is CheckState.CLEAN
    assert run(fetch(empty_database, CONTENTS, "public")) == before


def test_new_tables_in_an_earlier_schema(empty_database: str, run: Run) -> None:
    """An upgrade creates no table in another schema than that of the tables."""
    run(migrations.upgrade(empty_database, "oddsschema_0001"))
    run(execute(empty_database, "CREATE SCHEMA app"))
    with pytest.raises(MigrationError, match="creates new tables in app"):
        run(migrations.upgrade(with_path(empty_database, "app,public")))
    assert run(fetch(empty_database, CONTENTS, "app")) == []
    run(migrations.upgrade(with_path(empty_database, "public,app")))
    # At the newest revision, the order makes no difference.
    run(migrations.upgrade(with_path(empty_database, "app,public")))
    assert run(migrations.check(with_path(empty_database, "app,public"))).state is CheckState.CLEAN


# -- missing schemas -------------------------------------------------------------------------------

#: Names of schemas. PostgreSQL cuts a longer name, and reserves the prefix pg_.
NAMES = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x3FF, exclude_categories=["Cs", "Cn"]),
    min_size=1,
    max_size=20,
).filter(lambda name: not name.startswith("pg_") and name not in ("public", "$user"))


@pytest.fixture(scope="module")
def bare(new_database: Callable[..., Any]) -> Iterator[str]:
    """Return the URL of an empty database, in which every test rolls back."""
    with new_database() as url:
        yield url


@given(name=NAMES)
@example(name="Odds.2")
@example(name='a "quoted" name')
@example(name="100% o'dds\\")
def test_missing_schema(name: str, bare: str, run: Run) -> None:
    """A missing schema of any name is named, or created on request, and holds the tables then."""
    name_in_sql = in_quotes(name)

    async def create() -> None:
        async with sqlalchemy_connect(bare) as connection:
            raw = (await connection.get_raw_connection()).driver_connection
            await connection.exec_driver_sql("SELECT 1")
            await raw.execute(f"SET LOCAL search_path = {name_in_sql}, public")
            report = await migrations.check(connection)
            assert report.state is CheckState.EMPTY
            assert "does not exist" in report.message
            with pytest.raises(MissingSchemaError):
                await migrations.upgrade(connection)
            await migrations.upgrade(connection, "oddsschema_0001", create_schema=True)
            schemas = await raw.fetch(
                "SELECT DISTINCT n.nspname FROM pg_class AS c "
                "JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relname = 'events'"
            )
            assert [row[0] for row in schemas] == [name]
            await connection.rollback()

    run(create())


def test_command_with_a_missing_schema(empty_database: str, run: Run) -> None:
    """`upgrade` names the missing schema and its option, and creates it with the option."""
    url = with_path(empty_database, "odds")
    refused = oddsschema_command("upgrade", url=url)
    _, errors = refused.communicate()
    assert refused.returncode == 2
    assert errors.endswith(
        "Error: the schema odds, the first of the search path, does not exist: create it (CREATE "
        "SCHEMA odds), or correct the search path (--schema NAME sets the search path). With "
        "--create-schema, this command creates it\n"
    )
    assert run(fetch_column(empty_database, "SELECT to_regnamespace('odds')")) == [None]
    for _ in range(2):
        done = oddsschema_command("upgrade", "--create-schema", url=url)
        assert (done.communicate()[1].count("error"), done.returncode) == (0, 0)
    assert run(migrations.check(url)).state is CheckState.CLEAN


@pytest.mark.parametrize("schema", ["user", '100% "o"'])
def test_sql_text_for_a_schema(schema: str, empty_database: str, run: Run) -> None:
    """The SQL text creates the tables in a schema of any name, also of a keyword."""
    run(execute(empty_database, migrations.upgrade_sql(schema=schema, create_schema=True)))
    assert run(migrations.check(with_schema(empty_database, schema))).state is CheckState.CLEAN


def test_concurrent_creation(empty_database: str, run: Run) -> None:
    """An upgrade uses the schema that another session creates at the same time."""
    url = with_path(empty_database, "odds")

    async def at_once() -> None:
        async with holding(empty_database, "CREATE SCHEMA odds") as other:
            upgrading = asyncio.create_task(migrations.upgrade(url, create_schema=True))
            await waiting(other, unless=upgrading)
            assert not upgrading.done()
        await upgrading

    run(at_once())
    assert run(migrations.check(url)).state is CheckState.CLEAN


def test_schema_without_the_privilege(empty_database: str, run: Run) -> None:
    """A role that may not create the schema gets the statement for another role."""
    role = f"migrator_of_{make_url(empty_database).database}"
    url = f"{with_path(empty_database, 'odds')}&options=-crole%3D{role}"
    run(execute(empty_database, f"CREATE ROLE {role}"))
    try:
        with pytest.raises(MissingSchemaError, match="permission denied for database") as refused:
            run(migrations.upgrade(url, create_schema=True))
        assert "Run CREATE SCHEMA odds as a role that may" in str(refused.value)
    finally:
        run(execute(empty_database, f"DROP ROLE {role}"))
