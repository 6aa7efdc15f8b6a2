"""An adoption that was killed is continued by another one: nothing is lost, or stored twice."""

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, timedelta
from typing import Any

import asyncpg
import pytest

from oddsschema import Capture, IngestOptions, adopt
from oddsschema.scrapes import close_stale
from tests.support.contents import content, expected
from tests.support.interrupted_ingestion import KILLS
from tests.support.plan_tables import PlanWriter
from tests.support.scrapes import scrapes
from tests.support.sessions import execute, fetch, settled

Run = Callable[..., Any]

#: Adopts the database argv[2] into argv[1], and prints its progress.
CLIENT = """
import asyncio, datetime, sys
import oddsschema
asyncio.run(oddsschema.adopt(
    sys.argv[1], sys.argv[2], timezone=datetime.UTC,
    options=oddsschema.IngestOptions(chunk_rows=100),
    on_progress=lambda progress: print(progress.done, flush=True),
))
"""

#: 162 captures of 4 markets each, at minutes at which no name changes: the source has one of each.
CAPTURES = scrapes(range(18), range(3), markets=4)

RECORDS = """
SELECT (SELECT count(*) FROM scrape_batches WHERE trigger IS NULL),
    (SELECT count(*) FROM scrape_runs WHERE trigger IS NULL AND platform IS NULL),
    (SELECT count(*) FROM scrape_errors WHERE error_type = 'old'),
    (SELECT count(*) FROM odds_snapshots AS s JOIN scrape_runs AS r ON r.id = s.scrape_run_id
     WHERE r.platform IS NOT NULL)
"""


@pytest.fixture
def source(plan_database: str, run: Run) -> str:
    """Return the URL of a source with batches, runs, errors and odds."""

    async def fill() -> None:
        connection = await asyncpg.connect(plan_database)
        async with connection.transaction():
            writer = PlanWriter(connection, UTC)
            batch_id = await writer.insert("scrape_batches", status="completed")
            run_id = await writer.insert("scrape_runs", status="completed", batch_id=batch_id)
            for _ in range(3):
                await writer.insert(
                    "scrape_errors", scrape_run_id=run_id, error_type="old", error_message="old"
                )
            await writer.store(map(Capture.model_validate, CAPTURES), run_id=run_id)
        await connection.close()

    run(fill())
    return plan_database


def assert_adopted(run: Run, database: str) -> None:
    """Check that everything is there once."""
    assert run(content(database)) == expected(CAPTURES)
    assert run(fetch(database, RECORDS)) == [(1, 1, 3, 0)]


@pytest.mark.sampled(1)
@pytest.mark.parametrize("seed", range(KILLS))
def test_killed(source: str, database: str, run: Run, seed: int) -> None:
    """After a SIGKILL at any moment, another adoption stores the rest."""
    rng = random.Random(seed)
    with subprocess.Popen(
        [sys.executable, "-c", CLIENT, database, source], stdout=subprocess.PIPE, text=True
    ) as client:
        assert client.stdout is not None
        for _ in range(rng.randint(0, 2 * len(CAPTURES))):
            client.stdout.readline()
        time.sleep(rng.uniform(0, 0.03))
        client.kill()
    run(settled(database))
    report = run(adopt(database, source, timezone=UTC))
    assert report.all_stored
    assert_adopted(run, database)
    run(close_stale(database, timedelta(0)))
    assert run(adopt(database, source, timezone=UTC)).ingestion.total.captures_stored == 0
    assert_adopted(run, database)


def test_error_of_the_source(source: str, database: str, run: Run) -> None:
    """An error of the source ends the adoption, and another one stores the rest."""

    async def adopt_and_end() -> None:
        def end_connections(progress: Any) -> None:
            if progress.done == 100:
                ending.append(asyncio.create_task(execute(database, END)))

        END = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            f"WHERE datname = '{source.partition('?')[0].rpartition('/')[2]}'"
        )
        ending: list[asyncio.Task[None]] = []
        options = IngestOptions(chunk_rows=100)
        await adopt(database, source, timezone=UTC, options=options, on_progress=end_connections)

    with pytest.raises(Exception, match="connection"):
        run(adopt_and_end())
    assert run(adopt(database, source, timezone=UTC)).all_stored
    assert_adopted(run, database)
