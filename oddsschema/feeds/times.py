"""The times of feeds that are numbers: epochs."""

from datetime import datetime, timedelta
from typing import Literal

from oddsschema.contracts.odds_formats import as_number
from oddsschema.contracts.scalars import EARLIEST, END, EPOCH_UNITS, epoch_unit

#: The units of an epoch.
EpochUnit = Literal["seconds", "milliseconds"]


def utc(epoch: float | str, *, unit: EpochUnit | None = None) -> datetime:
    """Convert an epoch, the time since 1970 as a number or its text, to an aware time in UTC.

    Without a unit, the number itself decides, which is certain for the times from 1973 to 2200:
    seconds are below 10 ** 10 there, and milliseconds above 10 ** 11. Text in ISO 8601 with an
    offset needs no conversion: captures accept it.

    Source: POSIX time, without leap seconds. Raises ValueError if the value is no number, if its
    unit is not certain, or if the time is not within the years 1970 to 2200.
    """
    is_numeral = not isinstance(epoch, bool) and "_" not in str(epoch)
    if not is_numeral or (number := as_number(epoch)) is None:
        raise ValueError(
            f"{epoch!r} is no epoch: give the seconds or milliseconds since 1970 as a number"
        )
    if unit is None:
        shown = epoch_unit(number)
        if shown is None:
            raise ValueError(
                f"{epoch!r} does not look like seconds or milliseconds of the years 1973 to 2200: "
                "give unit, 'seconds' or 'milliseconds', or divide smaller units"
            )
    elif unit not in EPOCH_UNITS:
        raise ValueError(f"unit must be one of {', '.join(EPOCH_UNITS)}, not {unit!r}")
    else:
        shown = unit
    if not 0 <= number / EPOCH_UNITS[shown] < END.timestamp():
        raise ValueError(f"{epoch!r} {shown} since 1970 are not within the years 1970 to 2200")
    return EARLIEST + timedelta(**{shown: number})
