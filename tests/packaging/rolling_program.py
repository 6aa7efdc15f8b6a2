"""A program of an installed release, which ingests in an open batch, checks and reads.

It ends with its input. Its output is a line for each chunk, and at the end the run's status and
error. It uses what every release has.
"""

import asyncio
import os
import sys
import threading

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

import oddsschema
from oddsschema.simulate import simulate


async def main() -> None:
    """Ingest and read until the end of the input, or an error."""
    url = os.environ["DATABASE_URL"]
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    engine = oddsschema.create_engine(url)
    options = oddsschema.IngestOptions(chunk_rows=1)
    async with (
        oddsschema.batch(url, options=options) as opened,
        opened.run("bet9ja") as run,
        AsyncSession(engine) as session,
    ):
        for scrape in simulate(platforms=["bet9ja"], events=3, scrapes=2000):
            if stop.is_set():
                break
            await run.ingest(scrape["bet9ja"])
            report = await oddsschema.migrations.check(url)
            rows = select(func.count()).select_from(oddsschema.CompetitorOddsSnapshot)
            print(report.state, (await session.execute(rows)).scalar_one(), flush=True)  # noqa: T201
            await session.rollback()
    await engine.dispose()
    print("end:", run.status, run.error, flush=True)  # noqa: T201


asyncio.run(main())
