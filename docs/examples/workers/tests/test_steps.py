from collections.abc import Callable
from typing import Any

import pytest
from odds_workers import steps


def test_steps(fetch: Callable[[str], list[Any]]) -> None:
    """A step that is repeated stores its captures once, and a prune of newer ones keeps them."""
    stored = "SELECT count(*) FROM competitor_odds_snapshots"
    steps.scrape("sportybet")
    first = fetch(stored)
    steps.scrape("sportybet")
    assert fetch(stored) == first != [(0,)]
    assert fetch("SELECT DISTINCT trigger, status FROM scrape_batches") == [
        ("airflow", "completed")
    ]
    steps.prune()
    assert fetch("SELECT count(*) FROM scrape_batches") == [(2,)]


def test_failure(fetch: Callable[[str], list[Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """A site that cannot be read fails the step and its run."""

    def fetch_events(platform: str) -> Any:
        raise ConnectionError("the site is down")
        yield

    monkeypatch.setattr(steps, "fetch_events", fetch_events)
    with pytest.raises(ConnectionError, match="the site is down"):
        steps.scrape("sportybet")
    assert fetch("SELECT status FROM scrape_batches") == [("failed",)]
