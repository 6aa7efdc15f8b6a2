"""`check`: the states of a database, and the locks and privileges that it needs."""

import asyncio
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from oddsschema import migrations
from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.database.revision import HEAD
from oddsschema.errors import (
    ComparisonError,
    DatabaseUnavailableError,
    OddsSchemaError,
    ReadOnlyDatabaseError,
    UnsupportedDriverError,
)
from oddsschema.migrations import CheckState
from oddsschema.models import metadata
from tests.support.paths import DOCS
from tests.support.sessions import execute, fetch_column

Run = Callable[..., Any]

PAGE = DOCS / "reference" / "drift.md"

PROGRAM = [sys.executable, "-W", "error", "-m", "oddsschema"]


def check(url: str, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run `oddsschema check` in a new process."""
    return subprocess.run(
        [*PROGRAM, "check", *options],
        env=os.environ | {"DATABASE_URL": url},
        capture_output=True,
        text=True,
    )


# -- the states ------------------------------------------------------------------------------------


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("state", "sql", "exit_code", "sentence"),
    [
        ("clean", "SELECT", 0, "the database matches this release, at {head}"),
        (
            "drift",
            "DROP INDEX idx_scrape_runs_status; ALTER TABLE events ADD COLUMN venue text",
            1,
            "the database is at {head}, but differs from this release in 2 places",
        ),
        (
            "older",
            "UPDATE oddsschema_version SET version_num = 'oddsschema_0001'",
            3,
            "the database is at oddsschema_0001, this release needs {head}: "
            "upgrade the database (run 'oddsschema upgrade')",
        ),
        (
            "newer",
            "UPDATE oddsschema_version SET version_num = 'oddsschema_9999'",
            4,
            "the database is at oddsschema_9999, which this release does not know (its newest is "
            "{head}): upgrade the package (install a newer oddsschema)",
        ),
        (
            "unversioned",
            "DELETE FROM oddsschema_version",
            5,
            "the database has the tables of oddsschema, but records no revision: run the repairs "
            "that 'oddsschema check' lists, the revision's last",
        ),
        (
            "clean",
            "ALTER TABLE oddsschema_version RENAME TO alembic_version;"
            "UPDATE alembic_version SET version_num = 'theirs_0001'",
            0,
            "the database matches this release, at {head}",
        ),
        (
            "unversioned",
            "ALTER TABLE oddsschema_version RENAME TO alembic_version;"
            "UPDATE alembic_version SET version_num = 'theirs_0001';"
            "ALTER TABLE sports DROP CONSTRAINT ck_sports_name",
            5,
            "the database records only another project's revisions (theirs_0001), and its tables "
            "of oddsschema differ from this release: if that project depends on oddsschema, run "
            "its 'alembic upgrade heads'; otherwise run the listed repairs, if any",
        ),
        (
            "unversioned",
            "DROP TABLE oddsschema_version, "
            f"{', '.join(set(metadata.tables) - {'sports', 'events'})} CASCADE",
            5,
            "the database records no revision, and has only some of oddsschema's tables (events, "
            "sports): if they belong to another application, give oddsschema a schema of its own "
            "(?search_path=… in the URL); if nobody needs them, drop them; then run 'oddsschema "
            "upgrade'",
        ),
        (
            "empty",
            f"DROP TABLE oddsschema_version, {', '.join(metadata.tables)} CASCADE",
            6,
            "found no tables of oddsschema in the schema public: run 'oddsschema upgrade'",
        ),
    ],
    ids=[
        *("clean", "drift", "older", "newer", "unversioned", "another-project's"),
        *("another-project's-drift", "some-tables", "empty"),
    ],
)
def test_state(
    state: str, sql: str, exit_code: int, sentence: str, database: str, run: Run
) -> None:
    """Each state has a sentence, an exit code and a JSON report."""
    run(execute(database, sql))
    sentence = sentence.format(head=HEAD)
    done, as_json = check(database), check(database, "--json")
    assert (done.returncode, as_json.returncode) == (exit_code, exit_code)

    report = json.loads(as_json.stdout)
    assert (report["state"], report["message"]) == (state, sentence)
    assert as_json.stderr == ""

    lines = [
        line
        for line in (done.stdout + done.stderr).splitlines()
        if not line.endswith("--known TABLE.NAME")
    ]
    assert lines[-1].removesuffix(" (--schema NAME sets the search path)") == sentence
    assert len(lines) - 1 == len(report["differences"])
    for line, difference in zip(lines, report["differences"], strict=False):
        assert line.startswith(f"{difference['kind']} {difference['location']}: expected ")
        assert line.endswith(f"; repair: {difference['repair']}")


def test_docs_example(database: str, run: Run) -> None:
    """docs/reference/drift.md shows the real output."""
    run(
        execute(
            database,
            "ALTER TABLE bookmakers ALTER COLUMN name TYPE text;"
            "ALTER TABLE competitor_market_odds"
            " DROP CONSTRAINT ck_competitor_market_odds_handicap_type;"
            "DROP INDEX idx_competitor_events_betpawa;"
            "CREATE INDEX idx_competitor_events_betpawa ON competitor_events (betpawa_event_id)",
        )
    )
    done = check(database)
    shown = re.sub(r"oddsschema_\d+", HEAD, PAGE.read_text(encoding="utf-8"))
    assert f"$ oddsschema check\n{done.stdout}{done.stderr}```" in shown


def test_unreachable(database: str, run: Run) -> None:
    """An unreachable database is a state of the command, and an error in Python."""
    url = make_url(database).set(database="no_such_database").render_as_string(False)
    done, as_json = check(url), check(url, "--json")
    assert (done.returncode, as_json.returncode) == (7, 7)
    assert done.stdout == ""
    assert 'database "no_such_database" does not exist' in done.stderr
    report = json.loads(as_json.stdout)
    assert report["state"] == "unreachable"
    assert done.stderr == f"error: {report['message']}\n"
    with pytest.raises(DatabaseUnavailableError):
        run(migrations.check(url))


def test_connection_that_dies(database: str, run: Run) -> None:
    """A connection that is lost during the comparison is an unreachable database."""

    async def lose() -> None:
        async with sqlalchemy_connect(database) as connection:
            raw = (await connection.get_raw_connection()).driver_connection
            locker = await asyncpg.connect(database)
            await locker.execute("BEGIN; LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
            checking = asyncio.create_task(migrations.check(connection))
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = $1"
            while not await locker.fetchval(  # noqa: ASYNC110 - the server sends no event
                waiting, raw.get_server_pid()
            ):
                await asyncio.sleep(0.01)
            await locker.execute("SELECT pg_terminate_backend($1)", raw.get_server_pid())
            with pytest.raises(DatabaseUnavailableError, match="the connection was lost"):
                await checking
            await locker.close()

    run(lose())


# -- where the tables are --------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["search_path=Odds.2", "options=-csearch_path%3DOdds.2"])
def test_schema_of_its_own(how: str, database: str, run: Run) -> None:
    """Tables in another schema are found by the search path, and repaired there."""
    # In SQL, the name needs quotes.
    url = f"{database}{'&' if '?' in database else '?'}{how.replace('Odds.2', '%22Odds.2%22')}"
    run(execute(database, 'CREATE SCHEMA "Odds.2"'))
    assert run(migrations.check(url)).state is CheckState.EMPTY
    run(migrations.upgrade(url))
    assert run(migrations.check(url)).state is CheckState.CLEAN
    run(execute(url, "ALTER TABLE events DROP CONSTRAINT pk_events CASCADE"))
    (difference,) = run(migrations.check(url)).differences
    assert (difference.kind, difference.location) == ("primary key", "events.pk_events")
    assert run(migrations.check(database)).state is CheckState.CLEAN
    run(execute(url, difference.repair))
    assert run(migrations.check(url)).state is CheckState.CLEAN


def test_reference_to_another_schema(database: str, run: Run) -> None:
    """A foreign key to a table of the same name in another schema is a difference."""
    run(
        execute(
            database,
            "CREATE SCHEMA archive; CREATE TABLE archive.sports (id int PRIMARY KEY);"
            "ALTER TABLE tournaments DROP CONSTRAINT fk_tournaments_sport_id_sports;"
            "ALTER TABLE tournaments ADD CONSTRAINT fk_tournaments_sport_id_sports "
            "FOREIGN KEY (sport_id) REFERENCES archive.sports (id)",
        )
    )
    (difference,) = run(migrations.check(database)).differences
    assert difference.expected == "FOREIGN KEY (sport_id) REFERENCES sports(id)"
    assert difference.actual == "FOREIGN KEY (sport_id) REFERENCES archive.sports(id)"
    run(execute(database, difference.repair))
    assert run(migrations.check(database)).state is CheckState.CLEAN


# -- what it takes ---------------------------------------------------------------------------------


def test_least_privileges(database: str, run: Run) -> None:
    """The rights to make temporary tables and to read the revision suffice."""
    name = make_url(database).database
    role = f"reader_of_{name}"
    # As the tests' user: other users may log in through a socket only.
    url = f"{database}{'&' if '?' in database else '?'}options=-crole%3D{role}"

    async def why_not() -> str:
        with pytest.raises(ComparisonError) as refused:
            await migrations.check(url)
        return str(refused.value)

    run(execute(database, f"REVOKE ALL ON DATABASE {name} FROM PUBLIC; CREATE ROLE {role}"))
    try:
        run(execute(database, f"GRANT TEMPORARY ON DATABASE {name} TO {role}"))
        assert "permission denied for table oddsschema_version" in run(why_not())
        run(execute(database, f"GRANT SELECT ON oddsschema_version TO {role}"))
        report = run(migrations.check(url))
        assert report.state is CheckState.CLEAN
        (note,) = report.notes
        assert all(f"{table}_id_seq" in note for table in metadata.tables)
        assert (
            run(migrations.check(f"{url}%20-cdefault_transaction_read_only%3Don")).state
            is CheckState.CLEAN
        )
        run(execute(database, f"REVOKE TEMPORARY ON DATABASE {name} FROM {role}"))
        message = run(why_not())
        assert "permission denied to create temporary tables" in message
        assert message.endswith(
            "check needs SELECT on oddsschema_version and TEMPORARY on the database"
        )
    finally:
        run(execute(database, f"DROP OWNED BY {role}; DROP ROLE {role}"))


def test_check_blocks_no_writer(database: str, run: Run) -> None:
    """The check takes no lock that blocks a writer, and waits for no writer."""
    tables = ", ".join(metadata.tables)

    async def beside_a_writer() -> None:
        locker = await asyncpg.connect(database)
        # Conflicts with every lock except a SELECT's.
        await locker.execute(f"BEGIN; LOCK TABLE {tables}, oddsschema_version IN EXCLUSIVE MODE")
        async with asyncio.timeout(9):
            assert (await migrations.check(database)).state is CheckState.CLEAN
        await locker.close()

    run(beside_a_writer())


def test_nothing_is_left(database: str, run: Run) -> None:
    """The check leaves no object in the database."""
    everything = "SELECT count(*) FROM pg_class"
    before = run(fetch_column(database, everything))
    run(execute(database, "DROP INDEX idx_scrape_runs_status"))
    for _ in range(2):
        assert run(migrations.check(database)).state is CheckState.DRIFT
    assert run(fetch_column(database, everything)) == [before[0] - 1]


# -- on a connection that was handed over ----------------------------------------------------------

STATE = """
SELECT current_setting('search_path'), current_setting('TimeZone'), current_setting('lock_timeout'),
    (SELECT array_agg(DISTINCT mode) FROM pg_locks
        WHERE pid = pg_backend_pid() AND relation = ANY (
            SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace
        )),
    (SELECT count(*) FROM pg_class WHERE relpersistence = 't'),
    (SELECT name FROM sports WHERE slug = 'rugby'), txid_current()
"""


def test_transaction_is_as_it_was(
    database: str, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller's transaction continues with its rows, settings and locks."""
    caplog.set_level(logging.INFO)
    notices: list[object] = []

    async def work() -> None:
        async with sqlalchemy_connect(database) as connection:
            raw = (await connection.get_raw_connection()).driver_connection
            raw.add_log_listener(lambda _, message: notices.append(message))
            await connection.exec_driver_sql("SET TIME ZONE 'Africa/Lagos'")
            await connection.exec_driver_sql(
                "INSERT INTO sports (name, slug) VALUES ('Rugby', 'rugby')"
            )
            before = (await connection.exec_driver_sql(STATE)).one()
            for _ in range(2):
                assert (await migrations.check(connection)).state is CheckState.CLEAN
                assert (await connection.exec_driver_sql(STATE)).one() == before
            await connection.commit()

    run(work())
    assert run(fetch_column(database, "SELECT slug FROM sports WHERE slug = 'rugby'")) == ["rugby"]
    assert not notices
    assert not [record for record in caplog.records if "upgrade" in record.getMessage()]


def test_no_transaction_is_begun(database: str, run: Run) -> None:
    """A connection without a transaction has none afterwards, with or without autocommit."""

    async def between_transactions() -> None:
        for options in ({}, {"isolation_level": "AUTOCOMMIT"}):
            url = make_url(database).set(drivername="postgresql+asyncpg")
            engine = create_async_engine(url, **options)
            async with engine.connect() as connection:
                raw = (await connection.get_raw_connection()).driver_connection
                assert (await migrations.check(connection)).state is CheckState.CLEAN
                assert not connection.in_transaction()
                assert not raw.is_in_transaction()
                assert (await connection.exec_driver_sql("SELECT 1")).scalar() == 1
            await engine.dispose()

    run(between_transactions())


@pytest.mark.parametrize(
    ("begun", "error", "why"),
    [
        ("SET TRANSACTION READ ONLY", ReadOnlyDatabaseError, "check needs a primary server"),
        ("CREATE TEMPORARY TABLE sports ()", ComparisonError, "drop the temporary table"),
    ],
)
def test_transaction_after_a_refusal(
    begun: str, error: type[OddsSchemaError], why: str, database: str, run: Run
) -> None:
    """A check that is impossible names the reason, and the transaction remains usable."""

    async def refused() -> None:
        async with sqlalchemy_connect(database) as connection:
            await connection.exec_driver_sql(begun)
            with pytest.raises(error, match=why):
                await migrations.check(connection)
            assert (await connection.exec_driver_sql("SELECT count(*) FROM events")).scalar() == 0

    run(refused())


def test_migration_meanwhile(database: str, run: Run) -> None:
    """The check waits for a running migration, within its time limit."""
    impatient = f"{database}{'&' if '?' in database else '?'}lock_timeout=100ms"

    async def beside_a_migration() -> None:
        locker = await asyncpg.connect(database)
        await locker.execute("BEGIN; LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(ComparisonError, match="if a migration is running"):
            await migrations.check(impatient)
        await locker.close()

    run(beside_a_migration())


def test_other_drivers(database: str, run: Run) -> None:
    """A connection of another driver is refused with a message."""

    async def with_psycopg() -> None:
        url = make_url(database).set(drivername="postgresql+psycopg")
        engine = create_async_engine(url)
        async with engine.connect() as connection:
            with pytest.raises(UnsupportedDriverError, match=r"psycopg .*postgresql\+asyncpg"):
                await migrations.check(connection)
        await engine.dispose()

    run(with_psycopg())
