"""The age of the last keyframe above which an event gets another one."""

from collections import Counter
from datetime import timedelta

import pytest

from oddsschema.ingestion.storage.history import keyframe_age

DAY = timedelta(days=1)


@pytest.mark.parametrize("step", [1, 2, 3, 10])
@pytest.mark.parametrize("first", [1, 1_000_000, 2**31 - 12_000])
def test_ages_are_spread(first: int, step: int) -> None:
    """The ages of 1,200 events are spread evenly over the second half of the longest age."""
    ages = [keyframe_age(event_id, DAY) for event_id in range(first, first + 1200 * step, step)]
    assert min(ages) >= DAY / 2
    assert max(ages) <= DAY
    hours = Counter((age - DAY / 2) // timedelta(hours=1) for age in ages)
    assert len(hours) == 12
    assert max(hours.values()) < 2 * 100
