"""A distributed schema while nodes are killed, while it moves, and under the roles of the docs."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

import oddsschema
from oddsschema import IngestOptions, distribution, migrations
from tests.support.citus import CitusCluster
from tests.support.contents import assert_whole, content, expected
from tests.support.role_acts import read, scrape
from tests.support.roles import BY_OWNER
from tests.support.scrapes import scrapes
from tests.support.sessions import execute, fetch

Run = Callable[..., Any]

CAPTURES = scrapes(range(30), range(8))

#: Small chunks, so that whatever happens meets one of many commits.
OPTIONS = IngestOptions(chunk_rows=60, retry_for=timedelta(minutes=2))


async def _distributed(cluster: CitusCluster, name: str) -> str:
    url = cluster.schema(name)
    await migrations.upgrade(url, create_schema=True)
    nodes = [worker.node for worker in cluster.workers]
    await oddsschema.distribute(cluster.url, name, nodes=nodes)
    return url


async def _ingest_during(
    url: str, happen: Callable[[], Awaitable[None]], after: int = 10
) -> oddsschema.IngestReport:
    """Ingest, and let something happen after some snapshots are stored."""
    count = "SELECT (SELECT count(*) FROM odds_snapshots)"
    ingesting = asyncio.create_task(oddsschema.ingest(url, CAPTURES, options=OPTIONS))
    while (await fetch(url, count))[0][0] < after:
        assert not ingesting.done()
        await asyncio.sleep(0.02)
    await happen()
    return await asyncio.wait_for(ingesting, 240)


@pytest.mark.parametrize("victim", ["worker", "coordinator"])
def test_kill(victim: str, cluster: CitusCluster, run: Run) -> None:
    """A node that is killed and started again costs retries; no capture is lost or doubled."""

    async def body() -> None:
        url = await _distributed(cluster, f"kill_{victim}")
        server = cluster.coordinator
        if victim == "worker":
            server = cluster.server_of(await cluster.home_of(f"kill_{victim}"))

        async def kill() -> None:
            server.kill()
            await asyncio.sleep(0.5)
            await asyncio.to_thread(server.start)

        report = await _ingest_during(url, kill)
        assert report.status == "completed", report
        assert report.retries > 0
        await assert_whole(url, CAPTURES)
        assert await content(url) == expected(CAPTURES)

    run(body())


def test_move(cluster: CitusCluster, run: Run) -> None:
    """A schema moves to another node and back while an ingestion runs, which loses nothing."""

    async def body() -> None:
        url = await _distributed(cluster, "moving")
        nodes = [worker.node for worker in cluster.workers]
        home = await cluster.home_of("moving")

        async def move() -> None:
            await distribution.move(cluster.url, "moving", nodes[1 - nodes.index(home)])

        report = await _ingest_during(url, move)
        assert report.status == "completed", report
        assert await cluster.home_of("moving") != home
        assert await content(url) == expected(CAPTURES)

    run(body())


def test_roles(cluster: CitusCluster, run: Run) -> None:
    """The grants of the docs suffice on a distributed schema, given before it is distributed."""
    grants = [
        grant
        for grant in re.findall(r"^GRANT [^;]+;", re.sub(r"--.*", "", BY_OWNER), re.MULTILINE)
        if not re.search(r"\bON (DATABASE|SCHEMA)\b", grant)
    ]

    async def body() -> None:
        names = ("scraper", "pruner", "reader")
        url = cluster.schema("granted")
        await migrations.upgrade(url, create_schema=True)
        await execute(
            url,
            *(f"CREATE ROLE odds_{name} LOGIN" for name in names),
            f"GRANT USAGE ON SCHEMA granted TO {', '.join(f'odds_{name}' for name in names)}",
            *grants,
        )
        nodes = [worker.node for worker in cluster.workers]
        await oddsschema.distribute(cluster.url, "granted", nodes=nodes)
        as_role = {name: url.replace("postgres@", f"odds_{name}@", 1) for name in names}
        await scrape(as_role["scraper"])
        await read(as_role["reader"])
        await oddsschema.prune(as_role["pruner"], timedelta(days=1))

    run(body())
