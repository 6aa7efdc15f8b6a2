"""The signals of the process: SIGTERM as SIGINT (Ctrl-C)."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

#: The handlers of SIGTERM before each use of `sigterm_as_sigint` that lasts: the program's own one,
#: then ours. The uses may overlap, and end in any order.
_handlers_before: list[Any] = []


@contextmanager
def sigterm_as_sigint() -> Iterator[None]:
    """Handle SIGTERM as SIGINT (Ctrl-C) meanwhile.

    Raises ValueError outside the main thread, which alone can handle signals.
    """
    _handlers_before.append(signal.signal(signal.SIGTERM, _interrupt))
    try:
        yield
    finally:
        last = _handlers_before.pop()
        if not _handlers_before:
            signal.signal(signal.SIGTERM, last)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    if callable(signal.getsignal(signal.SIGINT)):
        signal.raise_signal(signal.SIGINT)
    else:
        # A shell lets its background jobs ignore SIGINT.
        raise KeyboardInterrupt
