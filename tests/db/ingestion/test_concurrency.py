"""The same captures at once, repeatedly, in any order: exactly one copy is stored."""

import asyncio
import json
import random
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

import oddsschema
from oddsschema import IngestOptions, IngestReport, ScrapeStatus
from oddsschema.scrapes.stale import close_stale, stale_batches
from tests.support.contents import content, expected
from tests.support.scrapes import Capture, capture, scrapes, written
from tests.support.sessions import fetch, holding, waiting

Run = Callable[..., Any]

NIGHTLY = settings.get_current_profile_name() == "nightly"

ROUNDS = 30 if NIGHTLY else 3

#: Every event at every minute, of all platforms.
ALL = scrapes(range(12), range(8))


def shares(captures: Sequence[Capture], seed: int, parts: int = 8) -> list[list[Capture]]:
    """Give each part about half of the captures, shuffled; each shared is in at least one part."""
    rng = random.Random(seed)
    dealt: list[list[Capture]] = [[] for _ in range(parts)]
    for shared in captures:
        for part in rng.sample(dealt, rng.randint(1, parts - 1)):
            part.append(shared)
    for part in dealt:
        rng.shuffle(part)
    return dealt


def counted(reports: Sequence[IngestReport]) -> tuple[int, int]:
    """Sum the stored and the known captures of all ingestions."""
    stored = sum(report.total.captures_stored for report in reports)
    return stored, sum(report.total.captures_known for report in reports)


async def command(url: str, path: Path, chunk_rows: int) -> IngestReport:
    """Ingest a file by the command line, in a new process."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "oddsschema", "ingest", str(path), "--json", "--url", url),
        *("--chunk-rows", str(chunk_rows)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode == 0
    # The teams change their names.
    assert all(line.startswith((b"database: ", b"doubt: ")) for line in errors.splitlines())
    return IngestReport.model_validate(json.loads(output))


@pytest.mark.sampled(1)
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_eight_ingestions_at_once(database: str, run: Run, seed: int) -> None:
    """Overlapping, shuffled shares leave one copy and the newest names, without a retry."""
    rng = random.Random(seed)
    parts = shares(ALL, seed)

    async def all_at_once() -> list[IngestReport]:
        return await asyncio.gather(
            *(
                oddsschema.ingest(
                    database, part, options=IngestOptions(chunk_rows=rng.randint(5, 300))
                )
                for part in parts
            )
        )

    reports = run(all_at_once())
    delivered = sum(map(len, parts))
    assert {report.status for report in reports} == {ScrapeStatus.COMPLETED}
    assert counted(reports) == (len(ALL), delivered - len(ALL))
    assert [report.retries for report in reports] == [0] * 8
    assert run(content(database)) == expected(ALL)


@pytest.mark.nightly
def test_eight_processes_at_once(database: str, run: Run, tmp_path: Path) -> None:
    """Eight processes leave one copy as well."""
    parts = shares(ALL, 8)

    async def all_at_once() -> list[IngestReport]:
        files = [written(tmp_path / f"{at}.ndjson", part) for at, part in enumerate(parts)]
        return await asyncio.gather(*(command(database, file, 60) for file in files))

    reports = run(all_at_once())
    assert counted(reports) == (len(ALL), sum(map(len, parts)) - len(ALL))
    assert [report.retries for report in reports] == [0] * 8
    assert run(content(database)) == expected(ALL)


def test_two_processes_with_the_same_captures(database: str, run: Run, tmp_path: Path) -> None:
    """Of two processes with the same captures, one stores each capture, the other knows it."""
    captures = scrapes(range(40), range(4))

    async def both() -> list[IngestReport]:
        file = written(tmp_path / "captures.ndjson", captures)
        return await asyncio.gather(*(command(database, file, 25) for _ in range(2)))

    assert counted(run(both())) == (len(captures), len(captures))
    assert run(content(database)) == expected(captures)


@pytest.mark.sampled(5)
@pytest.mark.parametrize("round_", range(5 * ROUNDS))
def test_both_sides_of_an_event_at_once(database: str, run: Run, round_: int) -> None:
    """Competitors' events are linked to BetPawa's, though all arrive at the same moment."""
    sides = [scrapes(range(15), [0], [platform]) for platform in ("betpawa", "sportybet", "bet9ja")]
    random.Random(round_).shuffle(sides)

    async def at_once() -> None:
        await asyncio.gather(
            *(
                oddsschema.ingest(database, side, options=IngestOptions(chunk_rows=40))
                for side in sides
            )
        )

    run(at_once())
    assert run(content(database)) == expected(capture for side in sides for capture in side)


def test_competitors_that_wait_for_links(database: str, run: Run) -> None:
    """Two competitors' unlinked events of the same matches do not deadlock."""
    lock = """
        SELECT FROM competitor_events
        WHERE source = 'bet9ja' AND external_id = 'bet9ja:0' FOR UPDATE
    """

    async def both() -> list[IngestReport]:
        await oddsschema.ingest(database, scrapes(range(6), [0]))
        await fetch(database, "UPDATE competitor_events SET betpawa_event_id = NULL")
        ingesting = []
        async with holding(database, lock) as other:
            for events, platform in ((range(6), "sportybet"), (range(1, 6), "bet9ja")):
                captures = scrapes(events, [1], [platform])
                task = asyncio.create_task(oddsschema.ingest(database, captures))
                ingesting.append(task)
                await waiting(other, len(ingesting), unless=task)
        return await asyncio.gather(*ingesting)

    assert [report.retries for report in run(both())] == [0, 0]


def test_new_reference_bookmaker_at_once(database: str, run: Run) -> None:
    """An unknown reference bookmaker is added once."""
    parts = [scrapes([event], range(3), ["mozzart"]) for event in range(8)]

    async def at_once() -> list[IngestReport]:
        return await asyncio.gather(*(oddsschema.ingest(database, part) for part in parts))

    assert [run_.error for report in run(at_once()) for run_ in report.runs] == [None] * 8
    assert run(content(database)) == expected(capture for part in parts for capture in part)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("chunk_rows", [1, 7, 100, 10_000])
def test_order_and_chunks_do_not_matter(database: str, run: Run, chunk_rows: int) -> None:
    """Any order, deliveries and chunk size leave the same rows; a repetition adds none."""
    shuffled = random.Random(chunk_rows).sample(ALL, len(ALL))
    options = IngestOptions(chunk_rows=chunk_rows)
    for part in (shuffled[:100], shuffled[100:]):
        run(oddsschema.ingest(database, part, options=options))
    assert run(content(database)) == expected(ALL)
    again = run(oddsschema.ingest(database, ALL))
    assert (again.total.captures_stored, again.total.captures_known) == (0, len(ALL))
    assert again.total.markets_stored == 0
    assert run(content(database)) == expected(ALL)


@pytest.mark.parametrize("platform", ["betpawa", "sportybet"])
@pytest.mark.parametrize("chunk_rows", [1, 10_000])
def test_capture_in_two_parts(database: str, run: Run, platform: str, chunk_rows: int) -> None:
    """A capture's other markets in a separate delivery are stored, also in the same chunk."""
    whole = capture(platform, 0, 0)
    parts = [whole | {"markets": whole["markets"][at::2]} for at in range(2)]
    report = run(oddsschema.ingest(database, parts, options=IngestOptions(chunk_rows=chunk_rows)))
    assert (
        report.total.captures_stored,
        report.total.captures_known,
        report.total.markets_stored,
    ) == (1, 1, 4)
    assert run(content(database)) == expected([whole])


@pytest.mark.parametrize("platform", ["betpawa", "sportybet"])
@pytest.mark.parametrize("chunk_rows", [1, 10_000])
def test_same_instant_with_another_tournament(
    database: str, run: Run, platform: str, chunk_rows: int
) -> None:
    """Of two captures of an event and instant, the tournament of the first is stored."""
    first, second = (capture(platform, 0, minute) for minute in (0, 3))
    second["captured_at"] = first["captured_at"]
    second["markets"] = first["markets"]
    options = IngestOptions(chunk_rows=chunk_rows)
    report = run(oddsschema.ingest(database, [first, second], options=options))
    assert [run_.error for run_ in report.runs] == [None]
    assert run(content(database)) == expected([first])


def named(platform: str, event: int, minute: int, name: str) -> Capture:
    """Build a capture of an event whose tournament has this name."""
    later = capture(platform, event, minute)
    key = {"sportradar_id": "7"} if platform == "betpawa" else {"external_id": "7"}
    event_fields = later["event" if platform == "betpawa" else "competitor_event"]
    event_fields["tournament"] |= key | {"name": name}
    return later


@pytest.mark.parametrize("platform", ["betpawa", "sportybet"])
@pytest.mark.parametrize("event", [0, 1], ids=["same event", "other event"])
@pytest.mark.parametrize("chunk_rows", [1, 10_000])
def test_late_capture_renames_no_tournament(
    database: str, run: Run, platform: str, event: int, chunk_rows: int
) -> None:
    """A tournament keeps the name from its newest capture when an older capture arrives."""
    captures = [named(platform, 0, 5, "New name"), named(platform, event, 2, "Old name")]
    run(oddsschema.ingest(database, captures, options=IngestOptions(chunk_rows=chunk_rows)))
    table = "tournaments" if platform == "betpawa" else "competitor_tournaments"
    assert run(fetch(database, f"SELECT name FROM {table}")) == [("New name",)]


def test_run_that_begins_after_its_batch_has_ended(database: str, run: Run) -> None:
    """A run that begins after the end of its batch is found as stale when its process dies."""

    async def two_processes() -> None:
        async with AsyncExitStack() as both:
            async with oddsschema.batch(database) as first:
                async with first.run("sportybet") as sportybet:
                    await sportybet.ingest(scrapes([0], [0], ["sportybet"]))
                joined = oddsschema.batch(database, batch_id=first.id)
                second = await both.enter_async_context(joined)
            # The first batch has ended, and no run was open.
            bet9ja = await second.open_run("bet9ja")
            stale = await stale_batches(database, timedelta(0))
            assert [[platform_run.platform for platform_run in batch.runs] for batch in stale] == [
                ["sportybet", "bet9ja"]
            ]
            assert await close_stale(database, timedelta(0)) == 1
            assert await stale_batches(database, timedelta(0)) == []
            assert await fetch(database, statuses) == [("completed",), ("failed",), ("partial",)]
        assert bet9ja.status is ScrapeStatus.COMPLETED

    statuses = "SELECT status FROM scrape_runs UNION ALL SELECT status FROM scrape_batches"
    run(two_processes())
    assert run(fetch(database, statuses)) == [("completed",)] * 3
