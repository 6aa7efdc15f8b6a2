import os
from collections.abc import Callable
from typing import Any

import pytest
from celery.contrib.testing.worker import start_worker

from oddsschema import sync

os.environ.setdefault("BROKER_URL", "memory://")

from odds_workers.tasks import app, scrape

RUNS = "SELECT batch_id, platform, status, events_scraped, events_failed FROM scrape_runs"


@pytest.fixture(scope="module", autouse=True)
def results(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Let the workers' processes write their results into files."""
    app.conf.result_backend = tmp_path_factory.mktemp("results").as_uri()


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_worker(pool: str, fetch: Callable[[str], list[Any]]) -> None:
    """A worker of Celery runs the tasks; those of one scrape share a batch."""
    url = os.environ["DATABASE_URL"]
    with (
        sync.batch(url, trigger="scheduler") as batch,
        start_worker(app, pool=pool, concurrency=2, perform_ping_check=False),
    ):
        results = [scrape.delay(platform, batch.id) for platform in ("sportybet", "bet9ja")]
        stored = [result.get(timeout=60) for result in results]
    assert stored == [{"stored": 11, "refused": 0}, {"stored": 10, "refused": 0}]
    assert sorted(fetch(RUNS)) == [
        (batch.id, "bet9ja", "partial", 10, 1),
        (batch.id, "sportybet", "partial", 11, 1),
    ]
