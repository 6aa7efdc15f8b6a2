"""The lines of a file or stream: cut out of its blocks, an item each.

A line over `Limits.line_bytes` is skipped, and never in memory as a whole.
"""

import re
import sys
from collections.abc import Iterator
from typing import Any

from oddsschema.ingestion.item import Item
from oddsschema.ingestion.limits import Limits

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


class UnreadableFileError(Exception):
    """The error of a file that is not read further, with the reason."""


class LineSplitter:
    """A splitter of blocks into lines. Of a line over the limit, it keeps only the beginning."""

    def __init__(self, name: str, limits: Limits) -> None:
        self._name = name
        self._limits = limits
        #: The number of bytes that may follow.
        self._left = sys.maxsize
        self._number = 1
        self._is_first = True
        self._begun: list[Any] = []
        #: The size of the current line, and of the white space before it.
        self._size = 0
        self._indent = 0

    def limit_unpacked_bytes(self) -> None:
        """Set the limit on blocks that come from a .gz file."""
        self._left = self._limits.gzip_bytes

    def cut(self, block: Any) -> Iterator[Item]:
        """Yield the lines that end in a block.

        Raises UnreadableFileError at a first line that begins a JSON document of several lines, or
        is an array, and beyond the limits on lines without an end and on unpacked bytes.
        """
        yield from self._cut(block[: self._left])
        self._left -= len(block)
        if self._left < 0:
            raise self.cannot_go_on(self._limits.exceeded("gzip_bytes", "it unpacks to more bytes"))

    def end(self) -> Iterator[Item]:
        """Yield the last line, unless it is blank. Raises UnreadableFileError as `cut` does."""
        yield from self._end_line()

    def unreadable(self, error: UnreadableFileError) -> Item:
        """Make an item of the current line that says why the file is not read further."""
        return Item(self._name, self._number, None, str(error))

    @staticmethod
    def cannot_go_on(reason: object) -> UnreadableFileError:
        """Make the error of a file that is read up to the current line."""
        return UnreadableFileError(f"the file cannot be read further: {reason}")

    def _cut(self, block: Any) -> Iterator[Item]:
        newline = "\n" if isinstance(block, str) else b"\n"
        if not self._size:
            # Millions of blank lines in a row must cost next to nothing.
            stripped = block.lstrip()
            blank = len(block) - len(stripped)
            self._number += block.count(newline, 0, blank)
            last = block.rfind(newline, 0, blank)
            self._indent = blank - last - 1 if last >= 0 else self._indent + blank
            block = stripped
        begun, *others = block.split(newline)
        for part in others:
            self._add(begun)
            yield from self._end_line()
            begun = part
        self._add(begun)

    def _add(self, part: bytes | str) -> None:
        if not self._size:
            stripped = part.lstrip()
            self._indent += len(part) - len(stripped)
            part = stripped
        self._size += len(part)
        if part:
            self._begun.append(part)
        if self._size > self._limits.line_bytes:
            self._begun = [part[:0].join(self._begun)[:_DECISIVE]]
        if self._indent + self._size > self._limits.endless_line_bytes:
            self._text()
            reason = self._limits.exceeded("endless_line_bytes", "the line does not end")
            raise self.cannot_go_on(reason)

    def _end_line(self) -> Iterator[Item]:
        """Yield the current line, unless it is blank, and begin the next one."""
        line = self._text()
        if self._size > self._limits.line_bytes:
            reason = self._limits.exceeded("line_bytes", f"the line has {self._size:,} bytes")
            yield Item(self._name, self._number, None, reason)
        elif line:
            yield Item(self._name, self._number, line)
        self._number += 1
        self._begun, self._size, self._indent = [], 0, 0

    def _text(self) -> Any:
        """Return the current line, of a long one the beginning; None if it is empty.

        Raises UnreadableFileError if it is the first one and shows that there are no lines.
        """
        if not self._size:
            return None
        line = self._begun[0][:0].join(self._begun).strip()
        if self._number == 1:
            line = line.removeprefix("\ufeff" if isinstance(line, str) else b"\xef\xbb\xbf")
        if line and self._is_first:
            _check_first_line(line)
            self._is_first = False
        return line


def _check_first_line(line: bytes | str) -> None:
    start = line[:_DECISIVE]
    text = start if isinstance(start, str) else start.decode(errors="replace")
    if _ARRAY.match(text):
        raise UnreadableFileError(ARRAY_IN_PLACE_OF_LINES)
    if text == "{":
        raise UnreadableFileError(_DOCUMENT_IN_PLACE_OF_LINES)
