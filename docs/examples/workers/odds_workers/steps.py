"""The steps of the DAG, as plain functions."""

import os
from datetime import timedelta

from odds_workers.site import SiteError, fetch_events
from oddsschema import ScrapeStatus, sync


def scrape(platform: str) -> None:
    """Store the captures of a site. Raises RuntimeError if the run failed."""
    captures = (event for _, event in fetch_events(platform) if not isinstance(event, SiteError))
    report = sync.ingest(os.environ["DATABASE_URL"], captures, trigger="airflow")
    if report.status is ScrapeStatus.FAILED:
        raise RuntimeError(str(report.runs))


def prune() -> None:
    """Delete what is older than two weeks."""
    sync.prune(os.environ["DATABASE_URL"], timedelta(days=14))
