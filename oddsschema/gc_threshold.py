"""The threshold of Python's cyclic garbage collector while captures and results are built.

A capture, or the result of a read, is thousands of small containers that are alive and in no cycle.
By default the collector runs after every 700 new containers: scanning them again and again took a
quarter of an ingestion's CPU time, and half of a read's.
"""

import gc
from threading import RLock
from typing import Any, Self

#: More containers than two chunks of the default size have: they alone start no collection.
_NEW_CONTAINERS = 400_000

# A collection may end a threshold while this thread opens another one.
_lock = RLock()
_before: tuple[int, int, int] | None = None
_raised = 0


class RaisedThreshold:
    """Collect after every 400,000 new containers, while at least one of these objects is open.

    The end of the last one restores the program's own setting. An object ends when it is closed, or
    with its last reference. A threshold of 0, which turns the collector off, stays, and so does a
    greater one.
    """

    def __init__(self) -> None:
        self._is_open = False

    def open(self) -> None:
        """Raise the threshold, unless this object is open."""
        global _before, _raised
        with _lock:
            if self._is_open:
                return
            if _raised == 0:
                _before = gc.get_threshold()
                if 0 < _before[0] < _NEW_CONTAINERS:
                    gc.set_threshold(_NEW_CONTAINERS, *_before[1:])
            _raised += 1
            self._is_open = True

    def close(self) -> None:
        """Restore the threshold, unless another object is open."""
        global _raised
        with _lock:
            if self._is_open:
                self._is_open = False
                _raised -= 1
                if _raised == 0 and _before is not None:
                    gc.set_threshold(*_before)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()
