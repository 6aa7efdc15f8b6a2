"""The views: what `check` reports of them, and what depends on them."""

from collections.abc import Callable
from typing import Any

import pytest

from oddsschema import ingest, migrations
from oddsschema.errors import MigrationError, SharedSchemaError
from oddsschema.migrations import CheckState
from oddsschema.migrations.remade_views import remake_views
from oddsschema.queries.views import VIEWS
from oddsschema.simulate import simulate
from tests.support.drift import repaired, rolled_back
from tests.support.sessions import execute, fetch_column

Run = Callable[..., Any]

#: The revision before the views.
BEFORE = "oddsschema_0015"

#: Alterations of the views, each with the differences that it makes.
ALTERED = {
    "missing": ("DROP VIEW odds_offers", [("view", "odds_offers")]),
    "all missing": (f"DROP VIEW {', '.join(VIEWS)}", [("view", name) for name in VIEWS]),
    "changed": (
        "CREATE OR REPLACE VIEW odds_freshness AS SELECT platform, last_captured_at,"
        " now() AS last_confirmed_at, run_id, run_status, run_started_at, run_completed_at,"
        " events, events_failed, markets FROM (SELECT * FROM kept) AS kept",
        [("view", "odds_freshness")],
    ),
    "renamed column": (
        "ALTER VIEW odds_prices RENAME COLUMN odds TO price",
        [
            ("view column comment", "odds_prices.price"),
            ("view", "odds_prices"),
            ("view column comment", "odds_prices.odds"),
        ],
    ),
    "without a comment": (
        "COMMENT ON VIEW odds_prices IS NULL",
        [("view comment", "odds_prices")],
    ),
    "other comment of a column": (
        "COMMENT ON COLUMN odds_prices.odds IS 'Fractional'",
        [("view column comment", "odds_prices.odds")],
    ),
}


@pytest.mark.parametrize("name", ALTERED)
def test_altered_views_are_repaired(name: str, filled: str, run: Run) -> None:
    """A view that is missing, changed or has other comments is reported, and repaired."""
    alteration, expected = ALTERED[name]

    async def alter() -> None:
        async with rolled_back(filled) as (connection, raw):
            await raw.execute("CREATE TABLE kept AS SELECT * FROM odds_freshness; " + alteration)
            assert await repaired(connection, raw) == expected

    run(alter())


def test_type_of_a_column_that_views_read(filled: str, run: Run) -> None:
    """The repair of a column's type makes the views again, with their grants."""

    async def alter() -> None:
        async with rolled_back(filled) as (connection, raw):
            await raw.execute("CREATE ROLE dashboard; GRANT SELECT ON odds_prices TO dashboard")
            await raw.execute(
                remake_views(
                    ["ALTER TABLE events ALTER name TYPE text, ALTER kickoff TYPE timestamp(3)"],
                    columns=["events.name", "events.kickoff"],
                )
            )
            assert ("column type", "events.kickoff") in await repaired(connection, raw)
            assert await raw.fetchval(
                "SELECT has_table_privilege('dashboard', 'odds_prices', 'SELECT')"
            )

    run(alter())


def test_other_relation_with_the_name_of_a_view(filled: str, run: Run) -> None:
    """A table with the name of a view is reported, and is not replaced."""

    async def replace() -> None:
        async with rolled_back(filled) as (connection, raw):
            await raw.execute("DROP VIEW odds_offers; CREATE TABLE odds_offers (id int)")
            (difference,) = (await migrations.check(connection)).differences
            assert (difference.kind, difference.location) == ("view", "odds_offers")
            assert difference.repair == "-- rename the table odds_offers, and check again"
            await raw.execute("ALTER TABLE odds_offers RENAME TO mine")
            assert await repaired(connection, raw) == [("view", "odds_offers")]

    run(replace())


def test_repair_ignores_temporary_tables(filled: str, run: Run) -> None:
    """A view that is repaired reads our tables, not temporary ones of the same name."""

    async def body() -> None:
        async with rolled_back(filled) as (connection, raw):
            await raw.execute("DROP VIEW odds_freshness")
            (difference,) = (await migrations.check(connection)).differences
            await raw.execute("CREATE TEMP TABLE scrape_runs (id int)")
            await raw.execute(difference.repair)
            await raw.execute("DROP TABLE pg_temp.scrape_runs")
            assert (await migrations.check(connection)).state is CheckState.CLEAN

    run(body())


def test_downgrade_names_the_views_of_others(database: str, run: Run) -> None:
    """A downgrade that would drop a view that others' views read names them, and does nothing."""
    mine = "CREATE MATERIALIZED VIEW mine AS SELECT bookmaker, count(*) FROM odds_offers GROUP BY 1"
    run(execute(database, mine))
    with pytest.raises(MigrationError, match="materialized view mine depends on view odds_offers"):
        run(migrations.downgrade(database, BEFORE))
    assert run(migrations.check(database)).state is CheckState.CLEAN
    run(execute(database, "DROP MATERIALIZED VIEW mine"))
    run(migrations.downgrade(database, BEFORE))
    assert run(fetch_column(database, "SELECT to_regclass('odds_offers')")) == [None]


def test_name_of_a_view_is_taken(database: str, run: Run) -> None:
    """An upgrade replaces no relation of another application, and says which it met."""
    run(migrations.downgrade(database, BEFORE))
    run(execute(database, "CREATE VIEW odds_prices AS SELECT 1 AS a"))
    with pytest.raises(SharedSchemaError, match="odds_prices"):
        run(migrations.upgrade(database))
    assert run(migrations.current(database)) == BEFORE
    assert run(fetch_column(database, "SELECT a FROM odds_prices")) == [1]


def test_schemas(empty_database: str, run: Run) -> None:
    """In a database with several sets of tables, each has views of its own."""
    urls = [f"{empty_database}&search_path={schema}" for schema in ("first", "second")]
    for url in urls:
        run(migrations.upgrade(url, create_schema=True))
    run(ingest(urls[0], next(simulate(scrapes=1, events=2))["bet9ja"]))
    assert run(fetch_column(empty_database, "SELECT count(*) > 0 FROM first.odds_prices")) == [True]
    assert run(fetch_column(empty_database, "SELECT count(*) FROM second.odds_prices")) == [0]
    run(execute(empty_database, "DROP VIEW second.odds_prices"))
    assert run(migrations.check(urls[0])).state is CheckState.CLEAN
    (difference,) = run(migrations.check(urls[1])).differences
    run(execute(empty_database, difference.repair))
    assert run(migrations.check(urls[1])).state is CheckState.CLEAN
