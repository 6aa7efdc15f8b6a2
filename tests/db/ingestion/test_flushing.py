"""Captures are committed soon after they came in, in one chunk at a time."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

import oddsschema
from oddsschema import IngestOptions, Run
from oddsschema.errors import BatchEndedError, ChunkError, RunEndedError
from tests.support.contents import content, expected
from tests.support.interrupted_ingestion import assert_completed
from tests.support.proxy import Proxy
from tests.support.scrapes import Capture, scrapes
from tests.support.sessions import fetch

RunTest = Callable[..., Any]

SOON = IngestOptions(flush_after=timedelta(seconds=0.1))
NEVER = IngestOptions(flush_after=timedelta(0))

COUNTS = """
SELECT (SELECT count(*) FROM competitor_odds_snapshots),
    (SELECT COALESCE(sum(events_scraped), 0) FROM scrape_runs)
"""


async def stored(url: str) -> int:
    """Count the stored captures, which are those that the runs have counted."""
    [(snapshots, counted)] = await fetch(url, COUNTS)
    assert snapshots == counted
    return int(snapshots)


async def wait_until_stored(url: str, captures: int, seconds: float = 10) -> None:
    """Wait until so many captures are stored."""
    async with asyncio.timeout(seconds):
        while await stored(url) != captures:  # noqa: ASYNC110 - the server sends no event
            await asyncio.sleep(0.02)


def test_silent_source(database: str, run: RunTest) -> None:
    """While an asynchronous source is silent, its captures are committed."""
    captures = scrapes(range(3), range(2), ["sportybet", "bet9ja"])

    async def source() -> AsyncIterator[Capture]:
        for at, capture in enumerate(captures, 1):
            yield capture
            if at % 6 == 0:
                await wait_until_stored(database, at)

    report = run(oddsschema.ingest(database, source(), options=SOON))
    assert report.all_stored
    assert_completed(run, database, captures)


def test_silence_after_a_refusal(database: str, run: RunTest) -> None:
    """A refusal is on record while the source is silent, too."""

    async def source() -> AsyncIterator[Capture]:
        yield scrapes([0], [0], ["bet9ja"])[0] | {"captured_at": "never"}
        async with asyncio.timeout(10):
            errors = "SELECT FROM scrape_errors"
            while not await fetch(database, errors):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.02)

    report = run(oddsschema.ingest(database, source(), options=SOON))
    assert report.total.captures_refused == 1


def test_source_that_blocks(database: str, run: RunTest) -> None:
    """A synchronous source that blocks has its captures committed at its next one."""
    captures = scrapes(range(4), [0], ["bet9ja"])
    commits: list[int] = []

    def source() -> Iterator[Capture]:
        for capture in captures:
            yield capture
            time.sleep(0.15)

    async def body() -> None:
        async with oddsschema.batch(database, options=SOON) as batch, batch.run("bet9ja") as bet9ja:
            for capture in source():
                await bet9ja.ingest([capture])
                commits.append(await stored(database))

    run(body())
    # Each capture waits for the next one, which comes when it is due.
    assert commits == sorted(commits)
    assert commits[-1] >= len(captures) - 1
    assert_completed(run, database, captures)


def test_borrowed_connection(database: str, run: RunTest) -> None:
    """On a connection of the caller's, no timer commits; the next capture does."""
    captures = scrapes(range(2), [0], ["bet9ja"])

    async def body() -> None:
        connection = await asyncpg.connect(database)
        try:
            async with (
                oddsschema.batch(connection, options=SOON) as batch,
                batch.run("bet9ja") as bet9ja,
            ):
                await bet9ja.ingest(captures[:1])
                await asyncio.sleep(0.4)
                assert await stored(database) == 0
                await bet9ja.ingest(captures[1:])
                await wait_until_stored(database, 2)
        finally:
            await connection.close()

    run(body())
    assert_completed(run, database, captures)


def test_flush(database: str, run: RunTest) -> None:
    """After a flush, everything before it is committed; without, nothing is for a while."""
    captures = scrapes(range(3), [0], ["bet9ja"])

    async def body() -> None:
        async with oddsschema.batch(database, options=NEVER) as batch, batch.run("bet9ja") as each:
            await each.ingest(captures[:2])
            await asyncio.sleep(0.2)
            assert await stored(database) == 0
            await each.flush()
            assert await stored(database) == 2
            await each.flush()
            await each.ingest(captures[2:])
            assert await stored(database) == 2
        assert await stored(database) == 3

    run(body())
    assert_completed(run, database, captures)


@pytest.mark.parametrize("seed", range(4))
def test_many_callers(database: str, run: RunTest, seed: int, short_path: Path) -> None:
    """Full chunks, flushes and timers of many tasks, with lost commits, store everything once."""
    captures = scrapes(range(8), range(8), ["bet9ja"])
    rng = random.Random(seed)
    options = IngestOptions(chunk_rows=25, flush_after=timedelta(seconds=0.002))

    async def deliver(bet9ja: Run, part: list[Capture]) -> None:
        for capture in part:
            await bet9ja.ingest([capture])
            if rng.random() < 0.2:
                await bet9ja.flush()
            if rng.random() < 0.2:
                await asyncio.sleep(rng.uniform(0, 0.01))

    async def body() -> None:
        proxy = Proxy(database, short_path, rng.randint(4, 12), before=rng.random() < 0.3)
        async with (
            proxy.serving() as url,
            oddsschema.batch(url, options=options) as batch,
            batch.run("bet9ja") as bet9ja,
            asyncio.TaskGroup() as group,
        ):
            for start in range(5):
                group.create_task(deliver(bet9ja, captures[start::5]))
        report = batch.report()
        assert report.retries > 0
        assert (report.total.captures_stored, report.total.captures_known) == (len(captures), 0)

    run(body())
    assert_completed(run, database, captures)


def test_chunk_that_fails_on_the_timer(database: str, run: RunTest) -> None:
    """A chunk that the database refuses while the source is silent ends the run at its next one."""
    captures = scrapes(range(3), [0], ["bet9ja"])
    refuse = (
        "ALTER TABLE competitor_odds_snapshots ADD CHECK (captured_at < '2000-01-01') NOT VALID"
    )

    async def body() -> None:
        await fetch(database, refuse)
        async with (
            oddsschema.batch(database, options=SOON) as batch,
            batch.run("bet9ja") as bet9ja,
        ):
            await bet9ja.ingest(captures[:1])
            await asyncio.sleep(0.5)
            with pytest.raises(ChunkError, match="captured_at"):
                await bet9ja.ingest(captures[1:2])
            # It stays so.
            with pytest.raises(ChunkError, match="captured_at"):
                await bet9ja.flush()
            await bet9ja.ingest(captures[2:])
        [of_run] = batch.report().runs
        assert (of_run.status, of_run.captures_lost) == ("failed", 3)

    run(body())
    assert run(
        fetch(database, "SELECT status, events_scraped, events_failed FROM scrape_runs")
    ) == [("failed", 0, 3)]


def test_error_of_a_callback(database: str, run: RunTest) -> None:
    """An error of a callback ends the ingestion; it does not make stored captures lost ones."""
    good, bad = scrapes([0, 1], [0], ["bet9ja"])
    # Its sport has the name of another one: only the database knows that.
    sport = {"slug": "soccer", "name": "Football"}
    tournament = bad["competitor_event"]["tournament"] | {"sport": sport}
    bad = bad | {"competitor_event": bad["competitor_event"] | {"tournament": tournament}}

    def on_refusal(_: Any) -> None:
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space left"):
        run(oddsschema.ingest(database, [good, bad], options=IngestOptions(on_refusal=on_refusal)))
    assert run(content(database)) == expected([good])
    runs = "SELECT status, events_scraped, events_failed FROM scrape_runs"
    assert run(fetch(database, runs)) == [("failed", 1, 1)]


# -- after the end ---------------------------------------------------------------------------------


def test_run_that_has_ended(database: str, run: RunTest) -> None:
    """A run that has ended takes no captures, and says so."""
    captures = scrapes(range(2), [0], ["bet9ja"])

    async def body() -> None:
        async with oddsschema.batch(database) as batch:
            async with batch.run("bet9ja") as bet9ja:
                await bet9ja.ingest(captures[:1])
            with pytest.raises(RunEndedError, match=f"run {bet9ja.id} of bet9ja has ended"):
                await bet9ja.ingest(captures[1:])
            with pytest.raises(RunEndedError):
                await bet9ja.flush()
            failed = await batch.open_run("sportybet")
            await failed.close(RuntimeError("the scraper's own"))
            with pytest.raises(RunEndedError):
                await failed.ingest(scrapes([0], [0], ["sportybet"]))
        with pytest.raises(RunEndedError):
            await bet9ja.ingest(captures[1:])

    run(body())
    assert run(content(database)) == expected(captures[:1])


def test_batch_that_has_ended(database: str, run: RunTest) -> None:
    """A batch that has ended opens no runs, and its open runs have ended with it."""
    captures = scrapes(range(3), [0], ["bet9ja"])

    async def body() -> None:
        async with oddsschema.batch(database) as batch:
            left_open = await batch.open_run("bet9ja")
            await left_open.ingest(captures[:2])
        with pytest.raises(BatchEndedError, match=f"batch {batch.id} has ended"):
            async with batch.run("sportybet"):
                pass
        with pytest.raises(BatchEndedError):
            await batch.open_run("sportybet")
        with pytest.raises(RunEndedError):
            await left_open.ingest(captures[2:])
        assert left_open.status is batch.status is oddsschema.ScrapeStatus.COMPLETED

    run(body())
    assert_completed(run, database, captures[:2])


def test_captures_during_the_end(database: str, run: RunTest) -> None:
    """Beside the end of its run, each capture is stored, or its caller gets an error."""
    captures = scrapes(range(30), [0], ["bet9ja"])
    taken: list[Capture] = []

    async def deliver(bet9ja: Run) -> None:
        for capture in captures:
            await bet9ja.ingest([capture])
            taken.append(capture)
            await asyncio.sleep(0.001)

    async def body() -> None:
        async with oddsschema.batch(database, options=IngestOptions(chunk_rows=20)) as batch:
            async with batch.run("bet9ja") as bet9ja:
                late = asyncio.create_task(deliver(bet9ja))
                await asyncio.sleep(0.05)
            with pytest.raises(RunEndedError):
                await late

    run(body())
    assert 0 < len(taken) < len(captures)
    assert_completed(run, database, taken)
