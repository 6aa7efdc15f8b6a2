"""The price history of markets as text: a line for each change, and a plot of each price."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from oddsschema.cli.markets import (
    format_odds,
    grouped,
    labels_of,
    listing_names,
    listing_order,
    market_order,
    market_title,
    open_odds,
    outcomes_by_label,
)
from oddsschema.cli.output import align_left, align_right, cell_width, escape_cell
from oddsschema.queries import PricePoint
from oddsschema.queries.event_reports import MarketPoint

#: The number of columns of a plot.
_WIDTH = 40
#: The bars of a plot, from the lowest price to the highest.
_LEVELS = "▁▂▃▄▅▆▇█"

#: The odds of a market by label: None for a closed outcome. Empty while the market is not on offer.
_State: TypeAlias = dict[str, float | None]


def describe_changes(points: Iterable[MarketPoint]) -> Iterator[str]:
    """Print the history of each market at each bookmaker, with a plot of each price."""
    points = list(points)
    names = listing_names(points)
    for of_market in grouped(points, key=market_order):
        yield ""
        yield market_title(of_market[0])
        for of_listing in grouped(of_market, key=listing_order):
            yield from _listing_lines(names[listing_order(of_listing[0])], of_listing)


def _listing_lines(name: str, points: Sequence[MarketPoint]) -> Iterator[str]:
    labels = labels_of(points)
    heads = [escape_cell(label) for label in labels]
    widths = [max(8, cell_width(head) + 2) for head in heads]
    yield f"  {align_left(escape_cell(name), 21)}{_columns(heads, widths)}  overround"
    before: _State | None = None
    for point in points:
        state = _state(point)
        # A state repeats where a bookmaker renames an outcome or removes the price of a closed one,
        # and at the last capture.
        if state != before or point is points[-1]:
            cells = (
                _unchanged(state)
                if state == before
                else _prices(state, labels, widths, point.overround)
            )
            yield f"  {point.at:%Y-%m-%d %H:%M:%S}  {cells}"
        before = state
    for label, head in zip(labels, heads, strict=True):
        yield f"    {align_left(head, 17)}  {_plot(points, label)}"


def _state(point: PricePoint) -> _State:
    if not point.is_available:
        return {}
    return {label: open_odds(outcome) for label, outcome in outcomes_by_label(point).items()}


def _absence(state: _State) -> str | None:
    if not state:
        return "not on offer"
    return "suspended" if all(odds is None for odds in state.values()) else None


def _unchanged(state: _State) -> str:
    absence = _absence(state)
    return "  unchanged" if absence is None else f"  still {absence}"


def _prices(
    state: _State, labels: Sequence[str], widths: Sequence[int], margin: float | None
) -> str:
    if (absence := _absence(state)) is not None:
        return f"  {absence}"
    prices = [format_odds(state[label]) if label in state else "-" for label in labels]
    return _columns(prices, widths) + ("" if margin is None else f"{margin:>11.1%}")


def _columns(cells: Iterable[str], widths: Iterable[int]) -> str:
    return "".join(map(align_right, cells, widths))


def odds_at(point: PricePoint, label: str) -> float | None:
    """Return the decimal odds of an outcome at a point; None while it is closed or not on offer."""
    return _state(point).get(label)


def _plot(points: Sequence[PricePoint], label: str) -> str:
    """Plot the price of an outcome over time: a bar for each interval, blank without a price."""
    first, last = points[0].at, points[-1].at
    prices = [odds_at(point, label) for point in points]
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
