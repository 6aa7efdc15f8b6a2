"""Captures of the future are refused, in every form in which they are delivered."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsschema import Capture, Problem
from oddsschema.database.clock import LOCAL_CLOCK, MAX_AHEAD, Clock
from oddsschema.ingestion import Horizon, Item, reject, validate
from tests.support.scrapes import capture

NOW = datetime(2026, 1, 17, 12, tzinfo=UTC)
CLOCK = Clock("the clock of this test", lambda: NOW)

#: The forms of a capture: as JSON text, as objects, and as a line of a rejects file.
FORMS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "bytes": lambda delivered: json.dumps(delivered).encode(),
    "text": json.dumps,
    "dict": lambda delivered: delivered,
    "object": Capture.model_validate,
    "reject": lambda delivered: json.dumps({"refused": {}, "capture": delivered}),
    "reject of text": lambda delivered: {"refused": {}, "capture": json.dumps(delivered)},
}


def captured(at: datetime) -> dict[str, Any]:
    """Build a capture at an instant."""
    return capture("bet9ja", 1, 0) | {"captured_at": at.isoformat()}


@given(
    aheads=st.lists(st.timedeltas(timedelta(days=-400), timedelta(days=400)), min_size=1),
    max_ahead=st.none() | st.timedeltas(timedelta(0), timedelta.max),
    form=st.sampled_from(sorted(FORMS)),
)
def test_captures_beyond_the_horizon(
    aheads: list[timedelta], max_ahead: timedelta | None, form: str
) -> None:
    """A capture is refused if and only if it is further ahead than the limit."""
    horizon = Horizon(CLOCK, max_ahead)
    bound = [] if max_ahead is None or max_ahead > timedelta(days=300) else [max_ahead]
    for ahead in (*aheads, *bound, *(each + timedelta(microseconds=1) for each in bound)):
        validated = validate(Item("-", 1, FORMS[form](captured(NOW + ahead))), horizon=horizon)
        is_refused = max_ahead is not None and ahead > max_ahead
        assert (validated.capture is None) == (validated.refusal is not None) == is_refused
        assert validated.platform == "bet9ja"


@pytest.mark.parametrize("form", FORMS)
def test_rejects_can_be_delivered_again(form: str) -> None:
    """A refused capture is kept as it was delivered, and accepted when its time has come."""
    delivered = captured(NOW + timedelta(days=1))
    refusal = validate(Item("-", 1, FORMS[form](delivered)), horizon=Horizon(CLOCK)).refusal
    assert refusal is not None
    line = json.loads(json.dumps(reject(refusal), default=str))
    later = Horizon(Clock("a later clock", lambda: NOW + timedelta(days=1)))
    assert validate(Item("-", 1, json.dumps(line)), horizon=later).capture is not None
    if form != "object":
        assert line["capture"] == delivered


def test_reason() -> None:
    """The reason has both times, the clock, the limit and the remedy, beside other problems."""
    delivered = captured(NOW + timedelta(days=1, seconds=0.2))
    delivered["markets"][1]["outcomes"][0]["odds"] = -1
    refusal = validate(Item("-", 1, delivered), horizon=Horizon(CLOCK)).refusal
    assert refusal is not None
    assert refusal.markets is None
    ahead, odds = refusal.problems
    assert ahead == Problem(
        path="$.captured_at",
        reason="2026-01-18 12:00:00+00:00 is 1d ahead of the clock of this test "
        "(2026-01-17 12:00:00+00:00); the limit is 10m. Correct the clock of the scraper",
    )
    assert odds.path == "$.markets[1].outcomes[0].odds"


def test_default() -> None:
    """Without a horizon, a capture is compared with the clock of this machine."""
    for ahead, is_refused in ((MAX_AHEAD / 2, False), (MAX_AHEAD * 2, True)):
        item = Item("-", 1, captured(LOCAL_CLOCK.now() + ahead))
        assert (validate(item).capture is None) == is_refused
