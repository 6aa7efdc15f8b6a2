"""The cost of Citus: `python -m tests.benchmarks.distribution DIRECTORY [--rows N] [--rounds N]`.

DIRECTORY has the programs of a PostgreSQL with Citus. A coordinator with two worker nodes is
started, all on this machine, so that the figures are the overhead and no throughput. In turns, in
a plain schema of the coordinator and in a schema on a worker: the ingestion of a scrape, and the
offers of one event. Then the time of `distribute`, and eight schemas that ingest at once.
"""

import argparse
import asyncio
import json
import statistics
import time
from pathlib import Path
from typing import Any

import oddsschema
from oddsschema import migrations
from oddsschema.queries import Offer, fetch_rows, offers
from tests.benchmarks.workload import captures
from tests.support.citus import CitusCluster, citus_cluster
from tests.support.contents import content
from tests.support.sessions import fetch


async def _schema(cluster: CitusCluster, name: str, *, is_distributed: bool) -> str:
    """Make a schema; return its URL."""
    url = cluster.schema(name)
    await migrations.upgrade(url, create_schema=True)
    if is_distributed:
        nodes = [worker.node for worker in cluster.workers]
        await oddsschema.distribute(cluster.url, name, nodes=nodes)
    return url


async def _time(work: Any) -> float:
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


async def _measure(cluster: CitusCluster, rows: int, rounds: int, schemas: int) -> dict[str, Any]:
    urls = {
        kind: await _schema(cluster, kind, is_distributed=kind == "spread")
        for kind in ("plain", "spread")
    }
    writes: dict[str, list[float]] = {kind: [] for kind in urls}
    reads: dict[str, list[float]] = {kind: [] for kind in urls}
    for number in range(rounds + 1):
        for kind, url in urls.items():
            # Other prices of the same events, except in the first round, which is not counted.
            scrape = _later(captures(rows, seed=number + 1), number)
            lasted = await _time(oddsschema.ingest(url, scrape))
            one = offers().where(Offer.competitor_event_id == 1 + number)
            fetched = [await _time(fetch_rows(url, one)) for _ in range(10)]
            if number:
                writes[kind].append(lasted)
                reads[kind] += fetched
    took = await _time(oddsschema.distribute(cluster.url, "plain"))
    names = [f"set_{number}" for number in range(schemas)]
    many = [await _schema(cluster, name, is_distributed=True) for name in names]
    scrape = captures(rows)
    at_once = await _time(asyncio.gather(*(oddsschema.ingest(url, scrape) for url in many)))
    contents = [await content(url) for url in many]
    [(stored, size)] = await fetch(
        cluster.schema("plain"),
        "SELECT count(*), citus_total_relation_size('competitor_market_odds') "
        "FROM competitor_market_odds",
    )
    return {
        "ingest": _ratio(writes),
        "read of one event": _ratio(reads),
        "distribute": {"rows": stored, "bytes": size, "seconds": round(took, 1)},
        "at once": {
            "schemas": len(many),
            "seconds": round(at_once, 1),
            "nodes": len({await cluster.home_of(name) for name in names}),
            "are_right": all(each == contents[0] for each in contents),
        },
    }


def _later(scrape: list[bytes], minutes: int) -> list[bytes]:
    """Return the captures at a later time."""
    documents = map(json.loads, scrape)
    return [
        json.dumps(
            document
            | {"captured_at": document["captured_at"].replace("T12:00", f"T12:{minutes:02}")}
        ).encode()
        for document in documents
    ]


def _ratio(times: dict[str, list[float]]) -> dict[str, float]:
    medians = {kind: statistics.median(found) for kind, found in times.items()}
    return {
        **{f"{kind} s": round(median, 4) for kind, median in medians.items()},
        "ratio": round(medians["spread"] / medians["plain"], 2),
    }


def main() -> None:
    """Measure, and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--schemas", type=int, default=8)
    given = parser.parse_args()
    with citus_cluster(given.directory) as cluster:
        figures = asyncio.run(_measure(cluster, given.rows, given.rounds, given.schemas))
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
