"""Output that cannot be written or encoded ends no command, and hides no result."""

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from oddsschema import ingest
from oddsschema.cli.streams import LossyOutput
from tests.support.histories import START, capture
from tests.support.scrapes import capture as numbered
from tests.support.scrapes import written
from tests.support.sessions import fetch

Run = Callable[..., Any]

PROGRAM = [sys.executable, "-W", "error", "-m", "oddsschema"]
STORED = "SELECT count(*) FROM competitor_odds_snapshots"
FULL = "error: standard output cannot be written: No space left on device. Only output is lost: "


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file with a good capture between two bad lines."""
    path = written(tmp_path / "captures.ndjson", [numbered("bet9ja", 7, 0)])
    path.write_text(f"[]\n{path.read_text(encoding='utf-8')}[]\n", encoding="utf-8")
    return path


@pytest.fixture
def url(database: str, run: Run) -> str:
    """Return the URL of a database with an event whose names are not ASCII."""
    outcomes = [{"name": "Gewinnt ✓", "odds": 2.0}]
    market = {"betpawa_market_id": "1", "betpawa_market_name": "Łódź", "outcomes": outcomes}
    run(ingest(database, [capture("bet9ja", START, [market], "31")]))
    return database


#: A command for each way of printing, with its exit code. FILE is the file of the fixture.
COMMANDS = {
    "--help": 0,
    "upgrade": 0,
    "check": 0,
    "validate FILE": 1,
    "ingest FILE --json": 1,
    "history 31": 0,
    "prune --keep 1d": 0,
    "schema sql": 0,
    "simulate": 0,
}


@pytest.fixture(params=COMMANDS)
def command(request: pytest.FixtureRequest, file: Path) -> list[str]:
    """Return the words of a command."""
    return [str(file) if word == "FILE" else word for word in request.param.split()]


@pytest.fixture
def status(request: pytest.FixtureRequest) -> int:
    """Return the exit code of the command."""
    return COMMANDS[request.node.callspec.params["command"]]


def ended(url: str, *words: str, **streams: Any) -> "subprocess.CompletedProcess[str]":
    """Run a command."""
    environment = os.environ | {"DATABASE_URL": url} | streams.pop("env", {})
    return subprocess.run(
        [*PROGRAM, *words], env=environment, text=True, timeout=60, check=False, **streams
    )


@pytest.fixture
def full() -> Iterator[Any]:
    """Open a device that is full."""
    device = Path("/dev/full")
    if not device.exists():
        pytest.skip("this system has no /dev/full")
    with device.open("w", encoding="utf-8") as opened:
        yield opened


@pytest.mark.sampled(3)
def test_full_device(url: str, command: list[str], full: Any) -> None:
    """The error is the last line on standard error; the exit code is 2."""
    done = ended(url, *command, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(FULL)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.sampled(3)
def test_closed_pipe(url: str, command: list[str], status: int) -> None:
    """A reader that closes the pipe changes neither the exit code nor standard error."""
    reader, writer = os.pipe()
    os.close(reader)
    done = ended(url, *command, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert done.returncode == status
    assert "error: " not in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.sampled(1)
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams(url: str, file: Path, closed: str, run: Run) -> None:
    """Closed streams change neither the exit code nor the rows."""
    before = run(fetch(url, STORED))[0][0]
    shell = f'exec "$@" {closed}'
    done = subprocess.run(
        ["sh", "-c", shell, "sh", *PROGRAM, "ingest", str(file), "--url", url], check=False
    )
    assert done.returncode == 1
    assert run(fetch(url, STORED)) == [(before + 1,)]


def test_closed_standard_error(url: str, file: Path) -> None:
    """Nothing of a closed standard error is printed on standard output."""
    words = ["ingest", str(file), "--json", "--url", url]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" 2>&-', "sh", *PROGRAM, *words], stdout=subprocess.PIPE, check=False
    )
    assert json.loads(done.stdout)["status"] == "partial"


def test_rejects_need_their_output(url: str, file: Path, run: Run) -> None:
    """Rejects for a closed standard output are refused before anything is stored."""
    before = run(fetch(url, STORED))
    words = ["ingest", str(file), "--rejects", "-", "--url", url]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *PROGRAM, *words],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "--rejects: standard output is closed" in done.stderr
    assert run(fetch(url, STORED)) == before


@pytest.mark.parametrize("kind", ["full", "pipe"])
def test_refusals_that_cannot_be_written(
    url: str, file: Path, kind: str, full: Any, run: Run
) -> None:
    """An ingestion stores every good capture though its standard error cannot be written."""
    before = run(fetch(url, STORED))[0][0]
    reader, writer = os.pipe()
    os.close(reader)
    done = ended(
        url,
        *("ingest", str(file)),
        stdout=subprocess.PIPE,
        stderr=full if kind == "full" else writer,
    )
    os.close(writer)
    assert done.returncode == 1
    assert "1 captures stored in" in done.stdout
    assert run(fetch(url, STORED)) == [(before + 1,)]
    assert run(fetch(url, "SELECT status FROM scrape_batches ORDER BY id")) == [
        ("completed",),
        ("partial",),
    ]


def test_both_streams_full(url: str, file: Path, full: Any, run: Run) -> None:
    """The rows are stored; the exit code reports the loss."""
    before = run(fetch(url, STORED))[0][0]
    assert ended(url, "ingest", str(file), stdout=full, stderr=full).returncode == 2
    assert run(fetch(url, STORED)) == [(before + 1,)]


@pytest.mark.sampled(3)
@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1:strict", "utf-8"])
@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("batches", "bet9ja ✓ 1 events"),
        ("history 31", "Łódź (1)"),
        ("history 31 1", "Gewinnt ✓"),
    ],
)
def test_characters_that_an_encoding_lacks(url: str, encoding: str, words: str, shown: str) -> None:
    """A character that the encoding of standard output lacks is written as an escape."""
    name = encoding.partition(":")[0]
    done = subprocess.run(
        [*PROGRAM, *words.split()],
        env=os.environ | {"DATABASE_URL": url, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert shown.encode(name, "backslashreplace") in done.stdout


def test_slow_reader_of_a_pipe_that_does_not_block() -> None:
    """A pipe that another program has made non-blocking gets every byte."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    data = b"0123456789abcdef" * 65536
    read: list[bytes] = []

    def drain() -> None:
        with os.fdopen(reader, "rb") as pipe:
            read.append(pipe.read())

    with io.FileIO(writer, "wb") as raw:
        thread = threading.Thread(target=drain)
        output = LossyOutput(raw)
        view = memoryview(data)
        view = view[output.write(view) :]
        thread.start()
        while view:
            view = view[output.write(view) :]
    thread.join()
    assert (output.error, read) == (None, [data])
