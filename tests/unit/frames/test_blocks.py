"""The blocks of a COPY, compared with the rows that the standard library reads."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from oddsschema.frames.blocks import Blocks

texts = st.text(st.sampled_from('ab",\n\r'), max_size=6)


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
    blocks = Blocks(size)
    found = [
        block
        for start in range(0, len(data), piece)
        for block in blocks.add(data[start : start + piece])
    ]
    found.extend(blocks.last())
    assert b"".join(found) == data
    read = [
        row
        for block in found
        for row in csv.reader(io.StringIO(block.decode(), newline=""), strict=True)
    ]
    assert read == rows
