"""Synchronous programs: their captures, sources, threads, errors and loops."""

import asyncio
import gzip
import io
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsschema import IngestOptions, IngestProgress, ScrapeStatus, sync
from oddsschema.errors import BatchEndedError, RunEndedError
from oddsschema.migrations import CheckState
from tests.support.contents import content, expected
from tests.support.interrupted_ingestion import MANY, RUNS, assert_completed, of
from tests.support.scrapes import PLATFORMS, Capture, capture, ndjson, scrapes, written
from tests.support.sessions import execute, fetch

Run = Callable[..., Any]

SOON = IngestOptions(flush_after=timedelta(seconds=0.1))
NEVER = IngestOptions(flush_after=timedelta(0))
BATCHES = "SELECT status FROM scrape_batches"
STATUSES = "SELECT platform, status, events_scraped FROM scrape_runs ORDER BY id"

#: The events of a property: its examples share a database.
NUMBERS = itertools.count()


class ScraperError(Exception):
    """An error of a scraper's own."""


def pages(captures: list[Capture]) -> Iterator[Capture]:
    """Yield captures as a scraper does."""
    yield from captures


class Feed:
    """An iterable that is no iterator."""

    def __init__(self, captures: list[Capture]) -> None:
        self.captures = captures

    def __iter__(self) -> Iterator[Capture]:
        return iter(self.captures)


SOURCES: dict[str, Callable[[list[Capture], Path], Any]] = {
    "list": lambda captures, _: captures,
    "generator": lambda captures, _: pages(captures),
    "iterable": lambda captures, _: Feed(captures),
    "bytes": lambda captures, _: ndjson(captures),
    "bytearray": lambda captures, _: bytearray(ndjson(captures)),
    "memoryview": lambda captures, _: memoryview(ndjson(captures)),
    "JSON text": lambda captures, _: ndjson(captures).decode(),
    "path": lambda captures, path: written(path, captures),
    "file": lambda captures, path: written(path, captures).open("rb"),
    "text": lambda captures, path: written(path, captures).open(),
    "gzip": lambda captures, _: gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(ndjson(captures)))),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_sources(database: str, run: Run, tmp_path: Path, kind: str) -> None:
    """Each kind of source is stored as by the asynchronous function."""
    source = SOURCES[kind](MANY, tmp_path / "captures.ndjson")
    report = sync.ingest(database, source, trigger="manual")
    assert report.all_stored
    assert_completed(run, database, MANY)
    if isinstance(source, io.IOBase):
        source.close()


@given(
    calls=st.lists(
        st.tuples(
            st.sampled_from(["ingest", "failed", "flush"]),
            st.sampled_from(PLATFORMS),
            st.booleans(),
        ),
        max_size=12,
    )
)
def test_any_calls(database: str, run: Run, calls: list[Any]) -> None:
    """The database holds the captures and failures of any calls, whoever's run takes them."""
    counts = {platform: [0, 0] for platform in PLATFORMS}
    with sync.batch(database, options=NEVER) as batch:
        runs = {platform: batch.open_run(platform) for platform in PLATFORMS}
        for call, platform, of_batch in calls:
            if call == "ingest":
                taking = batch if of_batch else runs[platform]
                taking.ingest([capture(platform, next(NUMBERS), 0)])
                counts[platform][0] += 1
            elif call == "failed":
                runs[platform].failed("no answer", external_id="7")
                counts[platform][1] += 1
            else:
                assert runs[platform].flush().captures_stored == counts[platform][0]
    stored = f"""
        SELECT platform, events_scraped, events_failed FROM scrape_runs
        WHERE batch_id = {batch.id} AND status NOT IN ('running', 'pending')"""
    assert sorted(run(fetch(database, stored))) == sorted(
        (platform, *numbers) for platform, numbers in counts.items()
    )
    assert batch.report().total.captures_stored == sum(n for n, _ in counts.values())


def test_silence_of_the_program(database: str, run: Run) -> None:
    """Captures are committed on time while the program, or its source, works elsewhere."""

    def wait_until_stored(captures: int) -> None:
        deadline = time.monotonic() + 10
        while run(fetch(database, "SELECT count(*) FROM odds_snapshots")) != [(captures,)]:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def source() -> Iterator[Capture]:
        yield capture("betpawa", 2, 0)
        wait_until_stored(2)

    with sync.batch(database, options=SOON) as batch, batch.run("betpawa") as scrape:
        scrape.ingest([capture("betpawa", 1, 0)])
        wait_until_stored(1)
        scrape.ingest(source())
    assert run(fetch(database, STATUSES)) == [("betpawa", "completed", 2)]


def test_source_runs_in_the_calling_thread(database: str, run: Run) -> None:
    """A generator runs in the thread that ingests it, and may call the run itself."""
    threads = set()

    def source() -> Iterator[Capture]:
        threads.add(threading.current_thread())
        yield capture("bet9ja", 1, 0)
        scrape.failed("no answer", external_id=2)
        threads.add(threading.current_thread())

    with sync.batch(database) as batch, batch.run("bet9ja") as scrape:
        scrape.ingest(source())
    assert threads == {threading.current_thread()}
    assert run(fetch(database, STATUSES)) == [("bet9ja", "partial", 1)]


def test_threads(database: str, run: Run) -> None:
    """Threads share a batch, each with a run of its own or all with the same one."""
    with sync.batch(database, options=IngestOptions(chunk_rows=300)) as batch:
        scrape = batch.open_run("betpawa")

        def work(number: int) -> None:
            for platform in PLATFORMS:
                captures = of(platform, MANY)[number::6]
                if platform == "betpawa":
                    for each in captures:
                        scrape.ingest([each])
                else:
                    batch.ingest(pages(captures))

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(work, range(6)))
    assert run(content(database)) == expected(MANY)
    assert batch.report().total.captures_stored == len(MANY)


def test_within_a_running_loop(database: str, run: Run) -> None:
    """A thread that runs an event loop, as a notebook's, can call everything."""

    async def cell() -> None:
        with sync.batch(database) as batch, batch.run("bet9ja") as scrape:
            scrape.ingest(pages([capture("bet9ja", 1, 0)]))
        assert len(sync.newest_batches(database)) == 1

    run(cell())
    asyncio.run(cell_of(database))
    assert run(fetch(database, STATUSES)) == [("bet9ja", "completed", 1)]


async def cell_of(database: str) -> None:
    """Read in a loop of its own."""
    assert sync.size(database).tables


def failing(*captures: Capture) -> Iterator[Capture]:
    """Yield captures, and raise the scraper's error."""
    yield from captures
    raise ScraperError("no more")


def test_error_of_a_source(database: str, run: Run) -> None:
    """A source's own error reaches the program; its captures are stored, and its run has failed."""
    error = ScraperError("no more")

    def source() -> Iterator[Capture]:
        yield capture("bet9ja", 1, 0)
        raise error

    with sync.batch(database) as batch:
        with batch.run("bet9ja") as scrape:
            with pytest.raises(ScraperError) as caught:
                scrape.ingest(source())
            assert caught.value is error
            raise error
        with pytest.raises(RunEndedError):
            scrape.ingest([capture("bet9ja", 2, 0)])
    with pytest.raises(BatchEndedError):
        batch.open_run("bet9ja")
    assert run(fetch(database, STATUSES)) == [("bet9ja", "failed", 1)]
    assert scrape.error == "ScraperError: no more"


@pytest.mark.parametrize("failed", ["betpawa", "bet9ja"])
def test_error_of_one_of_two_runs(database: str, run: Run, failed: str) -> None:
    """An error that a run's own source raises fails this run; the other ends with its captures."""
    with (
        sync.batch(database, options=NEVER) as batch,
        batch.run("betpawa") as betpawa,
        batch.run("bet9ja") as bet9ja,
    ):
        betpawa.ingest([capture("betpawa", 1, 0)])
        bet9ja.ingest([capture("bet9ja", 1, 0)])
        scrape = bet9ja if failed == "bet9ja" else betpawa
        scrape.ingest(failing(capture(failed, 2, 0)))
    assert run(fetch(database, STATUSES)) == [
        (platform, "failed", 2) if platform == failed else (platform, "completed", 1)
        for platform in ("betpawa", "bet9ja")
    ]


def test_error_of_the_program_in_two_runs(database: str, run: Run) -> None:
    """Any other error fails both runs, which the same thread has opened, and is raised further."""
    with (
        pytest.raises(ScraperError),
        sync.batch(database, options=NEVER) as batch,
        batch.run("betpawa") as betpawa,
        batch.run("bet9ja"),
    ):
        betpawa.ingest([capture("betpawa", 1, 0)])
        raise ScraperError("no more")
    assert run(fetch(database, STATUSES)) == [("betpawa", "failed", 1), ("bet9ja", "failed", 0)]


def test_error_in_one_of_two_threads(database: str, run: Run) -> None:
    """An error in a thread fails the run of this thread alone."""
    opened, ended = threading.Event(), threading.Event()

    with sync.batch(database) as batch:

        def other() -> None:
            with batch.run("betpawa") as scrape:
                opened.set()
                ended.wait(10)
                scrape.ingest([capture("betpawa", 1, 0)])

        thread = threading.Thread(target=other)
        thread.start()
        opened.wait(10)
        with batch.run("bet9ja"):
            raise ScraperError("no more")
        ended.set()
        thread.join()
    assert run(fetch(database, STATUSES)) == [
        ("betpawa", "completed", 1),
        ("bet9ja", "failed", 0),
    ]


def test_errors_of_the_database(database: str, run: Run) -> None:
    """A chunk that the database refuses fails its run, and the batch says so."""
    run(execute(database, "ALTER TABLE competitor_market_odds ADD CHECK (line IS NULL) NOT VALID"))
    captures = scrapes([0], [0], ["bet9ja"])
    with sync.batch(database) as batch, batch.run("bet9ja") as scrape:
        scrape.ingest(captures)
        scrape.flush()
    assert batch.report().status is ScrapeStatus.FAILED
    assert run(fetch(database, STATUSES)) == [("bet9ja", "failed", 0)]


def test_system_exit_in_a_callback(database: str, run: Run) -> None:
    """An exit in a callback, on the background thread, ends the batch and not the loop."""

    def leave(_: IngestProgress) -> None:
        raise SystemExit(3)

    with (
        pytest.raises(SystemExit),
        sync.batch(database, options=IngestOptions(on_progress=leave)) as batch,
    ):
        batch.ingest([capture("bet9ja", 1, 0)])
    assert run(fetch(database, "SELECT status FROM scrape_batches")) == [("failed",)]
    assert sync.ingest(database, [capture("bet9ja", 1, 0)]).all_stored


def test_callback_cannot_wait_for_its_own_loop(database: str) -> None:
    """A callback that calls this module gets an error instead of waiting for ever."""

    def read(_: IngestProgress) -> None:
        sync.newest_batches(database)

    with pytest.raises(RuntimeError, match="on a thread of the program"):
        sync.ingest(database, [capture("bet9ja", 1, 0)], options=IngestOptions(on_progress=read))


def test_progress(database: str) -> None:
    """Another thread can follow a run until its end."""
    seen: list[IngestProgress] = []
    with sync.batch(database) as batch, batch.run("bet9ja") as scrape:

        def follow() -> None:
            seen.extend(scrape.progress(every=timedelta(milliseconds=1)))

        thread = threading.Thread(target=follow)
        thread.start()
        for number in range(5):
            scrape.ingest([capture("bet9ja", number, 0)])
            time.sleep(0.02)
    thread.join(10)
    numbers = [counts.captures for counts in seen]
    assert numbers == sorted(set(numbers)) and numbers[-1] == 5


def test_asynchronous_source(database: str, run: Run) -> None:
    """An asynchronous source is refused in words, and opens no batch."""

    async def source() -> Any:
        yield capture("bet9ja", 1, 0)

    with pytest.raises(TypeError, match="not async_generator, which is asynchronous"):
        sync.ingest(database, source())  # type: ignore[arg-type]
    assert run(fetch(database, BATCHES)) == []


@pytest.mark.parametrize("source", [None, 5, capture("bet9ja", 1, 0)])
def test_value_that_is_no_source(database: str, run: Run, source: Any) -> None:
    """A value that is no source is refused in words, and opens no batch."""
    with pytest.raises(TypeError, match="the source must be"):
        sync.ingest(database, source)
    assert run(fetch(database, BATCHES)) == []


class Unreadable:
    """An iterable that raises an exception by which Python marks the end of iterators."""

    def __init__(self, error: type[Exception]) -> None:
        self.error = error

    def __iter__(self) -> Iterator[Capture]:
        raise self.error


@pytest.mark.parametrize("error", [StopIteration, StopAsyncIteration])
def test_source_that_raises_the_end(database: str, run: Run, error: type[Exception]) -> None:
    """A source that raises such an exception fails, as a generator of Python does."""
    with pytest.raises(RuntimeError, match=f"the source raised {error.__name__}"):
        sync.ingest(database, Unreadable(error))
    assert run(fetch(database, BATCHES)) == [("failed",)]


def test_function_that_opens_connections(database: str, run: Run) -> None:
    """A function that opens a connection is called on the background loop."""

    async def connect() -> Any:
        return await asyncpg.connect(database)

    assert sync.ingest(connect, [capture("bet9ja", 1, 0)]).all_stored
    assert run(fetch(database, STATUSES)) == [("bet9ja", "completed", 1)]


def test_the_other_functions(empty_database: str, run: Run) -> None:
    """A synchronous program migrates, reads, prunes and closes."""
    assert sync.current(empty_database) is None
    sync.upgrade(empty_database)
    assert sync.check(target=empty_database).state is CheckState.CLEAN
    with sync.batch(empty_database) as batch:
        batch.ingest([capture("bet9ja", 1, 0)])
        batch.flush()
        assert [stale.batch_id for stale in sync.stale_batches(empty_database, timedelta(0))] == [
            batch.id
        ]
    assert sync.close_stale(empty_database) == 0
    report = sync.prune(empty_database, timedelta(days=1), dry_run=True)
    assert report.dry_run
    assert run(fetch(empty_database, RUNS)) == [("bet9ja", "completed", 1, 0, 1)]
    sync.downgrade(empty_database, "base")
    assert sync.current(empty_database) is None


def test_unmapped_markets(database: str, run: Run) -> None:
    """A scraper reports the markets that it cannot map, in the run of their platform."""
    with sync.batch(database) as batch:
        batch.run_of("bet9ja").unmapped(7, "Corners")
        batch.run_of("bet9ja").unmapped("7", "Corners")
    stored = "SELECT source, market_id, name, times_seen FROM unmapped_markets"
    assert run(fetch(database, stored)) == [("bet9ja", "7", "Corners", 2)]
