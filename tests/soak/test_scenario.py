"""The model of a scenario does not depend on the order in which its writers take turns."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.soak.scenario import KINDS, Kind, Scenario


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@settings(max_examples=max(1, settings().max_examples // 5))
@given(seed=st.integers(0, 2**32), writers=st.integers(2, 4), turns=st.randoms())
def test_turns_do_not_matter(kind: Kind, seed: int, writers: int, turns: random.Random) -> None:
    """Any turns of the writers make the same states and the same carried markets."""
    scenario = Scenario(str(seed), kind, writers)
    first, second = scenario.model(random.Random(0)), scenario.model(turns)
    assert first.instants == second.instants
    assert first.carried == second.carried
