"""Rows and outcomes as reads build them: they are those of model_construct."""

import copy
import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from oddsschema import Outcome
from oddsschema.contracts.base import Contract, loader
from oddsschema.contracts.outcomes import stored_outcomes
from oddsschema.queries import EventListing
from oddsschema.queries.event_reports import MarketPoint, OfferedMarket
from oddsschema.queries.rows import Row

ROWS = [
    *(row for row in Row.__subclasses__() if row.__module__.startswith("oddsschema.")),
    *(OfferedMarket, MarketPoint, EventListing, Outcome),
]


@pytest.mark.parametrize("contract", ROWS)
@settings(max_examples=10)
@given(data=st.data())
def test_loaded_contracts(contract: type[Contract], data: Any) -> None:
    """A loaded contract is equal, hashes, dumps, is copied and pickled as a constructed one."""
    values = dict(data.draw(st.from_type(contract)))
    constructed = contract.model_construct(**values)
    loaded = loader(contract)(dict(values))
    assert loaded == constructed
    assert hash(loaded) == hash(constructed)
    assert repr(loaded) == repr(constructed)
    assert loaded.model_fields_set == constructed.model_fields_set
    assert loaded.model_extra is None
    for dump in (
        lambda row: row.model_dump(),
        lambda row: row.model_dump_json(),
        lambda row: row.model_dump(exclude_unset=True),
        dict,
    ):
        assert dump(loaded) == dump(constructed)
    assert contract.model_validate(loaded) == constructed
    for copied in (
        copy.copy(loaded),
        copy.deepcopy(loaded),
        pickle.loads(pickle.dumps(loaded)),
        loaded.model_copy(),
    ):
        assert (copied, hash(copied)) == (constructed, hash(constructed))
        assert copied.model_fields_set == constructed.model_fields_set
        assert copied.__dict__ is not loaded.__dict__
        assert copied.__pydantic_fields_set__ is not loaded.__pydantic_fields_set__
    with pytest.raises(ValidationError):
        setattr(loaded, next(iter(values)), None)


def test_stored_outcomes() -> None:
    """Outcomes of older rows and other releases are read, and equal ones are one object."""
    stored = [
        {"name": "1", "odds": 2, "is_active": True},
        {"name": "2", "odds": 2.0},
        {"odds": None, "is_active": False, "name": "3", "unknown": 1},
    ]
    found = stored_outcomes(stored)
    assert found == (
        Outcome(name="1", odds=2.0),
        Outcome(name="2", odds=2.0),
        Outcome(name="3", is_active=False),
    )
    assert [type(outcome.odds) for outcome in found] == [float, float, type(None)]
    assert stored_outcomes(stored)[0] is found[0]
