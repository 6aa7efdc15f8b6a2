"""Tells Hypothesis of every contract: `st.from_type(CompetitorMarketOdds)` gives valid objects.

Hypothesis runs `register_all` at the end of its own import, in each project that has both. What is
defined by then is registered at once, and any other contract when it is defined (see `Contract`).

A module beside the package, not in it: from within, it would bring all of oddsschema into projects
that only have it installed.
"""

import sys
from typing import Any


def register_all() -> None:
    """Register the contracts that there are: none, unless oddsschema has been imported."""
    base = sys.modules.get("oddsschema.contracts.base")
    found = base.Contract.__subclasses__() if base else []
    while found:
        contract = found.pop()
        register(contract)
        found += contract.__subclasses__()


def register(contract: type[Any]) -> None:
    """Have `st.from_type` give objects of the contract; a base without fields has none."""
    from hypothesis import strategies as st

    if contract.model_fields:
        # What it is called with can be a base of the contract.
        st.register_type_strategy(contract, lambda _: _objects(contract))


def _objects(contract: type[Any]) -> Any:
    from hypothesis import strategies as st
    from sqlalchemy import inspect

    from oddsschema.contracts.table import Table
    from oddsschema.strategies import contracts

    if issubclass(contract, Table) and inspect(contract, raiseerr=False) is None:
        # What tables have in common is no table: one of them.
        return st.one_of([st.from_type(table) for table in contract.__subclasses__()])
    return contracts(contract)
