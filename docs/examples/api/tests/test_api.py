import asyncio
import json
import os
from copy import deepcopy
from typing import Any

import httpx
import pytest

import oddsschema

FIXTURE = {
    "sportradar_id": "07767614",
    "name": "Basel - Zurich",
    "home_team": "Basel",
    "away_team": "Zurich",
    "kickoff": "2024-01-20T17:00:00Z",
}
FOOTBALL = {"slug": "football", "name": "Football"}
MARKET = {
    "betpawa_market_id": "3743",
    "betpawa_market_name": "1X2 - Full Time",
    "line": None,
    "handicap_type": None,
    "handicap_home": None,
    "handicap_away": None,
    "specifiers": None,
    "outcomes": [
        {"name": "1", "odds": 1.46, "is_active": True},
        {"name": "X", "odds": 4.6, "is_active": True},
        {"name": "2", "odds": None, "is_active": False},
    ],
}
COMPETITORS: dict[str, Any] = {
    "captured_at": "2024-01-09T12:00:00Z",
    "competitor_event": {
        **FIXTURE,
        "source": "bet9ja",
        "external_id": "889652939",
        "tournament": {"external_id": "2768340", "name": "Super League", "sport": FOOTBALL},
    },
    "markets": [MARKET],
}
BETPAWAS: dict[str, Any] = {
    "captured_at": "2024-01-09T12:01:00Z",
    "event": {
        **FIXTURE,
        "bookmaker": "betpawa",
        "external_event_id": "32299257",
        "tournament": {"name": "Super League", "country": "Switzerland", "sport": FOOTBALL},
    },
    "markets": [MARKET],
}


def test_odds_per_bookmaker(client: httpx.Client) -> None:
    """Posted captures of an event are returned by bookmaker: the newest odds of each."""
    older = {**COMPETITORS, "captured_at": "2024-01-09T11:00:00Z", "markets": []}
    for capture in (COMPETITORS, older, BETPAWAS):
        assert client.post("/captures", json=capture).status_code == 201
    (event,) = client.get("/events").json()
    assert event.items() >= FIXTURE.items()
    assert client.get(f"/events/{event['id']}/odds").json() == [
        {"bookmaker": "betpawa", "captured_at": "2024-01-09T12:01:00Z", "markets": [MARKET]},
        {"bookmaker": "bet9ja", "captured_at": "2024-01-09T12:00:00Z", "markets": [MARKET]},
    ]


def market(number: int, *outcomes: dict[str, Any]) -> dict[str, Any]:
    """Build a market by its number."""
    return MARKET | {"betpawa_market_id": f"{number}", "outcomes": list(outcomes)}


def test_odds_after_two_scrapes(client: httpx.Client) -> None:
    """After a second scrape, changed, closed, refused and unchanged markets are served together."""
    first = {"name": "1", "odds": 2.0, "is_active": True}
    second = {"name": "2", "odds": 1.8, "is_active": True}
    moved, closed = first | {"odds": 2.1}, second | {"is_active": False}
    bad = first | {"odds": 0.5}
    before = [market(number, first, second) for number in range(1, 6)]
    # Of five markets, one is unchanged, one moves, one is closed, one is refused, one is gone.
    after = [before[0], market(2, moved, second), market(3, first, closed), market(4, bad, second)]
    offered = [*after[:3], before[3]]

    fixture = FIXTURE | {"sportradar_id": "66457014", "name": "Bern - Sion"}
    competitors = COMPETITORS["competitor_event"] | fixture | {"external_id": "1"}
    events = [
        {"competitor_event": competitors},
        *(
            {"event": BETPAWAS["event"] | fixture | {"bookmaker": bookmaker}}
            for bookmaker in ("betpawa", "pawa2")
        ),
    ]
    for at, markets in (("2024-01-09T12:00:00Z", before), ("2024-01-09T13:00:00Z", after)):
        scrape = [event | {"captured_at": at, "markets": markets} for event in events]
        report = asyncio.run(oddsschema.ingest(os.environ["DATABASE_URL"], scrape))
        assert report.total.captures_refused == report.total.captures_lost == 0
        assert report.total.markets_refused == (3 if markets is after else 0)

    (event,) = [row for row in client.get("/events").json() if row["name"] == "Bern - Sion"]
    served = client.get(f"/events/{event['id']}/odds").json()
    assert [bookmaker["bookmaker"] for bookmaker in served] == ["betpawa", "pawa2", "bet9ja"]
    for bookmaker in served:
        assert bookmaker["captured_at"] == "2024-01-09T13:00:00Z"
        by_id = sorted(bookmaker["markets"], key=lambda row: row["betpawa_market_id"])
        assert by_id == offered


def test_batch_with_runs(client: httpx.Client) -> None:
    """The response to a capture is its batch with its run, which can be requested again."""
    stored = client.post("/captures", json=COMPETITORS).json()
    assert stored["batch"].items() >= {"status": "completed", "trigger": "api"}.items()
    (run,) = stored["runs"]
    assert run.items() >= {"platform": "bet9ja", "events_scraped": 1, "events_failed": 0}.items()
    assert client.get(f"/batches/{stored['batch']['id']}").json() == stored


@pytest.mark.parametrize("path", ["/batches/2147483647", "/events/2147483647/odds"])
def test_not_there(client: httpx.Client, path: str) -> None:
    """An unknown batch or event is 404."""
    assert client.get(path).status_code == 404


def post(client: httpx.Client, body: bytes) -> httpx.Response:
    """Post a body that may not be a capture."""
    headers = {"content-type": "application/json"}
    return client.post("/captures", content=body, headers=headers)


@pytest.mark.parametrize(
    ("place", "value", "path"),
    [
        (("markets", 0, "outcomes", 1, "odds"), 0.99, "$.markets[0].outcomes[1].odds"),
        (("markets", 0, "handicap_type"), "asian", "$.markets[0]"),
        (("competitor_event", "kickoff"), "2024-01-20T17:00:00", "$.competitor_event.kickoff"),
        (("competitor_event", "tournament", "source"), "betway", "$.competitor_event"),
        (("unknown key",), 1, '$["unknown key"]'),
    ],
)
def test_bad_capture(client: httpx.Client, place: tuple[Any, ...], value: Any, path: str) -> None:
    """An invalid capture is 422 with a JSON path, and is not stored."""
    before = client.get("/batches/1")
    capture = deepcopy(COMPETITORS)
    *way, last = place
    part: Any = capture
    for step in way:
        part = part[step]
    part[last] = value
    refused = post(client, json.dumps(capture).encode())
    assert refused.status_code == 422
    assert [problem["path"] for problem in refused.json()["problems"]] == [path]
    assert all(problem["reason"] for problem in refused.json()["problems"])
    assert client.get("/batches/1").json() == before.json()


def test_database_refuses(client: httpx.Client) -> None:
    """A refusal by the database is 422: a new sport with the name of another sport."""
    capture = deepcopy(COMPETITORS)
    capture["competitor_event"]["tournament"]["sport"] = {"slug": "soccer", "name": "Football"}
    refused = client.post("/captures", json=capture)
    assert refused.status_code == 422
    (problem,) = refused.json()["problems"]
    assert problem["path"] == "$.competitor_event.tournament.sport.name"


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'{"captured_at": NaN}', b"null"])
def test_no_capture(client: httpx.Client, body: bytes) -> None:
    """A body that is not a capture is 422."""
    refused = post(client, body)
    assert refused.status_code == 422
    assert refused.json()["problems"]


def test_bookmaker(client: httpx.Client) -> None:
    """A table class is request and response model; a second bookmaker of a name is 409."""
    added = client.post("/bookmakers", json={"name": "Betway", "slug": "betway"})
    assert added.status_code == 201
    assert added.json().items() >= {"name": "Betway", "is_active": True, "logo_url": None}.items()
    assert added.json()["created_at"]
    again = client.post("/bookmakers", json={"name": "Betway", "slug": "other"})
    assert again.status_code == 409
    assert "uq_bookmakers_name" in again.json()["detail"]


@pytest.mark.parametrize("key", ["event_bookmakers", "scrape_errors", "self", "unknown"])
@pytest.mark.parametrize("value", [[{}], {}, None, "x", [None], [[1]], 1, [{"event_url": "x"}]])
def test_bookmaker_with_related_rows(client: httpx.Client, key: str, value: Any) -> None:
    """A request cannot set relationships: any value in their place is 422, with its path."""
    refused = client.post("/bookmakers", json={"name": "New", "slug": "new", key: value})
    assert refused.status_code == 422
    (problem,) = refused.json()["problems"]
    assert problem["path"].startswith(f"$.{key}")
