"""The migrations: pytest-alembic's tests, and catalogs compared where alembic is blind.

Alembic's comparison does not see an index's WHERE or method, nor the text of a CHECK. `catalog`
does: it is what PostgreSQL itself says of a database. What it says of a migrated one is kept in
ddl.sql, so that every change of the schema is seen in review. To write the file anew:

    ODDSSCHEMA_WRITE_DDL=1 python -m pytest tests/db/test_migrations.py
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_alembic
from alembic.config import Config
from alembic.script import ScriptDirectory
from hypothesis import given
from hypothesis import strategies as st
from pytest_alembic import tests as alembic_tests
from sqlalchemy import Connection

from oddsschema import migrations
from oddsschema.contracts.base import metadata
from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.database.revision import HEAD
from oddsschema.errors import OddsSchemaError
from oddsschema.migrations import CheckState, script_location

DDL = Path(__file__).with_name("ddl.sql")

#: All that there is in the schema `public`, a statement each; columns in the order of their names.
CATALOG = """
WITH relations AS (
    SELECT * FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE 'alembic_version%'
), parts AS (
    SELECT a.attrelid AS oid, 1 AS kind, format('%I %s', a.attname, concat_ws(' ',
        format_type(a.atttypid, a.atttypmod),
        CASE WHEN a.attnotnull THEN 'NOT NULL' END,
        CASE WHEN a.attidentity <> '' THEN 'IDENTITY' END,
        CASE WHEN a.attgenerated <> '' THEN 'GENERATED' END,
        'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid)
    )) AS part
    FROM pg_attribute AS a
    LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT conrelid, 2, format('CONSTRAINT %I %s', conname, pg_get_constraintdef(oid))
    FROM pg_constraint WHERE contype <> 'n'  -- since PostgreSQL 18 each NOT NULL has a name
)
SELECT format(
    E'%s %I (\n    %s\n)%s;',
    CASE r.relkind WHEN 'r' THEN 'CREATE TABLE' ELSE 'CREATE ' || r.relkind::text END,
    r.relname,
    string_agg(p.part, E',\n    ' ORDER BY p.kind, p.part),
    ' WITH (' || array_to_string(r.reloptions, ', ') || ')'
)
FROM relations AS r JOIN parts AS p ON p.oid = r.oid
WHERE r.relkind NOT IN ('S', 'i')
GROUP BY r.relname, r.relkind, r.reloptions
UNION ALL
SELECT pg_get_indexdef(i.indexrelid) || ';'
FROM relations AS r JOIN pg_index AS i ON i.indexrelid = r.oid
WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = r.oid AND contype IN ('p', 'u'))
UNION ALL
SELECT format('CREATE SEQUENCE %I AS %s OWNED BY %s.%I;',
    r.relname, s.seqtypid::regtype, d.refobjid::regclass, a.attname)
FROM relations AS r
JOIN pg_sequence AS s ON s.seqrelid = r.oid
LEFT JOIN pg_depend AS d ON d.objid = r.oid AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
LEFT JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
UNION ALL
SELECT pg_get_triggerdef(t.oid) || ';'
FROM relations AS r JOIN pg_trigger AS t ON t.tgrelid = r.oid AND NOT t.tgisinternal
UNION ALL
SELECT format('CREATE TYPE %I;', typname)
FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd')
UNION ALL
SELECT format('CREATE FUNCTION %I;', proname)
FROM pg_proc WHERE pronamespace = 'public'::regnamespace
"""

REFERENCE_DATA = """
SELECT 'sport ' || name || ' ' || slug FROM sports
UNION ALL SELECT 'bookmaker ' || name || ' ' || slug || ' ' || is_active FROM bookmakers
ORDER BY 1
"""

Run = Callable[..., Any]


async def fetch(url: str, query: str) -> list[str]:
    """The first column of a query's result."""
    connection = await asyncpg.connect(url)
    try:
        return [row[0] for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def execute(url: str, statements: str) -> None:
    """Run statements and commit."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statements)
    finally:
        await connection.close()


async def catalog(url: str) -> list[str]:
    """Everything in a database's schema `public`, alembic's own table apart, in order."""
    return sorted(await fetch(url, CATALOG))


@pytest.fixture(scope="module")
def migrated(template: str, run: Run) -> list[str]:
    """The catalog of a migrated database."""
    found: list[str] = run(catalog(template))
    return found


# -- alembic's own view ----------------------------------------------------------------------------


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
    """The history is sound: one head, up to the models, and down again without a trace."""

    def on_connection(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(script_location()).replace("%", "%%"))
        with pytest_alembic.runner(pytest_alembic.Config(alembic_config=config), connection) as it:
            check(it)

    async def on_database() -> None:
        # pytest-alembic is synchronous, and env.py runs on the connection that it is handed.
        async with sqlalchemy_connect(empty_database) as connection:
            await connection.run_sync(on_connection)

    run(on_database())


def test_models_need_no_migration(database: str, run: Run) -> None:
    """A migrated database is at the head, and what this release expects."""
    assert run(migrations.check(database)).state is CheckState.CLEAN
    assert run(migrations.current(database)) == HEAD


def test_downgrade_leaves_others_alone(database: str, run: Run) -> None:
    """Tables of other applications outlive ours."""
    run(execute(database, "CREATE TABLE theirs (id int PRIMARY KEY, note text UNIQUE)"))
    run(migrations.downgrade(database, "base"))
    assert run(fetch(database, "SELECT count(*) FROM theirs")) == [0]


def test_unknown_revision(empty_database: str, run: Run) -> None:
    """A revision that does not exist is an error of this package, and changes nothing."""
    with pytest.raises(OddsSchemaError, match="no_such"):
        run(migrations.upgrade(empty_database, "no_such"))
    assert run(catalog(empty_database)) == []


ODD_REVISIONS = [
    *("@", "", "a:b:c", ":", ":head", "base:", "head+1", "heads+1", "oddsschema@", "@+1", "+"),
    *("head ", "%", "\0", "oddsschema_9999"),
]


@pytest.mark.parametrize("revision", ODD_REVISIONS)
def test_what_is_no_revision(revision: str, database: str, run: Run) -> None:
    """Whatever is no revision is an error that says which there are, and changes nothing."""
    for move in (
        lambda: run(migrations.upgrade(database, revision)),
        lambda: run(migrations.downgrade(database, revision)),
        lambda: migrations.upgrade_sql(revision),
    ):
        with pytest.raises(OddsSchemaError, match=f"oddsschema_0001, oddsschema_0002.*{HEAD}"):
            move()
    assert run(migrations.check(database)).state is CheckState.CLEAN


@given(
    st.text() | st.text("@:+-01", max_size=6) | st.from_regex(r"(head|oddsschema(_000\d)?)\W*\d?")
)
def test_any_text_as_a_revision(revision: str) -> None:
    """Any text leads to SQL or to an error of this package."""
    with suppress(OddsSchemaError):
        assert "COMMIT" in migrations.upgrade_sql(revision)


# -- rows that break what a revision wants to hold -------------------------------------------------

BROKEN = {
    "competitor_events": ("home_team", "' Basel'", "'Basel'"),
    "competitor_odds_snapshots": ("captured_at", "'1969-12-31'", "'2024-01-09'"),
    "competitor_tournaments": ("country_iso", "'XXX'", "'CHE'"),
    "scrape_runs": ("status", "'lost'", "'failed'"),
    "sports": ("slug", "E'football\\n'", "'football'"),
}


@pytest.mark.parametrize("handed_over", [False, True], ids=["url", "connection"])
@pytest.mark.parametrize("table", BROKEN)
def test_rows_that_break_a_check(
    table: str, handed_over: bool, empty_database: str, run: Run
) -> None:
    """The error names table and CHECK, finds the rows, and when they are mended it goes on."""
    column, bad, good = BROKEN[table]
    run(migrations.upgrade(empty_database, "oddsschema_0003"))
    run(execute(empty_database, ROWS))
    run(execute(empty_database, f"UPDATE {table} SET {column} = {bad}"))

    async def upgrade() -> None:
        async with sqlalchemy_connect(empty_database) as connection:
            await migrations.upgrade(connection if handed_over else empty_database)
            await connection.commit()

    with pytest.raises(OddsSchemaError) as refused:
        run(upgrade())
    said, select = str(refused.value).split("They are\n  ")
    assert said.startswith(f"rows of {table} break the CHECK ck_{table}_{column},")
    assert "run it again" in said
    stays = "oddsschema_0003" if handed_over else "oddsschema_0004"
    assert run(migrations.current(empty_database)) == stays
    ids = f"SELECT id FROM {table} ORDER BY id"
    assert run(fetch(empty_database, select)) == run(fetch(empty_database, ids))
    run(execute(empty_database, f"UPDATE {table} SET {column} = {good}"))
    assert run(fetch(empty_database, select)) == []
    run(upgrade())
    assert run(migrations.check(empty_database)).state is CheckState.CLEAN


def test_rows_that_break_a_check_in_a_schema_of_its_own(empty_database: str, run: Run) -> None:
    """`oddsschema upgrade` says it in words, and the SELECT finds the table where it is."""
    url = f"{empty_database}{'&' if '?' in empty_database else '?'}search_path=%22Odds.2%22"
    run(execute(empty_database, 'CREATE SCHEMA "Odds.2"'))
    run(migrations.upgrade(url, "oddsschema_0003"))
    run(execute(url, f"{ROWS}; INSERT INTO sports (name, slug) VALUES ('Rugby ', 'rugby')"))
    program = [sys.executable, "-W", "error", "-m", "oddsschema", "upgrade", "--url", url]
    done = subprocess.run(program, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: rows of sports break the CHECK ck_sports_name,")
    assert run(fetch(url, f"SELECT name FROM ({done.stderr.split('They are')[1]}) AS _")) == [
        "Rugby "
    ]


# -- PostgreSQL's own view -------------------------------------------------------------------------


def test_ddl(migrated: list[str]) -> None:
    """The migrations make the database that ddl.sql describes."""
    if os.environ.get("ODDSSCHEMA_WRITE_DDL"):
        DDL.write_text("\n".join(migrated) + "\n", encoding="utf-8")
    assert "\n".join(migrated) + "\n" == DDL.read_text(encoding="utf-8")


def test_models_make_the_same_database(migrated: list[str], empty_database: str, run: Run) -> None:
    """`metadata.create_all` makes what the migrations make."""

    async def create_all() -> None:
        async with sqlalchemy_connect(empty_database) as connection:
            await connection.run_sync(metadata.create_all)
            await connection.commit()

    run(create_all())
    assert run(catalog(empty_database)) == migrated


def test_sql_makes_the_same_database(migrated: list[str], empty_database: str, run: Run) -> None:
    """The SQL text of an upgrade, run by other means, leaves the same database."""
    run(execute(empty_database, migrations.upgrade_sql()))
    assert run(catalog(empty_database)) == migrated
    assert run(migrations.current(empty_database)) == HEAD
    assert run(migrations.check(empty_database)).state is CheckState.CLEAN
    assert run(fetch(empty_database, REFERENCE_DATA)) == REFERENCE


def test_each_revision_is_taken_back(migrated: list[str], empty_database: str, run: Run) -> None:
    """On the way down and up again, each revision is what it was on the way up."""
    script = ScriptDirectory(str(script_location()))
    revisions = ["base", *reversed([one.revision for one in script.walk_revisions()])]

    def state() -> tuple[list[str], list[str]]:
        # A CHECK that was validated stays so on the way down.
        found = [part.replace(" NOT VALID", "") for part in run(catalog(empty_database))]
        return found, run(fetch(empty_database, REFERENCE_DATA)) if found else []

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
    """After a downgrade to base there is nothing but alembic's empty table."""
    run(migrations.downgrade(database, "base"))
    assert run(catalog(database)) == []
    assert run(migrations.current(database)) is None
    left = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    assert set(run(fetch(database, left))) <= {"alembic_version", "alembic_version_pkc"}


def test_downgrade_with_data(database: str, run: Run) -> None:
    """A downgrade does not stumble over rows that refer to each other."""
    run(execute(database, ROWS))
    run(migrations.downgrade(database, "base"))
    assert run(catalog(database)) == []


def test_transaction_is_the_callers(empty_database: str, run: Run) -> None:
    """On a connection that was handed over, nothing stays unless the caller commits."""

    async def upgrade_and_roll_back() -> None:
        async with sqlalchemy_connect(empty_database) as connection:
            await migrations.upgrade(connection)
            assert await migrations.current(connection) == HEAD
            await connection.rollback()

    run(upgrade_and_roll_back())
    assert run(catalog(empty_database)) == []


# -- reference data --------------------------------------------------------------------------------

REFERENCE = [
    "bookmaker Bet9ja bet9ja true",
    "bookmaker BetPawa betpawa true",
    "bookmaker SportyBet sportybet true",
    "sport Football football",
]

ROWS = """
INSERT INTO tournaments (sport_id, name) SELECT id, 'Super League' FROM sports;
INSERT INTO events (tournament_id, sportradar_id, name, home_team, away_team, kickoff)
    SELECT id, '1', 'A - B', 'A', 'B', now() FROM tournaments;
INSERT INTO event_bookmakers (event_id, bookmaker_id, external_event_id)
    SELECT e.id, b.id, '1' FROM events AS e, bookmakers AS b WHERE b.slug = 'betpawa';
INSERT INTO scrape_batches DEFAULT VALUES;
INSERT INTO scrape_runs (batch_id) SELECT id FROM scrape_batches;
INSERT INTO scrape_errors (scrape_run_id, bookmaker_id, error_type, error_message)
    SELECT r.id, b.id, 'x', 'y' FROM scrape_runs AS r, bookmakers AS b WHERE b.slug = 'bet9ja';
INSERT INTO competitor_tournaments (source, sport_id, name, external_id)
    SELECT 'bet9ja', id, 'Super League', '1' FROM sports;
INSERT INTO competitor_events
    (source, tournament_id, betpawa_event_id, name, home_team, away_team, kickoff, external_id,
     sportradar_id)
    SELECT 'bet9ja', t.id, e.id, 'A - B', 'A', 'B', now(), '1', '1'
    FROM competitor_tournaments AS t, events AS e;
INSERT INTO competitor_odds_snapshots (competitor_event_id, scrape_run_id)
    SELECT e.id, r.id FROM competitor_events AS e, scrape_runs AS r;
"""


@pytest.fixture
def seeded(empty_database: str, run: Run) -> Iterator[str]:
    """The URL of a database with the tables of revision 1, which brings no rows."""
    run(migrations.upgrade(empty_database, "oddsschema_0001"))
    return empty_database


def test_reference_data(database: str, run: Run) -> None:
    """A migrated database knows football and the three bookmakers."""
    assert run(fetch(database, REFERENCE_DATA)) == REFERENCE


def test_reference_data_over_rows_that_are_there(seeded: str, run: Run) -> None:
    """Rows that were there before keep their names and settings, and are not doubled."""
    run(
        execute(
            seeded,
            "INSERT INTO sports (name, slug) VALUES ('Soccer', 'football');"
            "INSERT INTO bookmakers (name, slug, is_active) VALUES ('Bet9ja', 'bet9ja', false)",
        )
    )
    run(migrations.upgrade(seeded))
    assert run(fetch(seeded, REFERENCE_DATA)) == [
        "bookmaker Bet9ja bet9ja false",
        "bookmaker BetPawa betpawa true",
        "bookmaker SportyBet sportybet true",
        "sport Soccer football",
    ]


def test_reference_data_is_taken_back(database: str, run: Run) -> None:
    """A downgrade takes away the rows that nothing refers to, and leaves the others."""
    run(migrations.downgrade(database, "oddsschema_0001"))
    assert run(fetch(database, REFERENCE_DATA)) == []
    run(migrations.upgrade(database))
    run(execute(database, ROWS))
    run(migrations.downgrade(database, "oddsschema_0001"))
    assert run(fetch(database, REFERENCE_DATA)) == [
        "bookmaker Bet9ja bet9ja true",  # by an error
        "bookmaker BetPawa betpawa true",  # by an event
        "sport Football football",  # by a tournament
    ]
    run(migrations.upgrade(database))
    assert run(fetch(database, REFERENCE_DATA)) == REFERENCE
