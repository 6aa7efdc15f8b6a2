"""The horizon: the latest time that a capture may have.

A capture of the future would be the newest of its event until its time comes: each later capture
would be late.
"""

from datetime import datetime, timedelta

from oddsschema.database.clock import LOCAL_CLOCK, MAX_AHEAD, Clock
from oddsschema.database.durations import format_duration
from oddsschema.ingestion.report import Problem


class Horizon:
    """The time of a clock, and the time by which a capture may be ahead of it; None is no limit."""

    def __init__(self, clock: Clock = LOCAL_CLOCK, max_ahead: timedelta | None = MAX_AHEAD) -> None:
        self._clock = clock
        self._max_ahead = max_ahead
        #: A time that is known to be within the horizon, so that the clock is rarely read.
        self._within: datetime | None = None

    def problem(self, captured_at: datetime) -> Problem | None:
        """Return the problem of a capture beyond the horizon."""
        if self._max_ahead is None or (self._within is not None and captured_at <= self._within):
            return None
        now = self._clock.now()
        # A sum of the time and the limit could be beyond the year 9999.
        ahead = captured_at - now
        if ahead <= self._max_ahead:
            self._within = max(captured_at, now)
            return None
        rounded = format_duration(timedelta(seconds=round(ahead.total_seconds())))
        return Problem(
            path="$.captured_at",
            reason=f"{captured_at.isoformat(' ', 'seconds')} is {rounded} ahead of "
            f"{self._clock.name} ({now.isoformat(' ', 'seconds')}); the limit is "
            f"{format_duration(self._max_ahead)}. Correct the clock of the scraper",
        )
