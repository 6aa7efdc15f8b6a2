"""Rows that break a CHECK of a later revision."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from oddsschema import migrations
from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.errors import CheckViolationError
from oddsschema.migrations import CheckState
from tests.support.example_rows import ROWS
from tests.support.sessions import execute, fetch_column

Run = Callable[..., Any]

BROKEN = {
    "competitor_events": ("home_team", "' Basel'", "'Basel'"),
    "competitor_odds_snapshots": ("captured_at", "'1969-12-31'", "'2024-01-09'"),
    "competitor_tournaments": ("country_iso", "'XXX'", "'CHE'"),
    "scrape_runs": ("status", "'lost'", "'failed'"),
    "sports": ("slug", "E'football\\n'", "'football'"),
}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("handed_over", [False, True], ids=["url", "connection"])
@pytest.mark.parametrize("table", BROKEN)
def test_rows_that_break_a_check(
    table: str, handed_over: bool, empty_database: str, run: Run
) -> None:
    """The error names table and CHECK and has a SELECT of the rows; repaired rows are accepted."""
    column, bad, good = BROKEN[table]
    run(migrations.upgrade(empty_database, "oddsschema_0003"))
    run(execute(empty_database, ROWS))
    run(execute(empty_database, f"UPDATE {table} SET {column} = {bad}"))

    async def upgrade() -> None:
        async with sqlalchemy_connect(empty_database) as connection:
            await migrations.upgrade(connection if handed_over else empty_database)
            await connection.commit()

    with pytest.raises(CheckViolationError) as raised:
        run(upgrade())
    error = raised.value
    assert (error.table, error.constraint) == (table, f"ck_{table}_{column}")
    select = error.select
    assert select is not None
    assert str(error).startswith(f"rows of {table} break the CHECK ck_{table}_{column},")
    assert str(error).endswith(f"The rows are\n  {select}")
    stays = "oddsschema_0003" if handed_over else "oddsschema_0004"
    assert run(migrations.current(empty_database)) == stays
    ids = f"SELECT id FROM {table} ORDER BY id"
    assert run(fetch_column(empty_database, select)) == run(fetch_column(empty_database, ids))
    run(execute(empty_database, f"UPDATE {table} SET {column} = {good}"))
    assert run(fetch_column(empty_database, select)) == []
    run(upgrade())
    assert run(migrations.check(empty_database)).state is CheckState.CLEAN


def test_rows_that_break_a_check_in_a_schema_of_its_own(empty_database: str, run: Run) -> None:
    """The error of `oddsschema upgrade` has a SELECT that works in the tables' own schema."""
    url = f"{empty_database}{'&' if '?' in empty_database else '?'}search_path=%22Odds.2%22"
    run(execute(empty_database, 'CREATE SCHEMA "Odds.2"'))
    run(migrations.upgrade(url, "oddsschema_0003"))
    run(execute(url, f"{ROWS}; INSERT INTO sports (name, slug) VALUES ('Rugby ', 'rugby')"))
    program = [sys.executable, "-W", "error", "-m", "oddsschema", "upgrade", "--url", url]
    done = subprocess.run(program, capture_output=True, text=True)
    assert done.returncode == 2
    assert "\nerror: rows of sports break the CHECK ck_sports_name," in done.stderr
    assert run(
        fetch_column(url, f"SELECT name FROM ({done.stderr.split('The rows are')[1]}) AS _")
    ) == ["Rugby "]
