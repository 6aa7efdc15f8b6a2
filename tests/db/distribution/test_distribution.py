"""Schemas that Citus keeps on its nodes: there, elsewhere, and back."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import oddsschema
from oddsschema import distribution, migrations
from oddsschema.database.citus import Node
from oddsschema.database.revision import HEAD
from oddsschema.errors import ClusterError, WorkerNodeError
from oddsschema.migrations import CheckState
from oddsschema.queries import closing_prices, fetch_rows, offers, prices
from oddsschema.queries.views import VIEWS
from tests.support.citus import CitusCluster
from tests.support.contents import content, expected
from tests.support.passwords import program
from tests.support.scrapes import START, scrapes
from tests.support.sessions import execute, fetch, holding

Run = Callable[..., Any]

CAPTURES = scrapes(range(4), range(3))

# The rights on relations and columns, and the comments.
RIGHTS = """
SELECT c.relname::text, c.relacl::text, obj_description(c.oid, 'pg_class'),
    (SELECT string_agg(a.attname || a.attacl::text, ' ' ORDER BY a.attnum)
     FROM pg_attribute AS a WHERE a.attrelid = c.oid)
FROM pg_class AS c WHERE c.relnamespace = $1::text::regnamespace AND c.relkind IN ('r', 'v', 'S')
ORDER BY c.relname
"""


@pytest.fixture(scope="module")
def plain(cluster: CitusCluster, run: Run) -> str:
    """Return the name of a schema that is not distributed, with captures and roles."""
    url = cluster.schema("plain")
    run(migrations.upgrade(url, create_schema=True))
    run(oddsschema.ingest(url, CAPTURES))
    run(
        execute(
            cluster.url,
            "CREATE ROLE odds_writer LOGIN",
            "CREATE ROLE odds_watcher LOGIN",
            "GRANT SELECT, UPDATE (name, kickoff) ON plain.events TO odds_writer",
            "GRANT USAGE ON SEQUENCE plain.events_id_seq TO odds_writer",
            "GRANT SELECT ON plain.odds_offers TO odds_watcher",
        )
    )
    return "plain"


async def reads(url: str) -> list[Any]:
    """Return what selects, views and `size` find."""
    rows = [await fetch_rows(url, select) for select in (offers(), prices(), closing_prices())]
    views = [await fetch(url, f"SELECT v::text FROM {view} AS v ORDER BY 1") for view in VIEWS]
    sizes = await oddsschema.size(url)
    return [*rows, *views, {table.table: table.rows for table in sizes.tables}]


def test_there_and_back(
    cluster: CitusCluster,
    plain: str,
    run: Run,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: Any,
) -> None:
    """A schema is distributed from another one, moved, and brought back, with the same contents."""
    first, second = (worker.node for worker in cluster.workers)
    url = ["--url", cluster.url, "--schema", "football"]

    def call(*arguments: str) -> str:
        assert program(*arguments, *url, monkeypatch=monkeypatch) == 0
        return capsys.readouterr().out

    async def state() -> tuple[Any, ...]:
        report = await migrations.check(cluster.schema("football"))
        assert report.state is CheckState.CLEAN, report.differences
        rights = await fetch(cluster.url, RIGHTS, "football")
        return rights, await content(cluster.schema("football")), report.notes

    before = run(fetch(cluster.url, RIGHTS, plain))
    found = run(reads(cluster.schema(plain)))
    nodes = ["--node", str(first), "--node", str(second)]
    assert "Writers and readers would wait for about" in call(
        *("distribute", "--from", plain, *nodes, "--dry-run")
    )
    assert run(fetch(cluster.url, "SELECT count(*) FROM pg_dist_node")) == [(1,)]
    output = call("distribute", "--from", plain, *nodes)
    assert output.splitlines()[0] == f"added the node {first}"
    home = run(cluster.home_of("football"))
    rights, stored, notes = run(state())
    assert (rights, stored) == (before, expected(CAPTURES))
    assert notes[0].endswith(f"has the schema football on {home}")
    assert run(reads(cluster.schema("football"))) == found
    assert run(fetch(cluster.url, "SELECT has_schema_privilege('odds_watcher','football','USAGE')"))
    # A new session has the setting without which it would take long.
    assert run(fetch(cluster.url, "SHOW citus.override_table_visibility")) == [("off",)]
    assert "is distributed: it is on" in call("distribute")

    other = second if home == first else first
    assert f"from {home} to {other}" in call("move", "--node", str(other))
    assert run(cluster.home_of("football")) == other
    assert "already" in call("move", "--node", str(other))
    assert run(state())[:2] == (before, expected(CAPTURES))

    assert "plain tables" in call("undistribute")
    assert run(state())[:2] == (before, expected(CAPTURES))
    assert "is not distributed" in call("undistribute")
    call("distribute")
    assert run(state())[:2] == (before, expected(CAPTURES))


def test_work(cluster: CitusCluster, run: Run) -> None:
    """Ingestion, retention and bookkeeping do the same as on plain tables, on schemas at once."""
    names = ["tennis", "hockey", "rugby"]
    later = scrapes(range(2, 6), range(3, 6))

    async def work(name: str) -> Any:
        url = cluster.schema(name)
        await oddsschema.ingest(url, CAPTURES)
        report = await oddsschema.ingest(url, later)
        assert report.status == "completed"
        assert await content(url) == expected([*CAPTURES, *later])
        pruned = await oddsschema.prune(url, START + timedelta(minutes=2))
        found = await reads(url)
        return pruned.tables, await content(url), found[:3]

    async def body() -> None:
        for name in names:
            await migrations.upgrade(cluster.schema(name), create_schema=True)
        results = [await work(names[0])]
        for name in names[1:]:
            await oddsschema.distribute(
                cluster.url, name, nodes=[worker.node for worker in cluster.workers]
            )
        results += await asyncio.gather(*map(work, names[1:]))
        assert results[1:] == results[:1] * 2

    run(body())


REFUSED = {
    "CREATE VIEW public.theirs AS SELECT id FROM refused.events": "view theirs",
    "CREATE TABLE public.theirs (event int REFERENCES refused.events)": "table theirs",
    "CREATE FUNCTION public.theirs() RETURNS refused.events LANGUAGE plpgsql AS 'BEGIN END'": (
        "function theirs()"
    ),
    "CREATE TABLE refused.theirs (id int)": "refused.theirs",
    "UPDATE refused.oddsschema_version SET version_num = 'oddsschema_0015'": f"not at {HEAD}",
}


def test_refusals(cluster: CitusCluster, run: Run) -> None:
    """Objects of others on our tables, other tables and an older revision are refused."""
    undone = {
        "CREATE VIEW": "DROP VIEW public.theirs",
        "CREATE FUNCTION": "DROP FUNCTION public.theirs",
        "CREATE TABLE public": "DROP TABLE public.theirs",
        "CREATE TABLE refused": "DROP TABLE refused.theirs",
        "UPDATE": f"UPDATE refused.oddsschema_version SET version_num = '{HEAD}'",
    }

    async def refusal(schema: str, **options: Any) -> str:
        with pytest.raises(ClusterError) as raised:
            await oddsschema.distribute(cluster.url, schema, **options)
        return str(raised.value)

    async def body() -> None:
        assert "no tables of oddsschema: create them" in await refusal("nothing")
        assert "does not distribute the schema public" in await refusal("public")
        await migrations.upgrade(cluster.schema("refused"), create_schema=True)
        for statement, reason in REFUSED.items():
            await execute(cluster.url, statement)
            assert reason in await refusal("refused"), statement
            await execute(
                cluster.url, next(v for k, v in undone.items() if statement.startswith(k))
            )
        async with holding(cluster.url, "SELECT FROM refused.events"):
            assert "have the tables locked" in await refusal(
                "refused", lock_timeout=timedelta(milliseconds=100)
            )
        assert "is not distributed" in str(await oddsschema.undistribute(cluster.url, "refused"))
        with pytest.raises(ClusterError, match="is not distributed"):
            await distribution.move(cluster.url, "refused", Node("nowhere", 1))

    run(body())


def test_worker(cluster: CitusCluster, run: Run) -> None:
    """A worker node is an error that names the coordinator."""

    async def body() -> None:
        await migrations.upgrade(cluster.schema("atworker"), create_schema=True)
        nodes = [worker.node for worker in cluster.workers]
        await oddsschema.distribute(cluster.url, "atworker", nodes=nodes)
        url = f"{cluster.workers[0].url('odds')}&search_path=atworker"
        for work in (
            oddsschema.ingest(url, CAPTURES),
            oddsschema.prune(url, START),
            oddsschema.size(url),
            migrations.check(url),
            migrations.upgrade(url),
            oddsschema.distribute(url, "atworker"),
        ):
            with pytest.raises(WorkerNodeError, match="connect to the coordinator"):
                await work

    run(body())


def test_new_dataset(
    cluster: CitusCluster, run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    """`upgrade --distributed` makes a schema for Citus; a downgrade removes its tables."""
    url = ["--url", cluster.url, "--schema", "curling"]
    assert program("upgrade", "--distributed", *url, monkeypatch=monkeypatch) == 0
    assert "distributed the schema curling" in capsys.readouterr().out
    run(oddsschema.ingest(cluster.schema("curling"), CAPTURES))
    assert run(content(cluster.schema("curling"))) == expected(CAPTURES)
    assert program("downgrade", "base", "--yes", *url, monkeypatch=monkeypatch) == 0
    assert run(migrations.check(cluster.schema("curling"))).state is CheckState.EMPTY
