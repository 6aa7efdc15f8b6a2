"""Ingestions to interrupt, and checks of the content that they leave."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from hypothesis import settings

import oddsschema
from oddsschema import IngestOptions, IngestReport, ScrapeStatus
from tests.support.contents import assert_whole, content, expected
from tests.support.scrapes import PLATFORMS, Capture, scrapes
from tests.support.sessions import fetch

Run = Callable[..., Any]

NIGHTLY = settings.get_current_profile_name() == "nightly"

#: The numbers of random points for kills, crashes and cancellations; they differ in cost.
KILLS, CRASHES, CANCELS = (200, 20, 200) if NIGHTLY else (3, 2, 10)

#: 540 captures of 8 markets each.
MANY = scrapes(range(20), range(9), markets=8)
SMALL_CHUNKS = IngestOptions(chunk_rows=300)

#: The time in seconds after which a test takes an ingestion for one that hangs.
PATIENCE = 30

#: The runs, with the numbers of their snapshots, fetch failures and reports of unmapped markets.
COMMITTED = """
SELECT r.platform, r.events_scraped, r.events_failed,
    (SELECT count(*) FROM odds_snapshots AS s WHERE s.scrape_run_id = r.id)
    + (SELECT count(*) FROM competitor_odds_snapshots AS s WHERE s.scrape_run_id = r.id),
    (SELECT count(*) FROM scrape_errors AS e
     WHERE e.scrape_run_id = r.id AND e.error_type = 'not_fetched'),
    (SELECT COALESCE(sum(u.times_seen), 0) FROM unmapped_markets AS u WHERE u.source = r.platform)
FROM scrape_runs AS r ORDER BY r.id
"""

RUNS = """
SELECT r.platform, r.status, r.events_scraped, r.events_failed,
    (SELECT count(*) FROM odds_snapshots AS s WHERE s.scrape_run_id = r.id)
    + (SELECT count(*) FROM competitor_odds_snapshots AS s WHERE s.scrape_run_id = r.id)
FROM scrape_runs AS r ORDER BY r.id
"""


def of(platform: str, captures: Sequence[Capture]) -> list[Capture]:
    """List one platform's captures."""
    kind, key = ("event", "bookmaker") if platform == "betpawa" else ("competitor_event", "source")
    return [capture for capture in captures if kind in capture and capture[kind][key] == platform]


async def scrape(url: str, captures: Iterable[Capture], options: IngestOptions) -> None:
    """Deliver captures one by one, each after a report of an unmapped market.

    Each third capture precedes a fetch failure.
    """
    async with oddsschema.batch(url, options=options) as batch:
        for number, capture in enumerate(captures):
            platform = next(name for name in PLATFORMS if of(name, [capture]))
            run = await batch.run_of(platform)
            run.unmapped(f"market {number % 7}", f"Name {number}", [{"1": 1.5}])
            await run.ingest([capture])
            if number % 3 == 0:
                await run.failed("no answer")


async def patient_ingest(url: str, captures: Any, options: IngestOptions) -> IngestReport:
    """Ingest, and raise TimeoutError if that hangs."""
    async with asyncio.timeout(PATIENCE):
        return await oddsschema.ingest(url, captures, options=options)


async def redeliver(url: str, captures: Sequence[Capture]) -> None:
    """Deliver all captures again: known captures are counted, only the others are stored."""
    known = len(await assert_whole(url, captures))
    report = await oddsschema.ingest(url, captures)
    assert report.status is ScrapeStatus.COMPLETED
    assert (report.total.captures_known, report.total.captures_stored) == (
        known,
        len(captures) - known,
    )
    assert await content(url) == expected(captures)


@asynccontextmanager
async def repeatedly(
    work: Callable[[], Any], times: int, rng: random.Random
) -> AsyncIterator[None]:
    """Call `work` several times at random moments meanwhile."""

    async def repeat() -> None:
        for _ in range(times):
            await asyncio.sleep(rng.uniform(0.01, 0.06))
            await work()

    repeating = asyncio.create_task(repeat())
    try:
        yield
        await repeating
    finally:
        repeating.cancel()


def assert_completed(run: Run, url: str, captures: Sequence[Capture]) -> None:
    """Check that the only batch is complete, as without an interruption."""
    assert run(content(url)) == expected(captures)
    each = {platform: len(of(platform, captures)) for platform in PLATFORMS}
    assert sorted(run(fetch(url, RUNS))) == sorted(
        (platform, "completed", count, 0, count) for platform, count in each.items() if count
    )
    assert run(fetch(url, "SELECT status FROM scrape_batches")) == [("completed",)]
    other_errors = "SELECT error_message FROM scrape_errors WHERE error_type <> 'doubt'"
    assert run(fetch(url, other_errors)) == []
