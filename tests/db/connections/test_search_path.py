"""Tables in a schema of their own, on the server itself and through PgBouncer."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

import oddsschema
from oddsschema import migrations
from oddsschema.database.connections import open_connections, sqlalchemy_connect
from oddsschema.database.revision import HEAD
from oddsschema.database.urls import with_schema
from oddsschema.errors import DatabaseURLError, MissingSchemaError, NotMigratedError
from tests.support.pgbouncer import pgbouncer
from tests.support.scrapes import scrapes, written
from tests.support.screens import Ended, program
from tests.support.sessions import execute, fetch, fetch_column

Run = Callable[..., Any]

#: A schema whose name needs quotes.
SCHEMA = 'Odds "x", y'
QUOTED = '"Odds ""x"", y"'

#: Find the schemas with tables.
SCHEMAS = """
SELECT DISTINCT schemaname::text FROM pg_tables
WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
"""


@pytest.fixture(params=["direct", "pooled"])
def url(request: pytest.FixtureRequest, empty_database: str, run: Run) -> Iterator[str]:
    """Return the URL of a database with a schema of its own, and tables of others."""
    run(execute(empty_database, f"CREATE SCHEMA {QUOTED}"))
    pooled = pgbouncer(empty_database) if request.param == "pooled" else nullcontext(empty_database)
    with pooled as url:
        yield url


@pytest.fixture(params=["direct", "pooled"])
def session_url(request: pytest.FixtureRequest, empty_database: str, run: Run) -> Iterator[str]:
    """Return such a URL for migrations, which a pool in transaction mode refuses."""
    run(execute(empty_database, f"CREATE SCHEMA {QUOTED}"))
    pooled = (
        pgbouncer(empty_database, mode="session")
        if request.param == "pooled"
        else nullcontext(empty_database)
    )
    with pooled as url:
        yield url


def test_every_command(url: str, empty_database: str, tmp_path: Path, run: Run) -> None:
    """Each command works on the schema of --schema, and leaves all others alone."""
    captures = scrapes(range(4), range(3))
    file = str(written(tmp_path / "captures.ndjson", captures))

    def use(*words: str) -> Ended:
        migrates = words[0] in ("upgrade", "downgrade")
        there = empty_database if migrates else url
        ended = program(*words, "--url", there, "--schema", SCHEMA)
        assert ended.code == 0, ended
        return ended

    use("upgrade")
    assert run(fetch_column(empty_database, SCHEMAS)) == [SCHEMA]
    assert use("current").stdout.strip() == HEAD
    assert json.loads(use("check", "--json").stdout)["state"] == "clean"
    use("ingest", file)
    stored = f"SELECT count(*) FROM {QUOTED}.competitor_odds_snapshots"
    assert run(fetch_column(empty_database, stored))[0] > 0
    (batch,) = json.loads(use("batches", "--json").stdout)
    assert batch["status"] == "completed"
    use("batches", "--stale", "--close")
    sportradar_id = f"SELECT min(sportradar_id) FROM {QUOTED}.competitor_events"
    use("history", str(run(fetch_column(empty_database, sportradar_id))[0]))
    use("size")
    use("prune", "--keep", "1d")
    use("downgrade", "base", "--yes")
    left = f"SELECT tablename::text FROM pg_tables WHERE schemaname = '{SCHEMA}'"
    assert set(run(fetch_column(empty_database, left))) <= {"alembic_version"}


def test_batched_revisions(session_url: str, empty_database: str, run: Run) -> None:
    """A revision that commits in batches stays in the schema in each of its transactions."""
    there = with_schema(session_url, SCHEMA)
    run(migrations.upgrade(there, "oddsschema_0008"))
    run(
        execute(
            empty_database,
            f"SET search_path = {QUOTED}",
            # One session keeps the search path for all statements.
            f"INSERT INTO {QUOTED}.sports (name, slug) VALUES ('a', 'a')",
            f"""INSERT INTO {QUOTED}.tournaments (sport_id, name)
            SELECT id, 'a' FROM {QUOTED}.sports WHERE slug = 'a'""",
            f"""INSERT INTO {QUOTED}.events
            (tournament_id, name, home_team, away_team, kickoff, sportradar_id)
            SELECT id, 'a', 'b', 'c', now(), 'sr:match:7' FROM {QUOTED}.tournaments
            WHERE name = 'a'""",
        )
    )
    run(migrations.upgrade(there))
    ids = f"SELECT sportradar_id FROM {QUOTED}.events"
    assert run(fetch_column(empty_database, ids)) == ["7"]
    assert run(migrations.check(there)).state == "clean"


@pytest.mark.parametrize(
    "query", ["search_path=odds", "options=-csearch_path%3Dodds", "options=-c%20search_path=odds"]
)
def test_url(query: str, database: str, url: str, run: Run) -> None:
    """A search path of the URL is that of each transaction, of asyncpg and of SQLAlchemy."""
    run(execute(url, "CREATE SCHEMA odds"))
    there = f"{url}{'&' if '?' in url else '?'}{query}"

    async def paths() -> set[str]:
        found = set()

        async def read(connection: Any) -> None:
            async with connection.transaction():  # a savepoint
                found.add(await connection.fetchval("SHOW search_path"))

        async with open_connections(there) as connections:
            await asyncio.gather(*(connections.transact(read) for _ in range(6)))
        async with sqlalchemy_connect(there) as connection:
            for _ in range(3):
                found.add((await connection.exec_driver_sql("SHOW search_path")).scalar_one())
                await connection.commit()
        return found

    assert run(paths()) == {"odds"}
    # The pooler's connections keep nothing.
    for _ in range(4):
        assert run(fetch(url, "SHOW search_path")) == [('"$user", public',)]


def test_schema_wins(session_url: str, empty_database: str, run: Run) -> None:
    """The schema of the option wins over every search path of the URL."""
    both = "search_path=public&options=-csearch_path%3Dpublic"
    there = f"{session_url}{'&' if '?' in session_url else '?'}{both}"
    assert program("upgrade", "--url", there, "--schema", SCHEMA).code == 0
    assert run(fetch_column(empty_database, SCHEMAS)) == [SCHEMA]


def test_missing_schema(url: str, empty_database: str, run: Run) -> None:
    """A schema that does not exist is an error, and nothing is created elsewhere."""
    for words, code in (("upgrade", 2), ("check", 6), ("batches", 2), ("size", 2)):
        there = empty_database if words == "upgrade" else url
        ended = program(words, "--url", there, "--schema", "nowhere")
        assert ended.code == code
        assert "the schema nowhere, the first of the search path, does not exist" in (
            ended.stdout + ended.stderr
        )
    with pytest.raises(MissingSchemaError):
        run(oddsschema.ingest(with_schema(url, "nowhere"), scrapes([0], [0])))
    assert run(fetch_column(empty_database, SCHEMAS)) == []


def test_forbidden_schema(server_url: str) -> None:
    """A schema without tables of users, or no name at all, is refused before a connection."""
    for name in ("", "pg_temp", "pg_catalog", "$user", "x" * 64, "a\0b"):
        with pytest.raises(DatabaseURLError):
            with_schema(server_url, name)


@given(name=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=15))
def test_any_schema(name: str, server_url: str, run: Run) -> None:
    """Any name of a schema is the whole search path, and nothing else."""
    if name.startswith("pg_") or name == "$user":
        return
    quoted = name.replace('"', '""')

    async def body() -> list[str]:
        await execute(server_url, f'CREATE SCHEMA "{quoted}"')
        try:
            async with sqlalchemy_connect(with_schema(server_url, name)) as connection:
                found = await connection.exec_driver_sql("SELECT current_schemas(false)::text[]")
                return list(found.scalar_one())
        finally:
            await execute(server_url, f'DROP SCHEMA "{quoted}"')

    assert run(body()) == [name]


def test_hostile_search_path(server_url: str, run: Run) -> None:
    """A search path with quotes and backslashes is text for the server, and no SQL."""
    for path in ("x'); DROP TABLE y; --", "\\' || 'x", "a\\", '"a', "é%"):
        with pytest.raises(oddsschema.errors.OddsSchemaError):
            run(oddsschema.size(f"{server_url}&search_path={quote(path, safe='')}"))


@pytest.mark.parametrize("schema", ["odds", SCHEMA])
def test_sql_text(schema: str, server_url: str, empty_database: str, run: Run) -> None:
    """The SQL of an upgrade creates the tables in the schema that is given, and nowhere else."""
    with pytest.raises(DatabaseURLError):
        migrations.upgrade_sql(schema="pg_catalog")
    ended = program("upgrade", "--sql", "--create-schema", "--schema", schema)
    assert ended.code == 0
    run(execute(empty_database, ended.stdout))
    assert run(fetch_column(empty_database, SCHEMAS)) == [schema]
    assert program("check", "--url", with_schema(empty_database, schema)).code == 0


def test_forgotten_schema(empty_database: str, run: Run) -> None:
    """Tables outside of the search path are named, and no upgrade is advised."""
    there = with_schema(empty_database, "odds")
    run(migrations.upgrade(there, create_schema=True))
    for words, code in (("check", 6), ("batches", 2), ("size", 2)):
        ended = program(words, "--url", empty_database)
        assert ended.code == code
        assert "has tables of oddsschema only in odds" in ended.stdout + ended.stderr
        assert "oddsschema upgrade" not in ended.stdout + ended.stderr
    with pytest.raises(NotMigratedError, match="search_path=odds"):
        run(oddsschema.ingest(empty_database, scrapes([0], [0])))
