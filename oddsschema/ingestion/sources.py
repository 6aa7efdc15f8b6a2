"""The sources of captures: files, NDJSON as text or bytes, streams, and iterables of captures.

An iterable yields whole lines: `validate` refuses those that are too long.
"""

import io
import os
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from oddsschema.ingestion.files import block_reader, items_of_stream, stream_files
from oddsschema.ingestion.item import Item, RawCapture
from oddsschema.ingestion.limits import DEFAULT_LIMITS, Limits
from oddsschema.ingestion.lines import LineSplitter

#: A source: the path of an NDJSON file, NDJSON as text or bytes, an open file or stream of it, or
#: single captures. Text that begins as JSON does, with `{`, is NDJSON; other text is a path.
Source = (
    str
    | os.PathLike[str]
    | bytes
    | bytearray
    | memoryview
    | Iterable[RawCapture | Item]
    | AsyncIterable[RawCapture | Item]
)

_SINGLE = Mapping, BaseModel, Item


def check_source(source: Any) -> None:
    """Raise TypeError for a value that is no source, with the kinds of sources."""
    is_source = isinstance(source, os.PathLike | Iterable | AsyncIterable)
    if is_source and not isinstance(source, _SINGLE):
        return
    hint = ". Put a single capture into a list" if isinstance(source, _SINGLE) else ""
    raise TypeError(
        f"captures cannot be read from a value of type {type(source).__name__}: the source must be "
        "the path of an NDJSON file, NDJSON as text or bytes, an open file or stream, or an "
        f"iterable or async iterable of captures{hint}"
    )


async def items(source: Source, limits: Limits = DEFAULT_LIMITS) -> AsyncIterator[Item]:
    """Iterate over the captures of a source, numbered from 1, without blank lines.

    The source is asked for its next capture only after the last one was processed. Raises TypeError
    for a value that is no source, OSError when a file cannot be opened, and the source's own
    errors.
    """
    check_source(source)
    if isinstance(source, str) and is_json(source):
        source = io.StringIO(source.removeprefix("\ufeff"), newline="\n")
    elif isinstance(source, str | os.PathLike):
        source = stream_files([os.fspath(source)], limits)
    elif isinstance(source, bytes | bytearray | memoryview):
        source = io.BytesIO(source)
    name = getattr(source, "name", None)
    file = name if isinstance(name, str) else "captures"
    number = 0
    lines = LineSplitter(file, limits)
    if isinstance(source, AsyncIterable) and hasattr(source, "read"):
        # asyncio.StreamReader, or an object like it
        source = items_of_stream(source.read, lines)
    elif is_file(source):
        source = items_of_stream(block_reader(source, lines), lines)
    if isinstance(source, AsyncIterable):
        async for payload in source:
            number += 1
            if not is_blank(payload):
                yield payload if isinstance(payload, Item) else Item(file, number, payload)
    else:
        for payload in source:
            number += 1
            if not is_blank(payload):
                yield payload if isinstance(payload, Item) else Item(file, number, payload)


def is_json(source: str) -> bool:
    """Return whether text is JSON, an object or an array of objects, in the place of a path."""
    return source.lstrip("\ufeff \t\r\n[").startswith("{")


def is_file(source: Any) -> bool:
    """Return whether a source is a file that can be read in blocks.

    A file that inherits io.IOBase's `readline` does not count: it reads one byte at a time.
    """
    file = getattr(source, "file", source)  # of tempfile's wrappers
    if isinstance(file, io.BufferedIOBase | io.RawIOBase):
        return True
    return isinstance(file, io.IOBase) and type(file).readline is not io.IOBase.readline


def is_blank(payload: Any) -> bool:
    """Return whether a payload is a blank line."""
    return isinstance(payload, bytes | str) and not payload.strip()
