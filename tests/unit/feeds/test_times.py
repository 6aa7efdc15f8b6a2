"""Epochs of feeds: the unit is certain, or an error asks for it."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from oddsschema.contracts.scalars import END, UtcTime
from oddsschema.feeds import utc

CONTRACT: TypeAdapter[datetime] = TypeAdapter(UtcTime)
LAST = END.replace(tzinfo=None) - timedelta(microseconds=1)
zones = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])


def times(earliest: datetime) -> st.SearchStrategy[datetime]:
    """Build the strategy of aware times of whole milliseconds, until the contract's last."""
    last = LAST - timedelta(days=1)  # the zones
    aware = st.datetimes(earliest, last, timezones=zones)
    return aware.map(lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000))


@given(times(datetime(1973, 4, 1)))
def test_unit_is_recognised(time: datetime) -> None:
    """Seconds and milliseconds of 1973 to 2200 need no unit, as numbers and as text."""
    milliseconds = (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    seconds = milliseconds // 1000
    for epoch in (milliseconds, str(milliseconds)):
        assert utc(epoch) == time
    for epoch in (seconds, str(seconds)):
        assert utc(epoch) == time.replace(microsecond=0)
    assert abs(utc(milliseconds / 1000) - time) < timedelta(milliseconds=1)


@given(times(datetime(1970, 1, 2)))
def test_given_unit(time: datetime) -> None:
    """With a unit, each time of the contract converts exactly."""
    milliseconds = (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert utc(milliseconds, unit="milliseconds") == time
    assert utc(milliseconds // 1000, unit="seconds") == time.replace(microsecond=0)


@pytest.mark.parametrize("epoch", [0, 99_999_999, 10**10, 10**15, 10**18, -(10**9)])
def test_uncertain_unit(epoch: int) -> None:
    """A number that fits neither unit is not guessed: the error asks for the unit."""
    with pytest.raises(ValueError, match=f"{epoch} does not look like seconds .* give unit"):
        utc(epoch)


@given(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("1_700_000_000"),
    st.sampled_from(["seconds", "milliseconds", "minutes", None]),
)
def test_result_is_a_time_of_the_contract(epoch: Any, unit: Any) -> None:
    """Whatever is given, the result is stored as it is, or the error is a ValueError."""
    try:
        time = utc(epoch, unit=unit)
    except ValueError:
        return
    assert time.utcoffset() == timedelta(0)
    assert CONTRACT.validate_python(time) == time
    assert unit != "minutes"


@pytest.mark.parametrize("unit", ["seconds", "milliseconds"])
@pytest.mark.parametrize("epoch", [-1, 10**13, float("nan"), float("inf"), "-1"])
def test_outside_the_contract(epoch: Any, unit: Any) -> None:
    """A time before 1970 or after 2200 is refused with its unit."""
    with pytest.raises(ValueError, match=f"{unit} since 1970 are not within the years"):
        utc(epoch, unit=unit)


@pytest.mark.parametrize("epoch", [True, None, "soon", "1_700_000_000", "2024-01-20T17:00:00Z"])
def test_no_number(epoch: Any) -> None:
    """A value that is no number is refused as such."""
    with pytest.raises(ValueError, match="is no epoch"):
        utc(epoch)
