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
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from oddsschema import frames, ingest, queries
from oddsschema.cli.export import ROWS, Request, print_rows
from oddsschema.cli.streams import lossy_streams
from oddsschema.errors import ExportError
from oddsschema.frames.files import FileFormat, write_file
from oddsschema.queries import PriceSpan
from oddsschema.simulate import simulate
from tests.support.hostile_texts import HARD_NAME
from tests.support.sessions import execute, holding, waiting
from tests.support.small_disk import mounted

Run = Callable[..., Any]


def export(
    url: str, *options: str, cwd: Path, before: Callable[[], None] | None = None
) -> "subprocess.CompletedProcess[bytes]":
    """Run the command, after a function in its process."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "oddsschema", "export", *options],
        env={**os.environ, "DATABASE_URL": url},
        cwd=cwd,
        capture_output=True,
        check=False,
        preexec_fn=before,
    )


def test_every_format_has_the_rows(hard_names: str, run: Run, tmp_path: Path) -> None:
    """Parquet, CSV and NDJSON have the rows of the select; CSV has no formula."""
    table = run(frames.read_table(hard_names, queries.prices()))
    done = export(hard_names, "-o", "prices.parquet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"{table.num_rows:,} rows written in prices.parquet".encode() in done.stderr
    assert parquet.read_table(tmp_path / "prices.parquet").num_rows == table.num_rows > 0

    printed = export(hard_names, "--format", "csv", "-o", "-", cwd=tmp_path)
    assert printed.returncode == 0, printed.stderr
    rows = list(csv.DictReader(io.StringIO(printed.stdout.decode(), newline="")))
    assert len(rows) == table.num_rows
    assert {row["home_team"] for row in rows} == {f"'{HARD_NAME}"}

    lines = export(hard_names, "--format", "ndjson", "-o", "-", cwd=tmp_path).stdout.splitlines()
    assert len(lines) == table.num_rows
    assert {json.loads(line)["home_team"] for line in lines} == {HARD_NAME}


@pytest.mark.parametrize("what", ROWS)
def test_every_kind(what: str, hard_names: str, run: Run, tmp_path: Path) -> None:
    """Each kind of rows is written; a choice narrows it; every format has the same rows."""
    counts: list[int] = []
    for markets in ((), ("3743",), ("none",)):
        statement = ROWS[what].ask(Request(markets=markets))
        schema = frames.schema_of(statement)
        for format in FileFormat:
            file = tmp_path / f"{len(counts)}.{format}"
            batches = frames.read_batches(hard_names, statement)
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


@pytest.mark.parametrize("what", ROWS)
def test_kickoffs(what: str, hard_names: str, run: Run) -> None:
    """Each kind of rows can be chosen by kickoff: the start is in the bounds, the end is not."""

    def read(request: Request) -> list[Any]:
        rows = run(frames.read_table(hard_names, ROWS[what].ask(request))).to_pylist()
        return sorted(rows, key=repr)

    everything = read(Request())
    first, second = sorted({row["kickoff"] for row in everything})
    for request, kickoff in (
        (Request(kickoff_from=second), second),
        (Request(kickoff_until=second), first),
        (Request(kickoff_from=first, kickoff_until=second), first),
    ):
        assert read(request) == [row for row in everything if row["kickoff"] == kickoff]
    assert read(Request(kickoff_until=first)) == []


def test_options_are_the_request(hard_names: str, run: Run, tmp_path: Path) -> None:
    """The options choose the rows that the same choice in Python selects."""
    whole = run(frames.read_table(hard_names, queries.prices())).to_pylist()
    event, kickoff = whole[0]["sportradar_id"], whole[0]["kickoff"]
    start = min(row["valid_from"] for row in whole).replace(microsecond=0)
    since, until = start + timedelta(seconds=1), start + timedelta(minutes=4)
    done = export(
        hard_names,
        *("-o", "some.parquet", "--event", f"sr:match:{event}", "--bookmaker", "betpawa"),
        *("--market", "3743", "--since", f"{since:%FT%T}", "--until", f"{until:%FT%T}"),
        *("--from", f"{kickoff:%FT%T}", "--to", f"{kickoff + timedelta(seconds=1):%FT%T}"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    found = parquet.read_table(tmp_path / "some.parquet").to_pylist()
    assert {row["sportradar_id"] for row in found} == {event}
    wanted = queries.prices(
        since, until, events=[event], bookmakers=["betpawa"], markets=["3743"]
    ).where(PriceSpan.kickoff == kickoff)
    assert sorted(found, key=repr) == sorted(
        run(frames.read_table(hard_names, wanted)).to_pylist(), key=repr
    )


def test_parts(hard_names: str, tmp_path: Path) -> None:
    """A partitioned export has the rows of a file, in parts that Arrow reads."""
    for options in (["-o", "one.parquet"], ["-o", "parts", "--partition"]):
        assert export(hard_names, *options, cwd=tmp_path).returncode == 0
    parts = parquet.read_table(tmp_path / "parts")
    assert parts.num_rows == parquet.read_table(tmp_path / "one.parquet").num_rows
    assert (tmp_path / "parts" / "day=2026-01-17" / "bookmaker=betpawa" / "part.parquet").exists()
    refused = export(hard_names, "-o", "parts", "--partition", cwd=tmp_path)
    assert refused.returncode == 2
    assert b"parts cannot be written: it exists" in refused.stderr
    assert export(hard_names, "-o", "parts", "--partition", "--force", cwd=tmp_path).returncode == 0
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


def test_only_exports_are_replaced(hard_names: str, tmp_path: Path) -> None:
    """--force replaces neither a directory with other files, nor one by a file."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes").write_text("mine")
    for options in (["--partition"], []):
        done = export(hard_names, "-o", "mine", "--force", *options, cwd=tmp_path)
        assert done.returncode == 2
        assert b"mine cannot be written: what exists there is not of an export" in done.stderr
    assert (tmp_path / "mine" / "notes").read_text() == "mine"


@pytest.mark.sampled(2)
@pytest.mark.parametrize("with_", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("partition", [False, True], ids=["file", "parts"])
def test_interruption(
    hard_names: str, run: Run, tmp_path: Path, with_: signal.Signals, partition: bool
) -> None:
    """A signal ends an export; the former file or directory stays, and no other looks whole."""
    options = ["--partition"] if partition else []
    assert export(hard_names, "-o", "rows", *options, cwd=tmp_path).returncode == 0
    before = contents(tmp_path)

    async def body() -> tuple[int, bytes]:
        async with holding(hard_names, "LOCK TABLE odds_snapshots") as other:
            with started(hard_names, "--force", "-o", "rows", *options, cwd=tmp_path) as process:
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


def started(url: str, *options: str, cwd: Path, stdout: Any = None) -> "subprocess.Popen[bytes]":
    """Start the command."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "oddsschema", "export", *options],
        env={**os.environ, "DATABASE_URL": url},
        cwd=cwd,
        stdout=stdout,
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


def test_wrong_options(hard_names: str, tmp_path: Path) -> None:
    """Options that contradict each other are refused before anything is read."""
    for options, message in (
        (["--what", "offers", "--since", "2026-01-01"], "offers has no --since"),
        (["--what", "closing", "--until", "2026-01-01"], "--from and --to choose kickoffs"),
        (["--since", "2026-01-02", "--until", "2026-01-01"], "--since must be before"),
        (["--from", "2026-01-02", "--to", "2026-01-02"], "--from must be before --to"),
        (["--partition", "-o", "-"], "needs a directory"),
    ):
        done = export(hard_names, "-o", "out", *options, cwd=tmp_path)
        assert done.returncode == 2
        assert message in done.stderr.decode()
    missing = export(hard_names, "-o", "no/such/file", cwd=tmp_path)
    assert missing.returncode == 2
    assert "no/such/file cannot be written" in missing.stderr.decode()


@pytest.mark.sampled(2)
@pytest.mark.parametrize("options", [[], ["--partition"]], ids=["file", "parts"])
@pytest.mark.parametrize("format", FileFormat)
def test_full_disk(
    hard_names: str, short_path: Path, options: list[str], format: FileFormat
) -> None:
    """On a full disk, the error is one line, and nothing is left."""
    with mounted(short_path / "disk", "8k") as disk:
        done = export(hard_names, "-o", "rows", "--format", format, *options, cwd=disk)
        assert list(disk.iterdir()) == []
    assert (done.returncode, done.stderr.decode()) == (
        2,
        "error: rows cannot be written: No space left on device\n",
    )


@pytest.mark.sampled(1)
@pytest.mark.parametrize("format", FileFormat)
def test_standard_output_that_cannot_be_written(
    hard_names: str, tmp_path: Path, format: FileFormat
) -> None:
    """A full device is an error in one line; a closed pipe is none, and counts no rows."""
    reader, writer = os.pipe()
    os.close(reader)
    with Path("/dev/full").open("wb") as full:
        for stream, expected in (
            (full, (2, b"error: standard output cannot be written: No space left on device\n")),
            (writer, (0, b"")),
        ):
            with started(
                hard_names, "-o", "-", "--format", format, cwd=tmp_path, stdout=stream
            ) as process:
                _, errors = process.communicate(timeout=60)
                assert (process.returncode, errors) == expected
    os.close(writer)


def test_lost_output_ends_the_read(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once standard output cannot be written, no more rows are read."""
    batch = pa.record_batch({"number": [1] * 10_000})

    async def endless() -> AsyncIterator[pa.RecordBatch]:
        while True:
            yield batch

    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with lossy_streams():
            rows = run(print_rows(endless(), batch.schema, FileFormat.NDJSON, lambda _: None))
    assert rows == batch.num_rows
