"""The end of work that a cancellation (Ctrl-C) must not break off, and SIGTERM as Ctrl-C."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType
from typing import Any

#: The time for records after a cancellation: the user waits for the end of the program.
RECORDS_WITHIN = timedelta(seconds=2)


async def wait_through(
    task: "asyncio.Task[Any]", within: timedelta, *, is_cancelled: bool = False
) -> asyncio.CancelledError | None:
    """Wait for a task, also after a cancellation of the calling task, which is returned.

    After the cancellation, or from the start if `is_cancelled`, the task has the time `within`. At
    the end of it, and at a second cancellation, the task is cancelled.
    """
    cancellation = None
    if not is_cancelled:
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as first:
            cancellation = first
    if not task.done():
        try:
            await asyncio.wait([task], timeout=within.total_seconds())
        except asyncio.CancelledError as again:
            cancellation = again
    if not task.done():
        task.cancel()
        # A server that does not answer can keep it from ending.
        await asyncio.wait([task], timeout=RECORDS_WITHIN.total_seconds())
    return cancellation


@contextmanager
def sigterm_as_sigint() -> Iterator[None]:
    """Handle SIGTERM as SIGINT (Ctrl-C) meanwhile.

    Raises ValueError outside the main thread, which alone can handle signals.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        if callable(signal.getsignal(signal.SIGINT)):
            signal.raise_signal(signal.SIGINT)
        else:
            # A shell lets its background jobs ignore SIGINT.
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
