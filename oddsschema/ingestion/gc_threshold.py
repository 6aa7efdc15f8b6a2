"""Python's cyclic garbage collector, told to look less often while captures stream through.

A capture is thousands of small containers that live until their chunk is written and are in no
cycle: looking through all of them again and again, as the collector does by default after every 700
new ones, was a quarter of an ingestion's CPU time.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

#: More than two chunks of the default size have, so that they alone bring no collection about.
_NEW_CONTAINERS = 400_000

_before: tuple[int, int, int] | None = None
_ingesting = 0


@contextmanager
def rarely_collecting() -> Iterator[None]:
    """Collect after every 400,000 new containers. The program's own setting comes back after."""
    global _before, _ingesting
    if _ingesting == 0:
        _before = gc.get_threshold()
        if 0 < _before[0] < _NEW_CONTAINERS:
            gc.set_threshold(_NEW_CONTAINERS, *_before[1:])
    _ingesting += 1
    try:
        yield
    finally:
        _ingesting -= 1
        if _ingesting == 0 and _before is not None:
            gc.set_threshold(*_before)
