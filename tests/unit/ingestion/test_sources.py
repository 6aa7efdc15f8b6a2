"""Lines of files, streams and archives, each within the limits."""

import asyncio
import gzip
import io
import json
import os
import re
import tempfile
import zlib
from collections.abc import AsyncIterator, Callable
from itertools import chain, pairwise
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsschema import Outcome
from oddsschema.ingestion import Item, Limits, ingest, read_files
from oddsschema.ingestion.gzip_lines import FileSplitter
from oddsschema.ingestion.lines import UnreadableFileError
from oddsschema.ingestion.sources import items


class Trickle(io.BufferedIOBase):
    """An open file that returns a few bytes at a time."""

    def __init__(self, content: bytes, sizes: list[int]) -> None:
        self._rest = content
        self._sizes = sizes

    def read1(self, size: int = -1, /) -> bytes:
        """Return a part of the rest."""
        at = self._sizes.pop() if len(self._sizes) > 1 else self._sizes[0]
        part, self._rest = self._rest[:at], self._rest[at:]
        return part


class Stream:
    """A stream like asyncio's, of bytes or text, that returns a few at a time."""

    def __init__(self, content: Any, sizes: list[int]) -> None:
        self._rest = content
        self._sizes = sizes

    async def read(self, size: int) -> Any:
        """Return a part of the rest."""
        at = self._sizes.pop() if len(self._sizes) > 1 else self._sizes[0]
        part, self._rest = self._rest[:at], self._rest[at:]
        return part

    def __aiter__(self) -> AsyncIterator[Any]:
        raise AssertionError("a stream that can be read in parts is not read by lines")


async def listed(source: Any, limits: Limits) -> list[Item]:
    """List all items of a source."""
    return [item async for item in items(source, limits)]


def expected_items(content: bytes, limits: Limits) -> list[tuple[int, bytes | None]]:
    """List line numbers and lines; a line beyond the limit is None, a blank line is left out."""
    found: list[tuple[int, bytes | None]] = []
    for number, line in enumerate(content.split(b"\n"), start=1):
        text = line.strip()
        if number == 1:
            text = text.removeprefix(b"\xef\xbb\xbf")
        if len(line.lstrip()) > limits.line_bytes:
            found.append((number, None))
        elif text:
            found.append((number, text))
    return found


LINES = (
    st.lists(
        st.text("ab{}é \t\r", max_size=12).map(str.encode) | st.just(b"") | st.just(b"x" * 30),
        max_size=8,
    )
    .map(b"\n".join)
    # A file that begins with "{" alone is a document over several lines.
    .filter(lambda content: content.lstrip().partition(b"\n")[0].strip() != b"{")
)
CONTENTS = LINES | LINES.map(lambda content: b"\xef\xbb\xbf" + content)
SIZES = st.lists(st.integers(1, 9), min_size=1)


@given(content=CONTENTS, sizes=SIZES, most=st.integers(1, 30))
def test_lines_of_every_source(content: bytes, sizes: list[int], most: int) -> None:
    """Lines within the limit are whole for any reads; longer lines are refusals."""
    limits = Limits(line_bytes=most)
    sources: list[Callable[[], Any]] = [
        lambda: content,
        lambda: io.BytesIO(content),
        lambda: Trickle(content, sizes.copy()),
        lambda: Stream(content, sizes.copy()),
        lambda: gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(content))),
    ]
    wanted = expected_items(content, limits)
    for source in sources:
        found = asyncio.run(listed(source(), limits))
        assert [(item.line, item.payload) for item in found] == wanted
        for item in found:
            assert (item.unreadable is None) == (item.payload is not None)


@given(content=LINES, sizes=SIZES, most=st.integers(1, 30))
def test_lines_of_text(content: bytes, sizes: list[int], most: int) -> None:
    """This holds for text files and streams too, with lengths in characters."""
    text = content.decode()
    limits = Limits(line_bytes=most)
    wanted = [
        (number, None if line is None else line.decode())
        for number, line in expected_items(text.replace("é", "e").encode(), limits)
    ]
    sources = [io.StringIO(text, newline="\n"), Stream(text, sizes.copy())]
    # Text that begins with "{" is no path.
    sources += [text] if text.lstrip().startswith("{") else []
    for source in sources:
        found = asyncio.run(listed(source, limits))
        plain = [
            (item.line, item.payload and str(item.payload).replace("é", "e")) for item in found
        ]
        assert plain == wanted


def test_lines_of_tempfiles() -> None:
    """Files of tempfile are read like others."""
    limits = Limits(line_bytes=3)
    for kind in (
        tempfile.TemporaryFile,
        tempfile.NamedTemporaryFile,
        tempfile.SpooledTemporaryFile,
    ):
        with kind() as file:
            file.write(b"1\n\n123\n1234\n5")
            file.seek(0)
            found = asyncio.run(listed(file, limits))
        assert [(item.line, item.payload) for item in found] == [
            (1, b"1"),
            (3, b"123"),
            (4, None),
            (5, b"5"),
        ]


@given(content=LINES, most=st.integers(1, 60), members=st.integers(1, 3))
def test_gzip_bytes(tmp_path_factory: Any, content: bytes, most: int, members: int) -> None:
    """The lines of a .gz file within the limit are read; the rest is one refusal."""
    path = tmp_path_factory.mktemp("gzip") / "file.gz"
    cuts = [len(content) * at // members for at in range(members + 1)]
    parts = [content[start:end] for start, end in pairwise(cuts)]
    path.write_bytes(b"".join(map(gzip.compress, parts)))
    limits = Limits(gzip_bytes=most)
    found = list(read_files([str(path)], limits))
    if len(content) <= most:
        assert [(item.line, item.payload) for item in found] == expected_items(content, limits)
        return
    within = content[:most].rpartition(b"\n")[0]
    *whole, last = found
    assert [(item.line, item.payload) for item in whole] == expected_items(within, limits)
    assert last.line == content[:most].count(b"\n") + 1
    assert last.payload is None
    assert last.unreadable == (
        "the file cannot be read further: it unpacks to more bytes: "
        f"the limit is {most:,} (gzip_bytes)"
    )


def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    """A named pipe with a .gz is read from its first byte."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = Thread(target=path.write_bytes, args=[gzip.compress(b"1\n2\n")])
    writer.start()
    found = [(item.line, item.payload) for item in read_files([str(path)])]
    writer.join()
    assert found == [(1, b"1"), (2, b"2")]


ARRAY = r"a JSON array in place of lines: write one capture a line; `jq -c '\.\[\]'` makes lines"
DOCUMENT = r"JSON over several lines: write one capture a line; `jq -c \.` makes lines"


@given(
    values=st.lists(st.dictionaries(st.text(max_size=3), st.integers()), min_size=1, max_size=9),
    indent=st.none() | st.integers(0, 4),
    before=st.sampled_from([b"", b"\xef\xbb\xbf", b"\n \n", b" "]),
    newline=st.sampled_from([b"\n", b"\r\n"]),
    sizes=SIZES,
    most=st.sampled_from([40, 4 * 2**20]),
)
def test_array_is_one_refusal(
    values: list[Any],
    indent: int | None,
    before: bytes,
    newline: bytes,
    sizes: list[int],
    most: int,
) -> None:
    """A JSON array in place of lines is a single item, which names the remedy."""
    limits = Limits(line_bytes=most)
    content = before + json.dumps(values, indent=indent).encode().replace(b"\n", newline)
    for source in (
        content,
        io.BytesIO(content),
        Stream(content, [64]),
        gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(content))),
    ):
        (item,) = asyncio.run(listed(source, limits))
        assert item.payload is None
        assert item.unreadable is not None
        assert re.match(ARRAY, item.unreadable)
    # Reads of a few bytes do not change the result for lines within the limit.
    if most > len(content):
        (item,) = asyncio.run(listed(Stream(content, sizes), limits))
        assert re.match(ARRAY, item.unreadable or "")


@given(value=st.dictionaries(st.text(), st.integers(), min_size=1), sizes=SIZES)
def test_document_over_several_lines_is_one_refusal(value: Any, sizes: list[int]) -> None:
    """A file of JSON over several lines is a single item, which names the remedy."""
    content = json.dumps(value, indent=2).encode()
    (item,) = asyncio.run(listed(Stream(content, sizes), Limits()))
    assert re.match(DOCUMENT, item.unreadable or "")


def test_other_files_follow_an_array(tmp_path: Path) -> None:
    """The files after a JSON array are read."""
    (tmp_path / "array").write_text('[{"a": 1},\n{"a": 2}]\n')
    (tmp_path / "lines").write_text('{"a": 1}\n{"a": 2}\n')
    found = list(read_files([str(tmp_path / "array"), str(tmp_path / "lines")]))
    assert [(item.line, item.payload) for item in found] == [
        (1, None),
        (1, b'{"a": 1}'),
        (2, b'{"a": 2}'),
    ]


def unpacked(blocks: list[bytes]) -> tuple[list[tuple[int, Any]], str | None]:
    """List the lines of a file that arrives in blocks, and the reason for its early end."""
    lines = FileSplitter("file", Limits())
    found: list[tuple[int, Any]] = []
    try:
        for item in chain(chain.from_iterable(map(lines.cut, blocks)), lines.end()):
            found.append((item.line, item.payload))
    except UnreadableFileError as error:
        return found, str(error)
    return found, None


@given(content=LINES, members=st.integers(1, 3), data=st.data())
def test_damaged_gzip(content: bytes, members: int, data: st.DataObject) -> None:
    """All lines before a damage are found, in whatever blocks the file arrives."""
    cuts = [len(content) * at // members for at in range(members + 1)]
    packed = b"".join(gzip.compress(content[start:end]) for start, end in pairwise(cuts))
    at = data.draw(st.integers(2, len(packed) - 1))
    damaged = packed[:at] + data.draw(st.sampled_from([b"", b"\xff" + packed[at + 1 :]]))
    size = data.draw(st.integers(1, 70))
    found = unpacked([damaged])
    assert found == unpacked([damaged[at : at + size] for at in range(0, len(damaged), size)])
    # zlib alone, a byte at a time, until it fails.
    whole = b""
    member = zlib.decompressobj(31)
    try:
        for byte in damaged:
            if member.eof:
                member = zlib.decompressobj(31)
            whole += member.decompress(bytes([byte]))
    except zlib.error:
        assert found[1] is not None
    # The last line before a damage may be cut.
    ended = whole if found[1] is None else whole.rpartition(b"\n")[0]
    assert found[0] == expected_items(ended, Limits())


@pytest.mark.parametrize("prefix", ["", "\ufeff", " \n", "[", "[ "])
def test_json_is_no_path(prefix: str) -> None:
    """Text that begins as JSON does is a line, not the path of a file."""
    line = '{"a": "é"}'
    (item,) = asyncio.run(listed(prefix + line, Limits()))
    if "[" in prefix:
        assert "a JSON array in place of lines" in str(item.unreadable)
    else:
        assert item.payload == line


def test_path_as_text(tmp_path: Path) -> None:
    """Other text is a path."""
    path = tmp_path / "[1] {a}.ndjson"
    path.write_text("{}\n")
    (item,) = asyncio.run(listed(str(path), Limits()))
    assert item.file == str(path)
    with pytest.raises(FileNotFoundError):
        asyncio.run(listed("captures", Limits()))


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_other_bytes(kind: Callable[[bytes], Any]) -> None:
    """Other types of bytes are NDJSON too."""
    assert [item.payload for item in asyncio.run(listed(kind(b"{}\n[]"), Limits()))] == [
        b"{}",
        b"[]",
    ]


@pytest.mark.parametrize(
    "source",
    [
        None,
        5,
        0.5,
        True,
        object(),
        items,
        Limits,
        {},
        {"captured_at": 1},
        Outcome(name="1", odds=2),
    ],
)
def test_wrong_type_of_source(source: Any) -> None:
    """A value of another type is refused with the types that are taken, before any connection."""
    for call in (
        lambda: asyncio.run(listed(source, Limits())),
        lambda: asyncio.run(ingest("postgresql://no-such-host/odds", source)),
    ):
        with pytest.raises(TypeError) as caught:
            call()
        assert f"type {type(source).__name__}: the source must be the path of" in str(caught.value)
        is_single = isinstance(source, dict | Outcome)
        assert ("Put a single capture into a list" in str(caught.value)) is is_single
