"""The sources of captures in synchronous programs: the calling thread reads them."""

import os
from collections.abc import AsyncIterable, Iterable, Iterator
from typing import Any

from oddsschema.ingestion import sources
from oddsschema.ingestion.files import items_of_file
from oddsschema.ingestion.item import Item, RawCapture
from oddsschema.ingestion.limits import Limits
from oddsschema.ingestion.lines import LineSplitter
from oddsschema.sync.background_loop import in_calling_thread

#: A source: the path of an NDJSON file, NDJSON as text or bytes, an open file of it, or single
#: captures.
Source = str | os.PathLike[str] | bytes | bytearray | memoryview | Iterable[RawCapture | Item]

#: The sources that need no code of the program: the loop reads them itself.
_PLAIN = (str, os.PathLike, bytes, bytearray, memoryview, list, tuple)

_END = object()


def check_source(source: Any) -> None:
    """Raise TypeError for a value that is no source of a synchronous program."""
    if isinstance(source, AsyncIterable):
        raise TypeError(
            "a source of a synchronous program should be a path, NDJSON as text or bytes, an open "
            f"file or an iterable of captures, not {type(source).__name__}, which is asynchronous"
        )
    sources.check_source(source)


def handed_over(source: Source, limits: Limits) -> sources.Source:
    """Return a source for the loop whose code runs in the calling thread.

    A generator may wait for a site, use objects of its thread, and be interrupted by Ctrl-C, while
    the loop writes chunks on time. Raises TypeError for a value that is no source.
    """
    check_source(source)
    if sources.is_file(source):
        name = getattr(source, "name", None)
        file = name if isinstance(name, str) else "captures"
        return HandedOver(items_of_file(source, LineSplitter(file, limits)))
    if isinstance(source, _PLAIN):
        return source
    return HandedOver(source)


class HandedOver:
    """An iterable that the calling thread iterates over, one item for each request of the loop."""

    def __init__(self, source: Iterable[RawCapture | Item]) -> None:
        self._source = source
        self._iterator: Iterator[RawCapture | Item] | None = None

    def __aiter__(self) -> "HandedOver":
        return self

    async def __anext__(self) -> Any:
        item = await in_calling_thread(self._next)
        if item is _END:
            raise StopAsyncIteration
        return item

    def _next(self) -> Any:
        try:
            if self._iterator is None:
                self._iterator = iter(self._source)
            return next(self._iterator, _END)
        except (StopIteration, StopAsyncIteration) as error:
            # The loop would take it for the end of the source, or lose it.
            raise RuntimeError(f"the source raised {type(error).__name__}") from error
