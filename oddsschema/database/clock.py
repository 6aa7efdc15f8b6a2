"""Clocks: PostgreSQL's, which a monotonic clock carries on, and this machine's."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from oddsschema.database.connections import Connection

#: The default of the time by which a capture may be ahead of the clock: more than clocks differ
#: that are set over the network.
MAX_AHEAD = timedelta(minutes=10)

# Read PostgreSQL's clock. In the transaction of a caller, now() would be its start.
_READ = "SELECT clock_timestamp()"

#: Return seconds that pass also while the machine is suspended, where the system counts these.
elapsed: Callable[[], float] = (
    partial(time.clock_gettime, time.CLOCK_BOOTTIME)
    if hasattr(time, "CLOCK_BOOTTIME")
    else time.monotonic
)


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock, and its name for messages."""

    name: str
    now: Callable[[], datetime]


#: The clock of this machine.
LOCAL_CLOCK = Clock("the clock of this machine", partial(datetime.now, UTC))


async def server_clock(connection: Connection) -> Clock:
    """Read PostgreSQL's clock once, and return a clock that goes on from there.

    It is ahead of PostgreSQL's by at most the time of the read, and never behind. A correction of
    the time of either machine does not change it.
    """
    began = elapsed()
    return continued_clock(await connection.fetchval(_READ), began)


def continued_clock(read: datetime, began: float) -> Clock:
    """Return a clock that goes on from the time that was read after the moment `began`."""
    return Clock("PostgreSQL's clock", lambda: read + timedelta(seconds=elapsed() - began))
