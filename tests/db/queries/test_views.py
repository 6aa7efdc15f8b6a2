"""The views: their rows, and the plans of the conditions that they are made for."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import asyncpg
import pytest

from oddsschema import ingest, queries
from oddsschema.queries import fetch_rows
from oddsschema.queries.views import VIEWS
from oddsschema.simulate import simulate, stream
from tests.support import bulk_history
from tests.support.sessions import execute, fetch
from tests.support.statements import nodes

Run = Callable[..., Any]

#: The tables of odds.
ODDS = {
    *("odds_snapshots", "competitor_odds_snapshots", "market_odds", "competitor_market_odds"),
}


@pytest.fixture(scope="module")
def simulated(new_database: Callable[..., Any], template: str, run: Run) -> Iterator[str]:
    """Fill a database with simulated captures, of which some teams are matched to none."""
    with new_database(template) as url:
        run(ingest(url, stream(simulate(seed=4, scrapes=4, events=12))))
        # Events that only competitors list.
        run(
            execute(
                url,
                "DELETE FROM events WHERE id % 5 = 0",
                "UPDATE competitor_events SET deleted_at = now() WHERE id % 7 = 0",
            )
        )
        yield url


def rows_of(url: str, statement: str, run: Run) -> list[tuple[Any, ...]]:
    """Return the rows of a select in a fixed order."""
    return sorted(run(fetch(url, statement)), key=repr)


def answers(url: str, statement: Any, names: list[str], run: Run) -> list[tuple[Any, ...]]:
    """Return some columns of the rows of a select of the package in a fixed order."""
    dicts = run(fetch_rows(url, statement, as_dicts=True))
    return sorted((tuple(row[name] for name in names) for row in dicts), key=repr)


@pytest.mark.parametrize(
    ("view", "statement"),
    [
        ("odds_offers", queries.offered_outcomes()),
        ("odds_closing_prices", queries.closing_outcomes()),
        ("odds_best_prices", queries.best_prices()),
        ("odds_prices", queries.prices()),
    ],
    ids=["offers", "closing prices", "best prices", "prices"],
)
def test_views_have_the_rows_of_queries(
    view: str, statement: Any, simulated: str, run: Run
) -> None:
    """A view has the rows that the package's select has, with the data of the event."""
    names = [column.name for column in statement.selected_columns]
    shown = rows_of(simulated, f"SELECT {', '.join(names)} FROM {view}", run)
    assert len(shown) > 100
    assert shown == answers(simulated, statement, names, run)


def test_events_are_those_of_the_listings(simulated: str, run: Run) -> None:
    """The best prices have the kickoff, the teams and the tournament of the listed event."""
    names = ["event_id", "sportradar_id", "home_team", "away_team", "kickoff", "sport", "country"]
    names.append("tournament")
    shown = rows_of(simulated, f"SELECT DISTINCT {', '.join(names)} FROM odds_best_prices", run)
    listed = answers(simulated, queries.events(), names, run)
    assert shown
    assert set(shown) <= set(listed)


def test_freshness(simulated: str, run: Run) -> None:
    """Each platform has its last capture, its last confirmation and its last ended run."""
    shown = {row[0]: row[1:] for row in run(fetch(simulated, "SELECT * FROM odds_freshness"))}
    assert set(shown) == {"betpawa", "sportybet", "bet9ja"}
    times = """
        SELECT max(s.captured_at), max(s.last_confirmed_at) FROM competitor_odds_snapshots AS s
        JOIN competitor_events AS e ON e.id = s.competitor_event_id AND e.deleted_at IS NULL
        WHERE e.source = 'bet9ja'"""
    assert [shown["bet9ja"][:2]] == run(fetch(simulated, times))
    run_of = """
        SELECT id, status, started_at, completed_at, events_scraped, events_failed
        FROM scrape_runs WHERE platform = 'bet9ja' ORDER BY completed_at DESC LIMIT 1"""
    assert [shown["bet9ja"][2:8]] == run(fetch(simulated, run_of))
    assert shown["bet9ja"][8] > 0


@pytest.fixture(scope="module")
def many(new_database: Callable[..., Any], template: str, run: Run) -> Iterator[Any]:
    """Fill a database with a long history of many events on different days."""
    with new_database(template) as url:
        connection = run(asyncpg.connect(url))
        run(bulk_history.fill(connection, rows=60_000, events=120))
        yield connection
        run(connection.close())


CONDITIONS = {
    "event": "event_id = 7",
    "SportRadar id": "sportradar_id = '7'",
    "kickoff": "kickoff >= '2024-01-27' AND kickoff < '2024-01-28'",
    "bookmaker": "bookmaker = 'bet9ja' AND event_id = 7",
}


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("view", [name for name in VIEWS if name != "odds_freshness"])
def test_conditions_reach_the_tables(view: str, condition: str, many: Any, run: Run) -> None:
    """A condition on the event reads the odds of that event alone, by indexes."""
    if condition == "bookmaker" and view == "odds_best_prices":
        pytest.skip("the best prices have no single bookmaker")
    statement = f"SELECT * FROM {view} WHERE {CONDITIONS[condition]}"
    plan = explained(statement, many, run)
    assert plan["Actual Rows"] > 0
    assert not read_through(plan) & ODDS
    # One event of 120 at three platforms; all of it would be read for more than 10,000 buffers.
    assert buffers(plan) < 2_500


@pytest.mark.parametrize("view", ["odds_offers", "odds_prices", "odds_closing_prices"])
def test_a_bookmaker_is_read_alone(view: str, many: Any, run: Run) -> None:
    """A condition on the bookmaker reads no odds of the other side."""
    plan = explained(f"SELECT * FROM {view} WHERE bookmaker = 'betpawa'", many, run)
    read = {
        node["Relation Name"]
        for node in nodes(plan)
        if "Relation Name" in node and node["Actual Loops"] > 0
    }
    assert read & ODDS == {"odds_snapshots", "market_odds"}


def test_a_time_alone_reads_everything(many: Any, run: Run) -> None:
    """A condition on a time of the odds alone is applied after all odds are read."""
    everything = buffers(explained("SELECT * FROM odds_prices", many, run))
    of_a_time = "SELECT * FROM odds_prices WHERE valid_from > '2030-01-01'"
    assert buffers(explained(of_a_time, many, run)) > everything / 2


def explained(statement: str, connection: Any, run: Run) -> Any:
    """Run a statement and return its plan."""
    plan = run(connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"))
    return json.loads(plan)[0]["Plan"]


def buffers(plan: Any) -> int:
    """Return the number of buffers that a plan touched."""
    count: int = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    return count


def read_through(plan: Any) -> set[str]:
    """Return the tables that a plan read from start to end."""
    return {
        node["Relation Name"]
        for node in nodes(plan)
        if node["Node Type"] == "Seq Scan" and node["Actual Loops"] > 0
    }


def test_names_are_lined_up_once(many: Any, run: Run) -> None:
    """The common names of a listing are found once, not for each of its market rows."""
    plan = explained("SELECT * FROM odds_prices WHERE sportradar_id = '7'", many, run)
    loops = [
        node["Actual Loops"] for node in nodes(plan) if node.get("Subplan Name") == "CTE labels"
    ]
    assert sum(loops) == 3
