"""Sources that cannot be adopted as they are given: the errors name the cause and the remedy."""

import json
from collections.abc import Callable
from datetime import UTC
from typing import Any

import asyncpg
import pytest

from oddsschema import AdoptionError, AdoptionTimeZoneError, adopt
from tests.support.plan_tables import MATCH, ODDS, PLAN_TABLES
from tests.support.screens import program
from tests.support.sessions import execute, fetch

Run = Callable[..., Any]


def test_no_zone(source: str, database: str, run: Run) -> None:
    """Naive times without a zone are an error that names the columns; nothing is stored."""
    with pytest.raises(AdoptionTimeZoneError, match="such as Europe/London, or UTC") as raised:
        run(adopt(database, source))
    assert raised.value.schema == "public"
    assert "odds_snapshots.captured_at" in raised.value.columns
    assert "scrape_runs.started_at" in raised.value.columns
    assert "events.created_at" not in raised.value.columns  # it is not read
    ended = program("adopt", "--from", source, "--url", database)
    assert (ended.code, ended.stdout) == (2, "")
    assert "odds_snapshots.captured_at" in ended.stderr
    assert ended.stderr.endswith("(--timezone ZONE gives it)\n")
    assert run(fetch(database, "SELECT id FROM scrape_batches")) == []


def test_no_time_zone_at_all(source: str, database: str, run: Run) -> None:
    """A value that is no time zone is named."""
    wrong: Any = "Europe/Lonon"
    with pytest.raises(AdoptionTimeZoneError, match="'Europe/Lonon' is none") as raised:
        run(adopt(database, source, timezone=wrong))
    assert raised.value.given == wrong


def test_zone_that_is_not_needed(empty_database: str, database: str, run: Run) -> None:
    """The report of a source whose times have a zone names none."""
    run(execute(empty_database, PLAN_TABLES.replace(" timestamp", " timestamptz"), MATCH, ODDS))
    report = run(adopt(database, empty_database, timezone=UTC))
    assert (report.all_stored, report.timezone) == (True, None)


def test_empty_source(plan_database: str, database: str, run: Run) -> None:
    """A source without rows is adopted: nothing is stored, and the counts say so."""
    arguments = ("adopt", "--from", plan_database, "--timezone", "Africa/Lagos", "--url", database)
    ended = program(*arguments)
    assert ended.code == 0, ended.stderr
    name = run(fetch(plan_database, "SELECT current_database()"))[0][0]
    first, *_, counts, proof = ended.stdout.splitlines()
    assert first == f"source: {name}.public, times without a zone in Africa/Lagos"
    assert counts == "0 snapshots are new, 0 were known"
    assert proof == "0 snapshots were read back equal, 0 differ"
    assert "odds_snapshots: 0 rows\n" in ended.stdout
    report = json.loads(program(*arguments, "--json").stdout)
    assert (report["source"], report["timezone"]) == (f"{name}.public", "Africa/Lagos")
    assert (report["snapshots_new"], report["snapshots_known"]) == (0, 0)


@pytest.mark.parametrize(
    ("grants", "named"),
    [
        ((), "sports, odds_snapshots, "),
        (("GRANT USAGE ON SCHEMA plan TO plan_reader",), "sports, odds_snapshots, "),
        (
            (
                "GRANT USAGE ON SCHEMA plan TO plan_reader",
                "GRANT SELECT ON ALL TABLES IN SCHEMA plan TO plan_reader",
                "REVOKE ALL ON plan.events, plan.scrape_errors FROM plan_reader",
            ),
            "read events, scrape_errors in the schema plan: ",
        ),
    ],
    ids=["nothing", "schema", "some tables"],
)
def test_no_privileges(
    grants: tuple[str, ...], named: str, empty_database: str, database: str, run: Run
) -> None:
    """A role without privileges is refused, with the tables that it may not read."""
    run(
        execute(
            empty_database,
            "DROP ROLE IF EXISTS plan_reader",
            "CREATE ROLE plan_reader",
            f"CREATE SCHEMA plan; SET search_path = plan; {PLAN_TABLES} {MATCH} {ODDS}",
            *grants,
        )
    )

    async def open_as_reader() -> asyncpg.Connection:
        connection = await asyncpg.connect(empty_database)
        await connection.execute("SET SESSION AUTHORIZATION plan_reader")
        return connection

    try:
        with pytest.raises(AdoptionError, match="the role plan_reader may not read ") as raised:
            run(adopt(database, open_as_reader, schema="plan", timezone=UTC))
        assert named in str(raised.value)
        assert "GRANT USAGE on the schema and SELECT on the tables" in str(raised.value)
    finally:
        run(execute(empty_database, "DROP OWNED BY plan_reader", "DROP ROLE plan_reader"))
    assert run(fetch(database, "SELECT id FROM scrape_batches")) == []


def test_source_in_the_place_of_ours(source: str, run: Run) -> None:
    """The tables themselves as the target: the error gives the steps to a schema beside them."""
    for schema in ((), ("--from-schema", "public")):
        ended = program("adopt", "--from", source, *schema, "--timezone", "UTC", "--url", source)
        assert (ended.code, ended.stdout) == (2, "")
        assert "these tables are not ours" in ended.stderr
        assert "copy the rows of these tables into it with 'oddsschema adopt'" in ended.stderr
        assert "Traceback" not in ended.stderr


def test_target_as_its_own_source(database: str) -> None:
    """Our own tables as the source are no source."""
    ended = program("adopt", "--from", database, "--timezone", "UTC", "--url", database)
    assert (ended.code, ended.stdout) == (2, "")
    assert "those of oddsschema itself, which need no adoption" in ended.stderr
