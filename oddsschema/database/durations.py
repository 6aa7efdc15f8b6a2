"""Durations as text: `36h`, `14d`, `1h30m`, `5s`, `250ms`."""

import re
from dataclasses import fields
from datetime import timedelta
from typing import Any

_AMOUNT = r"\d+(\.\d+)?"
_DURATION = re.compile(rf"0|({_AMOUNT}(w|d|h|m|s|ms))+", re.ASCII)
#: Durations below this are printed in days: durationpy counts months of 30 days from here on.
_MONTH = timedelta(days=30)


def parse_duration(text: str) -> timedelta:
    """Parse a duration in weeks (w), days (d), hours (h), minutes (m), seconds (s) or ms; or 0.

    Raises ValueError for any other text, and for a duration that a timedelta cannot hold.
    """
    import durationpy

    # durationpy ignores text between two amounts.
    if _DURATION.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not a duration such as 36h, 14d, 5s or 250ms")
    duration: timedelta = durationpy.from_str(text)
    return duration


def format_duration(duration: timedelta) -> str:
    """Print a duration as `parse_duration` reads it, to six digits of its seconds."""
    import durationpy

    text: str = durationpy.to_str(duration, extended=duration < _MONTH)
    return text


def in_milliseconds(duration: timedelta) -> int:
    """Convert a duration to whole milliseconds, rounded up: 0 means no limit to PostgreSQL."""
    return -(-duration // timedelta(milliseconds=1))


def require_durations(**durations: Any) -> None:
    """Raise TypeError for a value that is no timedelta; the names are the caller's parameters."""
    for name, value in durations.items():
        if not isinstance(value, timedelta):
            raise TypeError(f"{name} must be a timedelta, such as timedelta(hours=1): {value!r}")


def require_not_negative(**durations: Any) -> None:
    """Raise ValueError for a negative duration, and TypeError for a value that is no timedelta."""
    require_durations(**durations)
    for name, value in durations.items():
        if value < timedelta(0):
            raise ValueError(f"{name} must not be negative: {value}")


def require_duration_fields(options: Any) -> None:
    """Check the durations among the fields of a dataclass, as `require_not_negative` does."""
    for field in fields(options):
        value = getattr(options, field.name)
        if field.type == timedelta or (field.type == timedelta | None and value is not None):
            require_not_negative(**{field.name: value})
