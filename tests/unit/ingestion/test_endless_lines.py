"""Lines without an end: they end their file, and no other."""

import asyncio
import gzip
import io
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from oddsschema.cli import cli
from oddsschema.ingestion import Item, Limits, read_files, stream_files
from oddsschema.ingestion.sources import items

MOST = Limits.range("endless_line_bytes")[0]
LIMITS = Limits(endless_line_bytes=MOST)

REASON = (
    "the file cannot be read further: the line does not end: "
    f"the limit is {MOST:,} (endless_line_bytes)"
)


class Blocks:
    """A stream of blocks, like asyncio's."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks

    async def read(self, _size: int) -> bytes:
        """Return the next block."""
        return next(self._blocks, b"")

    def __aiter__(self) -> AsyncIterator[bytes]:
        raise AssertionError("a stream that can be read in parts is not read by lines")


async def listed(found: AsyncIterator[Item]) -> list[tuple[int, Any, str | None]]:
    """List the lines, the captures and the reasons of items."""
    return [(item.line, item.payload, item.unreadable) async for item in found]


def file(tmp_path: Path, content: bytes) -> Any:
    """Write a file."""
    path = tmp_path / "lines"
    path.write_bytes(content)
    return str(path)


SOURCES: dict[str, Callable[[Path, bytes], Any]] = {
    "file": file,
    ".gz": lambda tmp_path, content: file(tmp_path, gzip.compress(content, 1)),
    "bytes": lambda _, content: content,
    "open .gz": lambda _, content: gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(content, 1))),
    "text": lambda _, content: io.StringIO(content.decode(), newline="\n"),
    "stream": lambda _, content: Blocks(
        content[at : at + 50_000] for at in range(0, len(content), 50_000)
    ),
}


@pytest.mark.parametrize("of", [b"x", b" "], ids=["text", "white space"])
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_limit(tmp_path: Path, source: Any, of: bytes) -> None:
    """A line of more bytes than the limit ends its source; a line of as many does not."""
    found = asyncio.run(listed(items(source(tmp_path, b"1\n" + of * (MOST + 1)), LIMITS)))
    assert [found[0][0], *found[1:]] == [1, (2, None, REASON)]
    found = asyncio.run(listed(items(source(tmp_path, b"1\n" + of * MOST + b"\n3"), LIMITS)))
    assert [(line, reason) for line, _, reason in found if reason is None] == [(1, None), (3, None)]
    assert len(found) == (3 if of == b"x" else 2)


@pytest.mark.parametrize(
    "line", [b"x" * 999 + b"\n", b"\n", b" \n"], ids=["lines", "blank", "white space"]
)
def test_lines_without_an_end(line: bytes) -> None:
    """A stream of more bytes than the limit is read to its end, if its lines end."""
    block = line * (100_000 // len(line))
    count = 2 * MOST // len(block)
    blocks = Blocks(iter([*[block] * count, b"last"]))

    async def last() -> Item | None:
        found = None
        async for found in items(blocks, LIMITS):
            assert found.unreadable is None
        return found

    item = asyncio.run(last())
    assert item is not None
    assert (item.line, item.payload) == (count * block.count(b"\n") + 1, b"last")


def test_other_files_follow(tmp_path: Path) -> None:
    """The files after a device that never ends are read."""
    path = tmp_path / "lines"
    path.write_bytes(b"1\n2\n")
    paths = ["/dev/zero", str(path)]
    wanted = [(1, None, REASON), (1, b"1", None), (2, b"2", None)]
    assert asyncio.run(listed(stream_files(paths, LIMITS))) == wanted
    assert [
        (item.line, item.payload, item.unreadable) for item in read_files(paths, LIMITS)
    ] == wanted
    option = f"--max-endless-line-bytes={MOST}"
    refused = CliRunner().invoke(cli, ["validate", option, *paths]).stderr.splitlines()
    assert refused[0] == f"refused: /dev/zero:1: $: {REASON}"
    assert [line.partition(": $")[0] for line in refused[1:]] == [
        f"refused: {path}:1",
        f"refused: {path}:2",
    ]


def test_array_in_one_line(tmp_path: Path) -> None:
    """A JSON array in one endless line names the remedy."""
    path = file(tmp_path, b"[" + b'{"a": 1},' * (MOST // 9 + 1))
    [(line, _, reason)] = asyncio.run(listed(items(path, LIMITS)))
    assert line == 1
    assert reason is not None
    assert reason.startswith("a JSON array in place of lines")


def test_cancellation() -> None:
    """A cancellation ends the reading of a file that has no lines."""

    async def body() -> None:
        limits = Limits(endless_line_bytes=Limits.range("endless_line_bytes")[1])
        reading = asyncio.create_task(listed(stream_files(["/dev/zero"], limits)))
        await asyncio.sleep(0.1)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading

    asyncio.run(body())


#: Prints a command's exit code and peak memory in KiB.
MEASURE = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def test_memory(tmp_path: Path) -> None:
    """`oddsschema validate /dev/zero` ends at the default limit, with a small file's memory."""
    path = tmp_path / "empty"
    path.write_bytes(b"")
    peaks = []
    for name, code in ((str(path), 0), ("/dev/zero", 1)):
        command = [sys.executable, "-m", "oddsschema", "validate", name]
        measured = subprocess.run(
            [sys.executable, "-c", MEASURE, *command],
            capture_output=True,
            check=True,
            text=True,
            timeout=120,
        )
        exit_code, peak = map(int, measured.stdout.splitlines()[-1].split())
        assert exit_code == code
        peaks.append(peak)
    assert "the limit is 1,073,741,824 (endless_line_bytes)" in measured.stderr
    assert peaks[1] < peaks[0] + 30 * 1024
