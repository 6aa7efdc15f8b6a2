"""The time of the reads: `python tests/benchmarks/reads.py [--rows N ...] [--rounds N]`.

Histories of 300 events at three platforms with 170 markets each. 5 % of the markets change from
scrape to scrape, so that more rows mean more scrapes. For each read, the output is the server's own
time (EXPLAIN ANALYZE, another event in each round; the median and the least, which other programs
disturb less), the touched buffers, and the time of planning. The server is an embedded one, or the
server of DATABASE_URL, in a database that is dropped afterwards.
"""

import argparse
import asyncio
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import make_url

from oddsschema import migrations, queries
from oddsschema.embedded import EmbeddedPostgres
from oddsschema.queries import Coverage, Move, Offer, Price, PricePoint
from tests.support import bulk_history
from tests.support.statements import explain

EVENTS = 300


def reads(scrapes: int) -> dict[str, Callable[[int], Any]]:
    """Return the statements on an event by name."""
    at, first, last = bulk_history.at(scrapes * 0.7), scrapes - 1, scrapes
    history, opening, closing = (
        ask().where(row.betpawa_market_id == "3743", row.line == 1)
        for ask, row in (
            (queries.price_history, PricePoint),
            (queries.opening_prices, Price),
            (queries.closing_prices, Price),
        )
    )
    return {
        "one platform as of an instant": lambda event: queries.offers(at).where(
            Offer.competitor_event_id == event
        ),
        "one platform now": lambda event: queries.offers().where(
            Offer.competitor_event_id == event
        ),
        "side by side as of an instant": lambda event: queries.offers(at).where(
            Offer.event_id == event
        ),
        "side by side now": lambda event: queries.offers().where(Offer.event_id == event),
        "100 events of a platform": lambda event: queries.offers().where(
            Offer.competitor_event_id.in_(range(event, event + 100))  # type: ignore[union-attr]
        ),
        "100 events side by side": lambda event: queries.offers().where(
            Offer.event_id.in_(range(event % 200 + 1, event % 200 + 101))  # type: ignore[union-attr]
        ),
        "best prices": lambda event: queries.best_prices(
            queries.offers().where(Offer.event_id == event)
        ),
        "a market's history": lambda event: history.where(PricePoint.competitor_event_id == event),
        "a market's history everywhere": lambda event: history.where(PricePoint.event_id == event),
        "a market's opening price": lambda event: opening.where(Price.competitor_event_id == event),
        "a market's closing price": lambda event: closing.where(Price.competitor_event_id == event),
        "all closing prices of an event": lambda event: queries.closing_prices().where(
            Price.competitor_event_id == event
        ),
        "what moved in an event": lambda event: queries.moves(first, last).where(
            Move.event_id == event
        ),
        "coverage of a batch": lambda _: queries.coverage().where(Coverage.batch_id == last),
    }


async def measure(url: str, rows: int, rounds: int) -> dict[str, list[float]]:
    """Return the least milliseconds of each read, and medians of time, planning and counts."""
    await migrations.upgrade(url)
    connection = await asyncpg.connect(url)
    begin = time.perf_counter()
    scrapes = await bulk_history.fill(connection, rows, EVENTS)
    stored = await connection.fetchval(
        "SELECT (SELECT count(*) FROM market_odds) + (SELECT count(*) FROM competitor_market_odds)"
    )
    print(f"{stored:,} rows of {scrapes} scrapes in {time.perf_counter() - begin:.0f} s")
    found = {}
    for name, statement in reads(scrapes).items():
        rng = random.Random(7)
        lines = []
        for _ in range(rounds + 1):
            asked = statement(rng.randint(1, EVENTS))
            # First to fill the memory, then without the cost of counting and timing.
            top = (await explain(connection, asked))["Plan"]
            buffers = top["Shared Hit Blocks"] + top["Shared Read Blocks"]
            plan = await explain(connection, asked, "BUFFERS OFF, TIMING OFF")
            lines.append(
                (plan["Execution Time"], plan["Planning Time"], buffers, top["Actual Rows"])
            )
        medians = [statistics.median(values) for values in zip(*lines[1:], strict=True)]
        found[name] = [min(taken for taken, *_ in lines[1:]), *medians]
    await connection.close()
    return found


async def in_own_database(server: str, rows: int, rounds: int) -> dict[str, Any]:
    """Measure in a database that is dropped afterwards."""
    admin = await asyncpg.connect(server)
    await admin.execute("DROP DATABASE IF EXISTS oddsschema_reads WITH (FORCE)")
    await admin.execute("CREATE DATABASE oddsschema_reads")
    own = make_url(server).set(database="oddsschema_reads").render_as_string(hide_password=False)
    try:
        return await measure(own, rows, rounds)
    finally:
        await admin.execute("DROP DATABASE oddsschema_reads WITH (FORCE)")
        await admin.close()


def main() -> None:
    """Parse arguments, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--rounds", type=int, default=31)
    arguments = parser.parse_args()
    with ExitStack() as stack:
        server = os.environ.get("DATABASE_URL")
        if server is None:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/tmp")))
            directory.chmod(0o711)  # as root, the server has another user
            server = stack.enter_context(EmbeddedPostgres(directory / "server")).url
        for rows in arguments.rows:
            found = asyncio.run(in_own_database(server, rows, arguments.rounds))
            print(f"{'':<34}{'p50, ms':>9}{'least':>9}{'planning':>10}{'buffers':>9}{'rows':>8}")
            for name, (least, taken, planning, buffers, yielded) in found.items():
                print(
                    f"{name:<34}{taken:>9.2f}{least:>9.2f}{planning:>10.2f}{buffers:>9,.0f}"
                    f"{yielded:>8,.0f}"
                )


if __name__ == "__main__":
    main()
