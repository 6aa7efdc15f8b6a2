from datetime import UTC, datetime
from typing import Any

import pytest
from odds_feeds.odds_api import captures

from oddsschema import queries

READ = datetime(2026, 1, 18, 12, 0, tzinfo=UTC)
SHOTS = "odds-api:player_shots_on_target"


def test_offers(payload: Any, ingest: Any, fetch: Any, prices: Any) -> None:
    """American prices are stored as decimal odds, and mixed rows as the markets they belong to."""
    report = ingest(captures(payload("odds_api"), READ))
    assert (report.total.captures_stored, report.total.captures_refused) == (2, 0)
    assert report.doubts == ()
    assert prices(fetch(queries.offers())) == {
        ("eastbook", "3743", None, None): {"1": 1.8, "X": 3.6, "2": 4.5},
        ("eastbook", "5000", 1.5, None): {"Over": 1.333, "Under": 3.4},
        ("eastbook", "5000", 2.5, None): {"Over": 1.952, "Under": 1.87},
        ("eastbook", "3774", -0.5, None): {"1": 1.8, "2": 2.0},
        ("eastbook", SHOTS, 1.5, "player=Ada Keller"): {"Over": 2.4, "Under": 1.556},
        ("eastbook", SHOTS, 0.5, "player=Noa Meier"): {"Over": 1.909},
        ("westbook", "5000", 2.5, None): {"Over": 2.0, "Under": 1.833},
    }


def test_unreadable_price(payload: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A market with a price that is not American is left out as a whole, and reported in a line."""
    _, westbook = captures(payload("odds_api"), READ)
    assert [market.betpawa_market_id for market in westbook.markets] == ["5000"]
    assert len(caplog.messages) == 1
    assert "market ('3743', None, 0): ValueError('0 is no price in american odds" in caplog.text


@pytest.mark.parametrize("price", ["SP", -106, None])
def test_unreadable_row(payload: Any, ingest: Any, fetch: Any, prices: Any, price: Any) -> None:
    """A row that cannot be read, or disagrees, takes out its market in both lists, and no other."""
    event = payload("odds_api")
    eastbook = event["bookmakers"][0]
    repeated = eastbook["markets"][2]["outcomes"][1]
    assert (repeated["name"], repeated["point"]) == ("Over", 2.5)
    repeated["price"] = price
    ingest(captures(event | {"bookmakers": [eastbook]}, READ))
    assert {key[1:3] for key in prices(fetch(queries.offers()))} == {
        ("3743", None),
        ("3774", -0.5),
        ("5000", 1.5),
        (SHOTS, 0.5),
        (SHOTS, 1.5),
    }


def test_unreadable_handicap(payload: Any) -> None:
    """A handicap is left out with both teams if the price of one of them cannot be read."""
    event = payload("odds_api")
    event["bookmakers"][0]["markets"][3]["outcomes"][1]["price"] = "SP"
    eastbook, _ = captures(event, READ)
    assert "3774" not in {market.betpawa_market_id for market in eastbook.markets}


def test_invalid_event(payload: Any, caplog: pytest.LogCaptureFixture) -> None:
    """An event with several invalid fields is reported in one line with the path of each."""
    assert list(captures(payload("odds_api") | {"home_team": " ", "away_team": ""}, READ)) == []
    assert "$.home_team: " in caplog.messages[0]
    assert "$.away_team: " in caplog.messages[0]
    assert "\n" not in caplog.messages[0]
