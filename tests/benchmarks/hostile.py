"""The cost of hostile input: `python tests/benchmarks/hostile.py`.

Peak memory and CPU seconds of `oddsschema validate` and `oddsschema ingest --keep-raw`, each in a
new process, at the default limits.
"""

import json
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from oddsschema.embedded import ephemeral

GOOD = json.dumps(
    {
        "captured_at": "2024-01-09T12:00:00Z",
        "competitor_event": {
            "source": "bet9ja",
            "external_id": "1",
            "sportradar_id": "1",
            "name": "A - B",
            "home_team": "A",
            "away_team": "B",
            "kickoff": "2024-01-20T17:00:00Z",
            "tournament": {
                "external_id": "1",
                "name": "Super League",
                "sport": {"slug": "football", "name": "Football"},
            },
        },
        "markets": [],
    }
).encode()
BEFORE_MARKETS = GOOD.removesuffix(b"]}")
MARKET = b'{"betpawa_market_id":"%d","betpawa_market_name":"x","outcomes":[{"name":"1","odds":2}]}'
#: The longest line in bytes at the default limit.
LINE = 4_190_000


def markets(*texts: bytes) -> bytes:
    """Build a capture with markets in the given spelling."""
    return BEFORE_MARKETS + b",".join(texts) + b"]}"


def raw(text: bytes) -> bytes:
    """Build a capture with a raw_response in the given spelling."""
    return GOOD[:-1] + b',"raw_response":' + text + b"}"


def filled(element: bytes) -> bytes:
    """Repeat an element in an array as long as a line can be."""
    count = (LINE - len(GOOD) - 20) // (len(element) + 1)
    return b"[" + b",".join([element] * count) + b"]"


def zipped(fill: bytes) -> Iterator[bytes]:
    """Build a .gz of 1 GB, and a good capture."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    for _ in range(1000):
        yield packer.compress(fill * (1_000_000 // len(fill)))
    yield packer.compress(b"\n" + GOOD) + packer.flush()


FILES: dict[str, Callable[[], Iterator[bytes] | list[bytes]]] = {
    "a good capture of 323 bytes": list,
    "a line of 100 MB": lambda: [raw(b'"' + b"x" * 100_000_000 + b'"'), b"\n"],
    "a gzip of 1 GB of zeros": lambda: zipped(b"\0"),
    "a gzip of 1 GB of blank lines": lambda: zipped(b"\n"),
    "1,000,000 markets (92 MB)": lambda: [
        markets(*(MARKET % at for at in range(1_000_000))),
        b"\n",
    ],
    "45,000 markets (4 MB)": lambda: [markets(*(MARKET % at for at in range(45_000))), b"\n"],
    "100,000 levels": lambda: [raw(b"[" * 100_000 + b"]" * 100_000), b"\n"],
    "4 MB of empty markets": lambda: [markets(filled(b"{}")[1:-1]), b"\n"],
    "4 MB of empty outcomes": lambda: [
        markets(*[b'{"outcomes":[' + b",".join([b"{}"] * 500) + b"]}"] * 2700),
        b"\n",
    ],
    "4 MB of unknown keys": lambda: [
        GOOD[:-1] + b"".join(b',"%x":1' % at for at in range(380_000)) + b"}\n"
    ],
    "4 MB of raw lists in lists": lambda: [raw(filled(b"[[]]")), b"\n"],
    "40 lines of 4 MB of brackets": lambda: [b"[" * LINE + b"\n"] * 40,
    "60 captures with 4 MB of raw text": lambda: [
        GOOD.replace(b'"external_id": "1"', b'"external_id": "%d"' % at, 1)[:-1]
        + b',"raw_response":"'
        + b"x" * (LINE - 1000)
        + b'"}\n'
        for at in range(60)
    ],
}

#: Runs a command and prints its peak memory in KiB and its CPU seconds.
MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], capture_output=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_maxrss, used.ru_utime + used.ru_stime)
"""


def measured(*arguments: str) -> str:
    """Measure the cost of a command of oddsschema."""
    command = [sys.executable, "-c", MEASURE, sys.executable, "-m", "oddsschema", *arguments]
    output = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    peak, seconds = output.split()
    return f"{int(peak) / 1024:7.0f} MB {float(seconds):5.1f} s"


def main() -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory() as directory, ephemeral() as server:
        measured("upgrade", "--url", server.url)
        print(f"{'':<36}{'validate':>18}{'ingest --keep-raw':>18}")
        for name, content in FILES.items():
            path = Path(directory, "captures")
            with path.open("wb") as file:
                file.writelines(content())
                if "gzip" not in name:
                    file.write(GOOD)
            validating = measured("validate", str(path))
            ingesting = measured("ingest", "--keep-raw", "--url", server.url, str(path))
            print(f"{name:<36}{validating:>18}{ingesting:>18}", flush=True)


if __name__ == "__main__":
    main()
