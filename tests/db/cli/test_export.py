"""The command `export`: the files have the rows of the selects, and are whole or absent."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from oddsschema import frames, ingest, queries
from oddsschema.errors import ExportError
from oddsschema.frames.files import FileFormat, write_file
from oddsschema.simulate import simulate

Run = Callable[..., Any]


@pytest.fixture
def filled(database: str, run: Run) -> str:
    """Return the URL of a database with two scrapes, and a team that looks like a formula."""
    for scrape in simulate(seed=1, events=2, scrapes=2):
        captures = [capture for platform in scrape.values() for capture in platform]
        for capture in captures:
            event = capture.get("event") or capture["competitor_event"]
            event["home_team"] = '=HYPERLINK("http://x")'
        run(ingest(database, captures))
    return database


def export(url: str, *options: str, cwd: Path) -> "subprocess.CompletedProcess[bytes]":
    """Run the command."""
    return subprocess.run(
        [sys.executable, "-m", "oddsschema", "export", *options],
        env={**os.environ, "DATABASE_URL": url},
        cwd=cwd,
        capture_output=True,
        check=False,
    )


def test_every_format_has_the_rows(filled: str, run: Run, tmp_path: Path) -> None:
    """Parquet, CSV and NDJSON have the rows of the select; CSV has no formula."""
    table = run(frames.read_table(filled, queries.prices()))
    done = export(filled, "-o", "prices.parquet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"{table.num_rows:,} rows written in prices.parquet".encode() in done.stderr
    assert parquet.read_table(tmp_path / "prices.parquet").num_rows == table.num_rows > 0

    printed = export(filled, "--format", "csv", "-o", "-", cwd=tmp_path)
    assert printed.returncode == 0, printed.stderr
    rows = list(csv.DictReader(io.StringIO(printed.stdout.decode(), newline="")))
    assert len(rows) == table.num_rows
    assert {row["home_team"] for row in rows} == {'\'=HYPERLINK("http://x")'}

    lines = export(filled, "--format", "ndjson", "-o", "-", cwd=tmp_path).stdout.splitlines()
    assert len(lines) == table.num_rows
    assert {json.loads(line)["home_team"] for line in lines} == {'=HYPERLINK("http://x")'}


@pytest.mark.parametrize("what", ["closing", "offers", "best", "overround"])
def test_every_kind(what: str, filled: str, tmp_path: Path) -> None:
    """Each kind of rows is written; a choice narrows it."""
    for number, choice in enumerate(([], ["--market", "3743"], ["--market", "none"])):
        done = export(filled, "--what", what, "-o", f"{number}.parquet", *choice, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    counts = [parquet.read_table(tmp_path / f"{n}.parquet").num_rows for n in range(3)]
    assert counts[0] > counts[1] > counts[2] == 0


def test_parts(filled: str, tmp_path: Path) -> None:
    """A partitioned export has the rows of a file, in parts that Arrow reads."""
    for options in (["-o", "one.parquet"], ["-o", "parts", "--partition"]):
        assert export(filled, *options, cwd=tmp_path).returncode == 0
    parts = parquet.read_table(tmp_path / "parts")
    assert parts.num_rows == parquet.read_table(tmp_path / "one.parquet").num_rows
    assert (tmp_path / "parts" / "day=2026-01-17" / "bookmaker=betpawa" / "part.parquet").exists()
    refused = export(filled, "-o", "parts", "--partition", cwd=tmp_path)
    assert refused.returncode == 2
    assert b"parts cannot be written: it exists" in refused.stderr
    assert export(filled, "-o", "parts", "--partition", "--force", cwd=tmp_path).returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.parquet", "parts"]


def test_nothing_looks_whole(tmp_path: Path, run: Run) -> None:
    """After an error in the middle, the file is absent, or the former one."""
    batch = pa.record_batch({"number": [1]})
    path = tmp_path / "rows.csv"

    async def failing() -> Any:
        yield batch
        raise ConnectionError

    for former in (None, b"former"):
        if former is not None:
            path.write_bytes(former)
        with pytest.raises(ConnectionError):
            run(write_file(failing(), batch.schema, path, FileFormat.CSV, force=True))
        assert list(tmp_path.iterdir()) == ([] if former is None else [path])
    with pytest.raises(ExportError, match="it exists"):
        run(write_file(failing(), batch.schema, path, FileFormat.CSV))
    assert path.read_bytes() == b"former"


def test_wrong_options(filled: str, tmp_path: Path) -> None:
    """Options that contradict each other are refused before anything is read."""
    for options, message in (
        (["--what", "offers", "--since", "2026-01-01"], "offers are of now"),
        (["--since", "2026-01-02", "--until", "2026-01-01"], "must be before"),
        (["--partition", "-o", "-"], "needs a directory"),
    ):
        done = export(filled, "-o", "out", *options, cwd=tmp_path)
        assert done.returncode == 2
        assert message in done.stderr.decode()
    missing = export(filled, "-o", "no/such/file", cwd=tmp_path)
    assert missing.returncode == 2
    assert "no/such/file cannot be written" in missing.stderr.decode()
