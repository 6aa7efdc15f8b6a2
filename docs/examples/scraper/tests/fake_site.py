"""A bookmaker's site on a port of this machine, and its failures."""

import json
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def event(event_id: str) -> dict[str, Any]:
    """An event as the site tells of it."""
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
    """An outcome as the site tells of it."""
    return {"odds": odds, "open": is_open}


class FakeSite(ThreadingHTTPServer):
    """A site with three events. Tests put something wrong into `events` or `failures`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.events = {event_id: event(event_id) for event_id in ("1", "2", "3")}
        #: Path -> the statuses of its first answers; 0 hangs up without one.
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
            found: Any = list(events) if self.path == "/events" else events[self.path.split("/")[2]]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(found).encode())

    def log_message(self, *arguments: object) -> None:
        """Standard error is the scraper's."""
