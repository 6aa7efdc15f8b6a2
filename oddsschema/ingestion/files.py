"""NDJSON files, plain or .gz, streams and pipes: read in blocks, and cut into lines."""

import asyncio
import gzip
import io
import os
import stat
import sys
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from contextlib import AbstractContextManager, aclosing, nullcontext
from pathlib import Path
from typing import Any

from oddsschema.ingestion.gzip_lines import FileSplitter
from oddsschema.ingestion.item import Item
from oddsschema.ingestion.limits import DEFAULT_LIMITS, Limits
from oddsschema.ingestion.lines import LineSplitter, UnreadableFileError

#: The number of bytes that are read from a file or pipe at a time.
_BLOCK = 64 * 1024


async def stream_files(
    paths: Iterable[str], limits: Limits = DEFAULT_LIMITS
) -> AsyncGenerator[Item, None]:
    """Read files as `read_files` does, without blocking the event loop on a pipe or a terminal."""
    for path in paths:
        lines = FileSplitter(file_name(path), limits)
        with open_at_once(path) as file:
            if may_wait(file):
                items = items_of_pipe(file, lines)
            else:
                items = items_of_stream(block_reader(file, lines), lines)
            # Closed before its file, also at an interruption.
            async with aclosing(items):
                async for item in items:
                    yield item


def read_files(paths: Iterable[str], limits: Limits = DEFAULT_LIMITS) -> Iterator[Item]:
    """Read the captures of NDJSON files, plain or .gz, one a line; "-" is standard input.

    A file that cannot be read further (a .gz that was cut, or unpacks to more bytes than the limit,
    or a line without an end) ends with one item that says so. A file of a JSON array, or of JSON
    that is written over several lines, is one such item. Raises OSError when a file cannot be
    opened.
    """
    for path in paths:
        lines = FileSplitter(file_name(path), limits)
        with open_file(path) as file:
            yield from items_of_file(file, lines)


def items_of_file(file: Any, lines: LineSplitter) -> Iterator[Item]:
    """Read the captures of an open file, one a line."""
    read = file_reader(file, lines)
    try:
        while block := read(_BLOCK):
            yield from lines.cut(block)
        yield from lines.end()
    except UnreadableFileError as error:
        yield lines.unreadable(error)


def open_file(path: str) -> AbstractContextManager[Any]:
    """Open a file for reading bytes; "-" is standard input."""
    return nullcontext(sys.stdin.buffer) if path == "-" else Path(path).open("rb")


def file_name(path: str) -> str:
    """Return the name of a file as text: it can be any bytes."""
    return os.fsencode(path).decode(errors="backslashreplace")


async def items_of_stream(
    read: Callable[[int], Awaitable[Any]], lines: LineSplitter
) -> AsyncGenerator[Item, None]:
    """Read the captures of a stream, one a line; `read(size)` returns its next block."""
    try:
        while block := await read(_BLOCK):
            for item in lines.cut(block):
                yield item
        for item in lines.end():
            yield item
    except UnreadableFileError as error:
        yield lines.unreadable(error)


def block_reader(file: Any, lines: LineSplitter) -> Callable[[int], Awaitable[Any]]:
    """Return the coroutine that reads the next block of an open file, as `file_reader` does."""
    read = file_reader(file, lines)

    async def read_block(size: int) -> Any:
        # A file without lines would keep the event loop from its timers, and from Ctrl-C.
        await asyncio.sleep(0)
        return read(size)

    return read_block


def file_reader(file: Any, lines: LineSplitter) -> Callable[[int], Any]:
    """Return the function that reads the next block of an open file.

    It raises UnreadableFileError for a damaged gzip.GzipFile.
    """
    if isinstance(file, io.BufferedIOBase):
        read = file.read1  # returns the bytes that have arrived
    else:
        read = file.read if isinstance(file, io.RawIOBase) else file.readline
    if isinstance(file, gzip.GzipFile):
        lines.limit_unpacked_bytes()

    def read_block(size: int) -> Any:
        try:
            return read(size)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise lines.cannot_go_on(error) from error

    return read_block


# -- pipes -----------------------------------------------------------------------------------------


def open_at_once(path: str) -> io.FileIO:
    """Open a file for reading bytes; "-" is standard input.

    A named pipe is opened before it has a writer: the wait for one would ignore Ctrl-C.
    """
    if path == "-":
        return io.FileIO(os.dup(sys.stdin.fileno()))  # to be closed
    return io.FileIO(path, opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))


def may_wait(file: io.FileIO) -> bool:
    """Return whether reading may wait for another program: never for files and /dev/null."""
    mode = os.fstat(file.fileno()).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or file.isatty()


async def items_of_pipe(pipe: io.FileIO, lines: LineSplitter) -> AsyncGenerator[Item, None]:
    """Read the captures of a pipe without blocking the event loop."""
    reader = asyncio.StreamReader(limit=_BLOCK)
    # A descriptor of its own: the transport closes the one that it gets.
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), io.FileIO(os.dup(pipe.fileno()))
    )
    try:
        async for item in items_of_stream(reader.read, lines):
            yield item
    finally:
        # Other programs may share the terminal or pipe, and need it in blocking mode.
        os.set_blocking(pipe.fileno(), True)
        transport.close()
