"""The threshold of Python's cyclic garbage collector while captures stream through.

A capture is thousands of small containers that live until their chunk is written and are in no
cycle. By default the collector runs after every 700 new containers: scanning those of the captures
again and again took a quarter of an ingestion's CPU time.
"""

import gc

#: More containers than two chunks of the default size have: they alone start no collection.
_NEW_CONTAINERS = 400_000

_before: tuple[int, int, int] | None = None
_raised = 0


class GCThreshold:
    """The threshold of the process: raised while any of these is, else the program's own."""

    def __init__(self) -> None:
        self._is_raised = False

    def raise_(self) -> None:
        """Collect after every 400,000 new containers."""
        global _before, _raised
        if self._is_raised:
            return
        self._is_raised = True
        if _raised == 0:
            _before = gc.get_threshold()
            if 0 < _before[0] < _NEW_CONTAINERS:
                gc.set_threshold(_NEW_CONTAINERS, *_before[1:])
        _raised += 1

    def restore(self) -> None:
        """Restore the program's own setting, unless another one is raised."""
        global _raised
        if not self._is_raised:
            return
        self._is_raised = False
        _raised -= 1
        if _raised == 0 and _before is not None:
            gc.set_threshold(*_before)
