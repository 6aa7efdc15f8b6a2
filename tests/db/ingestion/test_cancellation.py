"""Cancellations and errors at any moment leave runs and batches that have ended, counted right."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

import oddsschema
from oddsschema import IngestOptions, ScrapeStatus
from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.errors import BatchNotFoundError
from oddsschema.ingestion import heartbeat
from oddsschema.scrapes.stale import stale_batches
from tests.support.interrupted_ingestion import RUNS
from tests.support.scrapes import Capture, scrapes
from tests.support.sessions import execute, fetch, holding, waiting

Run = Callable[..., Any]

CAPTURES = scrapes(range(3), [0], ["bet9ja"])

#: Captures that give their sport a second name, which only the database knows.
RENAMED: list[Capture] = [
    {
        **capture,
        "competitor_event": {
            **capture["competitor_event"],
            "tournament": {
                **capture["competitor_event"]["tournament"],
                "sport": {"slug": "football", "name": "Soccer"},
            },
        },
    }
    for capture in CAPTURES
]

STATUSES = "SELECT b.status FROM scrape_batches AS b ORDER BY b.id"

#: Keeps writers of competitors' captures waiting.
LOCK = "LOCK TABLE competitor_tournaments IN EXCLUSIVE MODE"


def test_cancelled_at_any_step(database: str, run: Run) -> None:
    """A cancellation leaves no run and no batch open, not even while they are opened."""

    async def ingest() -> None:
        async with oddsschema.batch(database) as batch, batch.run("bet9ja") as bet9ja:
            await bet9ja.ingest(CAPTURES)

    async def body() -> None:
        for steps in range(200):
            ingesting = asyncio.create_task(ingest())
            for _ in range(steps):
                await asyncio.sleep(0.0005)
            if ingesting.done():
                return
            ingesting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await ingesting
            assert await stale_batches(database, timedelta(0)) == [], steps
            assert await fetch(database, "SELECT FROM scrape_runs WHERE status = 'running'") == []
        raise AssertionError("the ingestion did not end")

    run(body())


def test_cancelled_three_times(database: str, run: Run) -> None:
    """Cancellations one after the other end the run, and its captures are counted as lost."""

    async def ingest() -> None:
        async with oddsschema.batch(database) as batch, batch.run("bet9ja") as bet9ja:
            await bet9ja.ingest(CAPTURES)

    async def body() -> None:
        async with holding(database, LOCK) as other:
            ingesting = asyncio.create_task(ingest())
            await waiting(other)
            for _ in range(3):
                ingesting.cancel()
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            with pytest.raises(asyncio.CancelledError):
                await ingesting

    run(body())
    assert run(fetch(database, RUNS)) == [("bet9ja", "failed", 0, len(CAPTURES), 0)]
    assert run(fetch(database, STATUSES)) == [("failed",)]


def test_scope_that_repeats_its_cancellation(database: str, run: Run) -> None:
    """A cancellation that is repeated until the task ends, as by anyio's scopes, is a single one.

    The accepted captures are stored.
    """

    async def ingest() -> None:
        async with oddsschema.batch(database) as batch, batch.run("bet9ja") as bet9ja:
            await bet9ja.ingest(CAPTURES)
            await asyncio.sleep(60)

    async def body() -> None:
        ingesting = asyncio.create_task(ingest())
        await asyncio.sleep(0.5)
        while not ingesting.done():
            ingesting.cancel("Cancelled via cancel scope 7f3a")
            await asyncio.sleep(0)
        assert ingesting.cancelled()

    run(body())
    stored = len(CAPTURES)
    assert run(fetch(database, RUNS)) == [("bet9ja", "failed", stored, 0, stored)]
    assert run(fetch(database, STATUSES)) == [("failed",)]


def test_other_tasks_are_cancelled(database: str, run: Run) -> None:
    """A program that cancels all tasks but its own loses no capture without a count of it."""

    async def body() -> oddsschema.IngestReport:
        async with oddsschema.batch(database) as batch, batch.run("bet9ja") as bet9ja:
            await bet9ja.ingest(CAPTURES)
            async with holding(database, LOCK) as other:
                flushing = asyncio.create_task(bet9ja.flush())
                await waiting(other)
                for task in asyncio.all_tasks() - {asyncio.current_task()}:
                    task.cancel()
                await asyncio.wait([flushing])
        return batch.report()

    report = run(body())
    assert report.total.captures_lost == len(CAPTURES)
    assert run(fetch(database, RUNS)) == [("bet9ja", "failed", 0, len(CAPTURES), 0)]
    assert run(fetch(database, STATUSES)) == [("failed",)]


def test_batch_waits_for_a_run_that_ends(database: str, run: Run) -> None:
    """A batch that an error ends waits for a run whose own task is ending it."""

    async def body() -> None:
        ending: list[asyncio.Task[None]] = []
        is_waiting = asyncio.Event()

        async def scrape(batch: oddsschema.Batch) -> None:
            async with batch.run("bet9ja") as bet9ja:
                await bet9ja.ingest(CAPTURES)

        async def ingest() -> None:
            async with oddsschema.batch(database) as batch:
                ending.append(asyncio.create_task(scrape(batch)))
                await is_waiting.wait()
                raise RuntimeError("the scraper's own")

        async with holding(database, LOCK) as other:
            ingesting = asyncio.create_task(ingest())
            await waiting(other)
            is_waiting.set()
            # Longer than a pool waits for its connections.
            await asyncio.wait([ingesting], timeout=3)
        with pytest.raises(RuntimeError, match="the scraper's own"):
            await ingesting
        assert ending[0].done()
        await ending[0]

    run(body())
    stored = len(CAPTURES)
    assert run(fetch(database, RUNS)) == [("bet9ja", "completed", stored, 0, stored)]
    assert run(fetch(database, STATUSES)) == [("completed",)]


@asynccontextmanager
async def silenced(url: str, directory: Path, silent: asyncio.Event) -> AsyncIterator[str]:
    """Serve a proxy whose connections get no more answers once `silent` is set; new ones do."""
    made = make_url(url)
    host = made.query.get("host")
    tasks: list[asyncio.Task[Any]] = []

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        was_silent = silent.is_set()
        with contextlib.closing(writer), contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                if silent.is_set() and not was_silent:
                    await asyncio.sleep(60)
                writer.write(data)

    async def serve(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        if isinstance(host, str):
            server, to_server = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.5432")
        else:
            server, to_server = await asyncio.open_connection(made.host, made.port or 5432)
        tasks.append(asyncio.create_task(forward(client, to_server)))
        tasks.append(asyncio.create_task(forward(server, to_client)))

    async with await asyncio.start_unix_server(serve, directory / ".s.PGSQL.5432"):
        query = {"host": str(directory), "port": "5432"}
        yield made.set(host=None, port=None, query=query).render_as_string(hide_password=False)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def test_heartbeat_without_an_answer(
    database: str, run: Run, short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancellation ends a batch whose heartbeat gets no answer from the server."""
    # After the opening of the run: its connection is the only one then, and the heartbeat takes it.
    monkeypatch.setattr(heartbeat, "INTERVAL", 2)
    for module in ("run", "batches"):  # the records of a busy machine take longer
        name = f"oddsschema.ingestion.{module}.RECORDS_WITHIN"
        monkeypatch.setattr(name, timedelta(seconds=20))

    async def body() -> None:
        silent = asyncio.Event()

        async def ingest(url: str) -> None:
            async with oddsschema.batch(url) as batch, batch.run("bet9ja"):
                silent.set()
                await asyncio.sleep(60)

        async with silenced(database, short_path, silent) as url:
            ingesting = asyncio.create_task(ingest(url))
            await silent.wait()
            await asyncio.sleep(3)
            ingesting.cancel()
            await asyncio.wait([ingesting], timeout=60)
            assert ingesting.cancelled()

    run(body())
    assert run(fetch(database, STATUSES)) == [("failed",)]


def test_callback_that_fails_at_the_end(database: str, run: Run) -> None:
    """The error of a callback in the last commit is raised, and the batch has ended."""
    run(oddsschema.ingest(database, CAPTURES))

    def fail(_: oddsschema.Doubt) -> None:
        raise RuntimeError("the callback's own")

    newer = scrapes([0], [1], ["bet9ja"])
    newer[0]["competitor_event"] = RENAMED[0]["competitor_event"]
    with pytest.raises(RuntimeError, match="the callback's own"):
        run(oddsschema.ingest(database, newer, options=IngestOptions(on_doubt=fail)))
    assert run(fetch(database, STATUSES)) == [("completed",), ("failed",)]
    assert run(stale_batches(database, timedelta(0))) == []


def test_callback_that_fails_at_a_refusal(database: str, run: Run) -> None:
    """Captures that are refused while they are written are counted once if the callback fails."""
    run(oddsschema.ingest(database, CAPTURES[:1]))

    def fail(_: oddsschema.Refusal) -> None:
        raise RuntimeError("the callback's own")

    options = IngestOptions(strict=True, on_refusal=fail)
    with pytest.raises(RuntimeError, match="the callback's own"):
        run(oddsschema.ingest(database, RENAMED[1:], options=options))
    assert run(fetch(database, RUNS))[1:] == [("bet9ja", "failed", 0, len(RENAMED) - 1, 0)]


def test_batch_without_runs(database: str, run: Run) -> None:
    """A batch without runs is completed, or failed if an error ended it."""

    async def body() -> None:
        async with oddsschema.batch(database) as batch:
            pass
        assert batch.status is ScrapeStatus.COMPLETED
        with pytest.raises(RuntimeError):
            async with oddsschema.batch(database):
                raise RuntimeError

    run(body())
    assert run(fetch(database, STATUSES)) == [("completed",), ("failed",)]


def test_batch_that_is_deleted(database: str, run: Run) -> None:
    """A batch whose row is deleted meanwhile ends with an error of its own; captures are stored."""

    async def body() -> None:
        async with oddsschema.batch(database) as batch, batch.run("bet9ja") as bet9ja:
            await bet9ja.ingest(CAPTURES)
            await execute(database, "DELETE FROM scrape_batches")

    with pytest.raises(BatchNotFoundError):
        run(body())
    stored = len(CAPTURES)
    assert run(fetch(database, RUNS)) == [("bet9ja", "completed", stored, 0, stored)]


def test_signals_outside_the_main_thread(database: str, run: Run) -> None:
    """A batch that asks for signals in another thread is refused, and leaves no row."""
    options = IngestOptions(sigterm_as_sigint=True)

    def ingest() -> None:
        asyncio.run(oddsschema.ingest(database, CAPTURES, options=options))

    with pytest.raises(ValueError, match="main thread"):
        run(asyncio.to_thread(ingest))
    assert run(fetch(database, STATUSES)) == []


def test_signals_of_batches_that_overlap(database: str, run: Run) -> None:
    """SIGTERM is handled until the last of several batches ends, in any order."""
    options = IngestOptions(sigterm_as_sigint=True)
    before = signal.getsignal(signal.SIGTERM)

    async def body() -> None:
        first, second = (oddsschema.batch(database, options=options) for _ in range(2))
        await first.__aenter__()
        handler = signal.getsignal(signal.SIGTERM)
        assert handler is not before
        await second.__aenter__()
        await first.__aexit__(None, None, None)
        assert signal.getsignal(signal.SIGTERM) is handler
        await second.__aexit__(None, None, None)

    run(body())
    assert signal.getsignal(signal.SIGTERM) is before


def test_caller_that_commits_between_chunks(database: str, run: Run) -> None:
    """On a SQLAlchemy connection, nothing outlives a rollback, also after a commit in between."""

    async def body() -> None:
        async with sqlalchemy_connect(database) as connection:
            async with oddsschema.batch(connection) as batch, batch.run("bet9ja") as bet9ja:
                await bet9ja.ingest(CAPTURES[:1])
                await bet9ja.flush()
                await connection.commit()
                await bet9ja.ingest(CAPTURES[1:])
                await bet9ja.flush()
                await connection.rollback()
                await bet9ja.flush()
            await connection.rollback()

    run(body())
    assert run(fetch(database, RUNS)) == [("bet9ja", "running", 1, 0, 1)]
