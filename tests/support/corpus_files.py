"""Hostile files for the fuzz suite: encodings, line ends and archives."""

import gzip
import json
from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from tests.support.mutations import good_capture


class File(NamedTuple):
    """A file with the expected numbers of stored and refused captures (None: at least 1)."""

    name: str
    content: bytes
    stored: int
    refused: int | None


def files() -> Iterator[File]:
    """List the hostile files. Each holds the same ten captures, or nearly."""
    random = Random("files")
    lines = [json.dumps(good_capture(random)).encode() for _ in range(10)]
    text = b"\n".join(lines) + b"\n"
    packed = gzip.compress(text, mtime=0)
    start = b"\n".join(lines[:9]) + b"\n"
    yield File("plain", text, 10, 0)
    yield File("no newline at the end", text[:-1], 10, 0)
    yield File("BOM", b"\xef\xbb\xbf" + text, 10, 0)
    yield File(
        "BOM on every line", b"".join(b"\xef\xbb\xbf" + line + b"\n" for line in lines), 1, 9
    )
    yield File("CRLF", text.replace(b"\n", b"\r\n"), 10, 0)
    yield File("CR alone: all is one line", text.replace(b"\n", b"\r"), 0, 1)
    yield File("blank lines", b"\n \n\r\n\t\n" + text.replace(b"\n", b"\n\n \r\n\x0c\n"), 10, 0)
    yield File("a million blank lines", b"\n" * 500_000 + text + b" \n" * 500_000, 10, 0)
    yield File("lines of NUL", text.replace(b"\n", b"\n\0\0\n"), 10, 10)
    yield File("empty", b"", 0, 0)
    yield File("no more than a BOM", b"\xef\xbb\xbf\n", 0, 0)
    yield File("cut in the last line", text[:-10], 9, 1)
    yield File("UTF-16", text.decode().encode("utf-16"), 0, 11)
    yield File("20 MB that do not say whose they are", (b"[" * 4_000_000 + b"\n") * 5 + text, 10, 5)
    yield File("100 MB in one line", start + b"x" * 100_000_000 + b"\n" + lines[9], 10, 1)
    yield File("5 MB in the last line", text + b"x" * 5_000_000, 10, 1)
    yield File("gzip", packed, 10, 0)
    yield File("gzip of nothing", gzip.compress(b""), 0, 0)
    yield File("gzip without the end of its header", packed[:5], 0, 1)
    yield File("gzip cut before its checksum", packed[:-8], 10, 1)
    yield File("gzip cut in its checksum", packed[:-3], 10, 1)
    yield File("gzip with another checksum", packed[:-8] + bytes(4) + packed[-4:], 10, 1)
    yield File("gzip members", b"".join(gzip.compress(line + b"\n") for line in lines), 10, 0)
    halves = gzip.compress(text[:1000]) + gzip.compress(text[1000:])
    yield File("gzip members that begin inside a line", halves, 10, 0)
    yield File(
        "gzip with nothing in between", gzip.compress(b"") + packed + gzip.compress(b""), 10, 0
    )
    yield File("gzip and zeros", packed + bytes(1000), 10, 0)
    yield File("gzip and garbage", packed + b"garbage", 10, 1)
    yield File("gzip and one more that is cut", packed + packed[:20], 10, 1)
    yield File("gzip in gzip", gzip.compress(packed), 0, None)
    # Ten captures, a long filler before the damage, and the lost rest.
    filler = b" " + random.randbytes(300_000).hex().encode() + b"\n"
    large = gzip.compress(text + filler + text)
    middle = len(large) // 2
    yield File("gzip cut in the middle", large[:middle], 10, 1)
    no_such_block = packed[:10] + b"\x07" + packed[11:]
    yield File("gzip corrupt in the middle", packed + no_such_block + packed, 10, 1)
    bomb = gzip.compress(start + bytes(100_000_000) + b"\n" + lines[9], 9)
    yield File("gzip of 100 MB of zeros", bomb, 10, 1)
