"""The blocks of a COPY in the format CSV: each holds whole rows."""

from collections.abc import Iterator

#: The most bytes of a block.
BLOCK = 4 * 2**20


class Blocks:
    """The rows that have arrived, as blocks."""

    def __init__(self, size: int = BLOCK) -> None:
        self._size = size
        self._rest = bytearray()

    def add(self, data: bytes) -> Iterator[bytes]:
        """Add bytes; yield the blocks that are full.

        A block has the size or less. Only a row that is longer makes a longer one.
        """
        self._rest += data
        while len(self._rest) >= self._size:
            end = end_of_rows(self._rest[: self._size]) or end_of_rows(self._rest)
            if not end:
                break
            yield bytes(self._rest[:end])
            del self._rest[:end]

    def last(self) -> Iterator[bytes]:
        """Yield the rows that are left."""
        if self._rest:
            yield bytes(self._rest)
            self._rest.clear()


def end_of_rows(data: bytes | bytearray) -> int:
    """Return the end of the last whole row; 0 if there is none.

    A line feed between quotation marks is part of a text: then the number of marks before it is
    odd. A mark in a text is doubled.
    """
    end = data.rfind(b"\n")
    marks = data.count(b'"', 0, end) if end >= 0 else 0
    while end >= 0 and marks % 2:
        before = data.rfind(b"\n", 0, end)
        marks -= data.count(b'"', max(before, 0), end)
        end = before
    return end + 1
