"""Markets in rows: merged, they are the markets that were laid out."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsschema import Capture, Market
from oddsschema.feeds import merge_rows
from oddsschema.models.odds import MARKET_KEY
from oddsschema.strategies import captures


def row(market: Market, outcomes: Sequence[Any]) -> Market:
    """Build a row of a market: the same market with a part of its outcomes."""
    return Market.model_validate({**dict(market), "outcomes": tuple(outcomes)})


@given(captures(max_markets=4), st.randoms(use_true_random=False), st.data())
def test_laid_out_markets_are_merged(capture: Capture, random: Any, data: st.DataObject) -> None:
    """Rows of one outcome, mixed and repeated, become the markets that they were laid out from."""
    rows = [
        row(market, [outcome])
        for market in capture.markets
        for outcome in market.outcomes
        for _ in range(data.draw(st.integers(1, 2)))
    ]
    random.shuffle(rows)
    merged = merge_rows(rows)

    def by_key(markets: Sequence[Market]) -> dict[Any, Any]:
        return {
            tuple(getattr(market, field) for field in MARKET_KEY): (
                market.betpawa_market_name,
                sorted(market.outcomes, key=lambda outcome: outcome.name),
            )
            for market in markets
        }

    assert by_key(merged) == by_key(capture.markets)
    assert len(merged) == len(capture.markets)


def market(*outcomes: dict[str, Any], **fields: Any) -> Market:
    """Build a market with these outcomes."""
    return Market.model_validate(
        {"betpawa_market_id": "5000", "betpawa_market_name": "O/U", "outcomes": outcomes} | fields
    )


def test_order() -> None:
    """Markets and outcomes keep the order of their first appearance, and the first row's name."""
    over, under = {"name": "Over", "odds": 1.9}, {"name": "Under", "odds": 1.8}
    merged = merge_rows(
        [
            market(under, line=2.5),
            market(over, line=1.5),
            market(over, line=2.5, betpawa_market_name="Total"),
        ]
    )
    assert merged == (market(under, over, line=2.5), market(over, line=1.5))


@pytest.mark.parametrize("second", [{"odds": 1.95}, {"odds": 1.9, "is_active": False}])
def test_disagreement(second: dict[str, Any]) -> None:
    """Rows with two prices or states of an outcome are refused with market and outcome."""
    rows = [market({"name": "Over", "odds": 1.9}), market({"name": "Over", **second})]
    with pytest.raises(ValueError, match=r"betpawa_market_id 5000, .* the outcome 'Over'"):
        merge_rows(rows)
