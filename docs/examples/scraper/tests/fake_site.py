"""A bookmaker's site on a port of this machine, and its failures."""

import json
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def event(event_id: str) -> dict[str, Any]:
    """Build the site's JSON of an event."""
    return {
        "id": event_id,
        "match": {
            "sportradar": f"sr:match:{event_id}00",
            "home": "Basel",
            "away": "Zurich",
            "start": 1705770000,
        },
        "league": {"id": "2768340", "name": "Super League", "country": "CH"},
        "markets": [
            {"name": "1X2", "prices": {name: price(2.9) for name in ("1", "X", "2")}},
            {
                "name": "O/U",
                "line": 2.5,
                "prices": {"Over": price(1.9), "Under": price(1.9, False)},
            },
            {"name": "EH", "line": -1, "prices": {name: price(2.9) for name in ("1", "X", "2")}},
            {"name": "Corners", "prices": {"Odd": price(1.9)}},
        ],
    }


def price(odds: float, is_open: bool = True) -> dict[str, Any]:
    """Build the site's JSON of an outcome."""
    return {"odds": odds, "open": is_open}


class FakeSite(ThreadingHTTPServer):
    """A site with three events. Tests put faults into `events` or `failures`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.events = {event_id: event(event_id) for event_id in ("1", "2", "3")}
        #: The statuses of the first responses by path. 0 closes the connection instead.
        self.failures: dict[str, list[int]] = {}
        self.requests: Counter[str] = Counter()


class _Handler(BaseHTTPRequestHandler):
    server: FakeSite

    def do_GET(self) -> None:
        self.server.requests[self.path] += 1
        failures = self.server.failures.get(self.path)
        status = failures.pop(0) if failures else 200
        if status:
            events = self.server.events
            is_list = self.path == "/events"
            body: Any = list(events) if is_list else events[self.path.split("/")[2]]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

    def log_message(self, *arguments: object) -> None:
        """Log nothing: standard error belongs to the scraper."""
