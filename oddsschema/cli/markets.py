"""The names and the order of markets, outcomes and listings in texts and pictures."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from itertools import groupby
from typing import Any, TypeVar

from oddsschema.contracts.outcomes import Outcome
from oddsschema.models import Market
from oddsschema.models.odds import MARKET_KEY
from oddsschema.queries import lined_up
from oddsschema.queries.sides import AtBookmaker, MarketAtBookmaker

_Item = TypeVar("_Item")


def grouped(items: Iterable[_Item], key: Callable[[_Item], Any]) -> list[list[_Item]]:
    """Sort items by a key, and put those of the same key into a group."""
    return [list(group) for _, group in groupby(sorted(items, key=key), key=key)]


def market_key(market: Any) -> tuple[Hashable, ...]:
    """Return the values that distinguish a market from the others of its event."""
    return tuple(getattr(market, name) for name in MARKET_KEY)


def market_order(market: Market) -> list[tuple[bool, Any]]:
    """Order markets by their keys; no value comes before any value."""
    return [(value is not None, "" if value is None else value) for value in market_key(market)]


def listing_order(row: AtBookmaker) -> tuple[bool, str, int]:
    """Order listings: BetPawa's first, the competitors' by name, then by the id of their event."""
    # Only competitors' listings have an event of their own.
    event_id = -1 if row.competitor_event_id is None else row.competitor_event_id
    return row.competitor_event_id is not None, row.bookmaker, event_id


def listing_names(rows: Iterable[AtBookmaker]) -> dict[tuple[bool, str, int], str]:
    """Name the listings of rows, in order: by the bookmaker, and by an id if it has several."""
    listings = sorted({listing_order(row) for row in rows})
    counts = Counter(bookmaker for _, bookmaker, _ in listings)
    return {
        listing: listing[1] if counts[listing[1]] == 1 else f"{listing[1]} {listing[2]}"
        for listing in listings
    }


def market_title(market: Market) -> str:
    """Describe a market: its name, its id, its line, its handicap and its specifiers."""
    parts = [f"{market.betpawa_market_name} ({market.betpawa_market_id})"]
    if market.line is not None:
        parts.append(f"line {market.line:g}")
    if market.handicap_type is not None:
        parts.append(
            f"{market.handicap_type} handicap {market.handicap_home:+g} {market.handicap_away:+g}"
        )
    if market.specifiers is not None:
        parts.append(market.specifiers)
    return ", ".join(parts)


def outcomes_by_label(market: MarketAtBookmaker) -> dict[str, Outcome]:
    """Index the outcomes of a market by their common names."""
    return {outcome.name: outcome for outcome in lined_up(market)}


def all_labels(labels: Iterable[Iterable[str]]) -> list[str]:
    """List the labels of several markets, without repetition."""
    return list(dict.fromkeys(label for of_market in labels for label in of_market))


def open_odds(outcome: Outcome) -> float | None:
    """Return the decimal odds of an outcome; None if it is closed, with a last price or without."""
    return outcome.odds if outcome.is_active else None


def is_suspended(market: Market) -> bool:
    """Return whether all outcomes of a market are closed."""
    return not any(outcome.is_active for outcome in market.outcomes)


def format_odds(odds: float | None) -> str:
    """Print decimal odds; None means that the outcome is closed."""
    return "closed" if odds is None else f"{odds:.2f}"
