"""The standard streams of the program: output that cannot be written, or cannot be encoded.

An error of writing (a full disk, a closed pipe) is recorded, and all later output is dropped: lost
output must not end the work of a command, nor hide its result. A character that the encoding of the
stream does not have is written as an escape.
"""

import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

#: The descriptors of standard input, output and error.
_DESCRIPTORS = 3


class LossyOutput(io.RawIOBase):
    """The bytes of a standard stream. After the first error, everything is dropped."""

    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw = raw
        #: The first error of writing.
        self.error: OSError | None = None

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the descriptor of the stream."""
        return self._raw.fileno()

    def isatty(self) -> bool:
        """Return whether the stream is a terminal."""
        return self._raw.isatty()

    def write(self, data: Any) -> int:
        """Write some of the data, and return the number of bytes; drop all of it after an error."""
        while self.error is None:
            try:
                written = self._raw.write(data)
                if written is not None:
                    return written
                # Another program has made the pipe or the terminal non-blocking, and it is full.
                select.select([], [self._raw], [])
            except OSError as error:
                self.error = error
        return len(data)


@contextmanager
def lossy_streams() -> Iterator[LossyOutput | None]:
    """Replace standard output and standard error meanwhile, and yield the bytes of the output.

    Yields None for a standard output that is closed, or that is an object without a descriptor.
    """
    _occupy_closed_descriptors()
    with ExitStack() as stack:
        stack.enter_context(_lossy("stderr"))
        yield stack.enter_context(_lossy("stdout"))


@contextmanager
def _lossy(name: str) -> Iterator[LossyOutput | None]:
    stream = getattr(sys, name)
    buffer = getattr(stream, "buffer", None)
    # With PYTHONUNBUFFERED, the stream has no buffer between.
    raw = getattr(buffer, "raw", buffer)
    if not isinstance(raw, io.RawIOBase):
        yield None
        return
    output = LossyOutput(raw)
    text = io.TextIOWrapper(
        io.BufferedWriter(output),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
    )
    setattr(sys, name, text)
    try:
        yield output
    finally:
        text.flush()
        setattr(sys, name, stream)


def _occupy_closed_descriptors() -> None:
    """Open the null device in place of closed standard streams.

    The descriptor of the next file or socket would be the stream's otherwise.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < _DESCRIPTORS:
        pass
    os.close(descriptor)


def output_error() -> OSError | None:
    """Return the error of writing after which standard output drops everything."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return raw.error if isinstance(raw, LossyOutput) else None
