"""The price history of markets as text: a line for each change, and a plot of each price."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from oddsschema.cli.markets import (
    all_labels,
    format_odds,
    grouped,
    listing_names,
    listing_order,
    market_order,
    market_title,
    open_odds,
    outcomes_by_label,
)
from oddsschema.cli.output import align_left, align_right, cell_width, cut, escape_cell
from oddsschema.queries.event_reports import MarketPoint

#: The number of columns of a plot.
_WIDTH = 40
#: The bars of a plot, from the lowest price to the highest.
_LEVELS = "▁▂▃▄▅▆▇█"
#: The columns in front of the prices, and those of the overround behind them.
_MARGINS = 23 + 11
#: The columns of the longest head of a price; longer names are cut.
_LONGEST = 20

#: The odds of a market by label: None for a closed outcome. Empty while the market is not on offer.
_State: TypeAlias = dict[str, float | None]


def describe_changes(points: Iterable[MarketPoint], width: int) -> Iterator[str]:
    """Print the history of each market at each bookmaker, with a plot of each price.

    The prices of a market with many outcomes are wrapped: each block of lines has as many outcomes
    as the width of the output allows, and shows their changes.
    """
    points = list(points)
    names = listing_names(points)
    for of_market in grouped(points, key=market_order):
        yield ""
        yield market_title(of_market[0])
        for of_listing in grouped(of_market, key=listing_order):
            yield from _listing_lines(names[listing_order(of_listing[0])], of_listing, width)


def state_of(point: MarketPoint) -> _State:
    """Return the odds of a market at a point."""
    if not point.is_available:
        return {}
    return {label: open_odds(outcome) for label, outcome in outcomes_by_label(point).items()}


def _listing_lines(name: str, points: Sequence[MarketPoint], width: int) -> Iterator[str]:
    labels = all_labels(map(outcomes_by_label, points))
    states = [state_of(point) for point in points]
    blocks = list(_blocks(labels, width - _MARGINS))
    for block in blocks:
        margins = [point.overround for point in points] if block is blocks[-1] else None
        yield from _block_lines(name, block, points, states, margins)
    for label in labels:
        head = escape_cell(label)
        if cell_width(head) > 17:
            yield f"    {head}"
            head = ""
        yield f"    {align_left(head, 17)}  {_plot(points, states, label)}"


def _blocks(labels: Sequence[str], room: int) -> Iterator[dict[str, str]]:
    """Divide labels into blocks, each with the heads of its labels, that fit into some columns."""
    block: dict[str, str] = {}
    used = 0
    for label in labels:
        head = cut(escape_cell(label), _LONGEST)
        used += _head_width(head)
        if block and used > room:
            yield block
            block, used = {}, _head_width(head)
        block[label] = head
    yield block


def _head_width(head: str) -> int:
    return max(8, cell_width(head) + 2)


def _block_lines(
    name: str,
    block: Mapping[str, str],
    points: Sequence[MarketPoint],
    states: Sequence[_State],
    margins: Sequence[float | None] | None,
) -> Iterator[str]:
    widths = [_head_width(head) for head in block.values()]
    heads = _columns(block.values(), widths) + ("" if margins is None else "  overround")
    yield f"  {align_left(escape_cell(name), 21)}{heads}"
    before: object = None
    for number, (point, state) in enumerate(zip(points, states, strict=True)):
        absence = _absence(state)
        margin = None if margins is None or absence else margins[number]
        known = {label: state[label] for label in block if label in state}
        shown = absence or known, margin
        # They repeat where a bookmaker renames an outcome or removes the price of a closed one,
        # where outcomes of other blocks change, and at the last capture.
        if shown != before:
            cells = f"  {absence}" if absence else _prices(known, block, widths)
            yield _line(point, cells + ("" if margin is None else f"{margin:>11.1%}"))
        elif point is points[-1]:
            yield _line(point, f"  still {absence}" if absence else "  unchanged")
        before = shown


def _line(point: MarketPoint, cells: str) -> str:
    return f"  {point.at:%Y-%m-%d %H:%M:%S}  {cells}"


def _absence(state: _State) -> str | None:
    if not state:
        return "not on offer"
    return "suspended" if all(odds is None for odds in state.values()) else None


def _prices(known: _State, labels: Iterable[str], widths: Sequence[int]) -> str:
    prices = [format_odds(known[label]) if label in known else "-" for label in labels]
    return _columns(prices, widths)


def _columns(cells: Iterable[str], widths: Iterable[int]) -> str:
    return "".join(map(align_right, cells, widths))


def _plot(points: Sequence[MarketPoint], states: Sequence[_State], label: str) -> str:
    """Plot the price of an outcome over time: a bar for each interval, blank without a price."""
    first, last = points[0].at, points[-1].at
    prices = [state.get(label) for state in states]
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
