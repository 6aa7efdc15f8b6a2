"""The common questions about odds, as selects: typed, one statement each, open to conditions.

They work in the sessions of SQLModel and SQLAlchemy, sync or async, and take conditions on the
columns of their rows: `offers().where(Offer.event_id == 5)`. Soft-deleted events and tournaments
are left out. `fetch_rows` and `stream_rows` give the rows of the same selects as plain tuples or
dicts.
"""

from oddsschema.queries.availability import BestPrice, Offer, best_prices, offers
from oddsschema.queries.best_spans import (
    BestOverroundSpan,
    BestPriceSpan,
    best_overrounds,
    best_price_spans,
)
from oddsschema.queries.common_names import OUTCOME_NAMES, lined_up
from oddsschema.queries.datasets import across
from oddsschema.queries.flat_offers import (
    ClosingOutcome,
    OfferedOutcome,
    OpeningOutcome,
    closing_outcomes,
    offered_outcomes,
    opening_outcomes,
)
from oddsschema.queries.history import (
    Price,
    PricePoint,
    closing_prices,
    opening_prices,
    overround_history,
    price_history,
)
from oddsschema.queries.listed_events import (
    ListedEvent,
    ListedTournament,
    Matching,
    events,
    events_by_tournament,
)
from oddsschema.queries.outcomes import implied_probabilities, jsonb, overround
from oddsschema.queries.plain_rows import fetch_rows, stream_rows
from oddsschema.queries.price_spans import OverroundSpan, PriceSpan, overrounds, prices
from oddsschema.queries.scrapes import (
    Coverage,
    Move,
    coverage,
    moves,
    unmapped_markets,
    unmatched_events,
)
from oddsschema.queries.sides import EventListing

__all__ = [
    "OUTCOME_NAMES",
    "BestOverroundSpan",
    "BestPrice",
    "BestPriceSpan",
    "ClosingOutcome",
    "Coverage",
    "EventListing",
    "ListedEvent",
    "ListedTournament",
    "Matching",
    "Move",
    "Offer",
    "OfferedOutcome",
    "OpeningOutcome",
    "OverroundSpan",
    "Price",
    "PricePoint",
    "PriceSpan",
    "across",
    "best_overrounds",
    "best_price_spans",
    "best_prices",
    "closing_outcomes",
    "closing_prices",
    "coverage",
    "events",
    "events_by_tournament",
    "fetch_rows",
    "implied_probabilities",
    "jsonb",
    "lined_up",
    "moves",
    "offered_outcomes",
    "offers",
    "opening_outcomes",
    "opening_prices",
    "overround",
    "overround_history",
    "overrounds",
    "price_history",
    "prices",
    "stream_rows",
    "unmapped_markets",
    "unmatched_events",
]
