"""The side-by-side comparison of an event: a row for each outcome, a column for each bookmaker."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from oddsschema.cli.markets import (
    all_labels,
    format_odds,
    grouped,
    is_suspended,
    listing_names,
    listing_order,
    market_key,
    market_order,
    open_odds,
    outcomes_by_label,
)
from oddsschema.cli.output import align_left, align_right, escape_cell
from oddsschema.queries import BestPrice
from oddsschema.queries.event_reports import OfferedMarket


@dataclass(frozen=True)
class MarketComparison:
    """The prices of a market at each bookmaker."""

    market: OfferedMarket
    #: By outcome, and by listing: odds such as "2.10", with a mark on the best price; "closed", or
    #: "suspended" if all outcomes are closed.
    prices: Mapping[str, Mapping[str, str]]
    #: By listing: "7.0%".
    overrounds: Mapping[str, str]
    #: By listing: "yes" if its last capture had the market refused, so that the prices are older.
    carried: Mapping[str, str]


@dataclass(frozen=True)
class Comparison:
    """The offers of an event, side by side."""

    #: The names of the columns.
    listings: Sequence[str]
    #: By listing: the time of the last capture, UTC.
    seen_at: Mapping[str, datetime]
    markets: Sequence[MarketComparison]


def compare(offers: Iterable[OfferedMarket], best_prices: Iterable[BestPrice]) -> Comparison:
    """Put the offers of an event side by side, and mark the best prices with an asterisk.

    A price without a competing price is not marked.
    """
    offers = sorted(offers, key=listing_order)
    best = {(*market_key(price), price.outcome): price.odds for price in best_prices}
    names = listing_names(offers)
    return Comparison(
        listings=list(names.values()),
        seen_at={names[listing_order(offer)]: offer.seen_at for offer in offers},
        markets=[
            _compare_market(group, best, [names[listing_order(offer)] for offer in group])
            for group in grouped(offers, key=market_order)
        ],
    )


def _compare_market(
    offers: Sequence[OfferedMarket],
    best: Mapping[tuple[Hashable, ...], float],
    names: Sequence[str],
) -> MarketComparison:
    by_name = dict(zip(names, offers, strict=True))
    suspended = {name for name, offer in by_name.items() if is_suspended(offer)}
    outcomes = {name: outcomes_by_label(offer) for name, offer in by_name.items()}
    prices: dict[str, dict[str, str]] = {}
    for label in all_labels(outcomes.values()):
        odds = {
            name: open_odds(by_label[label])
            for name, by_label in outcomes.items()
            if label in by_label
        }
        has_choice = sum(price is not None for price in odds.values()) > 1
        best_odds = best.get((*market_key(offers[0]), label)) if has_choice else None
        prices[label] = {
            name: "suspended"
            if name in suspended
            else format_odds(price) + ("*" if price is not None and price == best_odds else "")
            for name, price in odds.items()
        }
    return MarketComparison(
        market=offers[0],
        prices=prices,
        overrounds={
            name: f"{offer.overround:.1%}" for name, offer in by_name.items() if offer.overround
        },
        carried={name: "yes" for name, offer in by_name.items() if offer.is_carried},
    )


def format_row(label: str, cells: Iterable[str], *, label_width: int = 20, width: int = 12) -> str:
    """Print a row; the mark of a price has a place of its own behind the column."""
    padded = (
        align_right(cell, width + 1) if cell.endswith("*") else align_right(cell, width) + " "
        for cell in map(escape_cell, cells)
    )
    return f"  {align_left(escape_cell(label), label_width)}{''.join(padded)}".rstrip()
