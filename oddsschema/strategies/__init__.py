"""The Hypothesis strategies for all contracts and tables (extra `testing`).

    from hypothesis import given
    from oddsschema.strategies import batches

    @given(batches(sources=["betpawa", "bet9ja"]))
    def test_scraper_output_is_stored(captures): ...

The strategies derive from the contracts: a changed bound, a new field or a new table needs no
change here. Drawn values are in the form in which the contract stores them (text is trimmed, times
are in UTC), so that a test can compare stored values with drawn ones. The values include difficult
cases: all of Unicode, each bound, odds up to the largest float, optional fields in all
combinations. No capture is later than the import of this package; a kickoff may be.

An argument narrows a strategy, either to a value or to a strategy of values:
`contracts(Outcome, odds=1.5)`. `st.from_type` also works for all classes, without an import of this
package.
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
