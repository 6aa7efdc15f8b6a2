"""The command `export`: the files have the rows of the selects, and are whole or absent."""

import asyncio
import csv
import io
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from oddsschema import frames, ingest, queries
from oddsschema.cli.export import ROWS, Request
from oddsschema.errors import ExportError
from oddsschema.frames.files import FileFormat, write_file
from oddsschema.simulate import simulate
from tests.support.sessions import execute, holding, waiting

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


def export(
    url: str, *options: str, cwd: Path, before: Callable[[], None] | None = None
) -> "subprocess.CompletedProcess[bytes]":
    """Run the command, after a function in its process."""
    return subprocess.run(
        [sys.executable, "-m", "oddsschema", "export", *options],
        env={**os.environ, "DATABASE_URL": url},
        cwd=cwd,
        capture_output=True,
        check=False,
        preexec_fn=before,
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


@pytest.mark.parametrize("what", ROWS)
def test_every_kind(what: str, filled: str, run: Run, tmp_path: Path) -> None:
    """Each kind of rows is written; a choice narrows it; every format has the same rows."""
    counts: list[int] = []
    for markets in ((), ("3743",), ("none",)):
        statement = ROWS[what][0](Request(None, None, (), (), markets))
        schema = frames.schema_of(statement)
        for format in FileFormat:
            file = tmp_path / f"{len(counts)}.{format}"
            batches = frames.read_batches(filled, statement)
            count = run(write_file(batches, schema, file, format))
        parsed = parquet.read_table(file.with_suffix(".parquet"))
        assert parsed.schema.names == schema.names
        with file.with_suffix(".csv").open(newline="") as texts:
            assert len(list(csv.DictReader(texts))) == parsed.num_rows == count
        rows = [json.loads(line) for line in file.read_bytes().splitlines()]
        assert [row["outcome" if "outcome" in row else "overround"] for row in rows] == parsed[
            "outcome" if "outcome" in schema.names else "overround"
        ].to_pylist()
        counts.append(count)
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


def test_more_parts_than_open_files(database: str, run: Run, tmp_path: Path) -> None:
    """A partitioned export has one part open at a time, however many there are."""
    scrape = next(simulate(seed=1, events=40, scrapes=1))
    run(ingest(database, [capture for platform in scrape.values() for capture in platform]))
    later = "SET kickoff = kickoff + id * interval '1 day'"
    run(execute(database, f"UPDATE events {later}", f"UPDATE competitor_events {later}"))

    def few_files() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (48, 48))

    options = ("--what", "closing", "--market", "3743", "--partition", "-o", "parts")
    done = export(database, *options, cwd=tmp_path, before=few_files)
    assert done.returncode == 0, done.stderr
    parts = list((tmp_path / "parts").rglob("*.parquet"))
    assert len(parts) > 48
    for part in parts:
        (day,) = {time.date() for time in parquet.read_table(part)["kickoff"].to_pylist()}
        assert f"day={day}" in part.parts


def test_only_exports_are_replaced(filled: str, tmp_path: Path) -> None:
    """--force replaces neither a directory with other files, nor one by a file."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes").write_text("mine")
    for options in (["--partition"], []):
        done = export(filled, "-o", "mine", "--force", *options, cwd=tmp_path)
        assert done.returncode == 2
        assert b"mine cannot be written: what exists there is not of an export" in done.stderr
    assert (tmp_path / "mine" / "notes").read_text() == "mine"


@pytest.mark.parametrize("with_", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("partition", [False, True], ids=["file", "parts"])
def test_interruption(
    filled: str, run: Run, tmp_path: Path, with_: signal.Signals, partition: bool
) -> None:
    """A signal ends an export; the former file or directory stays, and no other looks whole."""
    options = ["--partition"] if partition else []
    assert export(filled, "-o", "rows", *options, cwd=tmp_path).returncode == 0
    before = contents(tmp_path)

    async def body() -> tuple[int, bytes]:
        async with holding(filled, "LOCK TABLE odds_snapshots") as other:
            with started(filled, "--force", "-o", "rows", *options, cwd=tmp_path) as process:
                async with asyncio.timeout(60):
                    await waiting(other)
                assert names(tmp_path)[0].startswith(".rows.")
                process.send_signal(with_)
                _, errors = process.communicate(timeout=60)
                return process.returncode, errors

    code, errors = run(body())
    if with_ is signal.SIGKILL:
        # The unfinished file is hidden.
        assert code == -signal.SIGKILL
        hidden, name = names(tmp_path)
        assert (hidden[:6], name) == (".rows.", "rows")
    else:
        assert code == 130
        assert errors.splitlines()[-1].startswith(b"interrupted")
        assert names(tmp_path) == ["rows"]
    after = contents(tmp_path)
    assert {path: data for path, data in after.items() if path.parts[0] == "rows"} == before


def started(url: str, *options: str, cwd: Path) -> "subprocess.Popen[bytes]":
    """Start the command."""
    return subprocess.Popen(
        [sys.executable, "-m", "oddsschema", "export", *options],
        env={**os.environ, "DATABASE_URL": url},
        cwd=cwd,
        stderr=subprocess.PIPE,
    )


def names(directory: Path) -> list[str]:
    """Return the names in a directory."""
    return sorted(path.name for path in directory.iterdir())


def contents(directory: Path) -> dict[Path, bytes]:
    """Return the files of a directory."""
    return {
        path.relative_to(directory): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(
    "text", ["=1", "+1", "-1", "@A", "\t=1", "\r=1", "\n=1", "\uff1d1", "\uff20A"]
)
def test_formulas(text: str, run: Run, tmp_path: Path) -> None:
    """In CSV, a formula begins with an apostrophe: as text, in a dictionary, and in a list."""

    async def batches() -> Any:
        yield batch

    texts = pa.array([text, "A=1", None])
    batch = pa.record_batch(
        {"text": texts, "name": texts.dictionary_encode(), "list": pa.array([[text], ["A"], None])}
    )
    path = tmp_path / "rows.csv"
    run(write_file(batches(), batch.schema, path, FileFormat.CSV))
    with path.open(newline="") as file:
        first, second, third = csv.DictReader(file)
    assert first == dict.fromkeys(("text", "name", "list"), f"'{text}")
    assert second == {"text": "A=1", "name": "A=1", "list": "A"}
    assert third == {"text": "", "name": "", "list": ""}


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
