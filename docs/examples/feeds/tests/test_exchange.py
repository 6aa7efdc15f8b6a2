from datetime import datetime
from typing import Any

import pytest
from odds_feeds.exchange import Exchange
from sqlalchemy import select

from oddsschema import CompetitorEvent, CompetitorOddsSnapshot, queries

MATCH, TOTAL, WINNER = (
    ("exchange", "3743", None, None),
    ("exchange", "5000", 2.5, None),
    ("exchange", "exchange:WINNER", None, None),
)


@pytest.fixture
def report(payload: Any, ingest: Any) -> Any:
    """Ingest the stream."""
    exchange = Exchange("exchange")
    messages = payload("exchange")
    return ingest(capture for message in messages for capture in exchange.captures(message))


def test_offers(report: Any, fetch: Any, prices: Any) -> None:
    """Changes of single prices become whole offers, and each instant can be read back."""
    assert (report.total.captures_stored, report.total.captures_refused) == (4, 0)
    assert report.doubts == ()
    at_first = fetch(queries.offers(datetime.fromisoformat("2026-01-18T12:00:06Z")))
    assert prices(at_first) == {
        MATCH: {"1": 1.84, "2": 4.7, "X": [None]},  # nobody has bet on the draw
        TOTAL: {"Under": 1.9, "Over": 2.06},
        WINNER: {"Basel": 2.9, "Young Boys": 3.4},
    }
    now = fetch(queries.offers())
    assert prices(now) == {
        MATCH: {"1": 1.82, "2": 4.7, "X": 3.75},
        TOTAL: {"Under": [1.9], "Over": [2.06]},
        WINNER: {"Basel": 2.9, "Young Boys": 3.4},
    }


def test_outright(report: Any, fetch: Any) -> None:
    """An outright is an event of the competition against the field."""
    events = fetch(select(CompetitorEvent).order_by(CompetitorEvent.external_id))
    assert [(event.name, event.home_team, event.away_team) for event in events] == [
        ("Basel v Zurich", "Basel", "Zurich"),
        ("Super League 2025/26", "Super League", "Field"),
    ]


def test_raw_response(report: Any, fetch: Any) -> None:
    """Prices to lay are in no market: the stored message has them."""
    messages = fetch(
        select(CompetitorOddsSnapshot.raw_response).order_by(CompetitorOddsSnapshot.captured_at)
    )
    assert messages[0]["mc"][0]["rc"][0]["batl"] == [[0, 1.85, 210.5]]


def test_market_that_closes(payload: Any) -> None:
    """A market that is closed is no longer on offer, and the others of its event are."""
    exchange = Exchange("exchange")
    image, *_ = payload("exchange")
    _ = list(exchange.captures(image))
    definition = image["mc"][0]["marketDefinition"] | {"status": "CLOSED"}
    change = {"id": "1.101", "marketDefinition": definition}
    (capture,) = exchange.captures({"op": "mcm", "pt": image["pt"] + 1, "mc": [change]})
    assert [market.betpawa_market_id for market in capture.markets] == ["5000"]


def test_change_before_its_image(caplog: pytest.LogCaptureFixture) -> None:
    """A change of a market that is not known yet is reported, and nothing is captured."""
    message = {"op": "mcm", "pt": 1768737600000, "mc": [{"id": "1.9", "rc": []}]}
    assert list(Exchange("exchange").captures(message)) == []
    assert caplog.messages == ["market 1.9: a change before its image"]
