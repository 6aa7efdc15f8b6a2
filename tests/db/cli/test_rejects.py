"""`oddsschema ingest --rejects`: the file of rejects loses nothing, and nothing is lost to it."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from oddsschema.ingestion import read_files
from tests.support.scrapes import Capture, capture, ndjson, written
from tests.support.sessions import fetch

Run = Callable[..., Any]
Program = Callable[..., subprocess.CompletedProcess[str]]

#: The line of a capture that is refused as a whole.
REFUSED = ndjson([capture("bet9ja", 9, 0) | {"captured_at": None}])


@pytest.fixture
def program(database: str, tmp_path: Path) -> Program:
    """Return a function that runs `oddsschema ingest` as a process."""

    def run_program(*arguments: Any, **options: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "oddsschema", "ingest", *map(str, arguments)]
        environment = {**os.environ, "DATABASE_URL": database}
        return subprocess.run(
            command,
            env=environment,
            cwd=tmp_path,
            text=True,
            timeout=60,
            stderr=subprocess.PIPE,
            **{"stdout": subprocess.PIPE} | options,
        )

    return run_program


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Write a file of three good captures, with a refused one before each."""
    path = tmp_path / "mixed.ndjson"
    good = [capture("bet9ja", event, 0) for event in range(3)]
    path.write_bytes(b"".join(REFUSED + ndjson([one]) for one in good))
    return path


def batches(run: Run, database: str) -> int:
    """Count the batches."""
    ((count,),) = run(fetch(database, "SELECT count(*) FROM scrape_batches"))
    return int(count)


def stored(run: Run, database: str) -> int:
    """Count the stored captures."""
    ((count,),) = run(fetch(database, "SELECT count(*) FROM competitor_odds_snapshots"))
    return int(count)


def rejected_lines(path: Path) -> list[int]:
    """List the lines of the input that a file of rejects holds, in its order."""
    return [json.loads(line)["refused"]["line"] for line in path.read_bytes().splitlines()]


def same(path: Path, link: Path) -> None:
    """Name a file itself."""


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    "link",
    [same, lambda path, link: link.symlink_to(path), lambda path, link: link.hardlink_to(path)],
    ids=["itself", "symbolic link", "hard link"],
)
@pytest.mark.parametrize("by", ["name", "standard input", "/dev/stdin"])
def test_input_is_refused(
    link: Any, by: str, mixed: Path, database: str, run: Run, program: Program
) -> None:
    """A file of rejects that is an input is refused, by any name, before anything is stored."""
    before = mixed.read_bytes()
    rejects = mixed.with_name("rejects.ndjson")
    link(mixed, rejects)
    if not rejects.exists():
        rejects = mixed
    with mixed.open("rb") as file:
        given = {"name": mixed.name, "standard input": "-"}.get(by, by)
        ended = program(given, "--rejects", rejects, stdin=file)
    assert (ended.returncode, mixed.read_bytes()) == (2, before)
    assert f"{rejects} is " in ended.stderr
    assert ended.stderr.endswith(": give another file\n")
    assert batches(run, database) == 0


def test_pipe_without_reader(mixed: Path, database: str, run: Run, tmp_path: Path) -> None:
    """Ctrl-C ends the wait for the reader of a named pipe, before anything is stored."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "oddsschema", "ingest", str(mixed), "--rejects", str(pipe)]
    with subprocess.Popen(
        command, env={"DATABASE_URL": database}, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            opens = Path(f"/proc/{process.pid}/wchan")
            deadline = time.monotonic() + 30
            while "wait_for_partner" not in opens.read_text():
                assert time.monotonic() < deadline
                time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=5)
        finally:
            process.kill()
    assert (process.returncode, errors.split()[-1]) == (130, "interrupted")
    assert batches(run, database) == 0


def test_pipe_whose_reader_has_ended(mixed: Path, program: Program) -> None:
    """Rejects that a closed standard output does not take are reported, and the rest is stored."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        ended = program(mixed, "--rejects", "-", stdout=pipe)
    assert "error: /dev/stdout: Broken pipe: the reject of " in ended.stderr


def test_pipe_is_no_output_of_its_own(mixed: Path, program: Program, tmp_path: Path) -> None:
    """A named pipe that is read as an input is refused as a file of rejects."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    ended = program(mixed, pipe, "--rejects", pipe)
    assert ended.returncode == 2
    assert f"{pipe} is the input {pipe}" in ended.stderr


def test_rejects_are_appended(mixed: Path, program: Program, tmp_path: Path) -> None:
    """Each run appends its rejects; a last line without an end stays a line of its own."""
    rejects = tmp_path / "rejects.ndjson"
    rejects.write_bytes(b"yesterday's")
    for _ in range(2):
        assert program(mixed, "--rejects", rejects).returncode == 1
    first, rest = rejects.read_bytes().split(b"\n", 1)
    assert first == b"yesterday's"
    rejects.write_bytes(rest)
    assert rejected_lines(rejects) == [1, 3, 5] * 2


@pytest.mark.parametrize("database_is_up", [True, False])
def test_no_refusal_changes_no_file(
    database_is_up: bool, program: Program, tmp_path: Path, run: Run, database: str
) -> None:
    """A run without refusals, or without a database, creates no file and changes none."""
    lines = ndjson([capture("bet9ja", 0, 0)]) if database_is_up else REFUSED
    good = tmp_path / "good.ndjson"
    good.write_bytes(lines)
    old, new = tmp_path / "old.ndjson", tmp_path / "new.ndjson"
    old.write_text("yesterday's")
    url = database if database_is_up else "postgresql://localhost:1/none"
    for rejects in (old, new):
        ended = program(good, "--rejects", rejects, "--url", url, "--retry-for", "0s")
        assert ended.returncode == (0 if database_is_up else 2)
    assert old.read_text() == "yesterday's"
    assert not new.exists()


def test_missing_directory(mixed: Path, program: Program, run: Run, database: str) -> None:
    """A missing directory, also that of a link's target, is an error before anything is stored."""
    link = mixed.with_name("link.ndjson")
    link.symlink_to("missing/rejects.ndjson")
    for rejects in ("missing/rejects.ndjson", link.name):
        ended = program(mixed, "--rejects", rejects)
        assert ended.returncode == 2
        assert "/missing is no directory: create it" in ended.stderr
    assert batches(run, database) == 0


def test_compressed_file(mixed: Path, program: Program, tmp_path: Path) -> None:
    """Nothing is appended to a compressed file, which could not be read afterwards."""
    rejects = tmp_path / "rejects.ndjson.gz"
    rejects.write_bytes(b"\x1f\x8b\x08")
    ended = program(mixed, "--rejects", rejects)
    assert (ended.returncode, rejects.read_bytes()) == (2, b"\x1f\x8b\x08")
    assert "is compressed" in ended.stderr


def test_named_pipe(mixed: Path, program: Program, tmp_path: Path) -> None:
    """A program that reads a named pipe gets every reject."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    copy = tmp_path / "copy.ndjson"
    reader = Thread(target=lambda: copy.write_bytes(pipe.read_bytes()))
    reader.start()
    ended = program(mixed, "--rejects", pipe)
    reader.join()
    assert ended.returncode == 1
    assert rejected_lines(copy) == [1, 3, 5]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
@pytest.mark.parametrize("is_file", [True, False], ids=["file", "pipe"])
def test_standard_output(
    name: str, is_file: bool, mixed: Path, program: Program, tmp_path: Path
) -> None:
    """Standard output gets every reject, and then the summary."""
    output = tmp_path / "output"
    if is_file:
        with output.open("wb") as file:
            assert program(mixed, "--rejects", name, stdout=file).returncode == 1
    else:
        output.write_text(program(mixed, "--rejects", name).stdout)
    *rejects, batch, summary = output.read_text().splitlines(keepends=True)
    assert batch.startswith("Batch 1")
    assert summary.startswith("3 captures stored")
    output.write_text("".join(rejects))
    assert rejected_lines(output) == [1, 3, 5]


def test_full_disk(mixed: Path, database: str, run: Run, program: Program) -> None:
    """When no reject can be written, one error says so, and all good captures are stored."""
    ended = program(mixed, "--rejects", "/dev/full")
    assert ended.returncode == 1
    (error,) = [line for line in ended.stderr.splitlines() if line.startswith("error")]
    assert f"/dev/full: No space left on device: the reject of {mixed}:1 and those after" in error
    assert stored(run, database) == 3


@pytest.mark.nightly
def test_disk_that_fills_within_a_line(
    mixed: Path, database: str, run: Run, program: Program, tmp_path: Path
) -> None:
    """A line that was cut is followed by whole lines, and the file can be ingested."""
    rejects = tmp_path / "rejects.ndjson"
    size = len(json.dumps({"refused": {"file": str(mixed)}}))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    ended = program(mixed, "--rejects", rejects, preexec_fn=limit)
    assert "File too large" in ended.stderr
    assert stored(run, database) == 3
    assert rejects.stat().st_size == size
    assert program(mixed, "--rejects", rejects).returncode == 1
    cut, *whole = rejects.read_bytes().splitlines()
    assert len(cut) == size
    assert [json.loads(line)["refused"]["line"] for line in whole] == [1, 3, 5]


def large_refused(line: int) -> Capture:
    """Build a large capture that is refused."""
    return capture("bet9ja", line, 0, markets=300) | {"captured_at": None}


@pytest.mark.nightly
def test_two_runs_share_a_file(program: Program, tmp_path: Path) -> None:
    """Runs at the same time append whole lines to one file."""
    number = 40
    files = [tmp_path / f"{name}.ndjson" for name in "ab"]
    for file in files:
        written(file, map(large_refused, range(number)))
    rejects = tmp_path / "rejects.ndjson"
    threads = [Thread(target=program, args=(file, "--rejects", rejects)) for file in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = sorted((line["file"], line["line"]) for line in refused(rejects))
    assert found == [(str(file), line) for file in files for line in range(1, number + 1)]


def refused(rejects: Path) -> Iterator[dict[str, Any]]:
    """Yield the refusals of a file of rejects."""
    for item in read_files([str(rejects)]):
        yield json.loads(item.payload)["refused"]


def test_text_that_is_not_unicode(program: Program, tmp_path: Path) -> None:
    """A reject with lone surrogates and bytes that are no UTF-8 is written, and can be read."""
    path = tmp_path / "captures.ndjson"
    bad = capture("bet9ja", 1, 0)
    bad["competitor_event"]["name"] = "\ud800"
    bad["markets"][1]["betpawa_market_name"] = "\ud800"
    path.write_bytes(ndjson([bad]) + b'{"a": "\xff"}\n')
    rejects = tmp_path / "rejects.ndjson"
    assert program(path, "--rejects", rejects).returncode == 1
    assert [refusal["line"] for refusal in refused(rejects)] == [1, 2]


@pytest.mark.sampled(1)
@pytest.mark.parametrize("closed", ["1>&-", "2>&-", "1>&- 2>&-"])
def test_closed_standard_streams(
    database: str, tmp_path: Path, mixed: Path, run: Run, closed: str
) -> None:
    """Without standard output or error, as in some daemons, captures and rejects are stored."""
    command = [sys.executable, "-m", "oddsschema", "ingest", str(mixed), "--rejects", "rejects"]
    environment = {**os.environ, "DATABASE_URL": database}
    for path in (tmp_path / "rejects", tmp_path / "rejects"):  # missing, then there
        before = path.read_bytes() if path.exists() else b""
        script = f'exec "$@" {closed}'
        done = subprocess.run(["sh", "-c", script, "sh", *command], env=environment, cwd=tmp_path)
        assert done.returncode == 1
        assert path.read_bytes().startswith(before)
        assert len(path.read_bytes().splitlines()) == len(before.splitlines()) + 3
    assert run(fetch(database, "SELECT count(*) FROM competitor_odds_snapshots")) == [(3,)]


@pytest.mark.parametrize("rejects", [(), ("--rejects", "rejects")])
def test_closed_standard_input(
    database: str, tmp_path: Path, run: Run, rejects: tuple[str, ...]
) -> None:
    """A closed standard input is an error of its own."""
    (tmp_path / "rejects").touch()
    command = [sys.executable, "-m", "oddsschema", "ingest", "-", *rejects]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", *command],
        env={**os.environ, "DATABASE_URL": database},
        cwd=tmp_path,
        text=True,
        stderr=subprocess.PIPE,
    )
    assert done.returncode == 2
    assert "standard input is closed" in done.stderr
    assert "Traceback" not in done.stderr
    assert batches(run, database) == 0
