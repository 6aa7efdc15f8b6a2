"""The version table that records the revision: our own, or another project's."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest
from sqlalchemy import make_url

from oddsschema import IngestReport, ingest, migrations
from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.database.recorded_revisions import read_revisions
from oddsschema.database.revision import HEAD, require_revision
from oddsschema.database.urls import with_schema
from oddsschema.errors import (
    LockTimeoutError,
    MigrationError,
    OtherProjectError,
    SplitTablesError,
    UnversionedDatabaseError,
)
from oddsschema.migrations import CheckState
from oddsschema.models import metadata
from tests.support.paths import ROOT
from tests.support.scrapes import scrapes
from tests.support.screens import program
from tests.support.sessions import execute, fetch, fetch_column, holding, waiting

Run = Callable[..., Any]

#: Bring a database of this release into the form of older ones: the revision is in alembic_version.
AS_OLDER_RELEASES = (
    "ALTER TABLE oddsschema_version RENAME TO alembic_version;"
    "ALTER TABLE alembic_version RENAME CONSTRAINT oddsschema_version_pkc TO alembic_version_pkc;"
)

#: The version tables of a database, as SQL text and in words.
VERSION_TABLES = """
SELECT format('%I.%I', table_schema, table_name), table_schema || '.' || table_name
FROM information_schema.columns WHERE column_name = 'version_num'
"""

# The owner, the privileges and the constraints of a table, as one text.
PROPERTIES = """
SELECT concat_ws(' ', relowner::regrole, relacl, (
    SELECT string_agg(pg_get_constraintdef(oid), ' ' ORDER BY contype) FROM pg_constraint
    WHERE conrelid = c.oid
)) FROM pg_class AS c WHERE oid = to_regclass('{table}')
"""


async def versions(url: str) -> dict[str, list[str]]:
    """Read the version tables of a database, and their rows."""
    return {
        name: sorted(await fetch_column(url, f"SELECT version_num FROM {table}"))
        for table, name in await fetch(url, VERSION_TABLES)
    }


def with_path(url: str, path: str) -> str:
    """Return a URL with a search path."""
    return f"{url}{'&' if '?' in url else '?'}search_path={path}"


@pytest.fixture
def older(database: str, run: Run) -> str:
    """Return the URL of a database whose revision is in alembic_version."""
    run(execute(database, AS_OLDER_RELEASES))
    return database


# -- where the revision is -------------------------------------------------------------------------

EMPTY_TABLE = "CREATE TABLE {table} (version_num varchar(32) PRIMARY KEY);"
HOST = EMPTY_TABLE + "INSERT INTO {table} VALUES ('theirs_1');"
OURS = f"INSERT INTO {{table}} VALUES ('{HEAD}');"


@pytest.mark.parametrize(
    ("sql", "table", "others"),
    [
        ("SELECT", "public.oddsschema_version", ()),
        (HOST.format(table="alembic_version"), "public.oddsschema_version", ()),
        (
            (HOST + OURS).format(table="alembic_version"),
            "public.oddsschema_version",
            (),
        ),
        ("DELETE FROM oddsschema_version", None, ()),
        ("UPDATE oddsschema_version SET version_num = ''", "public.oddsschema_version", ("",)),
        (
            "ALTER TABLE oddsschema_version DROP CONSTRAINT oddsschema_version_pkc;"
            "ALTER TABLE oddsschema_version ALTER version_num DROP NOT NULL;"
            "UPDATE oddsschema_version SET version_num = NULL",
            None,
            (),
        ),
        (AS_OLDER_RELEASES, "public.alembic_version", ()),
        (
            AS_OLDER_RELEASES + "INSERT INTO alembic_version VALUES ('theirs_1')",
            "public.alembic_version",
            ("theirs_1",),
        ),
        (
            "DROP TABLE oddsschema_version;" + HOST.format(table="alembic_version"),
            None,
            ("theirs_1",),
        ),
        (
            "DROP TABLE oddsschema_version; CREATE SCHEMA app;"
            + (HOST + OURS).format(table='app."Their Versions"'),
            "app.Their Versions",
            ("theirs_1",),
        ),
        (
            # An empty table of ours is no revision.
            "DELETE FROM oddsschema_version;" + (HOST + OURS).format(table="their_versions"),
            "public.their_versions",
            ("theirs_1",),
        ),
        (
            "DROP TABLE oddsschema_version; CREATE TEMPORARY TABLE oddsschema_version AS "
            f"SELECT '{HEAD}'::text AS version_num",
            None,
            (),
        ),
        (
            # A version table beside other tables of ours belongs to those.
            "DROP TABLE oddsschema_version; CREATE SCHEMA tennis;"
            + EMPTY_TABLE.format(table="tennis.alembic_version")
            + OURS.format(table="tennis.alembic_version")
            + "".join(f"CREATE TABLE tennis.{table} (id int);" for table in metadata.tables),
            None,
            (),
        ),
    ],
    ids=[
        *("own", "beside-theirs", "own-wins", "own-empty", "own-foreign", "own-null", "older"),
        *("host", "host-heads-only", "host-elsewhere", "host-and-own-empty", "temporary"),
        "another-oddsschema",
    ],
)
def test_place(
    sql: str, table: str | None, others: tuple[str, ...], database: str, run: Run
) -> None:
    """The database says where the revision is, and whose other revisions are beside it."""

    async def read() -> None:
        connection = await asyncpg.connect(database)
        await connection.execute(sql)
        recorded = await read_revisions(connection)
        await connection.close()
        assert recorded.schema == "public"
        assert (None if recorded.table is None else str(recorded.table)) == table
        assert recorded.others == others
        assert recorded.own or recorded.tables == set(metadata.tables)
        assert recorded.own == ((HEAD,) if table is not None and others != ("",) else ())

    run(read())


def test_two_schemas(older: str, run: Run) -> None:
    """Each schema has tables and a revision of its own, in whatever version table."""
    tennis = with_path(older, "tennis")
    run(execute(older, "CREATE SCHEMA tennis"))
    assert run(migrations.current(tennis)) is None
    run(migrations.upgrade(tennis, "oddsschema_0009"))
    assert run(migrations.current(tennis)) == "oddsschema_0009"
    assert run(migrations.current(older)) == HEAD
    assert run(versions(older)) == {
        "public.alembic_version": [HEAD],
        "tennis.oddsschema_version": ["oddsschema_0009"],
    }
    run(migrations.downgrade(tennis, "base"))
    assert run(migrations.check(older)).state is CheckState.CLEAN


def test_schema_before_another_application(empty_database: str, run: Run) -> None:
    """A table of another application, later in the search path, takes no name from a schema."""
    run(execute(empty_database, "CREATE TABLE events (id int); CREATE SCHEMA odds"))
    odds = with_path(empty_database, "odds,public")
    run(migrations.upgrade(odds))
    assert run(migrations.check(odds)).state is CheckState.CLEAN
    assert run(versions(odds)) == {"odds.oddsschema_version": [HEAD]}


def test_unreadable_tables_of_others(empty_database: str, run: Run) -> None:
    """Version tables that the role may not read are other applications'."""
    name = make_url(empty_database).database
    role = f"owner_of_{name}"
    run(
        execute(
            empty_database,
            HOST.format(table="alembic_version") + "CREATE SCHEMA app;",
            HOST.format(table="app.alembic_version"),
            f"CREATE ROLE {role}; GRANT ALL ON SCHEMA public TO {role};"
            f"GRANT TEMPORARY ON DATABASE {name} TO {role}",
        )
    )
    try:
        url = f"{empty_database}{'&' if '?' in empty_database else '?'}options=-crole%3D{role}"
        run(migrations.upgrade(url))
        assert run(migrations.check(url)).state is CheckState.CLEAN
    finally:
        run(execute(empty_database, f"DROP OWNED BY {role}; DROP ROLE {role}"))


@pytest.mark.parametrize("older_release", [True, False])
def test_columns_of_others(older_release: bool, database: str, run: Run) -> None:
    """A table of another application is no version table because of a column version_num."""
    name = make_url(database).database
    role = f"reader_of_{name}"
    run(
        execute(
            database,
            AS_OLDER_RELEASES if older_release else "DROP TABLE oddsschema_version",
            "CREATE TABLE documents (id int PRIMARY KEY, version_num varchar(20));"
            "INSERT INTO documents VALUES (1, 'v1');"
            f"CREATE ROLE {role}; GRANT SELECT ON sports TO {role}",
            f"GRANT SELECT ON alembic_version TO {role}" if older_release else "SELECT",
        )
    )
    url = f"{database}{'&' if '?' in database else '?'}options=-crole%3D{role}"
    try:
        assert run(migrations.current(url)) == (HEAD if older_release else None)
        if older_release:
            assert len(run(migrations.upgrade(database))) == 1
        else:
            with pytest.raises(UnversionedDatabaseError):
                run(migrations.upgrade(database))
    finally:
        run(execute(database, f"DROP OWNED BY {role}; DROP ROLE {role}"))


@pytest.mark.parametrize(
    "columns", ["version_num text", "version_num varchar PRIMARY KEY, at date"]
)
def test_version_tables_of_hosts(columns: str, database: str, run: Run) -> None:
    """A host's version table is found without a primary key, and with columns of the host."""
    run(execute(database, f"CREATE TABLE versions ({columns})"))
    run(migrations.hand_over(database, "versions"))
    assert run(migrations.current(database)) == HEAD
    assert run(migrations.check(database)).state is CheckState.CLEAN
    with pytest.raises(OtherProjectError):
        run(migrations.upgrade(database))


# -- what a read costs -----------------------------------------------------------------------------


def test_cost_of_a_chunk(database: str, run: Run) -> None:
    """A database that stands alone is recognised in two statements, as before."""

    async def count() -> int:
        connection = await asyncpg.connect(database)
        statements: list[str] = []
        connection.add_query_logger(lambda record: statements.append(record.query))
        await require_revision(connection)
        await connection.close()
        return len(statements)

    assert run(count()) == 2


# -- taking over -----------------------------------------------------------------------------------


def test_take_over(older: str, run: Run) -> None:
    """An upgrade moves the revision of older releases, with owner and privileges, and says so."""
    name = make_url(older).database
    roles = f"owner_of_{name}", f"reader_of_{name}"
    run(execute(older, *(f"CREATE ROLE {role}" for role in roles)))
    try:
        run(
            execute(
                older,
                f"ALTER TABLE alembic_version OWNER TO {roles[0]};"
                f"GRANT SELECT ON alembic_version TO {roles[1]} WITH GRANT OPTION;"
                "GRANT SELECT, INSERT ON alembic_version TO PUBLIC",
            )
        )
        before = run(fetch_column(older, PROPERTIES.format(table="alembic_version")))
        assert run(migrations.current(older)) == HEAD
        assert run(migrations.check(older)).state is CheckState.CLEAN
        assert run(versions(older)) == {"public.alembic_version": [HEAD]}

        upgraded = program("upgrade", "--url", older)
        assert (upgraded.code, upgraded.stdout) == (
            0,
            "note: the revision moved from public.alembic_version to public.oddsschema_version, "
            f"with the privileges to read it\nalready at {HEAD}\n",
        )
        assert run(versions(older)) == {"public.oddsschema_version": [HEAD]}
        after = run(fetch_column(older, PROPERTIES.format(table="oddsschema_version")))
        assert after == before
        assert run(migrations.upgrade(older)) == ()
        assert run(migrations.check(older)).state is CheckState.CLEAN
    finally:
        run(execute(older, *(f"DROP OWNED BY {role}; DROP ROLE {role}" for role in roles)))


def test_take_over_before_new_revisions(older: str, run: Run) -> None:
    """A database of an older release is taken over and upgraded; a downgrade leaves the table."""
    run(migrations.downgrade(older, "oddsschema_0009"))
    assert run(versions(older)) == {"public.alembic_version": ["oddsschema_0009"]}
    (note,) = run(migrations.upgrade(older))
    assert "moved from public.alembic_version" in note
    assert run(versions(older)) == {"public.oddsschema_version": [HEAD]}


def test_take_over_is_the_callers(older: str, run: Run) -> None:
    """On a given connection, a rollback undoes the move."""

    async def roll_back() -> None:
        async with sqlalchemy_connect(older) as connection:
            assert await migrations.upgrade(connection)
            await connection.rollback()

    run(roll_back())
    assert run(versions(older)) == {"public.alembic_version": [HEAD]}


def test_kept_version_table(older: str, run: Run) -> None:
    """On request, an upgrade leaves the revision in alembic_version."""
    run(migrations.downgrade(older, "oddsschema_0009"))
    assert program("upgrade", "--keep-version-table", "--url", older).code == 0
    assert run(versions(older)) == {"public.alembic_version": [HEAD]}
    assert run(migrations.check(older)).state is CheckState.CLEAN


def test_two_at_once(older: str, run: Run) -> None:
    """Of two upgrades at the same time, one moves the revision, and the other finds it moved."""

    async def both() -> list[tuple[str, ...]]:
        async with holding(older, "LOCK TABLE alembic_version IN ROW EXCLUSIVE MODE") as other:
            upgrades = [asyncio.create_task(migrations.upgrade(older)) for _ in range(2)]
            await waiting(other, 2)
        return await asyncio.gather(*upgrades)

    assert sorted(map(len, run(both()))) == [0, 1]
    assert run(versions(older)) == {"public.oddsschema_version": [HEAD]}


def test_limit_of_the_wait(older: str, run: Run) -> None:
    """A move that waits too long for the version table ends, and changes nothing."""

    async def beside() -> None:
        async with holding(older, "LOCK TABLE alembic_version IN ROW EXCLUSIVE MODE"):
            with pytest.raises(LockTimeoutError):
                await migrations.upgrade(
                    older,
                    lock_timeout=migrations.LOCK_TIMEOUT / 50,
                    retry_for=migrations.LOCK_TIMEOUT * 0,
                )

    run(beside())
    assert run(versions(older)) == {"public.alembic_version": [HEAD]}


def test_reader_beside_a_take_over(older: str, run: Run) -> None:
    """A reading that waited for the move of the revision finds it in the new table."""
    move = "ALTER TABLE alembic_version RENAME TO oddsschema_version"

    async def beside() -> str | None:
        async with holding(older, move) as other:
            reading = asyncio.create_task(
                migrations.current(older, retry_for=migrations.LOCK_TIMEOUT)
            )
            await waiting(other, unless=reading)
        return await reading

    assert run(beside()) == HEAD


@pytest.mark.parametrize("table", ["oddsschema_version", "their_versions"])
def test_ingestion_beside_a_move(table: str, older: str, run: Run) -> None:
    """An ingestion that waited for the move of the revision goes on, and stores everything."""

    async def beside() -> IngestReport:
        async with holding(older, f"ALTER TABLE alembic_version RENAME TO {table}") as other:
            ingesting = asyncio.create_task(ingest(older, scrapes([0], range(3), ["bet9ja"])))
            await waiting(other, unless=ingesting)
        return await ingesting

    assert run(beside()).all_stored
    assert run(fetch_column(older, "SELECT count(*) FROM competitor_odds_snapshots")) == [3]


@pytest.mark.parametrize("table", ["their_versions", "app.alembic_version"])
def test_tables_of_hosts_stay(table: str, older: str, run: Run) -> None:
    """Only alembic_version beside the tables is taken over; another table is a host's."""
    schema, _, name = table.rpartition(".")
    run(execute(older, "CREATE SCHEMA app"))
    run(migrations.hand_over(older, table))
    before = run(versions(older))
    for move in (migrations.upgrade, migrations.downgrade):
        with pytest.raises(OtherProjectError, match=rf"recorded in {schema or 'public'}\.{name}"):
            run(move(older, "oddsschema_0009"))
    assert run(versions(older)) == before
    assert run(migrations.current(older)) == HEAD
    assert run(migrations.check(older)).state is CheckState.CLEAN


# -- alembic itself, and SQL text ------------------------------------------------------------------


def alembic(url: str, *command: str) -> str:
    """Run alembic in the checkout. Return its standard output."""
    return subprocess.run(
        [sys.executable, "-m", "alembic", "-x", f"url={url}", *command],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


@pytest.mark.nightly
def test_alembic_in_the_checkout(empty_database: str, run: Run) -> None:
    """Alembic's commands in the checkout use the same version table as the package's."""
    run(execute(empty_database, HOST.format(table="alembic_version")))
    alembic(empty_database, "upgrade", "head")
    assert run(migrations.check(empty_database)).state is CheckState.CLEAN
    assert f"{HEAD} (head)" in alembic(empty_database, "current")
    assert "No new upgrade operations" in alembic(empty_database, "check")
    alembic(empty_database, "downgrade", "base")
    assert run(versions(empty_database)) == {"public.alembic_version": ["theirs_1"]}


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    "command", [("downgrade", "base"), ("upgrade", "head"), ("stamp", "base"), ("current",)]
)
def test_alembic_with_tables_in_several_schemas(
    command: tuple[str, ...], database: str, run: Run
) -> None:
    """Alembic's commands change no table of another application that has a name of ours."""
    run(execute(database, "CREATE SCHEMA app; CREATE TABLE app.events (a int)"))
    with pytest.raises(subprocess.CalledProcessError) as raised:
        alembic(with_path(database, "app,public"), *command)
    message = " ".join(raised.value.stdout.split())  # alembic wraps lines
    assert f"events in app; the other {len(metadata.tables) - 1} in public" in message
    assert raised.value.stderr == ""
    with pytest.raises(SplitTablesError):
        run(migrations.hand_over(with_path(database, "app,public")))
    assert run(migrations.check(database)).state is CheckState.CLEAN
    assert run(fetch_column(database, "SELECT a FROM app.events")) == []


def test_alembic_on_an_older_database(older: str, run: Run) -> None:
    """Alembic's commands in the checkout go on with the version table of older releases."""
    alembic(older, "downgrade", "oddsschema_0009")
    alembic(older, "upgrade", "head")
    assert "No new upgrade operations" in alembic(older, "check")
    assert run(versions(older)) == {"public.alembic_version": [HEAD]}


def test_sql_text(empty_database: str, run: Run) -> None:
    """The SQL text records the revision of a database that stands alone, beside any other."""
    run(execute(empty_database, HOST.format(table="alembic_version")))
    text = migrations.upgrade_sql()
    assert "alembic_version" not in text
    run(execute(empty_database, text))
    assert run(versions(empty_database)) == {
        "public.alembic_version": ["theirs_1"],
        "public.oddsschema_version": [HEAD],
    }
    assert run(migrations.check(empty_database)).state is CheckState.CLEAN
    assert run(migrations.upgrade(empty_database)) == ()


# -- handing over ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "table", "after"),
    [
        ("SELECT", "alembic_version", {"public.alembic_version": [HEAD]}),
        ("CREATE SCHEMA app", "app.their_versions", {"app.their_versions": [HEAD]}),
        (
            HOST.format(table="alembic_version"),
            "alembic_version",
            {"public.alembic_version": [HEAD, "theirs_1"]},
        ),
        (
            "CREATE SCHEMA app;"
            + HOST.format(table="app.versions")
            + "INSERT INTO app.versions VALUES ('oddsschema_0003')",
            "app.versions",
            {"app.versions": [HEAD, "theirs_1"]},
        ),
        (
            "CREATE SCHEMA app;" + HOST.format(table="alembic_version"),
            "app.alembic_version",
            {"public.alembic_version": ["theirs_1"], "app.alembic_version": [HEAD]},
        ),
    ],
    ids=["new", "new-elsewhere", "beside-theirs", "over-an-old-one", "named-like-another"],
)
def test_hand_over_and_back(
    sql: str, table: str, after: dict[str, list[str]], database: str, run: Run
) -> None:
    """The revision moves to the table of a host, with its readers, and can be taken back."""
    role = f"reader_of_{make_url(database).database}"
    run(execute(database, sql, f"CREATE ROLE {role}; GRANT SELECT ON oddsschema_version TO {role}"))
    readable = f"SELECT has_table_privilege('{role}', '{{table}}', 'SELECT')"
    try:
        moved = program("hand-over", table, "--url", database)
        assert moved.code == 0
        assert "note: the revision moved from public.oddsschema_version to " in moved.stdout
        assert run(versions(database)) == after
        assert run(fetch_column(database, readable.format(table=table))) == [True]
        assert run(migrations.check(database)).state is CheckState.CLEAN
        assert run(migrations.hand_over(database, table)) == ()

        assert program("hand-over", "oddsschema_version", "--url", database).code == 0
        left = run(versions(database))
        assert left.pop("public.oddsschema_version") == [HEAD]
        assert [row for rows in left.values() for row in rows if row != "theirs_1"] == []
        assert run(fetch_column(database, readable.format(table="oddsschema_version"))) == [True]
        assert run(migrations.upgrade(database)) == ()
    finally:
        run(execute(database, f"DROP OWNED BY {role}; DROP ROLE {role}"))


@pytest.mark.parametrize(
    ("sql", "table", "reason"),
    [
        ("SELECT", "sports", "public.sports is no version table"),
        ("SELECT", "no_such.versions", "no schema no_such"),
        ("SELECT", "", "'' is no name of a version table"),
        ("SELECT", "public.", "'public.' is no name of a version table"),
        ("SELECT", ".versions", "'.versions' is no name of a version table"),
        ("SELECT", "é" * 32, "is no name of a version table.* at most 63 bytes"),
        ("DELETE FROM oddsschema_version", "alembic_version", "records no revision of oddsschema"),
    ],
)
def test_refused_hand_over(sql: str, table: str, reason: str, database: str, run: Run) -> None:
    """A revision that cannot be moved stays, and the error says why."""
    run(execute(database, sql))
    before = run(versions(database))
    with pytest.raises(MigrationError, match=reason):
        run(migrations.hand_over(database, table))
    refused = program("hand-over", table, "--url", database)
    assert refused.code == 2
    assert "Traceback" not in refused.stderr
    assert run(versions(database)) == before


def test_hand_over_to_another_copy(empty_database: str, run: Run) -> None:
    """A table beside other tables of ours is refused: the revision would belong to those."""
    there = with_schema(empty_database, "odds")
    run(migrations.upgrade(empty_database))
    run(migrations.upgrade(there, create_schema=True))
    with pytest.raises(MigrationError, match="public has tables of oddsschema of its own"):
        run(migrations.hand_over(there, "public.alembic_version"))
    for url in (empty_database, there):
        assert run(migrations.check(url)).state is CheckState.CLEAN
