"""The caller of a batch: the runs that one caller has opened end together.

It is the task of asyncio that runs, or what `CALLER` names: a thread whose calls are tasks of their
own on another thread's event loop.
"""

import asyncio
from contextvars import ContextVar

#: The caller of the task, where the task itself serves a single call.
CALLER: ContextVar[object] = ContextVar("CALLER")


def current_caller() -> object:
    """Return the caller that the current task works for."""
    return CALLER.get(None) or asyncio.current_task()
