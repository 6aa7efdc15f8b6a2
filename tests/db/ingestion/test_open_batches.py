"""A batch that a program opens itself: mixed captures, commits, and errors in its body."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import oddsschema
from oddsschema import Batch, IngestOptions, RunReport
from oddsschema.errors import BatchEndedError
from tests.support.scrapes import PLATFORMS, Capture, capture
from tests.support.sessions import fetch, rolled_back

Run = Callable[..., Any]

NEVER = IngestOptions(flush_after=IngestOptions().flush_after * 1000)
RUNS = "SELECT platform, status, events_scraped FROM scrape_runs ORDER BY id"


class ScraperError(Exception):
    """An error of a scraper's own."""


def failing(*captures: Capture) -> Iterator[Capture]:
    """Yield captures, and raise the scraper's error."""
    yield from captures
    raise ScraperError("no more")


@given(deliveries=st.lists(st.lists(st.sampled_from(PLATFORMS), max_size=5), max_size=5))
def test_mixed_captures(deliveries: list[list[str]], connection: Any, run: Run) -> None:
    """Captures of any platforms are stored in one run for each platform, in several calls."""

    async def body() -> None:
        async with oddsschema.batch(connection) as batch:
            number = 0
            for platforms in deliveries:
                captures = []
                for platform in platforms:
                    captures.append(capture(platform, number, 0))
                    number += 1
                await batch.ingest(captures)
        counts = {
            platform: sum(platforms.count(platform) for platforms in deliveries)
            for platform in {platform for platforms in deliveries for platform in platforms}
        }
        rows = [tuple(row) for row in await connection.fetch(RUNS)]
        assert sorted(rows) == sorted(
            (platform, "completed", count) for platform, count in counts.items()
        )
        assert batch.report().total.captures_stored == number

    run(rolled_back(connection, body()))


def test_open_run_takes_its_captures(database: str, run: Run) -> None:
    """Mixed captures go to the runs that are open; a run that has ended takes none."""

    async def body() -> None:
        async with oddsschema.batch(database) as batch:
            async with batch.run("bet9ja") as bet9ja:
                await batch.ingest([capture("bet9ja", 1, 0), capture("betpawa", 1, 0)])
                assert bet9ja.counts.captures == 1
            await batch.ingest([capture("bet9ja", 2, 0), capture("betpawa", 2, 0)])
        with pytest.raises(BatchEndedError):
            await batch.ingest([capture("bet9ja", 3, 0)])

    run(body())
    assert run(fetch(database, RUNS)) == [
        *(("bet9ja", "completed", 1), ("betpawa", "completed", 2), ("bet9ja", "completed", 1)),
    ]


def test_flush(database: str, run: Run) -> None:
    """A flush commits and returns the counts so far; the batch's flush commits all runs."""

    async def body() -> None:
        async with oddsschema.batch(database, options=NEVER) as batch:
            assert await fetch(database, "SELECT id FROM scrape_batches") == [(batch.id,)]
            async with batch.run("bet9ja") as scrape:
                for number in range(3):
                    await scrape.ingest([capture("bet9ja", number, 0), {}])
                    report = await scrape.flush()
                    assert isinstance(report, RunReport)
                    assert (report.captures_stored, report.captures_refused) == (number + 1,) * 2
                    assert await fetch(database, RUNS) == [("bet9ja", "running", number + 1)]
            await batch.ingest([capture("betpawa", 1, 0), capture("sportybet", 1, 0)])
            await batch.flush()
            assert (await fetch(database, RUNS))[1:] == [
                *(("betpawa", "running", 1), ("sportybet", "running", 1)),
            ]

    run(body())


@asynccontextmanager
async def two_runs(database: str) -> AsyncIterator[tuple[Batch, Any, Any]]:
    """Open a batch with a run inside another one, both with a capture."""
    async with (
        oddsschema.batch(database, options=NEVER) as batch,
        batch.run("betpawa") as betpawa,
        batch.run("bet9ja") as bet9ja,
    ):
        await betpawa.ingest([capture("betpawa", 1, 0)])
        await bet9ja.ingest([capture("bet9ja", 1, 0)])
        yield batch, betpawa, bet9ja


@pytest.mark.parametrize("failed", [["betpawa"], ["bet9ja"], ["betpawa", "bet9ja"]])
def test_errors_in_two_runs(database: str, run: Run, failed: list[str]) -> None:
    """Errors that runs' own sources raise fail these runs; any other ends with its captures."""

    async def body() -> None:
        async with two_runs(database) as (_, *runs), asyncio.TaskGroup() as group:
            for each in runs:
                if each.platform in failed:
                    group.create_task(each.ingest(failing(capture(each.platform, 2, 0))))

    run(body())
    assert run(fetch(database, RUNS)) == [
        (platform, "failed", 2) if platform in failed else (platform, "completed", 1)
        for platform in ("betpawa", "bet9ja")
    ]


@pytest.mark.parametrize("failed", ["betpawa", "bet9ja"])
def test_error_of_one_of_two_runs(database: str, run: Run, failed: str) -> None:
    """An error that a run's own source raises fails this run; the other ends with its captures."""

    async def body() -> None:
        async with two_runs(database) as (_, *runs):
            (scrape,) = (each for each in runs if each.platform == failed)
            await scrape.ingest(failing(capture(failed, 2, 0)))

    run(body())
    assert run(fetch(database, RUNS)) == [
        (platform, "failed", 2) if platform == failed else (platform, "completed", 1)
        for platform in ("betpawa", "bet9ja")
    ]


def test_foreign_error_beside_a_runs_own(database: str, run: Run) -> None:
    """An error of neither run beside that of one fails both, and reaches the caller."""

    async def other() -> None:
        raise ScraperError("of neither")

    async def body() -> None:
        with pytest.raises(ExceptionGroup):
            async with two_runs(database) as (_, betpawa, _), asyncio.TaskGroup() as group:
                group.create_task(betpawa.ingest(failing(capture("betpawa", 2, 0))))
                group.create_task(other())

    run(body())
    assert [status for _, status, _ in run(fetch(database, RUNS))] == ["failed", "failed"]


def test_other_error_in_two_runs(database: str, run: Run) -> None:
    """Any other error in the body of two runs fails both, and reaches the caller."""

    async def body() -> None:
        with pytest.raises(ScraperError):
            async with two_runs(database):
                raise ScraperError("of neither")

    run(body())
    assert run(fetch(database, RUNS)) == [("betpawa", "failed", 1), ("bet9ja", "failed", 1)]
    assert run(fetch(database, "SELECT status FROM scrape_batches")) == [("failed",)]


def test_other_error_beside_mixed_captures(database: str, run: Run) -> None:
    """An error in the body of a run and of runs for mixed captures fails all of them."""

    async def body() -> None:
        with pytest.raises(ScraperError):
            async with oddsschema.batch(database) as batch, batch.run("betpawa"):
                await batch.ingest([capture("bet9ja", 1, 0)])
                raise ScraperError("of neither")

    run(body())
    assert run(fetch(database, RUNS)) == [("betpawa", "failed", 0), ("bet9ja", "failed", 1)]


def test_error_of_a_mixed_source(database: str, run: Run) -> None:
    """An error that the source of mixed captures raises fails all runs, and reaches the caller."""

    async def body() -> None:
        with pytest.raises(ScraperError):
            async with oddsschema.batch(database) as batch:
                await batch.ingest(failing(capture("betpawa", 1, 0), capture("bet9ja", 1, 0)))

    run(body())
    assert run(fetch(database, RUNS)) == [("betpawa", "failed", 1), ("bet9ja", "failed", 1)]


def test_errors_of_tasks(database: str, run: Run) -> None:
    """Runs in tasks of their own do not share their errors."""

    async def body() -> None:
        async with oddsschema.batch(database) as batch:
            all_open = asyncio.Barrier(3)

            async def scrape(platform: str) -> None:
                async with batch.run(platform) as opened:
                    await opened.ingest([capture(platform, 1, 0)])
                    await all_open.wait()
                    if platform == "bet9ja":
                        raise ScraperError("its own")

            await asyncio.gather(*map(scrape, PLATFORMS))

    run(body())
    found = {platform: status for platform, status, _ in run(fetch(database, RUNS))}
    assert found == {
        platform: "failed" if platform == "bet9ja" else "completed" for platform in PLATFORMS
    }
