"""The keys of markets that are dicts."""

from operator import itemgetter

from oddsschema.models.odds import MARKET_KEY

#: Return a market's key: the values of `MARKET_KEY`.
market_key = itemgetter(*MARKET_KEY)
