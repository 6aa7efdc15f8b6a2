"""Limits and memory of ingestions."""

import asyncio
import gc
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

import oddsschema
from oddsschema import IngestOptions
from oddsschema.ingestion.records import CaptureRecord
from tests.support.mutations import good_capture
from tests.support.scrapes import Capture, capture
from tests.support.sessions import execute


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


@pytest.fixture
def unlogged(caplog: pytest.LogCaptureFixture) -> None:
    """Keep errors out of pytest's log, which would keep their frames."""
    caplog.set_level(logging.CRITICAL, "oddsschema")


class Response:
    """An object of a scraper's own."""


def in_memory() -> int:
    """Count the captures and responses in memory, those of other tests among them."""
    gc.collect()
    return sum(type(found) in (CaptureRecord, Response) for found in gc.get_objects())


#: 200 captures of 20 markets each: several chunks.
SCRAPED = [capture("bet9ja", number, 0, markets=20) for number in range(200)]


def failing() -> Iterator[Capture]:
    """Yield a capture, and raise an error with a response in its frame."""
    response = Response()
    yield SCRAPED[0]
    raise ValueError(type(response))


@pytest.mark.usefixtures("unlogged")
@pytest.mark.parametrize("is_refused", [True, False], ids=["chunk", "source"])
def test_memory_of_a_failed_run(database: str, run: Callable[..., Any], is_refused: bool) -> None:
    """Captures and the scraper's own objects do not stay in memory with the error of a run."""
    refuse = "ALTER TABLE competitor_odds_snapshots ADD CONSTRAINT none CHECK (false) NOT VALID"
    if is_refused:
        run(execute(database, refuse))

    async def scrape(batch: oddsschema.Batch) -> None:
        async with batch.run("bet9ja") as scrape:
            response = Response()
            await scrape.ingest(SCRAPED if is_refused else failing())
            raise AssertionError(response)

    async def body() -> None:
        options = IngestOptions(chunk_rows=300)
        before = in_memory()
        async with oddsschema.batch(database, options=options) as batch:
            await scrape(batch)
            (failed,) = batch.runs
            assert failed.error is not None
            assert in_memory() == before

    run(body())


@pytest.mark.usefixtures("unlogged")
def test_memory_of_an_open_run_that_failed(database: str, run: Callable[..., Any]) -> None:
    """A run that cannot write any more keeps no captures until the end of its batch."""
    refuse = "ALTER TABLE competitor_odds_snapshots ADD CONSTRAINT none CHECK (false) NOT VALID"
    run(execute(database, refuse))

    async def body() -> oddsschema.IngestReport:
        options = IngestOptions(chunk_rows=300)
        before = in_memory()
        async with oddsschema.batch(database, options=options) as batch:
            await batch.ingest(SCRAPED)
            assert batch.runs[0].is_open
            # The end of the writing task clears its frames.
            await asyncio.sleep(0)
            # The last capture is in the frames of the error.
            assert in_memory() <= before + 1
        return batch.report()

    report = run(body())
    assert 0 < report.total.captures_lost <= len(SCRAPED)
    assert "ChunkError" in str(report.runs[0].error)
