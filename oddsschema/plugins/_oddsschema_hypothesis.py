"""The Hypothesis plugin: `st.from_type(CompetitorMarketOdds)` draws valid objects.

Hypothesis runs `register_all` at the end of its own import, in each project in which both packages
are installed. It registers all contracts that are defined at that time. `Contract` registers later
contracts when they are defined.

This module is installed beside the package. Inside the package, it would import all of oddsschema
into projects that only have it installed.
"""

import sys
from typing import Any


def register_all() -> None:
    """Register all contracts that are defined: none if oddsschema has not been imported."""
    base = sys.modules.get("oddsschema.contracts.base")
    pending = base.Contract.__subclasses__() if base else []
    while pending:
        contract = pending.pop()
        register(contract)
        pending += contract.__subclasses__()


def register(contract: type[Any]) -> None:
    """Register the strategy of a contract for `st.from_type`, unless the contract has no fields."""
    from hypothesis import strategies as st

    if contract.model_fields:
        # Hypothesis may call the function with a base of the contract.
        st.register_type_strategy(contract, lambda _: objects_of(contract))


def objects_of(contract: type[Any]) -> Any:
    """Build the strategy of a contract's objects."""
    from hypothesis import strategies as st
    from sqlalchemy import inspect

    from oddsschema.contracts.table import Table
    from oddsschema.strategies import contracts

    if issubclass(contract, Table) and inspect(contract, raiseerr=False) is None:
        # A base class of tables is not a table itself: draw from its subclasses.
        return st.one_of([st.from_type(table) for table in contract.__subclasses__()])
    return contracts(contract)
