"""The cost of a prune beside an ingestion: `python tests/benchmarks/prune.py [--rows N] ...`.

Another process prunes the older half of a long history while successive scrapes of the same events
are ingested. Ingestion alone, both, and the prune alone take turns, so that other load on the
machine affects all three.
"""

import argparse
import asyncio
import json
import multiprocessing
import random
import statistics
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import make_url

import oddsschema
from oddsschema import IngestOptions, migrations
from oddsschema.embedded import EmbeddedPostgres
from oddsschema.retention import PruneOptions, prune, size
from tests.support import bulk_history

#: The time of the bulk history's first scrape.
FIRST = datetime(2024, 1, 1, tzinfo=UTC)

COUNT = """
SELECT (SELECT count(*) FROM competitor_market_odds) + (SELECT count(*) FROM market_odds)
"""


def scrapes(events: int, share: float) -> Any:
    """Make scrapes of a competitor's events without end, five minutes apart."""
    rng = random.Random(7)
    at = datetime(2024, 1, 19, tzinfo=UTC)
    markets = [
        [
            {
                "betpawa_market_id": str(3743 + number // 9),
                "betpawa_market_name": f"Market {number // 9} - Full Time",
                "line": number % 9 or None,
                "outcomes": [{"name": name, "odds": 2.0} for name in ("Home", "Draw", "Away")],
            }
            for number in range(bulk_history.MARKETS)
        ]
        for _ in range(events)
    ]
    while True:
        yield [
            json.dumps(
                {
                    "captured_at": at.isoformat(),
                    "competitor_event": {
                        "source": "sportybet",
                        "external_id": f"{event + 1}",
                        "sportradar_id": f"{event + 1}",
                        "name": "A - B",
                        "home_team": "A",
                        "away_team": "B",
                        "kickoff": "2024-01-20T17:00:00Z",
                        "tournament": {
                            "name": "League",
                            "external_id": "1",
                            "sport": {"slug": "football", "name": "Football"},
                        },
                    },
                    "markets": offered,
                }
            ).encode()
            for event, offered in enumerate(markets)
        ]
        at += timedelta(minutes=5)
        for offered in markets:
            for market in rng.sample(offered, round(share * bulk_history.MARKETS)):
                outcome: Any = rng.choice(market["outcomes"])  # type: ignore[arg-type]
                outcome["odds"] = round(outcome["odds"] + 0.01, 2)


def prune_in_turns(url: str, cutoff: datetime, may_go_on: Event, deleted: Any) -> None:
    """Prune in the other process, and pause between two transactions when asked to."""

    def stop(report: Any) -> None:
        deleted.value = report.total.rows
        may_go_on.wait()

    may_go_on.wait()
    report = asyncio.run(prune(url, cutoff, options=PruneOptions(on_progress=stop)))
    assert not report.kept, report.kept


async def measure(url: str, arguments: argparse.Namespace) -> None:
    """Fill, prune and ingest in turns, and print."""
    await migrations.upgrade(url)
    connection = await asyncpg.connect(url)
    await bulk_history.fill(connection, arguments.rows, arguments.events)
    rows = await connection.fetchval(COUNT)
    await connection.execute("CHECKPOINT")
    snapshots = await connection.fetchval("SELECT max(captured_at) FROM odds_snapshots")
    cutoff = FIRST + (snapshots - FIRST) / 2
    began = time.perf_counter()
    planned = await prune(url, cutoff, dry_run=True)
    print(f"{rows:,} rows of markets; a dry run takes {time.perf_counter() - began:.1f} s")
    print(planned)

    source = scrapes(arguments.events, arguments.share)
    options = IngestOptions()
    for _ in range(2):  # the first scrape is a keyframe
        await oddsschema.ingest(url, next(source), options=options)

    processes = multiprocessing.get_context("spawn")
    may_go_on = processes.Event()
    deleted = processes.Value("q", 0)
    other = processes.Process(
        target=prune_in_turns, args=(url, cutoff, may_go_on, deleted), daemon=True
    )
    other.start()
    alone, beside, rates = [], [], {"beside": [0.0, 0.0], "alone": [0.0, 0.0]}
    retries = 0
    while other.is_alive():
        for pruning in (False, True):
            lines = next(source)
            before = deleted.value
            if pruning:
                may_go_on.set()
            begin = time.perf_counter()
            report = await oddsschema.ingest(url, lines, options=options)
            taken = time.perf_counter() - begin
            may_go_on.clear()
            retries += report.retries
            assert report.all_stored
            if pruning and other.is_alive():
                beside.append(taken)
                rates["beside"][0] += deleted.value - before
                rates["beside"][1] += taken
            elif not pruning:
                alone.append(taken)
            await asyncio.sleep(0.1)
        before = deleted.value
        may_go_on.set()
        begin = time.perf_counter()
        await asyncio.to_thread(other.join, statistics.median(alone))
        may_go_on.clear()
        rates["alone"][0] += deleted.value - before
        rates["alone"][1] += time.perf_counter() - begin
        await asyncio.sleep(0.1)
    assert other.exitcode == 0
    left = await prune(url, cutoff, dry_run=True)
    assert not left.total.rows

    markets = arguments.events * bulk_history.MARKETS
    print(f"a scrape of {markets:,} markets, {arguments.share:.0%} changing, ingested:")
    for name, seconds in (("without a prune", alone), ("beside a prune", beside)):
        quartiles = statistics.quantiles(seconds, n=4)
        summary = " / ".join(f"{quartile:.3f}" for quartile in quartiles)
        print(f"  {name:<18}{summary} s (quartiles of {len(seconds)}), most {max(seconds):.3f} s")
    print(f"  slower by a factor of {statistics.median(beside) / statistics.median(alone):.2f}")
    print(f"  {retries} transactions tried again")
    for name, (number, seconds) in rates.items():
        summary = f"{number:>12,.0f} rows in {seconds:6.1f} s: {number / seconds:,.0f}/s"
        print(f"pruned {name:<8}{summary}")
    print(await size(url))
    await connection.close()


def main() -> None:
    """Parse arguments, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--events", type=int, default=200)
    parser.add_argument("--share", type=float, default=0.05, help="of the markets that change")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        directory.chmod(0o711)  # as root, the server has another user
        server = stack.enter_context(EmbeddedPostgres(directory / "server"))
        asyncio.run(_create(server.url))
        url = make_url(server.url).set(database="prune").render_as_string(hide_password=False)
        asyncio.run(measure(url, arguments))


async def _create(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE DATABASE prune")
    await connection.close()


if __name__ == "__main__":
    main()
