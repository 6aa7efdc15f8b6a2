import os
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import asyncpg
import pytest
from fake_site import FakeSite

PROGRAM = Path(sysconfig.get_path("scripts"), "odds-scraper")

Scrape = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def site() -> Iterator[FakeSite]:
    """Start a bookmaker's site on a local port."""
    with FakeSite() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


other_site = site


@pytest.fixture
def scrape(oddsschema_database: str) -> Scrape:
    """Return a function that runs the program with sites as arguments, on this test's database."""

    def scrape(**urls: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PROGRAM, *(f"{slug}={url}" for slug, url in urls.items())],
            env=os.environ | {"DATABASE_URL": oddsschema_database},
            capture_output=True,
            text=True,
            check=False,
        )

    return scrape


@pytest.fixture
def stored(oddsschema_database: str, oddsschema_run: Callable[..., Any]) -> Callable[[str], Any]:
    """Return a function that fetches rows of this test's database."""

    async def fetch(query: str) -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(oddsschema_database)
        try:
            return [tuple(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()

    return lambda query: oddsschema_run(fetch(query))


RUNS = "SELECT platform, status, events_scraped FROM scrape_runs ORDER BY platform"
# Each row is a change, not the offer: only after a first scrape are both the same.
MARKETS = """
    SELECT e.external_id, m.betpawa_market_id FROM competitor_events AS e
    JOIN competitor_market_odds AS m ON m.competitor_event_id = e.id ORDER BY 1, 2
"""


def test_scrape(scrape: Scrape, stored: Callable[[str], Any], site: FakeSite) -> None:
    """A site's whole offer is stored, with BetPawa's market ids."""
    done = scrape(bet9ja=site.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "bet9ja: 3 events, 9 markets\nbatch 1 completed, 0 problems\n"
    assert stored(RUNS) == [("bet9ja", "completed", 3)]
    assert stored(MARKETS) == [(e, m) for e in ("1", "2", "3") for m in ("3743", "4724", "5000")]


def test_passing_failures(scrape: Scrape, stored: Callable[[str], Any], site: FakeSite) -> None:
    """Requests that fail for a passing reason are repeated, and nothing is missing."""
    site.failures = {"/events": [503], "/events/1": [0, 429], "/events/3": [500, 502, 0]}
    done = scrape(bet9ja=site.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert site.requests == {"/events": 2, "/events/1": 3, "/events/2": 1, "/events/3": 4}
    assert len(stored(MARKETS)) == 9


def test_bad_odds(scrape: Scrape, stored: Callable[[str], Any], site: FakeSite) -> None:
    """Invalid data is reported with its place, the rest is stored, and the exit code is 1."""
    site.events["1"]["markets"][0]["prices"]["X"]["odds"] = 0.9
    site.events["2"]["match"]["home"] = " "
    site.failures = {"/events/3": [404]}
    done = scrape(bet9ja=site.url)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "bet9ja: event 1, market 1X2; $.odds: Input should be decimal odds of at least 1: "
        "as fractional odds, 0.9 is 1.9",
        "bet9ja: event 2; $.home_team: String should have at least 1 character",
        "bet9ja: event 3: HTTPStatusError: Client error '404 Not Found' for url "
        f"'{site.url}/events/3'",
    ]
    assert done.stdout.endswith(", 3 problems\n")
    assert stored(MARKETS) == [("1", "4724"), ("1", "5000")]


def test_site_that_is_down(
    scrape: Scrape, stored: Callable[[str], Any], site: FakeSite, other_site: FakeSite
) -> None:
    """A site that is down fails only its own run; the exit code is 1."""
    site.failures = {"/events": [503] * 9}
    done = scrape(bet9ja=site.url, sportybet=other_site.url)
    assert done.returncode == 1
    assert "bet9ja: HTTPStatusError: Server error '503" in done.stderr
    assert stored(RUNS) == [("bet9ja", "failed", 0), ("sportybet", "completed", 3)]
    assert stored("SELECT status FROM scrape_batches") == [("partial",)]


def test_no_database(site: FakeSite) -> None:
    """Without a database the program says so at once, and scrapes nothing."""
    with subprocess.Popen(
        [PROGRAM, f"bet9ja={site.url}"],
        env=os.environ | {"DATABASE_URL": "postgresql://127.0.0.1:1/odds"},
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stderr is not None
        message = program.stderr.readline()
        program.kill()
    assert message.startswith("cannot connect to postgresql://127.0.0.1:1/odds: ")
    assert message.endswith(": trying again for 1m\n")
    assert not site.requests
