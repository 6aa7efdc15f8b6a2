"""Limits and memory of `oddsschema ingest`."""

import json
import subprocess
import sys
from pathlib import Path
from random import Random

from tests.support.mutations import good_capture


def test_limits_are_options_of_ingest(database: str, tmp_path: Path) -> None:
    """`oddsschema ingest` reports captures beyond a limit, and stores the rest."""
    captures = [good_capture(Random(number)) for number in range(2)]
    captures[0]["markets"] = captures[0]["markets"][:2]
    captures[1]["markets"] = captures[1]["markets"][:1]
    path = tmp_path / "captures.ndjson"
    path.write_text("\n".join(map(json.dumps, captures)))
    command = [sys.executable, "-m", "oddsschema", "ingest", "--max-markets", "1"]
    result = subprocess.run(
        [*command, "--url", database, str(path)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert result.stderr.endswith(
        f"\nrefused: {path}:1: $.markets: 2 markets: the limit is 1 (markets)\n"
    )
    assert "1 captures stored in 1 market rows, 0 were already there, 1 refused" in result.stdout


def test_memory_of_long_captures(database: str, tmp_path: Path) -> None:
    """Captures with a long raw_response are written a few at a time, for any --chunk-rows."""
    path = tmp_path / "long.ndjson"
    with path.open("w") as lines:
        for number in range(60):
            raw = "x" * 3_000_000
            capture = good_capture(Random(number)) | {"raw_response": raw}
            lines.write(json.dumps(capture) + "\n")
    command = [
        sys.executable,
        "-m",
        "oddsschema",
        "ingest",
        "--keep-raw",
        "--url",
        database,
        str(path),
    ]
    measured = subprocess.run(
        [sys.executable, "-c", MEASURE, *command], capture_output=True, check=True, text=True
    )
    assert "60 captures stored in " in measured.stdout
    assert int(measured.stdout.splitlines()[-1]) < 250 * 1024


#: Runs a command and prints its peak memory in KiB.
MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
