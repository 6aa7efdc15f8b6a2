import json
import os
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import asyncpg
import pytest

PROGRAM = Path(sysconfig.get_path("scripts"), "odds-crawler")

EVENTS = {
    number: {
        "sportradar": f"sr:match:{number}00",
        "home": f"Home {number}",
        "away": f"Away {number}",
        "start": "2030-01-20T17:00:00+00:00",
        "league": "Super League",
        "prices": {"1": 2.9, "X": 3.1, "2": 2.5},
    }
    for number in map(str, range(40))
}


class Handler(BaseHTTPRequestHandler):
    """A site that lists 42 events: one has no page, another impossible odds."""

    def do_GET(self) -> None:
        """Answer with JSON."""
        number = self.path.rpartition("/")[2]
        answers: dict[str, Any] = EVENTS | {
            "events": [*EVENTS, "broken", "missing"],
            "broken": EVENTS["1"] | {"prices": {"1": -5}},
        }
        body = json.dumps(answers.get(number)).encode()
        self.send_response(200 if number in answers else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@pytest.fixture
def site() -> Iterator[str]:
    """Start the site on a local port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_crawl(site: str, oddsschema_database: str, oddsschema_run: Callable[..., Any]) -> None:
    """A crawl is a batch with a run; the database has its captures, refusals and failures."""
    done = subprocess.run(
        [PROGRAM, site],
        env=os.environ | {"DATABASE_URL": oddsschema_database},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr

    async def fetch(query: str) -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(oddsschema_database)
        try:
            return [tuple(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()

    runs = "SELECT platform, status, events_scraped, events_failed FROM scrape_runs"
    assert oddsschema_run(fetch(runs)) == [("sportybet", "partial", 40, 2)]
    events = "SELECT count(*), min(home_team) FROM competitor_events"
    assert oddsschema_run(fetch(events)) == [(40, "Home 0")]
    failures = "SELECT error_message FROM scrape_errors WHERE error_type = 'not_fetched'"
    assert oddsschema_run(fetch(failures)) == [("external id missing: Ignoring non-200 response",)]
    batches = "SELECT trigger, status FROM scrape_batches"
    assert oddsschema_run(fetch(batches)) == [("scrapy", "partial")]
