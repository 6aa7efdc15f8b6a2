"""docs/roles.md names all that a scraper's, a pruner's and a reader's role need, no more."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import pytest
from sqlalchemy import make_url, select
from sqlalchemy.ext.asyncio import AsyncSession

from oddsschema import (
    IngestOptions,
    OddsSchemaError,
    ScrapeStatus,
    Table,
    batch,
    ingest,
    migrations,
    prune,
)
from oddsschema.contracts.base import metadata
from oddsschema.database.connections import open_connections, sqlalchemy_connect
from oddsschema.ingestion.storage import competitor_events as competitor
from oddsschema.ingestion.storage import history, state
from oddsschema.ingestion.storage import matching as reference
from oddsschema.ingestion.storage import placement as plan
from oddsschema.ingestion.storage import reference_events as betpawa
from oddsschema.retention import size
from oddsschema.scrapes import bookkeeping
from oddsschema.scrapes.stale import close_stale, stale_batches
from oddsschema.scrapes.summaries import newest_batches
from tests.db._scrapes import PLATFORMS, START, assert_whole, capture, content, expected, scrapes

Run = Callable[..., Any]

PAGE = Path(__file__).parents[2] / "docs" / "roles.md"
#: What a superuser runs, once; what the owner runs after an upgrade.
BY_SUPERUSER, BY_OWNER = re.findall(
    r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL
)

#: Whatever a role could be granted on a table.
TABLE_PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")


class Grant(NamedTuple):
    """One privilege on one thing for one role."""

    privilege: str
    #: None but for privileges on columns.
    column: str | None
    kind: str
    name: str
    role: str

    def __str__(self) -> str:
        column = f"({self.column})" if self.column else ""
        return f"{self.role}-{self.privilege}{column}-{self.name}"

    def revoke(self, role: str, database: str) -> str:
        """The statement that takes it away."""
        column = f" ({self.column})" if self.column else ""
        name = database if self.kind == "DATABASE" else self.name
        return f"REVOKE {self.privilege}{column} ON {self.kind} {name} FROM {role}"


def documented() -> Iterator[Grant]:
    """Every single privilege that the page grants."""
    bare = re.sub(r"--.*", "", BY_OWNER)
    for privileges, kind, names, role in re.findall(
        r"GRANT\s+(.+?)\s+ON\s+(?:(DATABASE|SCHEMA|SEQUENCE)\s+)?(.+?)\s+TO\s+odds_(\w+);",
        bare,
        re.DOTALL,
    ):
        for privilege, columns in re.findall(r"(\w+)(?:\s*\((.+?)\))?", privileges, re.DOTALL):
            for column in columns.replace(",", " ").split() or [None]:
                for name in names.replace(",", " ").split():
                    yield Grant(privilege, column, kind or "TABLE", name, role)


GRANTS = list(documented())


class Roles:
    """A database that was set up as the page says, its names made unique."""

    def __init__(self, server_url: str) -> None:
        self._server = make_url(server_url)
        self._suffix = f"{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{os.getpid()}"
        self.database = f"odds_{self._suffix}"

    def role(self, name: str) -> str:
        """A role of the page: "owner", "scraper", "pruner" or "reader"."""
        return f"odds_{name}_{self._suffix}"

    def url(self, name: str | None = None) -> str:
        """The database's URL for one of the roles, or for the superuser."""
        url = self._server.set(database=self.database)
        if name is not None:
            # Where passwords are asked for at all.
            url = url.set(username=self.role(name), password=f"{name}'s")
        return url.render_as_string(hide_password=False)

    def renamed(self, sql: str) -> str:
        """The page's SQL, with our names for its own."""
        sql = re.sub(
            r"\bodds_(owner|scraper|pruner|reader)\b", lambda found: self.role(found[1]), sql
        )
        return re.sub(r"\bDATABASE odds\b", f"DATABASE {self.database}", sql)

    async def grant(self) -> None:
        """What the owner runs after an upgrade."""
        await execute(self.url("owner"), self.renamed(BY_OWNER))

    async def start_afresh(self) -> None:
        """The owner, who is no superuser, drops all tables and makes them again."""
        await migrations.downgrade(self.url("owner"), "base")
        await migrations.upgrade(self.url("owner"))
        # The privileges went with the tables.
        await self.grant()


async def execute(url: str, *statements: str) -> None:
    """Run statements, each committed by itself."""
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="module")
def roles(server_url: str, run: Run) -> Iterator[Roles]:
    """The page, followed to the letter: the roles, the database, the upgrade, the privileges."""
    made = Roles(server_url)
    names = ("owner", "scraper", "pruner", "reader")
    try:
        statements = made.renamed(BY_SUPERUSER).strip().split("\n")
        passwords = [f"ALTER ROLE {made.role(name)} PASSWORD '{name}''s'" for name in names]
        run(execute(server_url, *statements, *passwords))
        run(migrations.upgrade(made.url("owner")))
        run(made.grant())
        yield made
    finally:
        drops = [f"DROP ROLE IF EXISTS {made.role(name)}" for name in names]
        drop = f"DROP DATABASE IF EXISTS {made.database} WITH (FORCE)"
        run(execute(server_url, drop, *drops))


@pytest.fixture
def committed(roles: Roles, run: Run) -> Iterator[Roles]:
    """The same, for tests that leave rows behind."""
    yield roles
    run(roles.start_afresh())


@asynccontextmanager
async def acting_as(
    roles: Roles, name: str, *first: str
) -> AsyncIterator["asyncpg.Connection[Any]"]:
    """A transaction as one of the roles, after a superuser's statements; rolled back at the end."""
    connection = await asyncpg.connect(roles.url())
    transaction = connection.transaction()
    await transaction.start()
    try:
        for statement in first:
            await connection.execute(statement)
        await connection.execute(f"SET LOCAL ROLE {roles.role(name)}")
        yield connection
    finally:
        await transaction.rollback()
        await connection.close()


# -- what the roles do -----------------------------------------------------------------------------


def changed(one: dict[str, Any], minute: int, **told: Any) -> dict[str, Any]:
    """A capture a little later, of which the tournament tells something else."""
    later = capture("betpawa", 0, minute)
    kind = "event" if "event" in one else "competitor_event"
    tournament = one[kind]["tournament"] | told
    return one | {"captured_at": later["captured_at"], kind: one[kind] | {"tournament": tournament}}


def deliveries() -> Iterator[list[Any]]:
    """Deliveries that make ingestion do all that it can."""
    # All is new: BetPawa's events come before one competitor's, and after the other's.
    yield scrapes([0, 1], [0], ("sportybet", "betpawa", "bet9ja"), markets=3)
    # Other names, kick-offs, tournaments and listings.
    yield scrapes([0, 1], [6], PLATFORMS)
    # A market that was missing, and captures that were there.
    yield scrapes([0, 1], [0], PLATFORMS, markets=4)
    # A bookmaker that nobody knows, a sport, a tournament with an id, which then get other names.
    tennis = {"slug": "tennis", "name": "Tennis"}
    ours, theirs = capture("pawa2", 7, 0), capture("bet9ja", 7, 0)
    yield [changed(ours, 1, sport=tennis), changed(theirs, 1, sport=tennis)]
    tennis = tennis | {"name": "Lawn tennis"}
    yield [changed(ours, 2, sport=tennis, sportradar_id="7")]
    yield [changed(ours, 3, sport=tennis, sportradar_id="7", name="Another", country="Other")]
    yield [changed(theirs, 3, sport=tennis, sportradar_id="7", name="Another")]
    yield [{"captured_at": "never", "event": {"bookmaker": "betpawa"}, "markets": []}]


async def scrape(target: Any) -> None:
    """Do all that a scraper does. Raises what goes wrong on the way."""
    for delivery in deliveries():
        report = await ingest(target, delivery, options=IngestOptions(keep_raw=True, retry_for=0))
        for one in report.runs:
            assert one.error is None, one.error
    async with batch(target, trigger="scheduled", options=IngestOptions(retry_for=0)) as opened:
        async with opened.run("sportybet") as failing:
            raise ConnectionError("the site did not answer")
        await opened.open_run("bet9ja")
    assert failing.status is ScrapeStatus.CONNECTION_FAILED
    async with batch(target, batch_id=opened.id) as joined, joined.run("betpawa") as last:
        await last.ingest([capture("betpawa", 0, 60), capture("sportybet", 0, 60)])
    assert last.error is None, last.error
    # What it asks when its connection was lost at a commit.
    async with open_connections(target, retry_for=0) as connections:
        counted = partial(bookkeeping.counted, run_id=last.id)
        assert await connections.transact(counted) == 2
    # Nothing has changed; a price has; something came late, before that.
    for platform in ("betpawa", "sportybet"):
        same = capture(platform, 0, 60)
        moved = capture(platform, 0, 60)
        moved["markets"][0]["outcomes"][0]["odds"] += 1
        for minute, one in ((61, same), (65, moved), (63, same | {"markets": []})):
            report = await ingest(
                target, [changed(one, minute)], options=IngestOptions(retry_for=0)
            )
            assert report.captures_stored == 1, report
    # In a transaction of the caller's, no time goes by.
    assert await close_stale(target, timedelta(seconds=-1)) == 1
    assert await newest_batches(target)


async def read(target: Any) -> None:
    """Do all that a reader does."""
    await newest_batches(target)
    await stale_batches(target)
    await size(target)


async def read_tables(connection: "asyncpg.Connection[Any]") -> None:
    """Read every table."""
    for table in metadata.tables:
        await connection.fetch(f"SELECT * FROM {table}")


AGED = """
UPDATE scrape_batches SET started_at = '2020-01-01Z', completed_at = '2020-01-01Z';
UPDATE scrape_runs SET started_at = '2020-01-01Z', completed_at = '2020-01-01Z';
UPDATE scrape_errors SET occurred_at = '2020-01-01Z';
"""


async def prune_all(connection: "asyncpg.Connection[Any]") -> None:
    """Do all that a pruner does, on histories that a superuser has made old."""
    role = await connection.fetchval("SELECT current_user")
    await connection.execute("RESET ROLE")
    histories: list[Any] = ["no capture"]
    for platform in PLATFORMS:
        # Of one event all is over, and what stands of the other at the cutoff is a change.
        first = capture(platform, 1, 0)
        less = changed(first, 1) | {"markets": first["markets"][1:]}
        histories += [capture(platform, 0, 0), first, less, changed(first, 20)]
    await ingest(connection, histories, options=IngestOptions(store="changes"))
    await connection.execute(AGED)
    await connection.execute(f"SET LOCAL ROLE {role}")
    cutoff = START + timedelta(minutes=10)
    planned = await prune(connection, cutoff, dry_run=True)
    report = await prune(connection, cutoff)
    assert (report.tables, report.kept) == (planned.tables, ())
    assert report.keyframe_rows
    assert all(removed.rows for removed in report.tables.values())


ACTS = {"scraper": (scrape,), "pruner": (prune_all,), "reader": (read, read_tables)}


# -- the page is enough ----------------------------------------------------------------------------


def test_scraper_ingests(committed: Roles, run: Run) -> None:
    """Under exactly the scraper's privileges everything is stored as it is by a superuser."""
    captures = scrapes(range(4), range(5))
    url = committed.url("scraper")
    report = run(ingest(url, captures))
    assert report.status is ScrapeStatus.COMPLETED
    run(assert_whole(url, captures))
    assert run(content(committed.url("reader"))) == expected(captures)
    run(scrape(url))


def test_every_statement_is_run(roles: Roles, run: Run) -> None:
    """What these tests have the scraper do is all that ingestion can: no statement is left out."""

    async def queries() -> list[str]:
        found: list[str] = []
        async with acting_as(roles, "scraper") as connection:
            with connection.query_logger(lambda record: found.append(record.query)):
                await scrape(connection)
        return found

    statements = {
        f"{module.__name__}.{name}": value
        for module in (betpawa, bookkeeping, competitor, history, plan, reference, state)
        for name, value in vars(module).items()
        if isinstance(value, str) and re.match(r"\s*(SELECT|INSERT|UPDATE|WITH)\b", value)
    }
    assert len(statements) > 20
    run_queries = run(queries())
    # Those with braces are filled in with the names of tables.
    patterns = {
        name: re.compile(".*".join(map(re.escape, re.split(r"\{\w+\}", value))), re.DOTALL)
        for name, value in statements.items()
    }
    assert [
        name
        for name, pattern in patterns.items()
        if not any(pattern.fullmatch(query) for query in run_queries)
    ] == []


def test_reader_reads(roles: Roles, run: Run) -> None:
    """Under exactly the reader's privileges, all tables and all commands that look can be used."""

    async def body(url: str) -> None:
        await read(url)
        assert await migrations.current(url) is not None
        assert not (await migrations.check(url)).differences
        async with sqlalchemy_connect(url) as connection, AsyncSession(connection) as session:
            for table in Table.__subclasses__():
                if table.metadata is metadata:
                    await session.scalars(select(table))

    run(body(roles.url("reader")))


# -- and no more than enough -----------------------------------------------------------------------


def test_privileges_are_the_documented_ones(roles: Roles, run: Run) -> None:
    """PostgreSQL's own count of what the roles may do, by table and column, is the page's."""
    effective = """
        SELECT r.name, p.privilege, CASE WHEN has_table_privilege(r.role, c.oid, p.privilege)
            THEN NULL ELSE a.attname END AS column, c.relname
        FROM unnest($1::text[], $2::text[]) AS r (name, role)
        CROSS JOIN unnest($3::text[]) AS p (privilege)
        CROSS JOIN pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND CASE
            WHEN p.privilege IN ('DELETE', 'TRUNCATE', 'TRIGGER')
            THEN has_table_privilege(r.role, c.oid, p.privilege)
            ELSE has_column_privilege(r.role, c.oid, a.attnum, p.privilege) END
        UNION
        SELECT r.name, p.privilege, NULL, c.relname
        FROM unnest($1::text[], $2::text[]) AS r (name, role)
        CROSS JOIN unnest('{USAGE,SELECT,UPDATE}'::text[]) AS p (privilege)
        CROSS JOIN pg_class AS c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'S'
            AND has_sequence_privilege(r.role, c.oid, p.privilege)
        UNION
        SELECT r.name, p.privilege, NULL, 'public'
        FROM unnest($1::text[], $2::text[]) AS r (name, role)
        CROSS JOIN unnest('{USAGE,CREATE}'::text[]) AS p (privilege)
        WHERE has_schema_privilege(r.role, 'public', p.privilege)
        UNION
        SELECT r.name, p.privilege, NULL, 'odds'
        FROM unnest($1::text[], $2::text[]) AS r (name, role)
        CROSS JOIN unnest('{CONNECT,CREATE,TEMPORARY}'::text[]) AS p (privilege)
        WHERE has_database_privilege(r.role, current_database(), p.privilege)
    """

    async def found() -> set[tuple[str, ...]]:
        connection = await asyncpg.connect(roles.url())
        try:
            names = list(ACTS)
            rows = await connection.fetch(
                effective, names, [roles.role(name) for name in names], list(TABLE_PRIVILEGES)
            )
        finally:
            await connection.close()
        return {tuple(row) for row in rows}

    assert run(found()) == {(one.role, one.privilege, one.column, one.name) for one in GRANTS}


@pytest.mark.parametrize("grant", GRANTS, ids=str)
def test_each_grant_is_needed(grant: Grant, roles: Roles, run: Run) -> None:
    """Without any single one of the page's privileges something is denied."""
    revoke = grant.revoke(roles.role(grant.role), roles.database)

    async def act() -> None:
        async with acting_as(roles, grant.role, revoke) as connection:
            for do in ACTS[grant.role]:
                await do(connection)

    async def connect() -> None:
        try:
            await execute(roles.url(), revoke)
            await migrations.current(roles.url(grant.role))
            # For what it compares with, it makes temporary tables.
            await migrations.check(roles.url(grant.role))
        finally:
            await roles.grant()

    body = connect if grant.kind == "DATABASE" else act
    # Of a schema that may not be used, PostgreSQL says that there is nothing in it.
    denied = "has no tables" if grant.kind == "SCHEMA" else "permission denied"
    with pytest.raises(
        (asyncpg.InsufficientPrivilegeError, OddsSchemaError, AssertionError), match=denied
    ):
        run(body())


DENIED = (
    "DELETE FROM {table}",
    "TRUNCATE {table} CASCADE",
    "DROP TABLE {table} CASCADE",
    "ALTER TABLE {table} ADD COLUMN hole TEXT",
    "ALTER TABLE {table} OWNER TO CURRENT_USER",
    "ALTER TABLE {table} DISABLE TRIGGER ALL",
    "CREATE INDEX ON {table} (id)",
    "UPDATE {table} SET id = id",
    "SELECT setval(pg_get_serial_sequence('{table}', 'id'), 1)",
)
DENIED_ANYWHERE = (
    "UPDATE alembic_version SET version_num = 'other'",
    "DELETE FROM alembic_version",
    "CREATE TABLE mine (id INTEGER)",
    "CREATE SCHEMA mine",
    "CREATE ROLE mine",
    "COPY sports TO PROGRAM 'true'",
    "COPY sports FROM '/etc/hostname'",
    "SELECT pg_read_file('/etc/hostname')",
)
READERS = (
    "INSERT INTO {table} DEFAULT VALUES",
    "SELECT nextval(pg_get_serial_sequence('{table}', 'id'))",
    "SELECT * FROM {table} FOR KEY SHARE",
    "COPY {table} FROM STDIN",
)
#: By their tables: these rows are history.
APPENDED_ONLY = tuple(
    f"UPDATE {table} SET {column} = {column}"
    for table, columns in {
        "odds_snapshots": ("captured_at", "raw_response", "event_id", "scrape_run_id"),
        "market_odds": ("outcomes", "line", "snapshot_id"),
        "competitor_odds_snapshots": ("captured_at", "raw_response", "competitor_event_id"),
        "competitor_market_odds": ("outcomes", "line", "snapshot_id"),
        "scrape_errors": ("error_message", "scrape_run_id"),
        "bookmakers": ("name", "slug", "is_active"),
    }.items()
    for column in columns
)


#: What a pruner is there for.
PRUNER_MAY = {
    "UPDATE odds_snapshots SET scrape_run_id = scrape_run_id",
    *(f"DELETE FROM {one.name}" for one in GRANTS if one[0] == "DELETE" and one.role == "pruner"),
}


@pytest.mark.parametrize("name", ACTS)
def test_nothing_else_is_allowed(name: str, roles: Roles, run: Run) -> None:
    """No role can truncate, alter, drop or create; a pruner alone deletes; a reader only reads."""
    by_table = (*DENIED, *READERS) if name == "reader" else DENIED
    statements = {
        *(one.format(table=table) for one in by_table for table in metadata.tables),
        *DENIED_ANYWHERE,
        *APPENDED_ONLY,
    } - (PRUNER_MAY if name == "pruner" else set())

    async def allowed() -> list[str]:
        found = []
        async with acting_as(roles, name) as connection:
            for statement in statements:
                savepoint = connection.transaction()
                await savepoint.start()
                with suppress(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(statement)
                    found.append(statement)
                await savepoint.rollback()
        return found

    assert run(allowed()) == []


@pytest.mark.parametrize("name", ["owner", *ACTS])
def test_no_role_has_attributes(name: str, roles: Roles, run: Run) -> None:
    """None of the roles, the owner among them, is a superuser or the like."""

    async def body() -> None:
        connection = await asyncpg.connect(roles.url(name))
        row = await connection.fetchrow("SELECT * FROM pg_roles WHERE rolname = CURRENT_USER")
        await connection.close()
        assert [key for key, value in row.items() if value is True] == ["rolinherit", "rolcanlogin"]

    run(body())


def test_concurrent_scrapers(committed: Roles, run: Run) -> None:
    """Two scrapers at once, and a reader beside them, under these roles alone."""
    captures = scrapes(range(10, 16), range(3))

    async def body() -> None:
        url = committed.url("scraper")
        reports = await asyncio.gather(
            ingest(url, captures, options=IngestOptions(chunk_rows=20)),
            ingest(url, captures[::-1], options=IngestOptions(chunk_rows=20)),
            read(committed.url("reader")),
        )
        assert [report.status for report in reports[:2]] == [ScrapeStatus.COMPLETED] * 2

    run(body())
