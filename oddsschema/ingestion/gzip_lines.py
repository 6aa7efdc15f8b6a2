"""The lines of a file that may be a .gz: unpacked block by block, since a pipe delivers slowly."""

import zlib
from collections.abc import Iterator
from typing import Any

from oddsschema.ingestion.item import Item
from oddsschema.ingestion.limits import Limits
from oddsschema.ingestion.lines import LineSplitter

#: The first bytes of a .gz file.
_MAGIC = b"\x1f\x8b"

#: The number of bytes that are unpacked at a time.
_BLOCK = 64 * 1024


class FileSplitter(LineSplitter):
    """A splitter of the blocks of a file into lines. The first bytes decide if it is a .gz."""

    def __init__(self, name: str, limits: Limits) -> None:
        super().__init__(name, limits)
        #: The first bytes, until they are enough to decide.
        self._start: bytes | None = b""
        #: The member that is unpacked; None for a plain file.
        self._member: Any = None

    def cut(self, block: bytes) -> Iterator[Item]:
        """Yield the lines that end in a block.

        Raises UnreadableFileError as LineSplitter does, and for damaged data.
        """
        if self._start is not None:
            block = self._start + block
            if len(block) < len(_MAGIC):
                self._start = block
                return
            self._start = None
            if block.startswith(_MAGIC):
                self._member = _new_member()
                self.limit_unpacked_bytes()
        if self._member is None:
            yield from super().cut(block)
        else:
            yield from self._unpack(block)

    def end(self) -> Iterator[Item]:
        """Yield the last line, unless it is blank. Raises UnreadableFileError for a cut .gz."""
        if self._start:
            yield from super().cut(self._start)
        if self._member is not None and not self._member.eof:
            raise self.cannot_go_on("the .gz is cut")
        yield from super().end()

    def _unpack(self, block: bytes) -> Iterator[Item]:
        while block:
            if self._member.eof:
                block = block.lstrip(b"\0")  # zeros may fill up the file
                if not block:
                    return
                self._member = _new_member()
            before = self._member.copy()
            try:
                unpacked = self._member.decompress(block, _BLOCK)
            except zlib.error as error:
                if len(block) == 1:
                    raise self.cannot_go_on(error) from error
                # zlib drops the data before the damage: halves of the block find them.
                self._member = before
                half = len(block) // 2
                yield from self._unpack(block[:half])
                block = block[half:]
            else:
                yield from super().cut(unpacked)
                block = self._member.unconsumed_tail or self._member.unused_data


def _new_member() -> Any:
    return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
