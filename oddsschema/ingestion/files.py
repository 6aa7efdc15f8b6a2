"""NDJSON files, plain or .gz, streams and pipes: cut into lines, an item each.

A line over `Limits.line_bytes` is skipped, and never in memory as a whole.
"""

import asyncio
import gzip
import io
import os
import re
import stat
import sys
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from oddsschema.ingestion.item import Item
from oddsschema.ingestion.limits import DEFAULT_LIMITS, Limits

#: The number of bytes that are read from a file or pipe at a time.
_BLOCK = 64 * 1024


#: The reason for refusing a JSON array, and a document over several lines, as a whole.
ARRAY_IN_PLACE_OF_LINES = (
    "a JSON array in place of lines: write one capture a line; "
    "`jq -c '.[]'` makes lines of an array"
)
_DOCUMENT_IN_PLACE_OF_LINES = (
    "JSON over several lines: write one capture a line; `jq -c .` makes lines of it"
)

#: The beginning of a first line that is, or opens, an array of captures; it is enough to decide.
_ARRAY = re.compile(r"\[\s*(\{|$)")
_DECISIVE = 100


class _TooLargeError(Exception):
    """The error of a .gz file that unpacks to more bytes than the limit."""


class _NoLinesError(Exception):
    """The error of a file that holds JSON, but not one capture a line."""


async def stream_files(
    paths: Iterable[str], limits: Limits = DEFAULT_LIMITS
) -> AsyncIterator[Item]:
    """Read files as `read_files` does, without blocking the event loop on a pipe."""
    for path in paths:
        if path == "-" and may_wait(sys.stdin.fileno()):
            async for item in items_of_pipe(sys.stdin.buffer, limits):
                yield item
        else:
            for item in read_files([path], limits):
                yield item


def read_files(paths: Iterable[str], limits: Limits = DEFAULT_LIMITS) -> Iterator[Item]:
    """Read the captures of NDJSON files, one a line; "-" is standard input.

    A damaged file (a .gz that was cut, or unpacks to more bytes than the limit) ends with one item
    that says so. A file of a JSON array, or of JSON that is written over several lines, is one such
    item. Raises OSError when a file cannot be opened.
    """
    for path in paths:
        # A file name can be any bytes; messages are text.
        name = os.fsencode(path).decode(errors="backslashreplace")
        with open_file(path) as file:
            yield from items_of_file(name, file, limits)


# -- lines -----------------------------------------------------------------------------------------


def items_of_file(name: str, file: Any, limits: Limits) -> Iterator[Item]:
    """Read the captures of an open file, one a line."""
    lines = LineSplitter(name, limits)
    if isinstance(file, io.BufferedIOBase):
        read = file.read1  # returns the bytes that have arrived
    else:
        read = file.read if isinstance(file, io.RawIOBase) else file.readline
    left = limits.gzip_bytes if isinstance(file, gzip.GzipFile) else sys.maxsize
    try:
        while block := read(_BLOCK):
            yield from lines.cut(block[:left])
            left -= len(block)
            if left < 0:
                raise _TooLargeError(limits.exceeded("gzip_bytes", "it unpacks to more bytes"))
        yield from lines.end()
    except (EOFError, gzip.BadGzipFile, zlib.error, _TooLargeError) as error:
        yield lines.unreadable(f"the file cannot be read further: {error}")
    except _NoLinesError as error:
        yield lines.unreadable(str(error))


async def items_of_stream(name: str, read: Any, limits: Limits) -> AsyncIterator[Item]:
    """Read the captures of a stream whose `read(size)` is a coroutine, one a line."""
    lines = LineSplitter(name, limits)
    try:
        while block := await read(_BLOCK):
            for item in lines.cut(block):
                yield item
        for item in lines.end():
            yield item
    except _NoLinesError as error:
        yield lines.unreadable(str(error))


class LineSplitter:
    """A splitter of blocks into lines. Of a line over the limit, it keeps only the beginning."""

    def __init__(self, name: str, limits: Limits) -> None:
        self._name = name
        self._limits = limits
        self._number = 1
        self._is_first = True
        self._begun: list[Any] = []
        self._size = 0

    def cut(self, block: Any) -> Iterator[Item]:
        """Yield the lines that end in a block.

        Raises _NoLinesError at a first line that begins a JSON document of several lines, or is an
        array.
        """
        newline = "\n" if isinstance(block, str) else b"\n"
        if not self._size:
            # Millions of blank lines in a row must cost next to nothing.
            stripped = block.lstrip()
            self._number += block.count(newline, 0, len(block) - len(stripped))
            block = stripped
        begun, *others = block.split(newline)
        for part in others:
            self._add(begun)
            yield from self.end()
            begun = part
        self._add(begun)

    def end(self) -> Iterator[Item]:
        """Yield the current line, unless it is blank, and begin the next one."""
        line = self._begun[0][:0].join(self._begun).strip() if self._size else None
        if line and self._number == 1:
            line = line.removeprefix("\ufeff" if isinstance(line, str) else b"\xef\xbb\xbf")
        if line and self._is_first:
            check_first_line(line)
            self._is_first = False
        if self._size > self._limits.line_bytes:
            reason = self._limits.exceeded("line_bytes", f"the line has {self._size:,} bytes")
            yield self.unreadable(reason)
        elif line:
            yield Item(self._name, self._number, line)
        self._number += 1
        self._begun, self._size = [], 0

    def unreadable(self, reason: str) -> Item:
        """Make an item of the current line that says why it cannot be read."""
        return Item(self._name, self._number, None, reason)

    def _add(self, part: bytes | str) -> None:
        if not self._size:
            part = part.lstrip()
        self._size += len(part)
        if part:
            self._begun.append(part)
        if self._size > self._limits.line_bytes:
            self._begun = [part[:0].join(self._begun)[:_DECISIVE]]


def check_first_line(line: bytes | str) -> None:
    """Raise _NoLinesError if a file that begins with this line has not one capture a line."""
    start = line[:_DECISIVE]
    text = start if isinstance(start, str) else start.decode(errors="replace")
    if _ARRAY.match(text):
        raise _NoLinesError(ARRAY_IN_PLACE_OF_LINES)
    if text == "{":
        raise _NoLinesError(_DOCUMENT_IN_PLACE_OF_LINES)


# -- files and pipes -------------------------------------------------------------------------------


@contextmanager
def open_file(path: str) -> Iterator[Any]:
    """Open a file for reading bytes, unpacked if it is gzip; "-" is standard input."""
    if path == "-":
        yield sys.stdin.buffer
        return
    with Path(path).open("rb") as file:
        # Opening it again to look for gzip would lose the data of a pipe.
        if file.peek(2)[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield unpacked
        else:
            yield file


def may_wait(descriptor: int) -> bool:
    """Return whether reading may wait for another program: never for files and /dev/null."""
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor)


async def items_of_pipe(pipe: Any, limits: Limits) -> AsyncIterator[Item]:
    """Read the captures of a pipe without blocking the event loop."""
    reader = asyncio.StreamReader(limit=_BLOCK)
    # A descriptor of its own: the transport closes the one that it gets.
    own = os.fdopen(os.dup(pipe.fileno()), "rb", buffering=0)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), own
    )
    try:
        async for item in items_of_stream("-", reader.read, limits):
            yield item
    finally:
        # Other programs may share the terminal or pipe, and need it in blocking mode.
        os.set_blocking(pipe.fileno(), True)
        transport.close()
