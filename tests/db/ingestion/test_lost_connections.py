"""An ingestion survives lost connections, also at a commit."""

import asyncio
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

import oddsschema
from oddsschema import IngestOptions, IngestReport, ScrapeStatus
from tests.support.interrupted_ingestion import (
    CRASHES,
    MANY,
    RUNS,
    SMALL_CHUNKS,
    assert_completed,
    repeatedly,
)
from tests.support.proxy import Proxy
from tests.support.scrapes import Capture, scrapes
from tests.support.sessions import fetch

Run = Callable[..., Any]


@pytest.mark.parametrize("seed", range(CRASHES))
def test_connections_cut_again_and_again(database: str, run: Run, seed: int) -> None:
    """An ingestion continues after its connections are cut; nothing is lost or stored twice."""

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
    assert (report.total.captures_stored, report.total.captures_known) == (len(MANY), 0)
    assert_completed(run, database, MANY)


@pytest.mark.parametrize("before", [True, False], ids=["before it", "after it"])
@pytest.mark.parametrize("commit", range(1, 8))
def test_connection_cut_at_a_commit(
    database: str, run: Run, short_path: Path, commit: int, before: bool
) -> None:
    """A commit without an answer counts once: of a batch, a run or a chunk."""
    captures = scrapes(range(6), range(2), ["sportybet"])
    proxy = Proxy(database, short_path, commit, before=before)

    async def ingest() -> IngestReport:
        async with proxy.serving() as url:
            return await oddsschema.ingest(url, captures, options=IngestOptions(chunk_rows=30))

    report = run(ingest())
    assert proxy.found > commit
    assert report.retries == 1
    assert (report.total.captures_stored, report.total.captures_known) == (len(captures), 0)
    assert report.status is ScrapeStatus.COMPLETED
    assert_completed(run, database, captures)


class LosingProxy(Proxy):
    """A proxy that loses its first connections while they are opened."""

    lost = 0

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        if self.lost == 3:
            await super()._serve(client, to_client)
        else:
            self.lost += 1
            to_client.close()


def test_connection_lost_at_the_start(database: str, run: Run, short_path: Path) -> None:
    """An ingestion whose connections are lost while they are opened begins a little later."""
    captures = scrapes(range(3), range(2), ["sportybet"])
    proxy = LosingProxy(database, short_path, 0, before=True)

    async def ingest() -> IngestReport:
        async with proxy.serving() as url:
            return await oddsschema.ingest(url, captures)

    assert run(ingest()).all_stored
    assert proxy.lost == 3
    assert_completed(run, database, captures)


@pytest.mark.parametrize("commit", range(1, 7))
def test_error_is_recorded_once(database: str, run: Run, short_path: Path, commit: int) -> None:
    """A failed run has its error once, whichever commit got no answer."""
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
