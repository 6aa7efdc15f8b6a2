"""The examples of dashboards: their queries run, and their descriptions are those of the views."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from oddsschema import ingest
from oddsschema.queries.views import VIEWS
from oddsschema.simulate import START, simulate, stream
from tests.support.paths import DOCS
from tests.support.sessions import fetch, fetch_column

Run = Callable[..., Any]

DASHBOARDS = DOCS / "examples" / "dashboards"
GRAFANA = json.loads((DASHBOARDS / "grafana.json").read_text(encoding="utf-8"))

#: The queries of the dashboard, by the titles of the panels and the names of the variables.
QUERIES: dict[str, str] = {
    **{
        panel["title"]: target["rawSql"]
        for panel in GRAFANA["panels"]
        for target in panel["targets"]
    },
    **{
        variable["name"]: variable["query"]
        for variable in GRAFANA["templating"]["list"]
        if variable["type"] == "query"
    },
}


@pytest.fixture(scope="module")
def simulated(new_database: Callable[..., Any], template: str, run: Run) -> Iterator[str]:
    """Fill a database with simulated captures."""
    with new_database(template) as url:
        run(ingest(url, stream(simulate(seed=3, scrapes=2, events=6))))
        yield url


@pytest.mark.parametrize("name", QUERIES)
def test_queries_of_grafana(name: str, simulated: str, run: Run) -> None:
    """Each query of the dashboard has rows, with the variables and macros that Grafana fills in."""
    event = run(fetch_column(simulated, "SELECT min(sportradar_id) FROM events"))[0]
    first, last = START.isoformat(), START.replace(year=START.year + 1).isoformat()
    sql = re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 BETWEEN '{first}' AND '{last}'", QUERIES[name])
    sql = sql.replace("${event:sqlstring}", f"'{event}'")
    sql = sql.replace("${market:sqlstring}", "'3743'")
    assert "$" not in sql
    assert run(fetch(simulated, sql))


@pytest.mark.parametrize("name", QUERIES)
def test_no_query_reads_everything(name: str) -> None:
    """Each query names the event, or limits the kickoff: a view is not read as a whole."""
    assert re.search(
        r"sportradar_id = \$\{event|\$__timeFilter\(kickoff\)|FROM odds_freshness", QUERIES[name]
    )


def test_data_source_is_a_variable() -> None:
    """The dashboard has no data source of its own: the one that it shows is chosen."""
    for panel in GRAFANA["panels"]:
        sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        assert {source["uid"] for source in sources} == {"${database}"}
    (variable,) = (each for each in GRAFANA["templating"]["list"] if each["type"] == "datasource")
    assert variable["name"] == "database"


def test_sources_of_dbt(simulated: str, run: Run) -> None:
    """The sources of dbt have the views, and the comments of their columns."""
    (source,) = yaml.safe_load((DASHBOARDS / "sources.yml").read_text(encoding="utf-8"))["sources"]
    described = {
        (table["name"], column["name"]): column["description"]
        for table in source["tables"]
        for column in table["columns"]
    }
    comments = """
        SELECT c.relname::text, a.attname::text, col_description(c.oid, a.attnum)
        FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
        WHERE c.relkind = 'v' AND c.relnamespace = 'public'::regnamespace"""
    rows = run(fetch(simulated, comments))
    assert described == {(view, column): comment for view, column, comment in rows}
    assert {table["name"]: table["description"] for table in source["tables"]} == {
        name: view.comment for name, view in VIEWS.items()
    }
