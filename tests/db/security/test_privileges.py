"""docs/how-to/roles.md grants no more than is needed."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import asyncpg
import pytest

from oddsschema import OddsSchemaError, migrations
from oddsschema.models import metadata
from tests.support.role_acts import ACTS
from tests.support.roles import GRANTS, TABLE_PRIVILEGES, Grant, Roles, acting_as
from tests.support.sessions import execute

Run = Callable[..., Any]


def test_privileges_are_the_documented_ones(roles: Roles, run: Run) -> None:
    """PostgreSQL's own list of the roles' privileges is the page's."""
    effective = """
        SELECT r.name, p.privilege, CASE WHEN has_table_privilege(r.role, c.oid, p.privilege)
            THEN NULL ELSE a.attname END AS column, c.relname
        FROM unnest($1::text[], $2::text[]) AS r (name, role)
        CROSS JOIN unnest($3::text[]) AS p (privilege)
        CROSS JOIN pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v') AND CASE
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

    assert run(found()) == {
        (grant.role, grant.privilege, grant.column, grant.name) for grant in GRANTS
    }


@pytest.mark.sampled(20)
@pytest.mark.parametrize("grant", GRANTS, ids=str)
def test_each_grant_is_needed(grant: Grant, roles: Roles, run: Run) -> None:
    """Without any single privilege of the page, a statement is denied."""
    revoke = grant.revoke(roles.role(grant.role), roles.database)

    async def act() -> None:
        async with acting_as(roles, grant.role, revoke) as connection:
            for do in ACTS[grant.role]:
                await do(connection)

    async def connect() -> None:
        try:
            await execute(roles.url(), revoke)
            await migrations.current(roles.url(grant.role))
            # The check creates temporary tables.
            await migrations.check(roles.url(grant.role))
        finally:
            await roles.grant()

    body = connect if grant.kind == "DATABASE" else act
    # Without USAGE of a schema, PostgreSQL reports it as empty.
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
    "UPDATE oddsschema_version SET version_num = 'other'",
    "DELETE FROM oddsschema_version",
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
#: Updates of rows that are only appended.
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

#: Statements that a role may run, although others may not.
PERMITTED: dict[str, set[str]] = {
    name: {
        f"DELETE FROM {grant.name}"
        for grant in GRANTS
        if grant[0] == "DELETE" and grant.role == name
    }
    for name in ACTS
}
PERMITTED["pruner"].add("UPDATE odds_snapshots SET scrape_run_id = scrape_run_id")


def test_scraper_deletes_market_rows_and_errors_only() -> None:
    """A scraper deletes copies of market rows, and errors, never a snapshot, an event or a run."""
    assert PERMITTED["scraper"] == {
        "DELETE FROM market_odds",
        "DELETE FROM competitor_market_odds",
        "DELETE FROM scrape_errors",
    }


@pytest.mark.parametrize("name", ACTS)
def test_nothing_else_is_allowed(name: str, roles: Roles, run: Run) -> None:
    """No role can truncate, alter, drop or create, or delete more than it needs to."""
    by_table = (*DENIED, *READERS) if name == "reader" else DENIED
    statements = {
        *(statement.format(table=table) for statement in by_table for table in metadata.tables),
        *DENIED_ANYWHERE,
        *APPENDED_ONLY,
    } - PERMITTED[name]

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
    """None of the roles is a superuser or has another attribute."""

    async def body() -> None:
        connection = await asyncpg.connect(roles.url(name))
        row = await connection.fetchrow("SELECT * FROM pg_roles WHERE rolname = CURRENT_USER")
        await connection.close()
        assert [key for key, value in row.items() if value is True] == ["rolinherit", "rolcanlogin"]

    run(body())
