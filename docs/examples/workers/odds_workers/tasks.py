"""The tasks of the workers: `celery -A odds_workers.tasks worker`."""

import os

from celery import Celery

import oddsschema.sync as odds
from odds_workers.site import SiteError, fetch_events

app = Celery("odds", broker=os.environ["BROKER_URL"])


@app.task
def scrape(platform: str, batch_id: int | None = None) -> dict[str, int]:
    """Scrape a site."""
    with (
        odds.batch(os.environ["DATABASE_URL"], batch_id=batch_id) as batch,
        batch.run(platform) as run,
    ):
        for event_id, event in fetch_events(platform):
            if isinstance(event, SiteError):
                run.failed(event, external_id=event_id)
            else:
                run.ingest([event])
    total = batch.report().total
    return {"stored": total.captures_stored, "refused": total.captures_refused}
