"""Markets that a feed lays out in rows: a row for each outcome, each line or each player."""

from collections.abc import Iterable
from operator import attrgetter
from typing import Any

from oddsschema.contracts.outcomes import Outcome
from oddsschema.models.odds import MARKET_KEY, Market

_key = attrgetter(*MARKET_KEY)


def merge_rows(rows: Iterable[Market]) -> tuple[Market, ...]:
    """Merge rows of the same market, each a Market with a part of the outcomes, into one Market.

    Rows belong to one market if they agree in betpawa_market_id, line, handicap_type and
    specifiers. Markets and outcomes keep the order in which they appear first, a market has the
    name of its first row, and an outcome that is repeated with the same price counts once.

    Raises ValueError if an outcome is repeated with another price or state, or if a merged market
    breaks the contract (more than 500 outcomes).
    """
    markets: dict[Any, list[Market]] = {}
    for row in rows:
        markets.setdefault(_key(row), []).append(row)
    return tuple(_merge(of_market) for of_market in markets.values())


def _merge(rows: list[Market]) -> Market:
    """Merge the rows of one market."""
    first = rows[0]
    if len(rows) == 1:
        return first
    outcomes: dict[str, Outcome] = {}
    for outcome in (outcome for row in rows for outcome in row.outcomes):
        known = outcomes.setdefault(outcome.name, outcome)
        if known != outcome:
            key = ", ".join(f"{name} {getattr(first, name)}" for name in MARKET_KEY)
            raise ValueError(
                f"rows of one market ({key}) disagree on the outcome {outcome.name!r}: "
                f"{known} and {outcome}. Distinguish the markets by specifiers, or leave one out"
            )
    return Market.model_validate({**dict(first), "outcomes": tuple(outcomes.values())})
