"""The price history of markets as text: a line for each change, and a plot of each price."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from oddsschema.cli.markets import (
    format_odds,
    grouped,
    labels_of,
    listing_names,
    listing_order,
    market_order,
    market_title,
    outcomes_by_label,
)
from oddsschema.cli.output import escape_cell
from oddsschema.contracts.outcomes import Outcome
from oddsschema.queries import PricePoint
from oddsschema.queries.event_reports import MarketPoint

#: The number of columns of a plot.
_WIDTH = 40
#: The bars of a plot, from the lowest price to the highest.
_LEVELS = "▁▂▃▄▅▆▇█"


def describe_changes(points: Iterable[MarketPoint]) -> Iterator[str]:
    """Print the history of each market at each bookmaker, with a plot of each price."""
    points = list(points)
    names = listing_names(points)
    for of_market in grouped(points, key=market_order):
        yield ""
        yield escape_cell(market_title(of_market[0]))
        for of_listing in grouped(of_market, key=listing_order):
            yield from _listing_lines(names[listing_order(of_listing[0])], of_listing)


def _listing_lines(name: str, points: Sequence[MarketPoint]) -> Iterator[str]:
    labels = labels_of(points)
    widths = [max(8, len(label) + 2) for label in labels]
    heads = map(escape_cell, labels)
    yield f"  {name:<21}{_columns(heads, widths)}  overround"
    before: Any = None
    for point in points:
        state = outcomes_by_label(point) if point.is_available else {}
        # A state repeats where a bookmaker renames an outcome, and at the last capture.
        if state != before or point is points[-1]:
            cells = (
                _unchanged(state)
                if state == before
                else _prices(state, labels, widths, point.overround)
            )
            yield f"  {point.at:%Y-%m-%d %H:%M:%S}  {cells}"
        before = state
    for label in labels:
        yield f"    {escape_cell(label):<17}  {_plot(points, label)}"


def _unchanged(state: dict[str, Outcome]) -> str:
    return "  unchanged" if state else "  still not on offer"


def _prices(
    state: dict[str, Outcome], labels: Sequence[str], widths: Sequence[int], margin: float | None
) -> str:
    if not state:
        return "  not on offer"
    prices = [_format(state[label]) if label in state else "-" for label in labels]
    return _columns(prices, widths) + ("" if margin is None else f"{margin:>11.1%}")


def _format(outcome: Outcome) -> str:
    return format_odds(outcome.odds if outcome.is_active else None)


def _columns(cells: Iterable[str], widths: Iterable[int]) -> str:
    return "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))


def active_odds(point: PricePoint, label: str) -> float | None:
    """Return the decimal odds of an outcome at a point; None while it is not on offer."""
    outcome = outcomes_by_label(point).get(label) if point.is_available else None
    return outcome.odds if outcome is not None and outcome.is_active else None


def _plot(points: Sequence[PricePoint], label: str) -> str:
    """Plot the price of an outcome over time: a bar for each interval, blank without a price."""
    first, last = points[0].at, points[-1].at
    prices = [active_odds(point, label) for point in points]
    known = [price for price in prices if price is not None]
    if not known:
        return "closed"
    lowest, highest = min(known), max(known)
    bars, position = [], 0
    for column in range(_WIDTH):
        at = first + (last - first) * column / (_WIDTH - 1)
        while position + 1 < len(points) and points[position + 1].at <= at:
            position += 1
        price = prices[position]
        level = 0.0 if price is None else (price - lowest) / ((highest - lowest) or 1)
        bars.append(" " if price is None else _LEVELS[round(level * (len(_LEVELS) - 1))])
    extent = f"{lowest:.2f}" if lowest == highest else f"{lowest:.2f} to {highest:.2f}"
    return f"{''.join(bars)}  {extent}"
