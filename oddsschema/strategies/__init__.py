"""Hypothesis strategies for every contract and every table (extra `testing`).

    from hypothesis import given
    from oddsschema.strategies import batches

    @given(batches(sources=["betpawa", "bet9ja"]))
    def test_scraper_output_is_stored(captures): ...

Everything follows from the contracts: a bound that changes there changes here, and a new field or
table needs nothing new. Values are in the form that the contract keeps, so that what was stored can
be compared with what was drawn: text is trimmed, times are in UTC. They are meant to be hard: all
of Unicode, every bound, odds up to the largest float, optional fields in every combination.

What narrows a strategy is a value, or a strategy of values: `contracts(Outcome, odds=1.5)`.
`st.from_type` knows every class too, without an import of this package.
"""

from oddsschema.strategies.damage import damaged_captures
from oddsschema.strategies.objects import contracts, field_values, markets, outcomes, rows
from oddsschema.strategies.scalars import json_values
from oddsschema.strategies.scrapes import batches, captures

__all__ = [
    "batches",
    "captures",
    "contracts",
    "damaged_captures",
    "field_values",
    "json_values",
    "markets",
    "outcomes",
    "rows",
]
