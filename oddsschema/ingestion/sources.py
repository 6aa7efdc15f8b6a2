"""Where captures come from: NDJSON files, plain or .gz, streams, standard input, Python objects.

A line over `Limits.line_bytes` is read past, and never held as a whole. (Lines that an iterable
hands over one by one are whole already: `validate` refuses those that are too long.)
"""

import asyncio
import gzip
import io
import os
import stat
import sys
import zlib
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oddsschema.capture import Capture
from oddsschema.ingestion.limits import DEFAULT_LIMITS, Limits

#: One capture as it comes: an object, a dict, or a JSON object as text.
RawCapture = Capture | Mapping[str, Any] | bytes | str


@dataclass(frozen=True, slots=True)
class Item:
    """A capture that is still to be validated, and where it stands."""

    file: str
    line: int
    payload: RawCapture | None
    #: Why there is no payload: the line is too long, or the file could not be read on.
    unreadable: str | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


#: How many bytes of a pipe are read at a time, or of a line that is too long.
_BLOCK = 64 * 1024

#: What an ingestion takes: the path of an NDJSON file, NDJSON itself, an open file or stream of it,
#: or captures one by one.
Source = (
    str | os.PathLike[str] | bytes | Iterable[RawCapture | Item] | AsyncIterable[RawCapture | Item]
)


class _TooLargeError(Exception):
    """A .gz file unpacks to more than it may."""


async def items(source: Source, limits: Limits = DEFAULT_LIMITS) -> AsyncIterator[Item]:
    """The captures of a source, numbered. Blank lines are skipped.

    The source is asked for the next capture when the last one is dealt with, and no sooner. Raises
    OSError when a file cannot be opened, and whatever the source raises.
    """
    if isinstance(source, str | os.PathLike):
        source = stream_files([os.fspath(source)], limits)
    elif isinstance(source, bytes):
        source = io.BytesIO(source)
    name = getattr(source, "name", None)
    file = name if isinstance(name, str) else "captures"
    number = 0
    if isinstance(source, AsyncIterable):
        if hasattr(source, "read"):  # asyncio.StreamReader, and what others make in its image
            source = _from_stream(file, source.read, limits)
        async for payload in source:
            number += 1
            if not _is_blank(payload):
                yield payload if isinstance(payload, Item) else Item(file, number, payload)
    else:
        if _is_file(source):
            source = _from_file(file, source, limits)
        for payload in source:
            number += 1
            if not _is_blank(payload):
                yield payload if isinstance(payload, Item) else Item(file, number, payload)


async def stream_files(
    paths: Iterable[str], limits: Limits = DEFAULT_LIMITS
) -> AsyncIterator[Item]:
    """The same as `read_files`, but waiting for a pipe on standard input holds up nothing else."""
    for path in paths:
        if path == "-" and _may_wait(sys.stdin.fileno()):
            async for item in _from_pipe(sys.stdin.buffer, limits):
                yield item
        else:
            for item in read_files([path], limits):
                yield item


def read_files(paths: Iterable[str], limits: Limits = DEFAULT_LIMITS) -> Iterator[Item]:
    """The captures of NDJSON files, a line each; "-" is standard input, blank lines are skipped.

    A file that breaks off (a .gz that was cut, or unpacks to more than it may) ends with one item
    that says so. Raises OSError when a file cannot be opened.
    """
    for path in paths:
        # A name can be any bytes, and what is told of it must be text.
        name = os.fsencode(path).decode(errors="backslashreplace")
        with _open(path) as file:
            yield from _from_file(name, file, limits)


# -- lines -----------------------------------------------------------------------------------------


def _from_file(name: str, file: Any, limits: Limits) -> Iterator[Item]:
    lines = _Lines(name, limits)
    if isinstance(file, io.BufferedIOBase):
        read = file.read1  # as much as is there already
    else:
        read = file.read if isinstance(file, io.RawIOBase) else file.readline
    left = limits.gzip_bytes if isinstance(file, gzip.GzipFile) else sys.maxsize
    try:
        while block := read(_BLOCK):
            yield from lines.cut(block[:left])
            left -= len(block)
            if left < 0:
                raise _TooLargeError(limits.exceeded("gzip_bytes", "it unpacks to more bytes"))
    except (EOFError, gzip.BadGzipFile, zlib.error, _TooLargeError) as error:
        yield lines.broken_off(f"the file cannot be read further: {error}")
    else:
        yield from lines.end()


async def _from_stream(name: str, read: Any, limits: Limits) -> AsyncIterator[Item]:
    lines = _Lines(name, limits)
    while block := await read(_BLOCK):
        for item in lines.cut(block):
            yield item
    for item in lines.end():
        yield item


class _Lines:
    """Cuts blocks into lines. Of a line over the limit, it keeps no more than the length."""

    def __init__(self, name: str, limits: Limits) -> None:
        self._name = name
        self._limits = limits
        self._number = 1
        self._begun: list[Any] = []
        self._size = 0

    def cut(self, block: Any) -> Iterator[Item]:
        """The lines that end in a block."""
        newline = "\n" if isinstance(block, str) else b"\n"
        if not self._size:
            # There can be millions of blank lines in a row, which are nothing to be looked at.
            inked = block.lstrip()
            self._number += block.count(newline, 0, len(block) - len(inked))
            block = inked
        begun, *others = block.split(newline)
        for part in others:
            self._add(begun)
            yield from self.end()
            begun = part
        self._add(begun)

    def end(self) -> Iterator[Item]:
        """The line that was begun, unless it is blank."""
        if self._size > self._limits.line_bytes:
            reason = self._limits.exceeded("line_bytes", f"the line has {self._size:,} bytes")
            yield self.broken_off(reason)
        elif self._size:
            line = self._begun[0][:0].join(self._begun).strip()
            if self._number == 1:
                line = line.removeprefix("\ufeff" if isinstance(line, str) else b"\xef\xbb\xbf")
            if line:
                yield Item(self._name, self._number, line)
        self._number += 1
        self._begun, self._size = [], 0

    def broken_off(self, reason: str) -> Item:
        """The line that was begun, as one that cannot be read."""
        return Item(self._name, self._number, None, reason)

    def _add(self, part: bytes | str) -> None:
        if not self._size:
            part = part.lstrip()
        self._size += len(part)
        if self._size > self._limits.line_bytes:
            self._begun = []
        elif part:
            self._begun.append(part)


# -- files and pipes -------------------------------------------------------------------------------


def _is_file(source: Any) -> bool:
    """Whether it can be read in parts (not with io.IOBase's own `readline`, a byte at a time)."""
    file = getattr(source, "file", source)  # of tempfile's wrappers
    if isinstance(file, io.BufferedIOBase | io.RawIOBase):
        return True
    return isinstance(file, io.IOBase) and type(file).readline is not io.IOBase.readline


@contextmanager
def _open(path: str) -> Iterator[Any]:
    if path == "-":
        yield sys.stdin.buffer
        return
    with Path(path).open("rb") as file:
        # Not to be opened again: it may be a pipe.
        if file.peek(2)[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield unpacked
        else:
            yield file


def _may_wait(descriptor: int) -> bool:
    """Whether reading may have to wait for somebody: of files and /dev/null, it never does."""
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor)


async def _from_pipe(pipe: Any, limits: Limits) -> AsyncIterator[Item]:
    reader = asyncio.StreamReader(limit=_BLOCK)
    # A descriptor of its own: the transport closes what it is given.
    own = os.fdopen(os.dup(pipe.fileno()), "rb", buffering=0)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), own
    )
    try:
        async for item in _from_stream("-", reader.read, limits):
            yield item
    finally:
        # Other programs may share the terminal or pipe, and expect it to block.
        os.set_blocking(pipe.fileno(), True)
        transport.close()


def _is_blank(payload: Any) -> bool:
    return isinstance(payload, bytes | str) and not payload.strip()
