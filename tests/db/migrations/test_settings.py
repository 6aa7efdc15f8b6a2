"""Defaults of a database and of a role, which change no result."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsschema import ingest, migrations
from oddsschema.migrations import CheckState
from oddsschema.models.sides import BETPAWA
from tests.support.contents import content
from tests.support.drift import without_repair
from tests.support.scrapes import capture
from tests.support.sessions import execute, fetch_column
from tests.support.stored_histories import (
    StoredInstant,
    handicap,
    insert_histories,
)

Run = Callable[..., Any]

#: Settings that change the catalogs' texts, or the meaning or the effect of SQL.
DEFAULTS = {
    "quote_all_identifiers": ["on"],
    "standard_conforming_strings": ["off"],
    "search_path": ['"$user", "public"', "public, pg_temp", "public, pg_catalog"],
    "DateStyle": ["German", "SQL, DMY"],
    "IntervalStyle": ["iso_8601", "sql_standard"],
    "TimeZone": ["Asia/Kathmandu"],
    "extra_float_digits": ["-15", "3"],
    "bytea_output": ["escape"],
    "row_security": ["off"],
    "array_nulls": ["off"],
    "transform_null_equals": ["on"],
    "check_function_bodies": ["off"],
    "client_min_messages": ["debug1", "error"],
    "default_transaction_deferrable": ["on"],
    "default_transaction_isolation": ["serializable", "repeatable read"],
    "default_tablespace": ["pg_default"],
    "temp_tablespaces": ["pg_default"],
    "plan_cache_mode": ["force_generic_plan"],
    "enable_seqscan": ["off"],
    "session_replication_role": ["local"],
}

SETTINGS = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(values) for name, values in DEFAULTS.items()}
)


def new_defaults(database: str, settings: dict[str, str], whose: str) -> list[str]:
    """Return the statements that make defaults."""
    # A list of names is no text.
    return [
        f"ALTER {whose} {database} SET {name} = "
        + (value if name == "search_path" else f"'{value}'")
        for name, value in settings.items()
    ]


@pytest.fixture(scope="module")
def old(new_database: Callable[..., Any], old_template: str, run: Run) -> Iterator[str]:
    """Return the URL of a database at revision 7 with rows that later revisions change."""
    import asyncpg

    async def fill(url: str) -> None:
        connection = await asyncpg.connect(url)
        history = [
            StoredInstant(True, [handicap(None)]),
            StoredInstant(True, [handicap(-1.0, 3)]),
        ]
        await insert_histories(connection, BETPAWA, [history])
        await connection.execute("UPDATE events SET sportradar_id = 'sr:match:66457014'")
        await connection.close()

    with new_database(old_template) as url:
        run(fill(url))
        yield url


async def upgrade_check_ingest(url: str) -> Any:
    """Upgrade, check and ingest, and return all results."""
    notes = await migrations.upgrade(url)
    captures = [capture(platform, 1, 0) for platform in ("betpawa", "bet9ja")]
    report = await ingest(url, captures)
    checked = await migrations.check(url)
    return notes, report.total.captures_stored, checked, await content(url)


@pytest.fixture(scope="module")
def plain_results(old: str, new_database: Callable[..., Any], run: Run) -> Any:
    """Return the results without any default."""
    with new_database(old) as url:
        results = run(upgrade_check_ingest(url))
    assert results[2].state is CheckState.CLEAN
    return results


@given(of_database=SETTINGS, of_role=SETTINGS)
def test_defaults(
    of_database: dict[str, str],
    of_role: dict[str, str],
    old: str,
    plain_results: Any,
    new_database: Callable[..., Any],
    run: Run,
) -> None:
    """An upgrade, a check and an ingestion have the same results under any defaults."""
    with new_database(old) as url:
        (name,) = run(fetch_column(url, "SELECT quote_ident(current_database())"))
        run(
            execute(
                url,
                *new_defaults(name, of_database, "DATABASE"),
                *new_defaults(name, of_role, "ROLE CURRENT_USER IN DATABASE"),
            )
        )
        assert run(upgrade_check_ingest(url)) == plain_results


def test_short_limits(database: str, run: Run) -> None:
    """The limits of a role for its queries do not end a check."""
    (name,) = run(fetch_column(database, "SELECT quote_ident(current_database())"))
    limits = run(
        fetch_column(
            database,
            "SELECT name FROM pg_settings WHERE name IN ('statement_timeout', "
            "'transaction_timeout', 'idle_in_transaction_session_timeout')",
        )
    )
    run(execute(database, *(f"ALTER DATABASE {name} SET {limit} = '60ms'" for limit in limits)))
    assert run(migrations.check(database)).state is CheckState.CLEAN


@pytest.mark.parametrize(
    "whose", ["DATABASE {name}", "ROLE {role} IN DATABASE {name}"], ids=["database", "role"]
)
def test_foreign_keys_off_by_default(whose: str, database: str, run: Run) -> None:
    """A default under which foreign keys are not enforced is a difference, with its repair."""
    (name,) = run(fetch_column(database, "SELECT quote_ident(current_database())"))
    (role,) = run(fetch_column(database, "SELECT quote_ident(current_user)"))
    changed = f"ALTER {whose.format(name=name, role=role)}"
    run(execute(database, f"{changed} SET session_replication_role = replica"))
    report = run(migrations.check(database))
    assert [without_repair(difference) for difference in report.differences] == [
        (
            "setting",
            "session_replication_role",
            "origin",
            "replica, under which foreign keys are not enforced and nothing cascades",
        )
    ]
    assert report.differences[0].repair == f"{changed} RESET session_replication_role;"
    run(execute(database, report.differences[0].repair))
    assert run(migrations.check(database)).state is CheckState.CLEAN
