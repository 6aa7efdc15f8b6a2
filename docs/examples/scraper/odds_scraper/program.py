"""The program `odds-scraper SLUG=URL ...`: scrapes sites into the database of DATABASE_URL.

Exit codes: 0 everything was stored; 1 something was not fetched or was invalid; 2 not started.
"""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Sequence

import oddsschema
from odds_scraper.site import Site
from oddsschema import ScrapeStatus


async def scrape(database: str, sites: Sequence[Site]) -> bool:
    """Scrape sites concurrently, as one batch. Return whether everything was stored."""
    async with oddsschema.batch(database, trigger="manual") as batch:

        async def scrape_site(site: Site) -> None:
            # An exception inside a run ends only this run as failed.
            async with batch.run(site.slug) as run, site:
                await run.ingest(site.captures())  # read as fast as rows are written

        async with asyncio.TaskGroup() as tasks:
            for site in sites:
                tasks.create_task(scrape_site(site))

    report = batch.report()
    for run in report.runs:
        print(f"{run.platform}: {run.captures_stored} events, {run.markets_stored} markets")
        if run.error is not None:
            print(f"{run.platform}: {run.error}", file=sys.stderr)
    problems = sum(len(site.problems) for site in sites)
    print(f"batch {report.batch_id} {report.status}, {problems} problems")
    return report.status is ScrapeStatus.COMPLETED and not problems


def main() -> None:
    """Run the program."""
    logging.basicConfig(format="%(message)s")
    parser = argparse.ArgumentParser(prog="odds-scraper")
    parser.add_argument("sites", nargs="+", metavar="SLUG=URL")
    sites = [Site(*site.split("=", 1)) for site in parser.parse_args().sites]
    try:
        all_stored = asyncio.run(scrape(os.environ["DATABASE_URL"], sites))
    except oddsschema.OddsSchemaError as error:
        print(f"odds-scraper: {error}", file=sys.stderr)
        sys.exit(2)
    sys.exit(0 if all_stored else 1)
