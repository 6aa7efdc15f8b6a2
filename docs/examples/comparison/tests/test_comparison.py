import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from fake_sites import FakeSites
from odds_comparison import coordinator


@pytest.fixture
def stored(oddsschema_database: str, oddsschema_run: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that runs a statement on this test's database, and returns its rows."""

    async def fetch(query: str, *values: Any) -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(oddsschema_database)
        try:
            return [tuple(row) for row in await connection.fetch(query, *values)]
        finally:
            await connection.close()

    return lambda query, *values: oddsschema_run(fetch(query, *values))


def scrape(client: httpx.Client) -> dict[str, Any]:
    """Scrape all sites. Return the report's runs by platform."""
    answer = client.post("/scrapes", timeout=60).raise_for_status()
    return {run["platform"]: run for run in answer.json()["runs"]}


def test_side_by_side(client: httpx.Client) -> None:
    """A scrape of three sites is compared under common names, now and as of an instant."""
    runs = scrape(client)
    assert {slug: run["captures_stored"] for slug, run in runs.items()} == {
        "betpawa": 2,
        "sportybet": 2,
        "bet9ja": 3,
    }
    event, _ = client.get("/events").json()
    result, total = client.get(f"/events/{event['id']}/prices").json()
    assert result["betpawa_market_name"] == "1X2 - Full Time"
    prices = {
        slug: {outcome["name"]: outcome["odds"] for outcome in outcomes}
        for slug, outcomes in result["outcomes"].items()
    }
    assert prices == {
        "bet9ja": {"1": 1.9, "X": 3.4, "2": 3.9},
        "betpawa": {"1": 2.0, "X": 3.4, "2": 3.9},
        "sportybet": {"1": 2.1, "X": 3.4, "2": 3.9},
    }
    assert total["line"] == 2.5
    assert total["outcomes"]["betpawa"][1] == {"name": "Under", "odds": None, "is_active": False}
    before = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    assert client.get(f"/events/{event['id']}/prices", params={"at": before}).json() == []


def test_history(client: httpx.Client, sites: FakeSites) -> None:
    """Each change of a price is a point of the history."""
    scrape(client)
    sites.home["bet9ja"] = 1.8
    scrape(client)
    event, _ = client.get("/events").json()
    points = client.get(f"/events/{event['id']}/markets/3743/history").json()
    prices = [point["outcomes"][0]["odds"] for point in points if point["bookmaker"] == "bet9ja"]
    assert prices == [1.9, 1.8]


def test_failures(client: httpx.Client, sites: FakeSites, stored: Callable[..., Any]) -> None:
    """A page that fails is recorded in its run, a site that is down fails its own run alone."""
    sites.broken = {"/sportybet/events/2", "/bet9ja/events"}
    runs = scrape(client)
    assert {slug: run["status"] for slug, run in runs.items()} == {
        "betpawa": "completed",
        "sportybet": "partial",
        "bet9ja": "failed",
    }
    errors = "SELECT platform, error_message FROM scrape_errors JOIN scrape_runs AS r ON r.id = "
    by_platform = dict(stored(errors + "scrape_run_id"))
    assert by_platform.keys() == {"sportybet", "bet9ja"}
    assert all("503" in message for message in by_platform.values())
    assert stored("SELECT status, events_scraped, events_failed FROM scrape_runs ORDER BY id") == [
        ("completed", 2, 0),
        ("partial", 1, 1),
        ("failed", 0, 0),
    ]
    timings = stored("SELECT platform_timings FROM scrape_runs WHERE platform = 'betpawa'")
    assert json.loads(timings[0][0]).keys() == {"list", "events"}


def test_followed_event_comes_first(
    client: httpx.Client, sites: FakeSites, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event that is followed is scraped before the others, at all of its sites."""
    monkeypatch.setattr(coordinator, "AT_ONCE", 1)
    scrape(client)
    _, later = client.get("/events").json()
    assert client.put("/events/2147483647/followed").status_code == 404
    client.put(f"/events/{later['id']}/followed", params={"note": "derby"}).raise_for_status()
    sites.asked.clear()
    scrape(client)
    pages = sites.asked[3:]
    assert set(pages[:3]) == {f"/{slug}/events/2" for slug in ("betpawa", "sportybet", "bet9ja")}
    assert len(pages) == 7


def test_progress(client: httpx.Client) -> None:
    """The counts of a run in progress are a stream of server-sent events, until the run ends."""
    assert client.get("/scrapes/betpawa/progress").status_code == 404
    with ThreadPoolExecutor() as threads:
        report = threads.submit(scrape, client)
        while (stream := client.get("/scrapes/bet9ja/progress")).status_code == 404:
            assert not report.done()
            time.sleep(0.001)
    lines = [line for line in stream.text.split("\n\n") if line]
    last = json.loads(lines[-1].removeprefix("data: "))
    assert last["captures"] == report.result()["bet9ja"]["captures_stored"] == 3
    assert stream.headers["content-type"].startswith("text/event-stream")


def test_clean_up(client: httpx.Client, stored: Callable[..., Any]) -> None:
    """A clean-up deletes events that are over, with the rows of this application."""
    scrape(client)
    event, _ = client.get("/events").json()
    client.put(f"/events/{event['id']}/followed").raise_for_status()
    client.post("/clean-ups").raise_for_status()
    assert stored("SELECT event_id FROM followed_events") == [(event["id"],)]

    ago = datetime.now(UTC) - timedelta(days=100)
    for table in ("events", "competitor_events"):
        stored(f"UPDATE {table} SET kickoff = $1", ago)
    for table in ("odds_snapshots", "competitor_odds_snapshots"):
        stored(f"UPDATE {table} SET captured_at = $1", ago)
    for table in ("scrape_runs", "scrape_batches"):
        stored(f"UPDATE {table} SET started_at = $1, completed_at = $1", ago)
    client.post("/clean-ups").raise_for_status()
    for table in ("events", "followed_events", "competitor_events", "scrape_runs"):
        assert stored(f"SELECT * FROM {table}") == []
