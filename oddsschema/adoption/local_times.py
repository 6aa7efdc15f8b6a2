"""The times of a source: naive ones are converted from the zone in which they were written."""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any


def to_utc(value: datetime, zone: tzinfo | None) -> datetime:
    """Convert a time to UTC; a naive time is a local time of `zone`.

    An hour that comes twice, as clocks are put back, is taken for its first. Raises ValueError for
    a time that the zone does not have, as clocks are put forward, and for one outside of the years
    of Python.
    """
    if value.tzinfo is not None:
        return value.astimezone(UTC)
    assert zone is not None  # required for sources with naive times
    local = value.replace(tzinfo=zone, fold=0)
    try:
        instant = local.astimezone(UTC)
        is_possible = instant.astimezone(zone).replace(tzinfo=None) == value
    except OverflowError:
        is_possible = False
    if not is_possible:
        raise ValueError(
            f"{value} does not exist in {zone}, where clocks were put forward: is it the zone in "
            "which the times were written?"
        )
    return instant


def with_utc(row: Mapping[str, Any], zone: tzinfo | None) -> dict[str, Any]:
    """Convert the times of a row, and keep its other values. Raises ValueError."""
    return {
        name: to_utc(value, zone) if isinstance(value, datetime) else value
        for name, value in row.items()
    }
