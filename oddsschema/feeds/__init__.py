"""Conversions from feeds to captures: prices, times, lines and handicaps, ids, rows.

Each is a small pure function, and raises ValueError if a value is not as its feed documents it. A
`pydantic.ValidationError` is a ValueError too, so one `except ValueError` around a market covers
both. docs/how-to/feeds.md shows three adapters that use them.
"""

from oddsschema.feeds.market_rows import merge_rows
from oddsschema.feeds.prices import OddsFormat, decimal_odds
from oddsschema.feeds.sportradar import LineAndSpecifiers, handicap, specifiers, sportradar_id
from oddsschema.feeds.times import EpochUnit, utc

__all__ = [
    "EpochUnit",
    "LineAndSpecifiers",
    "OddsFormat",
    "decimal_odds",
    "handicap",
    "merge_rows",
    "specifiers",
    "sportradar_id",
    "utc",
]
