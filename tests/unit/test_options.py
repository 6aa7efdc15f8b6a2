"""The options of ingestions and prunes: values that they refuse."""

from dataclasses import fields
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsschema import IngestOptions, PruneOptions
from oddsschema.strategies.objects import slugs

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


@pytest.mark.parametrize(
    "reference", ["", "BetPawa", "bet pawa", " betpawa", "-pawa", "b" * 21, "é", None, 7]
)
def test_reference_that_is_no_slug(reference: Any) -> None:
    """A reference bookmaker that no platform can have as its slug is refused at once."""
    with pytest.raises(ValueError, match=r"reference must be the slug .*: " + repr(reference)):
        IngestOptions(reference=reference)


@given(reference=slugs())
def test_reference(reference: str) -> None:
    """Any slug may be the reference bookmaker."""
    assert IngestOptions(reference=reference).reference == reference
