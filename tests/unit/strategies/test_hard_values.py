"""Hard values and damage in the strategies' examples."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, find, settings
from hypothesis import strategies as st

from oddsschema import Capture, HandicapType, Market, Outcome
from oddsschema.strategies import (
    batches,
    captures,
    contracts,
    damaged_captures,
    field_values,
    markets,
    outcomes,
)

#: `find` reports its result like a failure.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

SEARCH = settings(
    max_examples=5000,
    database=None,
    deadline=None,
    phases=[Phase.generate],  # the result need not be small
    suppress_health_check=list(HealthCheck),
)
NAMES = field_values(Outcome.model_fields["name"])
ODDS = st.from_type(Outcome).map(lambda outcome: outcome.odds or 0.0)
LINES = field_values(Market.model_fields["line"])


def platforms_of_one_match(batch: list[Capture]) -> int:
    """Return the greatest number of platforms that list the same match."""
    found: dict[str, set[str]] = {}
    for capture in batch:
        event = capture.event or capture.competitor_event
        assert event is not None
        found.setdefault(event.sportradar_id, set()).add(capture.source)
    return max(map(len, found.values()))


@pytest.mark.parametrize(
    ("strategy", "wanted"),
    [
        (NAMES, lambda name: len(name) == 1),
        (NAMES, lambda name: len(name) == 255),
        (NAMES, lambda name: any(ord(char) > 0xFFFF for char in name)),
        (NAMES, lambda name: any(ord(char) < 32 for char in name)),
        (ODDS, lambda odds: odds == 1.0),
        (ODDS, lambda odds: odds > 1e300),
        (LINES, lambda line: line is None),
        (LINES, lambda line: line == 0.0 and math.copysign(1, line) < 0),
        (LINES, lambda line: line is not None and line < -1e300),
        (outcomes(), lambda some: len(some) == 1),
        (outcomes(), lambda some: len(some) == 500),
        (outcomes(), lambda some: {outcome.is_active for outcome in some} == {True, False}),
        (contracts(Market), lambda market: market.handicap_type is HandicapType.ASIAN),
        (contracts(Market), lambda market: "handicap_type" not in market.model_fields_set),
        (markets(), lambda some: some == ()),
        (markets(), lambda some: len({market.betpawa_market_id for market in some}) < len(some)),
        (captures(), lambda capture: capture.event and capture.raw_response is not None),
        (captures(), lambda capture: capture.competitor_event and len(capture.markets) > 1),
        (batches(), lambda batch: platforms_of_one_match(batch) > 1),
        (batches(), lambda batch: len({capture.captured_at for capture in batch}) > 2),
        (batches(), lambda batch: {bool(capture.event) for capture in batch} == {True, False}),
    ],
)
def test_hard_values_are_found(
    strategy: st.SearchStrategy[Any], wanted: Callable[[Any], Any]
) -> None:
    """Every bound and its neighbours are generated."""
    find(strategy, wanted, settings=SEARCH)


def test_damage_breaks_and_spares() -> None:
    """Some damaged captures break the contract, and some do not."""

    def holds(capture: dict[str, Any]) -> bool:
        try:
            Capture.model_validate(capture)
        except ValueError:
            return False
        return True

    find(damaged_captures(), holds, settings=SEARCH)
    find(damaged_captures(), lambda capture: not holds(capture), settings=SEARCH)
