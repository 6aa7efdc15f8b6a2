"""The end of work that a cancellation (Ctrl-C) must not break off."""

import asyncio
from datetime import timedelta
from typing import Any

#: The time for records after a cancellation: the user waits for the end of the program.
RECORDS_WITHIN = timedelta(seconds=2)


async def wait_through(
    task: "asyncio.Task[Any]", within: timedelta, *, after: BaseException | None = None
) -> asyncio.CancelledError | None:
    """Wait for a task, also after cancellations of the calling task. Return the last of them.

    After the first cancellation, or from the start if there was an interruption before (`after`),
    the task has the time `within`. At the end of it, and at another cancellation, the task is
    cancelled.
    """
    last, again = None, None
    if after is None:
        last = after = await _wait(task, None)
    if not task.done():
        again = await _wait(task, within, after)
    if not task.done():
        task.cancel()
        # A server that does not answer can keep it from ending.
        again = await _wait(task, RECORDS_WITHIN, again or after) or again
    return again or last


async def _wait(
    task: "asyncio.Task[Any]", within: timedelta | None, before: BaseException | None = None
) -> asyncio.CancelledError | None:
    """Wait for a task until a cancellation, which is returned, or for a time.

    A scope of anyio cancels again and again until its end, with the same message: these repetitions
    of the cancellation `before` are ignored.
    """
    clock = asyncio.get_running_loop().time
    until = None if within is None else clock() + within.total_seconds()
    while not task.done():
        try:
            await asyncio.wait([task], timeout=None if until is None else until - clock())
        except asyncio.CancelledError as cancellation:
            if before is None or not before.args or cancellation.args != before.args:
                return cancellation
        if until is not None and clock() >= until:
            break
    return None
