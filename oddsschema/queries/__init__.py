"""What everybody asks of the odds, as selects: typed, one statement each, to be composed further.

They are for SQLModel's sessions and SQLAlchemy's, sync or async, and take conditions on the columns
of what they yield: `offers().where(Offer.event_id == 5)`. None lists anything of an event, or a
tournament, that is soft-deleted.
"""

from oddsschema.queries.availability import OUTCOME_NAMES, BestPrice, Offer, best_prices, offers
from oddsschema.queries.history import (
    Price,
    PricePoint,
    closing_prices,
    opening_prices,
    overround_history,
    price_history,
)
from oddsschema.queries.outcomes import implied_probabilities, overround
from oddsschema.queries.scrapes import Coverage, Move, coverage, moves, unmatched_events

__all__ = [
    "OUTCOME_NAMES",
    "BestPrice",
    "Coverage",
    "Move",
    "Offer",
    "Price",
    "PricePoint",
    "best_prices",
    "closing_prices",
    "coverage",
    "implied_probabilities",
    "moves",
    "offers",
    "opening_prices",
    "overround",
    "overround_history",
    "price_history",
    "unmatched_events",
]
