from collections.abc import Callable
from typing import Any

import pytest
from odds_feeds.sportradar import captures
from sqlalchemy import select

from oddsschema import CompetitorEvent, queries


def test_offers(payload: Any, ingest: Any, fetch: Any, prices: Any) -> None:
    """All mapped markets are stored, with their lines, handicaps, specifiers and states."""
    report = ingest(captures(payload("sportradar"), "sportybet"))
    assert (report.total.captures_stored, report.total.captures_refused) == (1, 0)
    assert report.doubts == ()
    offers = fetch(queries.offers())
    assert prices(offers) == {
        ("sportybet", "3743", None, None): {"1": 1.8, "X": 3.6, "2": 4.5},
        ("sportybet", "5000", 2.5, None): {"Over": 1.95, "Under": [1.85]},
        ("sportybet", "5000", 3.5, None): {"Over": [3.1], "Under": [1.35]},
        ("sportybet", "4724", -1.0, None): {"1": 3.0, "X": 3.75, "2": 2.05},
        ("sportybet", "3774", -0.5, None): {"1": 1.8, "2": 2.0},
        ("sportybet", "sportradar:8", None, "goalnr=1"): {"1": 1.6, "None": [None], "2": 2.6},
    }
    handicaps = {offer.handicap_type: offer.handicap_away for offer in offers}
    assert handicaps == {None: None, "european": 1.0, "asian": 0.5}


def test_event(payload: Any, ingest: Any, fetch: Callable[..., list[CompetitorEvent]]) -> None:
    """The event has the id by which it matches BetPawa's, and its kickoff in UTC."""
    ingest(captures(payload("sportradar"), "sportybet"))
    (event,) = fetch(select(CompetitorEvent))
    assert event.sportradar_id == "90000001"
    assert event.kickoff.isoformat() == "2026-01-19T17:00:00+00:00"


def test_unreadable_market(payload: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A market without a readable price is left out and reported, and its event is kept."""
    (capture,) = captures(payload("sportradar"), "sportybet")
    assert 4.5 not in {market.line for market in capture.markets}
    assert "event sr:match:90000001, market 18: " in caplog.text


def test_unreadable_event(payload: Any, caplog: pytest.LogCaptureFixture) -> None:
    """An event that cannot be read does not affect the next one."""
    answer = payload("sportradar")
    answer["events"].insert(0, {**answer["events"][0], "id": "sr:match:9", "start": "soon"})
    (capture,) = captures(answer, "sportybet")
    assert capture.competitor_event is not None
    assert capture.competitor_event.sportradar_id == "90000001"
    assert "event sr:match:9: ValueError(\"'soon' is no epoch" in caplog.text
