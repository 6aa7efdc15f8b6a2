"""Where captures come from: NDJSON files, plain or .gz, streams, standard input, Python objects."""

import asyncio
import gzip
import os
import stat
import sys
import zlib
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oddsschema.capture import Capture

#: One capture as it comes: an object, a dict, or a JSON object as text.
RawCapture = Capture | Mapping[str, Any] | bytes | str


@dataclass(frozen=True, slots=True)
class Item:
    """A capture that is still to be validated, and where it stands."""

    file: str
    line: int
    payload: RawCapture | None
    #: Why there is no payload: the file could not be read on.
    unreadable: str | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


#: How many bytes of a pipe are read at a time.
_BLOCK = 64 * 1024

#: What an ingestion takes: the path of an NDJSON file, NDJSON itself, or captures one by one (an
#: open file or stream is that: it yields lines).
Source = (
    str | os.PathLike[str] | bytes | Iterable[RawCapture | Item] | AsyncIterable[RawCapture | Item]
)


async def items(source: Source) -> AsyncIterator[Item]:
    """The captures of a source, numbered. Blank lines are skipped.

    The source is asked for the next capture when the last one is dealt with, and no sooner. Raises
    OSError when a file cannot be opened, and whatever the source raises.
    """
    if isinstance(source, str | os.PathLike):
        source = stream_files([os.fspath(source)])
    elif isinstance(source, bytes):
        source = source.splitlines()
    name = getattr(source, "name", None)
    file = name if isinstance(name, str) else "captures"
    number = 0
    if isinstance(source, AsyncIterable):
        async for payload in source:
            number += 1
            if not _is_blank(payload):
                yield payload if isinstance(payload, Item) else Item(file, number, payload)
    else:
        for payload in source:
            number += 1
            if not _is_blank(payload):
                yield payload if isinstance(payload, Item) else Item(file, number, payload)


async def stream_files(paths: Iterable[str]) -> AsyncIterator[Item]:
    """The same as `read_files`, but waiting for a pipe on standard input holds up nothing else."""
    for path in paths:
        if path == "-" and _may_wait(sys.stdin.fileno()):
            number = 0
            async for line in _pipe_lines(sys.stdin.buffer):
                number += 1
                if text := _text(line, number):
                    yield Item(path, number, text)
        else:
            for item in read_files([path]):
                yield item


def read_files(paths: Iterable[str]) -> Iterator[Item]:
    """The captures of NDJSON files, a line each; "-" is standard input, blank lines are skipped.

    A file that breaks off (a .gz that was cut) ends with one item that says so. Raises OSError
    when a file cannot be opened.
    """
    for path in paths:
        with _open(path) as stream:
            number = 0
            try:
                for number, line in enumerate(stream, start=1):
                    if text := _text(line, number):
                        yield Item(path, number, text)
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                yield Item(path, number + 1, None, f"the file cannot be read further: {error}")


def _text(line: bytes, number: int) -> bytes:
    text = line.strip()
    return text.removeprefix(b"\xef\xbb\xbf") if number == 1 else text


def _may_wait(descriptor: int) -> bool:
    """Whether reading may have to wait for somebody: of files and /dev/null, it never does."""
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor)


async def _pipe_lines(pipe: Any) -> AsyncIterator[bytes]:
    reader = asyncio.StreamReader(limit=_BLOCK)
    # A descriptor of its own: the transport closes what it is given.
    own = os.fdopen(os.dup(pipe.fileno()), "rb", buffering=0)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), own
    )
    try:
        begun: list[bytes] = []
        while block := await reader.read(_BLOCK):
            first, *others = block.split(b"\n")
            begun.append(first)
            for other in others:
                yield b"".join(begun)
                begun = [other]
        yield b"".join(begun)
    finally:
        # Other programs may share the terminal or pipe, and expect it to block.
        os.set_blocking(pipe.fileno(), True)
        transport.close()


def _open(path: str) -> Any:
    if path == "-":
        return nullcontext(sys.stdin.buffer)
    with Path(path).open("rb") as stream:
        is_gzip = stream.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if is_gzip else Path(path).open("rb")


def _is_blank(payload: Any) -> bool:
    return isinstance(payload, bytes | str) and not payload.strip()
