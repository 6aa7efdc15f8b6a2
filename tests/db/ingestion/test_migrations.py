"""Migrations beside an ingestion: it writes no rows in another form than the schema's."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import oddsschema
from oddsschema import IngestOptions, NotMigratedError, ScrapeStatus, migrations
from oddsschema.database.revision import HEAD
from tests.support.contents import assert_whole, content, expected
from tests.support.scrapes import PLATFORMS, scrapes
from tests.support.sessions import execute, holding, waiting

Run = Callable[..., Any]

EARLY, LATE = scrapes(range(3), range(2)), scrapes(range(3), range(2, 4))


async def ingest_around(url: str, platform: str, meanwhile: Callable[[], Awaitable[Any]]) -> str:
    """Ingest a chunk, do something, and ingest another chunk. Return the error.

    It is the run's, unless its record has no place in the schema any more.
    """
    options = IngestOptions(chunk_rows=1)
    try:
        async with oddsschema.batch(url, options=options) as batch, batch.run(platform) as run:
            await run.ingest(of(platform, EARLY))
            await meanwhile()
            await run.ingest(of(platform, LATE))
    except NotMigratedError as error:
        return str(error)
    assert run.status is ScrapeStatus.FAILED
    return str(run.error)


def of(platform: str, captures: list[Any]) -> list[Any]:
    """List the captures of a platform."""
    return [
        capture
        for capture in captures
        if platform in (capture.get("event") or capture["competitor_event"]).values()
    ]


@pytest.mark.parametrize("platform", PLATFORMS[:2])
@pytest.mark.parametrize("revision", ["oddsschema_0008", "oddsschema_0007", "oddsschema_0005"])
def test_downgrade_between_chunks(revision: str, platform: str, database: str, run: Run) -> None:
    """After a downgrade, a run stores no further chunk, and its error names the revisions."""
    error = run(ingest_around(database, platform, lambda: migrations.downgrade(database, revision)))
    assert f"the database is at revision {revision}, this release needs" in error
    run(migrations.upgrade(database))
    assert run(assert_whole(database, of(platform, EARLY)))


def test_downgrade_of_everything(database: str, run: Run) -> None:
    """After all tables were dropped, an ingestion says so."""
    error = run(ingest_around(database, "bet9ja", lambda: migrations.downgrade(database, "base")))
    assert "the database has no tables of oddsschema" in error


NEWER = "UPDATE oddsschema_version SET version_num = 'oddsschema_9999'"


def test_newer_release(database: str, run: Run) -> None:
    """After an upgrade by a newer release, a run stores no further chunk."""
    error = run(ingest_around(database, "betpawa", lambda: execute(database, NEWER)))
    assert "the database is at revision oddsschema_9999" in error
    assert run(assert_whole(database, of("betpawa", EARLY)))


@pytest.mark.parametrize("platform", PLATFORMS[:2])
def test_chunk_that_waits_for_a_migration(platform: str, database: str, run: Run) -> None:
    """A chunk that waited for the locks of a migration is not written in the former form."""
    lock = (
        "LOCK TABLE competitor_odds_snapshots, competitor_market_odds, odds_snapshots, market_odds"
        " IN ACCESS EXCLUSIVE MODE"
    )

    async def ingest() -> oddsschema.IngestReport:
        async with holding(database, lock, NEWER) as migration:
            ingesting = asyncio.create_task(oddsschema.ingest(database, of(platform, EARLY)))
            await waiting(migration, unless=ingesting)
        return await ingesting

    (report,) = run(ingest()).runs
    assert "the database is at revision oddsschema_9999" in str(report.error)
    assert report.captures_stored == 0
    run(execute(database, f"UPDATE oddsschema_version SET version_num = '{HEAD}'"))
    assert run(content(database)) == expected([])
