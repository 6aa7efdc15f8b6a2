"""Doubts about the markets of a capture: prices that are no decimal odds, and misplaced lines."""

import re
from collections.abc import Iterator, Sequence
from operator import attrgetter
from statistics import median

from oddsschema.ingestion.records import MarketRecord
from oddsschema.ingestion.report import Problem

#: The bounds of the median sum of 1/odds over a capture's books. It is 1.04 to 1.14 in real ones.
LEAST_SUM = 0.85
MOST_SUM = 1.4

#: A capture with fewer books says nothing: a market of players' goals is no book, for example.
_FEWEST_BOOKS = 3


#: Specifiers whose value belongs into the line of the market, as in SportRadar's feeds.
_LINE_SPECIFIER = re.compile(r"(?:^|[|])(total|hcp)=")

_outcomes = attrgetter("outcomes")


def has_line(specifiers: str | None) -> bool:
    """Return whether specifiers hold a line."""
    return specifiers is not None and _LINE_SPECIFIER.search(specifiers) is not None


def specifier_doubt(markets: Sequence[MarketRecord]) -> Problem | None:
    """Doubt specifiers that hold a line: such a market lines up with no other bookmaker's."""
    misplaced = [
        (market.betpawa_market_id, found[1])
        for market in markets
        if market.specifiers and (found := _LINE_SPECIFIER.search(market.specifiers))
    ]
    if not misplaced:
        return None
    market_id, name = misplaced[0]
    more = f", as in {len(misplaced) - 1:,} more markets" if len(misplaced) > 1 else ""
    return Problem(
        path="$.markets",
        reason=f"the specifiers of market {market_id!r} have {name!r}{more}: the value belongs "
        "into line, else the market lines up with no other bookmaker's",
    )


def price_doubt(markets: Sequence[MarketRecord]) -> Problem | None:
    """Doubt the prices of a capture if the median sum of 1/odds over its books is impossible.

    A book is a market of two or three outcomes, all of them open.
    """
    if has_ordinary_prices(markets):
        return None
    sums = list(sums_of_books(markets))
    if len(sums) < _FEWEST_BOOKS:
        return None
    middle = median(sums)
    if middle < LEAST_SUM:
        reason = f"under {LEAST_SUM}: the odds look American, or are in thousandths"
    elif middle > MOST_SUM:
        reason = f"over {MOST_SUM}: the odds look fractional, without the stake"
    else:
        return None
    return Problem(
        path="$.markets",
        reason=f"the median sum of 1/odds, over the markets of two or three open outcomes, is "
        f"{reason}; decimal odds are wanted",
    )


def has_ordinary_prices(markets: Sequence[MarketRecord]) -> bool:
    """Return whether more than half of the markets that may be books have a sum in bounds.

    The median of the books is in bounds then. The search ends at the earliest market that decides:
    it runs for every capture, and decides nearly always.
    """
    # Twice the books in bounds that are missing for a majority. A market that is no book lowers
    # the majority by a half.
    missing = len(markets) + 1
    for outcomes in map(_outcomes, markets):
        size = len(outcomes)
        total = 0.0
        if size == 2:
            a, b = outcomes
            if a.is_active and b.is_active:
                total = 1 / a.odds + 1 / b.odds
        elif size == 3:
            a, b, c = outcomes
            if a.is_active and b.is_active and c.is_active:
                total = 1 / a.odds + 1 / b.odds + 1 / c.odds
        if LEAST_SUM <= total <= MOST_SUM:
            missing -= 2
        elif not total:
            missing -= 1
        if missing <= 0:
            return True
    return False


def sums_of_books(markets: Sequence[MarketRecord]) -> Iterator[float]:
    """Yield the sum of 1/odds of each book."""
    for market in markets:
        outcomes = market.outcomes
        if len(outcomes) in (2, 3) and all(outcome.is_active for outcome in outcomes):
            yield sum(1 / outcome.odds for outcome in outcomes if outcome.odds is not None)
