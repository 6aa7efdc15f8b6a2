"""The blocks of a COPY, compared with the rows that the standard library reads."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from oddsschema.frames.blocks import Blocks

texts = st.text(st.sampled_from('ab",\n\r'), max_size=6)


def blocks_of(data: bytes, size: int, piece: int) -> list[bytes]:
    """Return the blocks of data that arrive in pieces."""
    blocks = Blocks(size)
    pieces = [data[start : start + piece] for start in range(0, len(data), piece)]
    return [block for part in pieces for block in blocks.add(part)] + list(blocks.last())


@given(
    rows=st.lists(st.lists(texts, min_size=2, max_size=2), max_size=12),
    size=st.integers(1, 20),
    piece=st.integers(1, 9),
)
def test_blocks_hold_whole_rows(rows: list[list[str]], size: int, piece: int) -> None:
    """However the bytes arrive, each block holds whole rows, and no row is lost."""
    written = io.StringIO(newline="")
    csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    data = written.getvalue().encode()
    found = blocks_of(data, size, piece)
    assert b"".join(found) == data
    read = [
        row
        for block in found
        for row in csv.reader(io.StringIO(block.decode(), newline=""), strict=True)
    ]
    assert read == rows


@given(lengths=st.lists(st.integers(1, 20), max_size=12), piece=st.integers(1, 300))
def test_blocks_have_a_size(lengths: list[int], piece: int) -> None:
    """However the bytes arrive, the blocks are the same, and not longer than their size."""
    data = b"".join(b"a" * length + b"\n" for length in lengths)
    found = blocks_of(data, 30, piece)
    assert found == blocks_of(data, 30, 1)
    assert all(len(block) <= 30 for block in found)
