"""The threshold of Python's cyclic garbage collector while captures stream through.

A capture is thousands of small containers that live until their chunk is written and are in no
cycle. By default the collector runs after every 700 new containers: scanning those of the captures
again and again took a quarter of an ingestion's CPU time.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

#: More containers than two chunks of the default size have: they alone start no collection.
_NEW_CONTAINERS = 400_000

_before: tuple[int, int, int] | None = None
_ingestions = 0


@contextmanager
def raised_gc_threshold() -> Iterator[None]:
    """Collect after every 400,000 new containers; restore the program's own setting at the end."""
    global _before, _ingestions
    if _ingestions == 0:
        _before = gc.get_threshold()
        if 0 < _before[0] < _NEW_CONTAINERS:
            gc.set_threshold(_NEW_CONTAINERS, *_before[1:])
    _ingestions += 1
    try:
        yield
    finally:
        _ingestions -= 1
        if _ingestions == 0 and _before is not None:
            gc.set_threshold(*_before)
