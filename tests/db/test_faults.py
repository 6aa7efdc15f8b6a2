"""What breaks an ingestion off leaves whole chunks, and delivering it all again mends it."""

import asyncio
import contextlib
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from hypothesis import settings
from sqlalchemy import make_url

import oddsschema
from oddsschema import (
    ChunkError,
    IngestOptions,
    IngestReport,
    OddsSchemaError,
    ScrapeStatus,
    migrations,
)
from oddsschema.embedded import EmbeddedPostgres
from oddsschema.scrapes.stale import close_stale, stale_batches
from tests.db._scrapes import (
    PLATFORMS,
    Capture,
    assert_whole,
    content,
    expected,
    fetch,
    holding,
    ndjson,
    scrapes,
    settled,
    waiting,
    written,
)

Run = Callable[..., Any]

NIGHTLY = settings.get_current_profile_name() == "nightly"

#: How many random points there are, of kills and of other faults that cost more or less.
KILLS, CRASHES, CANCELS = (100, 20, 200) if NIGHTLY else (3, 2, 10)

#: 540 captures of 8 markets each.
MANY = scrapes(range(20), range(9), markets=8)
SMALL_CHUNKS = IngestOptions(chunk_rows=300)

#: Ingests the file argv[2] into argv[1], and prints how far it is.
CLIENT = """
import asyncio, sys
import oddsschema
options = oddsschema.IngestOptions(
    chunk_rows=300, on_progress=lambda *counts: print(counts[0], flush=True)
)
asyncio.run(oddsschema.ingest(sys.argv[1], sys.argv[2], options=options))
"""

RUNS = """
SELECT r.platform, r.status, r.events_scraped, r.events_failed,
    (SELECT count(*) FROM odds_snapshots AS s WHERE s.scrape_run_id = r.id)
    + (SELECT count(*) FROM competitor_odds_snapshots AS s WHERE s.scrape_run_id = r.id)
FROM scrape_runs AS r ORDER BY r.id
"""


def of(platform: str, captures: Sequence[Capture]) -> list[Capture]:
    """One platform's captures."""
    kind, key = ("event", "bookmaker") if platform == "betpawa" else ("competitor_event", "source")
    return [one for one in captures if kind in one and one[kind][key] == platform]


async def redeliver(url: str, captures: Sequence[Capture]) -> None:
    """Deliver it all again: what was there is counted, the rest stored, and nothing else."""
    known = len(await assert_whole(url, captures))
    report = await oddsschema.ingest(url, captures)
    assert report.status is ScrapeStatus.COMPLETED
    assert (report.captures_known, report.captures_stored) == (known, len(captures) - known)
    assert await content(url) == expected(captures)


# -- the client ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(KILLS))
def test_client_killed(database: str, run: Run, tmp_path: Path, seed: int) -> None:
    """After a SIGKILL chunks are whole and counted, and the batch is found as stale."""
    rng = random.Random(seed)
    file = written(tmp_path / "captures.ndjson", MANY)
    with subprocess.Popen(
        [sys.executable, "-c", CLIENT, database, file], stdout=subprocess.PIPE, text=True
    ) as client:
        assert client.stdout is not None
        for _ in range(rng.randint(1, len(MANY))):
            client.stdout.readline()
        time.sleep(rng.uniform(0, 0.03))
        client.kill()
    run(settled(database))

    assert run(assert_whole(database, MANY)) is not None
    runs = run(fetch(database, RUNS))
    assert [scraped + failed for _, _, scraped, failed, _ in runs] == [row[4] for row in runs]
    still_open = [row for row in runs if row[1] == "running"]
    stale = run(stale_batches(database, timedelta(0)))
    assert len(stale) == bool(still_open)
    assert run(close_stale(database, timedelta(0))) == len(still_open)
    assert run(stale_batches(database, timedelta(0))) == []
    assert {row[1] for row in run(fetch(database, RUNS))} <= {"failed", "completed"}
    run(redeliver(database, MANY))


async def cancelled(
    database: str, source: Callable[[asyncio.Task[Any]], Iterator[Capture]]
) -> None:
    """Ingest from a source that has its task cancelled."""

    async def ingest() -> None:
        task = asyncio.current_task()
        assert task is not None
        await oddsschema.ingest(database, source(task), options=IngestOptions(chunk_rows=100))
        await asyncio.sleep(1)  # it was faster than the timer

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(ingest())


@pytest.mark.parametrize("seed", range(CANCELS))
def test_cancelled(database: str, run: Run, seed: int) -> None:
    """Cancelled anywhere, a run is failed, and each capture is counted once: scraped or failed."""
    rng = random.Random(seed)
    captures = of("sportybet", MANY)
    handed_over: list[Capture] = []
    at = rng.randint(1, len(captures) - 1)

    def source(task: asyncio.Task[Any]) -> Iterator[Capture]:
        for one in captures:
            handed_over.append(one)
            if len(handed_over) == at:
                asyncio.get_running_loop().call_later(rng.uniform(0, 0.03), task.cancel)
            yield one

    run(cancelled(database, source))
    stored = run(assert_whole(database, captures))
    [(_, status, scraped, failed, snapshots)] = run(fetch(database, RUNS))
    assert (scraped, snapshots) == (len(stored), len(stored))
    assert scraped + failed == len(handed_over)
    if len(handed_over) < len(captures):
        assert status == "failed"
        assert run(fetch(database, "SELECT status FROM scrape_batches")) == [("failed",)]
    run(redeliver(database, captures))


@pytest.mark.parametrize("seed", range(CANCELS))
def test_cancelled_at_the_end(database: str, run: Run, seed: int) -> None:
    """Cancelled after the last capture, all runs end all the same, and each capture is counted."""
    rng = random.Random(seed)

    def source(task: asyncio.Task[Any]) -> Iterator[Capture]:
        yield from MANY[:-1]
        asyncio.get_running_loop().call_later(rng.uniform(0, 0.05), task.cancel)
        yield MANY[-1]

    run(cancelled(database, source))
    stored = run(assert_whole(database, MANY))
    runs = run(fetch(database, RUNS))
    assert {status for _, status, *_ in runs} <= {"completed", "failed"}
    assert sum(scraped for _, _, scraped, *_ in runs) == len(stored)
    assert sum(scraped + failed for _, _, scraped, failed, _ in runs) == len(MANY)
    assert run(stale_batches(database, timedelta(0))) == []
    run(redeliver(database, MANY))


@contextlib.contextmanager
def piped(url: str, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """`oddsschema ingest -`, with its standard input open."""
    with subprocess.Popen(
        [sys.executable, "-m", "oddsschema", "ingest", "-", "--url", url, *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(run: Run, url: str, query: str, *, seconds: float = 10) -> None:
    """Wait until a query gives true."""
    deadline = time.monotonic() + seconds
    while run(fetch(url, query)) != [(True,)]:
        assert time.monotonic() < deadline, f"still not: {query}"
        time.sleep(0.05)


def assert_interrupted(process: subprocess.Popen[bytes], errors: bytes) -> None:
    """Hold that Ctrl-C was taken for what it is."""
    assert process.returncode == 130
    assert errors.decode().split() == ["interrupted"]


def test_ctrl_c(database: str, run: Run) -> None:
    """Ctrl-C while captures come in: exit code 130, no traceback, the runs and the batch failed."""
    with piped(database, "--chunk-rows", "300") as process:
        assert process.stdin is not None and process.stderr is not None
        stdin = process.stdin

        def feed() -> None:
            with contextlib.suppress(BrokenPipeError):
                for one in MANY * 20:
                    stdin.write(ndjson([one]))

        feeding = threading.Thread(target=feed)
        feeding.start()
        wait_for(run, database, "SELECT count(*) > 0 FROM competitor_odds_snapshots")
        process.send_signal(signal.SIGINT)
        errors = process.stderr.read()
        process.wait(timeout=10)
        feeding.join()
        with contextlib.suppress(BrokenPipeError):
            stdin.close()
    assert_interrupted(process, errors)
    runs = run(fetch(database, RUNS))
    assert [row[1] for row in runs] == ["failed"] * 3
    assert run(fetch(database, "SELECT status FROM scrape_batches")) == [("failed",)]
    assert run(stale_batches(database, timedelta(0))) == []
    run(redeliver(database, MANY))


def test_ctrl_c_while_nothing_comes_in(database: str, run: Run) -> None:
    """Ctrl-C is not kept waiting by a pipe that stays open and silent."""
    with piped(database, "--chunk-rows", "300") as process:
        assert process.stdin is not None and process.stderr is not None
        process.stdin.write(ndjson(MANY))
        process.stdin.flush()
        wait_for(run, database, "SELECT count(*) > 0 FROM competitor_odds_snapshots")
        time.sleep(1)  # until it has read all there is
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            pytest.fail("it still waits for its standard input")
        errors = process.stderr.read()
    assert_interrupted(process, errors)
    assert {row[1] for row in run(fetch(database, RUNS))} == {"failed"}
    run(redeliver(database, MANY))


def test_pipe_that_pauses(database: str, run: Run) -> None:
    """While a pipe has nothing more, what it has brought is committed and holds no locks."""
    captures = of("sportybet", MANY)
    with piped(database, "--chunk-rows", "300") as process:
        assert process.stdin is not None and process.stderr is not None
        process.stdin.write(ndjson(captures))
        process.stdin.flush()
        whole_chunks = len(captures) - len(captures) % 34
        wait_for(
            run,
            database,
            f"SELECT count(*) = {whole_chunks} FROM competitor_odds_snapshots",
            seconds=5,
        )
        process.stdin.close()
        errors = process.stderr.read()
        process.wait(timeout=10)
    assert (process.returncode, errors) == (0, b"")
    assert run(content(database)) == expected(captures)


class SomethingThatNobodyWouldEverExpectToHappenInAScraper(Exception):
    """With a name that is longer than `error_type`."""


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("the scraper's own"),
        SomethingThatNobodyWouldEverExpectToHappenInAScraper("it did"),
        RuntimeError("text that PostgreSQL cannot store: caf\udce9, \0"),
    ],
    ids=["plain", "long name", "odd text"],
)
def test_source_that_raises(
    database: str, run: Run, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """What it handed over is stored, its runs are failed, with the error, and it is raised on."""
    # Text that is no Unicode would break the test's own report.
    caplog.set_level(logging.CRITICAL, "oddsschema")
    captures = MANY[:100]

    def source() -> Iterator[Capture]:
        yield from captures
        raise error

    raised: object = None
    try:
        run(oddsschema.ingest(database, source(), options=SMALL_CHUNKS))
    except Exception as caught:
        raised = caught
    assert raised is error
    assert run(content(database)) == expected(captures)
    runs = run(fetch(database, RUNS))
    assert sorted(row[:4] for row in runs) == [
        (platform, "failed", len(of(platform, captures)), 0) for platform in sorted(PLATFORMS)
    ]
    kinds = run(fetch(database, "SELECT error_type FROM scrape_errors"))
    assert kinds == [(type(error).__name__[:50],)] * 3
    assert run(fetch(database, "SELECT status FROM scrape_batches")) == [("failed",)]


# -- the connection --------------------------------------------------------------------------------


@asynccontextmanager
async def repeatedly(
    work: Callable[[], Any], times: int, rng: random.Random
) -> AsyncIterator[None]:
    """Do something so many times meanwhile, at random moments."""

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


@pytest.mark.parametrize("seed", range(CRASHES))
def test_connections_cut_again_and_again(database: str, run: Run, seed: int) -> None:
    """An ingestion whose connections are cut goes on, and nothing is lost or stored twice."""

    async def ingest() -> IngestReport:
        admin = await asyncpg.connect(database)

        async def cut() -> None:
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

        try:
            async with repeatedly(cut, 8, random.Random(seed)):
                return await oddsschema.ingest(database, MANY, options=SMALL_CHUNKS)
        finally:
            await admin.close()

    report = run(ingest())
    assert report.retries > 0
    assert (report.captures_stored, report.captures_known) == (len(MANY), 0)
    assert_completed(run, database, MANY)


def assert_completed(run: Run, url: str, captures: Sequence[Capture]) -> None:
    """Hold that the only batch is as if nothing had happened."""
    assert run(content(url)) == expected(captures)
    each = {platform: len(of(platform, captures)) for platform in PLATFORMS}
    assert sorted(run(fetch(url, RUNS))) == sorted(
        (platform, "completed", count, 0, count) for platform, count in each.items() if count
    )
    assert run(fetch(url, "SELECT status FROM scrape_batches")) == [("completed",)]
    assert run(fetch(url, "SELECT error_message FROM scrape_errors")) == []


class Proxy:
    """Between a client and its server: cuts the connection at one of the commits.

    Before it reaches the server, or after it was done and before the client learns of it. Then
    `meanwhile` happens, before anybody can connect again.
    """

    def __init__(
        self,
        url: str,
        directory: Path,
        cut_at: int,
        *,
        before: bool,
        meanwhile: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.commits = 0
        self._cut_at = cut_at
        self._before = before
        self._meanwhile = meanwhile
        self._open = asyncio.Event()
        self._open.set()
        self._url = make_url(url)
        self._directory = directory
        self._connections: list[asyncio.Task[Any]] = []
        query = {"host": str(directory), "port": "5432"}
        self.url = self._url.set(host=None, port=None, query=query).render_as_string(
            hide_password=False
        )

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """The URL to connect to."""
        path = self._directory / ".s.PGSQL.5432"
        async with await asyncio.start_unix_server(self._serve, path):
            yield self.url
        await asyncio.wait_for(asyncio.gather(*self._connections), 10)

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.append(task)
        await self._open.wait()
        if isinstance(socket := self._url.query.get("host"), str):
            server, to_server = await asyncio.open_unix_connection(f"{socket}/.s.PGSQL.5432")
        else:
            server, to_server = await asyncio.open_connection(
                self._url.host, self._url.port or 5432
            )
        cut = False

        async def forward() -> None:
            nonlocal cut
            while data := await client.read(1 << 16):
                if b"COMMIT;" in data:
                    self.commits += 1
                    cut = self.commits == self._cut_at
                    if cut and self._meanwhile is not None:
                        self._open.clear()
                        await self._meanwhile()
                        self._open.set()
                    if cut and self._before:
                        break
                to_server.write(data)
            to_server.close()

        async def backward() -> None:
            while data := await server.read(1 << 16):
                if cut:
                    break
                to_client.write(data)
            to_client.close()
            to_server.close()

        with contextlib.suppress(ConnectionError):
            await asyncio.gather(forward(), backward())
        to_client.close()
        to_server.close()


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A directory with a path that is short enough for a socket, and that anybody can enter."""
    path = Path(tempfile.mkdtemp(prefix="oddstest-", dir="/tmp"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.mark.parametrize("before", [True, False], ids=["before it", "after it"])
@pytest.mark.parametrize("commit", range(1, 8))
def test_connection_cut_at_a_commit(
    database: str, run: Run, short_path: Path, commit: int, before: bool
) -> None:
    """A commit that got no answer, done or not, counts once: of a batch, a run or a chunk."""
    captures = scrapes(range(6), range(2), ["sportybet"])
    proxy = Proxy(database, short_path, commit, before=before)

    async def ingest() -> IngestReport:
        async with proxy.serving() as url:
            return await oddsschema.ingest(url, captures, options=IngestOptions(chunk_rows=30))

    report = run(ingest())
    assert proxy.commits > commit
    assert report.retries == 1
    assert (report.captures_stored, report.captures_known) == (len(captures), 0)
    assert report.status is ScrapeStatus.COMPLETED
    assert_completed(run, database, captures)


@pytest.mark.parametrize("commit", range(1, 7))
def test_error_is_recorded_once(database: str, run: Run, short_path: Path, commit: int) -> None:
    """A run that fails has its error once, whichever commit got no answer."""
    captures = scrapes(range(6), range(1), ["sportybet"])

    def source() -> Iterator[Capture]:
        yield from captures
        raise RuntimeError("the scraper's own")

    async def ingest() -> None:
        async with Proxy(database, short_path, commit, before=False).serving() as url:
            await oddsschema.ingest(url, source())

    with pytest.raises(RuntimeError, match="the scraper's own"):
        run(ingest())
    errors = run(fetch(database, "SELECT error_message FROM scrape_errors"))
    assert errors == [("RuntimeError: the scraper's own",)]
    assert [row[1:4] for row in run(fetch(database, RUNS))] == [("failed", 6, 0)]


# -- other sessions --------------------------------------------------------------------------------


LOCK_AN_EVENT = """
SELECT FROM competitor_events WHERE source = 'sportybet' AND external_id = 'sportybet:7' FOR UPDATE
"""


async def set_for_all(url: str, setting: str) -> None:
    """Give new sessions of this database a setting."""
    connection = await asyncpg.connect(url)
    try:
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute(f'ALTER DATABASE "{name}" SET {setting}')
    finally:
        await connection.close()


def test_statement_timeout(database: str, run: Run) -> None:
    """It ends the run of whom it met, with an error that names the captures, and no other run."""
    first, second = scrapes(range(10), [0]), scrapes(range(10), [1])

    async def ingest() -> IngestReport:
        await oddsschema.ingest(database, first)
        await set_for_all(database, "statement_timeout = '300ms'")
        async with holding(database, LOCK_AN_EVENT):
            return await oddsschema.ingest(database, second)

    report = run(ingest())
    assert report.status is ScrapeStatus.PARTIAL
    statuses = {one.platform: (one.status, one.captures_stored) for one in report.runs}
    assert statuses == {
        "betpawa": (ScrapeStatus.COMPLETED, 10),
        "sportybet": (ScrapeStatus.FAILED, 0),
        "bet9ja": (ScrapeStatus.COMPLETED, 10),
    }
    assert (report.captures_lost, report.retries) == (10, 0)
    assert ("sportybet", "failed", 0, 10, 0) in run(fetch(database, RUNS))
    [(kind, message)] = run(fetch(database, "SELECT error_type, error_message FROM scrape_errors"))
    assert kind == "ChunkError"
    for part in ("captures:11 to captures:20 of sportybet", "statement timeout"):
        assert part in message
    known = first + [one for one in second if one not in of("sportybet", second)]
    assert run(content(database)) == expected(known)
    again = run(oddsschema.ingest(database, first + second))
    assert (again.captures_stored, again.captures_known) == (10, 50)
    assert run(content(database)) == expected(first + second)


def test_chunk_error(database: str, run: Run) -> None:
    """Who ingests run by run gets the error itself, which says whose captures are not stored."""
    first, second = (scrapes(range(10), [minute], ["sportybet"]) for minute in (0, 1))

    async def ingest() -> tuple[oddsschema.Run, ChunkError]:
        await oddsschema.ingest(database, first)
        await set_for_all(database, "statement_timeout = '300ms'")
        options = IngestOptions(chunk_rows=30)
        async with (
            holding(database, LOCK_AN_EVENT),
            oddsschema.batch(database, options=options) as batch,
            batch.run("sportybet") as sportybet,
        ):
            with pytest.raises(ChunkError) as caught:
                await sportybet.ingest(second * 2)
        return sportybet, caught.value

    sportybet, error = run(ingest())
    assert (error.platform, error.run_id) == ("sportybet", sportybet.id)
    assert (error.first, error.last) == ("captures:7", "captures:12")
    assert isinstance(error.__cause__, asyncpg.QueryCanceledError)
    assert sportybet.status is ScrapeStatus.FAILED
    assert run(content(database)) == expected(first + second[:6])


def test_deadlock(database: str, run: Run) -> None:
    """The victim of a deadlock tries again."""
    first, second = (scrapes(range(10), [minute], ["sportybet"]) for minute in (0, 1))
    lock_another = LOCK_AN_EVENT.replace(":7", ":0")

    async def ingest() -> IngestReport:
        await oddsschema.ingest(database, first)
        # Patient itself, so that the other one is the victim.
        patient = "SET LOCAL deadlock_timeout = '60s'"
        async with holding(database, patient, LOCK_AN_EVENT) as other:
            ingesting = asyncio.create_task(oddsschema.ingest(database, second))
            await waiting(other)
            await other.execute(lock_another)
        return await ingesting

    report = run(ingest())
    assert (report.status, report.retries) == (ScrapeStatus.COMPLETED, 1)
    assert run(content(database)) == expected(first + second)


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_other_isolation_level(database: str, run: Run, level: str) -> None:
    """Where transactions are serializable by default, those that cannot be are repeated."""
    parts = [scrapes(range(6), range(at, at + 4)) for at in range(4)]

    async def at_once() -> list[IngestReport]:
        await set_for_all(database, f"default_transaction_isolation = '{level}'")
        options = IngestOptions(chunk_rows=40)
        return await asyncio.gather(
            *(oddsschema.ingest(database, part, options=options) for part in parts)
        )

    reports = run(at_once())
    assert [one.error for report in reports for one in report.runs] == [None] * 12
    assert run(content(database)) == expected(one for part in parts for one in part)


def test_migration_at_the_same_time(database: str, run: Run) -> None:
    """Columns that come and go, and an upgrade to where it is, cost an ingestion nothing."""

    async def ingest() -> IngestReport:
        admin = await asyncpg.connect(database)

        async def migrate() -> None:
            for change in ("ADD COLUMN later INTEGER DEFAULT 1", "DROP COLUMN later"):
                async with admin.transaction():
                    for table in ("competitor_events", "competitor_odds_snapshots"):
                        await admin.execute(f"ALTER TABLE {table} {change}")
                    await admin.execute(f"ALTER TABLE competitor_market_odds {change}")
                    await admin.execute(f"ALTER TABLE market_odds {change}")
                    await asyncio.sleep(0.02)
            await migrations.upgrade(database)

        try:
            async with repeatedly(migrate, 5, random.Random(1)):
                return await oddsschema.ingest(database, MANY, options=SMALL_CHUNKS)
        finally:
            await admin.close()

    report = run(ingest())
    assert (report.captures_stored, report.captures_known) == (len(MANY), 0)
    assert_completed(run, database, MANY)


def test_table_locked_for_a_while(database: str, run: Run) -> None:
    """A session that holds a table for itself delays an ingestion, no more."""
    captures = MANY[:60]

    async def ingest() -> IngestReport:
        lock = "LOCK TABLE competitor_market_odds IN ACCESS EXCLUSIVE MODE"
        async with holding(database, lock) as other:
            ingesting = asyncio.create_task(oddsschema.ingest(database, captures))
            await waiting(other)
        return await ingesting

    assert run(ingest()).retries == 0
    assert_completed(run, database, captures)


# -- the server ------------------------------------------------------------------------------------


class Server:
    """A server of one's own, which loses nothing that was committed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._users: list[EmbeddedPostgres] = []
        self._databases = 0
        self.start()

    def start(self) -> None:
        """Start it, again after a kill."""
        server = EmbeddedPostgres(self._directory)
        server.start()
        self._users.append(server)

    def stop(self) -> None:
        """Stop it in good order."""
        while self._users:
            self._users.pop().stop()

    def _url(self, database: str) -> str:
        return EmbeddedPostgres(self._directory).url_for(database)

    @property
    def data(self) -> Path:
        """Its data directory."""
        return Path(str(make_url(self._url("postgres")).query["host"]))

    @property
    def _pid(self) -> int:
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def kill(self) -> None:
        """SIGKILL, to its first process: the others end by themselves."""
        os.kill(self._pid, signal.SIGKILL)

    async def new_database(self) -> str:
        """The URL of a migrated database."""
        self._databases += 1
        name = f"test_{self._databases}"
        connection = await asyncpg.connect(self._url("postgres"))
        await connection.execute(f"CREATE DATABASE {name}")
        await connection.close()
        url = self._url(name)
        await migrations.upgrade(url)
        return url

    async def _accepting(self) -> None:
        while True:
            with contextlib.suppress(asyncpg.CannotConnectNowError):
                return await (await asyncpg.connect(self._url("postgres"))).close()
            await asyncio.sleep(0.05)

    async def drop(self, url: str) -> None:
        """Drop a database, and every tablespace."""
        connection = await asyncpg.connect(self._url("postgres"))
        await connection.execute(f"DROP DATABASE {make_url(url).database} WITH (FORCE)")
        await connection.execute("DROP TABLESPACE small")
        await connection.close()

    @asynccontextmanager
    async def starting_up(self) -> AsyncIterator[None]:
        """Restart it, and let nobody in meanwhile: as one that has much to recover."""
        self.stop()
        owner = self.data.stat()
        for name, text in (
            ("standby.signal", ""),
            ("postgresql.auto.conf", "hot_standby = off\nrestore_command = 'false'\n"),
        ):
            (self.data / name).write_text(text)
            os.chown(self.data / name, owner.st_uid, owner.st_gid)
        await asyncio.to_thread(self.start)
        try:
            yield
        finally:
            # What pg_ctl promote does.
            (self.data / "promote").touch()
            os.kill(self._pid, signal.SIGUSR1)
            await self._accepting()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that may be killed, and is then started again by whoever did it."""
    path = Path(tempfile.mkdtemp(prefix="oddstest-", dir="/tmp"))
    path.chmod(0o711)
    server = Server(path / "db")
    yield server
    server.stop()
    shutil.rmtree(path, ignore_errors=True)


@pytest.mark.parametrize("seed", range(CRASHES))
def test_server_killed_and_restarted(server: Server, run: Run, seed: int) -> None:
    """The ingestion waits for the server to be back, goes on and ends completed."""
    rng = random.Random(seed)
    url = run(server.new_database())
    crash_at = rng.randint(50, len(MANY) - 100)
    crashes: list[asyncio.Task[None]] = []

    async def crash() -> None:
        await asyncio.sleep(rng.uniform(0, 0.01))
        server.kill()
        await asyncio.sleep(rng.uniform(0, 0.7))
        await asyncio.to_thread(server.start)

    async def source() -> AsyncIterator[Capture]:
        for at, one in enumerate(MANY):
            if at == crash_at:
                crashes.append(asyncio.create_task(crash()))
            yield one

    async def ingest() -> IngestReport:
        report = await oddsschema.ingest(url, source(), options=SMALL_CHUNKS)
        await crashes[0]
        return report

    report = run(ingest())
    assert report.retries > 0
    assert (report.captures_stored, report.captures_known) == (len(MANY), 0)
    assert_completed(run, url, MANY)


@pytest.mark.parametrize("commit", range(4, 8))
def test_server_killed_at_a_commit(server: Server, run: Run, short_path: Path, commit: int) -> None:
    """A chunk that a crash has undone is written again, even if its transaction's id was reused."""
    url = run(server.new_database())
    captures = scrapes(range(6), range(2), ["sportybet"])

    async def crash() -> None:
        server.kill()
        await asyncio.to_thread(server.start)
        # The server gives the ids again that it had not written down.
        admin = await asyncpg.connect(url)
        for _ in range(50):
            await admin.execute("SELECT pg_current_xact_id()")
        await admin.close()

    async def ingest() -> IngestReport:
        proxy = Proxy(url, short_path, commit, before=True, meanwhile=crash)
        async with proxy.serving() as proxied:
            return await oddsschema.ingest(proxied, captures, options=IngestOptions(chunk_rows=30))

    report = run(ingest())
    assert report.retries > 0
    assert (report.captures_stored, report.captures_known) == (len(captures), 0)
    assert_completed(run, url, captures)


def test_server_that_stays_away(server: Server, run: Run) -> None:
    """Without it for longer than `retry_for`, an error says so; what is open is found as stale."""
    url = run(server.new_database())
    captures = of("sportybet", MANY)

    def source() -> Iterator[Capture]:
        for at, one in enumerate(captures):
            if at == 100:
                server.kill()
            yield one

    began = time.monotonic()
    with pytest.raises(OddsSchemaError, match="cannot connect"):
        run(oddsschema.ingest(url, source(), options=IngestOptions(chunk_rows=300, retry_for=0.3)))
    took = time.monotonic() - began
    server.start()
    assert 0.3 < took < 10
    run(assert_whole(url, captures))
    [stale] = run(stale_batches(url, timedelta(0)))
    assert [one.status for one in stale.runs] == [ScrapeStatus.RUNNING]
    assert run(close_stale(url, timedelta(0))) == 1
    run(redeliver(url, captures))


def test_server_that_is_starting_up(server: Server, run: Run) -> None:
    """An ingestion that begins while the server recovers waits for it."""
    url = run(server.new_database())
    captures = MANY[:60]

    async def ingest() -> IngestReport:
        async with server.starting_up():
            ingesting = asyncio.create_task(oddsschema.ingest(url, captures))
            await asyncio.sleep(0.5)
        return await ingesting

    report = run(ingest())
    assert report.retries > 0
    assert_completed(run, url, captures)


@pytest.fixture
def small_disk(short_path: Path) -> Iterator[Path]:
    """A directory with room for 2 MB, which `mount -o remount,size=` changes."""
    path = short_path / "disk"
    path.mkdir()
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("mounting a small disk takes Linux and root")
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(path)]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted: {done.stderr.strip()}")
    yield path
    subprocess.run(["umount", "--lazy", path], check=True)


def test_disk_full(server: Server, run: Run, small_disk: Path) -> None:
    """A full disk ends the run with an error that says so; with room made, all can be stored."""
    url = run(server.new_database())
    # 4 MB of odds.
    captures = scrapes(range(40), range(6), ["sportybet"], markets=60)
    owner = server.data.stat()
    os.chown(small_disk, owner.st_uid, owner.st_gid)

    async def ingest() -> IngestReport:
        connection = await asyncpg.connect(url)
        await connection.execute(f"CREATE TABLESPACE small LOCATION '{small_disk}'")
        await connection.execute("ALTER TABLE competitor_market_odds SET TABLESPACE small")
        await connection.close()
        return await oddsschema.ingest(url, captures, options=IngestOptions(chunk_rows=1000))

    report = run(ingest())
    [failed] = report.runs
    assert (failed.status, report.retries) == (ScrapeStatus.FAILED, 0)
    assert failed.error is not None and "No space left on device" in failed.error
    assert failed.captures_stored > 0
    assert failed.captures_stored + failed.captures_lost == len(captures)
    assert len(run(assert_whole(url, captures))) == failed.captures_stored
    stored, lost = failed.captures_stored, failed.captures_lost
    assert run(fetch(url, RUNS)) == [("sportybet", "failed", stored, lost, stored)]
    assert run(fetch(url, "SELECT error_type FROM scrape_errors")) == [("ChunkError",)]

    subprocess.run(["mount", "-o", "remount,size=50m", small_disk], check=True)
    run(redeliver(url, captures))
    run(server.drop(url))
