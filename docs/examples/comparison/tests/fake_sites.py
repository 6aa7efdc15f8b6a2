"""Three bookmakers' sites on a port of this machine: `/betpawa/events`, `/bet9ja/events/1`."""

import json
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: Each site's words: its ids of the markets, and its names of the outcomes.
WORDS = {
    "betpawa": {"result": "3743", "total": "5000", "names": ("1", "X", "2")},
    "sportybet": {"result": "1", "total": "18", "names": ("Home", "Draw", "Away")},
    "bet9ja": {"result": "S_1X2", "total": "S_OU", "names": ("1", "X", "2")},
}


class FakeSites(ThreadingHTTPServer):
    """Three sites with the same two matches; bet9ja has a third one. Tests change them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.setting = " ".join(
            f"{slug}=http://127.0.0.1:{self.server_port}/{slug}" for slug in WORDS
        )
        self.kickoff = datetime.now(UTC) + timedelta(days=1)
        #: The price of a home win, by site.
        self.home = {"betpawa": 2.0, "sportybet": 2.1, "bet9ja": 1.9}
        #: The paths that answer with an error.
        self.broken: set[str] = set()
        #: The paths that were asked for, in order.
        self.asked: list[str] = []

    def page(self, path: str) -> Any:
        """Build the JSON of a page."""
        _, slug, _, *rest = path.split("/")
        if rest:
            return self._event(slug)
        matches = (1, 2, 3) if slug == "bet9ja" else (1, 2)
        return [
            {
                "id": str(match),
                "sportradar_id": f"sr:match:{match}00",
                "kickoff": int((self.kickoff + timedelta(hours=match)).timestamp()),
            }
            for match in matches
        ]

    def _event(self, slug: str) -> dict[str, Any]:
        words = WORDS[slug]
        return {
            "home": "Basel",
            "away": "Zurich",
            "at": datetime.now(UTC).isoformat(),
            "league": {"id": "7", "name": "Super League", "country": "Switzerland"},
            "markets": [
                {
                    "id": words["result"],
                    "prices": dict(zip(words["names"], (self.home[slug], 3.4, 3.9), strict=True)),
                },
                {"id": words["total"], "line": 2.5, "prices": {"Over": 1.9, "Under": None}},
                {"id": "corners", "prices": {"Odd": 1.9, "Even": 1.9}},
            ],
        }


class _Handler(BaseHTTPRequestHandler):
    server: FakeSites

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_response(503 if self.path in self.server.broken else 200)
        self.end_headers()
        self.wfile.write(json.dumps(self.server.page(self.path)).encode())

    def log_message(self, *arguments: object) -> None:
        """Log nothing."""
