"""The options of ingestions and prunes: values that they refuse."""

from dataclasses import fields
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsschema import IngestOptions, PruneOptions

DURATIONS = [
    (options, field.name)
    for options in (IngestOptions, PruneOptions)
    for field in fields(options)
    if isinstance(field.default, timedelta)
]


@pytest.mark.parametrize(("options", "name"), DURATIONS)
@given(duration=st.timedeltas(max_value=timedelta(microseconds=-1)))
def test_negative_durations(options: type, name: str, duration: timedelta) -> None:
    """A negative duration is refused, with the name of the option."""
    with pytest.raises(ValueError, match=f"{name} must not be negative"):
        options(**{name: duration})
