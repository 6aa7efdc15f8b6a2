"""Refusals and doubts beyond those that a run lists: all are counted."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import oddsschema
from oddsschema import IngestOptions, Refusal, ScrapeStatus
from oddsschema.ingestion.report import MOST_LISTED
from oddsschema.scrapes.stale import close_stale
from oddsschema.scrapes.summaries import newest_batches
from tests.support.interrupted_ingestion import RUNS
from tests.support.proxy import Proxy
from tests.support.scrapes import Capture, capture, ndjson
from tests.support.sessions import fetch

Run = Callable[..., Any]

ERRORS = "SELECT error_type, error_message FROM scrape_errors ORDER BY id"


def bad_capture(number: int) -> Capture:
    """Build a capture that is refused: every third one in a market only."""
    captured = capture("bet9ja", number, 0)
    if number % 3:
        captured["captured_at"] = None
    else:
        captured["markets"][0] = {}
    return captured


def bad_captures(count: int) -> list[Capture]:
    """Build captures that are refused."""
    return [bad_capture(number) for number in range(count)]


def failed(captures: int) -> int:
    """Count the captures that are refused as a whole."""
    return captures - (captures + 2) // 3


def listed(refusals: list[Refusal]) -> list[tuple[str, str]]:
    """List the rows for the refusals of a run."""
    rows = [("refused", str(refusal)) for refusal in refusals[:MOST_LISTED]]
    if (more := len(refusals) - MOST_LISTED) > 0:
        rows.append(("unlisted", f"{more:,} more refusals are not listed"))
    return rows


@pytest.mark.sampled(3)
@pytest.mark.parametrize("chunk_rows", [400, 1001, 20_000])
@pytest.mark.parametrize("count", [MOST_LISTED, MOST_LISTED + 1, 2 * MOST_LISTED + 500])
def test_first_refusals_are_listed(database: str, run: Run, count: int, chunk_rows: int) -> None:
    """The first refusals are rows, the number of the others is one more; a callback gets all."""
    refusals: list[Refusal] = []
    options = IngestOptions(chunk_rows=chunk_rows, on_refusal=refusals.append)
    report = run(oddsschema.ingest(database, bad_captures(count), options=options))
    assert [refusal.line for refusal in refusals] == [*range(1, count + 1)]
    assert run(fetch(database, ERRORS)) == listed(refusals)
    assert len(report.refusals) == MOST_LISTED
    assert report.total.captures_refused == failed(count)
    [(_, _, scraped, failures, _)] = run(fetch(database, RUNS))
    assert (scraped, failures) == (count - failed(count), failed(count))


def test_refusals_of_the_database(database: str, run: Run) -> None:
    """Refusals that only the database can decide on count among those that are listed."""
    run(oddsschema.ingest(database, [capture("bet9ja", 0, 0)]))
    others = [capture("bet9ja", number, 1) for number in range(40)]
    for other in others:
        other["competitor_event"]["tournament"]["sport"]["name"] = "Another name"
    mixed = [*bad_captures(MOST_LISTED - 30), *others]
    refusals: list[Refusal] = []
    options = IngestOptions(chunk_rows=100, on_refusal=refusals.append, strict=True)
    report = run(oddsschema.ingest(database, mixed, options=options))
    assert report.total.captures_refused == len(refusals) == len(mixed)
    rows = run(fetch(database, ERRORS))
    assert [kind for kind, _ in rows] == ["refused"] * MOST_LISTED + ["unlisted"]
    assert {text for _, text in rows[:-1]} < {str(refusal) for refusal in refusals}
    assert rows[-1][1] == "10 more refusals are not listed"
    assert [row[1:4] for row in run(fetch(database, RUNS))][1:] == [("failed", 0, len(mixed))]


@pytest.mark.parametrize("chunk_rows", [700, 20_000])
def test_error_of_the_run_is_kept(database: str, run: Run, chunk_rows: int) -> None:
    """The run's own error is a row after any number of refusals, and the summary shows it."""
    count = 2 * MOST_LISTED
    refusals: list[Refusal] = []

    def source() -> Iterator[Capture]:
        yield from bad_captures(count)
        raise RuntimeError("the scraper's own")

    options = IngestOptions(chunk_rows=chunk_rows, on_refusal=refusals.append)
    with pytest.raises(RuntimeError):
        run(oddsschema.ingest(database, source(), options=options))
    own = "RuntimeError: the scraper's own"
    assert run(fetch(database, ERRORS)) == [*listed(refusals), ("RuntimeError", own)]
    [batch] = run(newest_batches(database))
    assert [(run.error, run.events_failed) for run in batch.runs] == [(own, failed(count))]


def test_summary_shows_a_refusal(database: str, run: Run) -> None:
    """The summary of a run in which everything was refused shows its last listed refusal."""
    lines = [f"no JSON {number}" for number in range(MOST_LISTED + 1)]
    report = run(oddsschema.ingest(database, lines))
    [batch] = run(newest_batches(database))
    assert [run.error for run in batch.runs] == [str(report.refusals[-1])]


@pytest.mark.sampled(3)
@pytest.mark.parametrize("before", [True, False], ids=["before it", "after it"])
@pytest.mark.parametrize("commit", range(1, 10, 2))
def test_connection_cut_at_a_commit(
    database: str, run: Run, short_path: Path, commit: int, before: bool
) -> None:
    """After a commit without an answer, each refusal is listed and counted once."""
    count = MOST_LISTED + 500
    refusals: list[Refusal] = []
    options = IngestOptions(chunk_rows=400, on_refusal=refusals.append)
    proxy = Proxy(database, short_path, commit, before=before)

    async def ingest() -> oddsschema.IngestReport:
        async with proxy.serving() as url:
            return await oddsschema.ingest(url, bad_captures(count), options=options)

    report = run(ingest())
    assert report.retries == 1
    assert run(fetch(database, ERRORS)) == listed(refusals)
    assert [row[1:4] for row in run(fetch(database, RUNS))] == [
        ("partial", count - failed(count), failed(count))
    ]


def test_run_that_was_closed_as_stale(database: str, run: Run) -> None:
    """A run that goes on after it was closed as stale lists its refusals once."""
    count = 3 * MOST_LISTED
    refusals: list[Refusal] = []
    options = IngestOptions(chunk_rows=600, on_refusal=refusals.append)
    captures = bad_captures(count)

    async def body() -> None:
        async with (
            oddsschema.batch(database, options=options) as batch,
            batch.run("bet9ja") as opened,
        ):
            for start in range(0, count, 500):
                await opened.ingest(captures[start : start + 500])
                await opened.flush()
                assert await close_stale(database, timedelta(0)) == 1
        assert opened.status is ScrapeStatus.PARTIAL

    run(body())
    texts = [re.sub(r"^captures:\d+: ", "", str(refusal)) for refusal in refusals]
    rows = run(fetch(database, ERRORS))
    assert [re.sub(r"^captures:\d+: ", "", text) for _, text in rows[:-1]] == texts[:MOST_LISTED]
    assert rows[-1] == ("unlisted", "2,000 more refusals are not listed")
    assert [row[1:4] for row in run(fetch(database, RUNS))] == [
        ("partial", count - failed(count), failed(count))
    ]


def test_killed_run(database: str, run: Run) -> None:
    """A killed run has the rows of its first refusals, and the number of all failed captures."""
    program = """
import asyncio, os, signal, sys
import oddsschema

async def main():
    async with oddsschema.batch(sys.argv[1]) as batch, batch.run("bet9ja") as run:
        await run.ingest(f"no JSON {number}" for number in range(3000))
        await run.flush()
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""
    killed = subprocess.run([sys.executable, "-c", program, database], check=False)
    assert killed.returncode < 0
    assert {kind for kind, _ in run(fetch(database, ERRORS))} == {"refused"}
    assert len(run(fetch(database, ERRORS))) == MOST_LISTED
    assert [row[3] for row in run(fetch(database, RUNS))] == [3000]


@pytest.mark.parametrize("command", ["ingest", "validate"])
def test_lines_of_a_command(database: str, tmp_path: Path, command: str) -> None:
    """A command prints the first refusals and doubts, and the numbers of the others."""
    doubtful = capture("bet9ja", 1, 0)
    doubtful["competitor_event"]["tournament"]["country_iso"] = "XX"
    captures = [bad_capture(number * 3 + 1) for number in range(MOST_LISTED + 7)]
    captures += [
        doubtful | {"captured_at": f"2024-01-09T12:{number // 60:02}:{number % 60:02}Z"}
        for number in range(MOST_LISTED + 12)
    ]
    path = tmp_path / "captures.ndjson"
    path.write_bytes(ndjson(captures))
    rejects = tmp_path / "rejects.ndjson"
    options = ["--rejects", str(rejects)] if command == "ingest" else []
    ended = subprocess.run(
        [sys.executable, "-m", "oddsschema", command, str(path), *options, "--json"],
        env={**os.environ, "DATABASE_URL": database},
        capture_output=True,
        check=False,
        text=True,
    )
    assert ended.returncode == 1
    lines = ended.stderr.splitlines()
    for word, more in (("refused", 7), ("doubt", 12)):
        of_word = [line for line in lines if line.startswith(f"{word}: ")]
        assert len(of_word) == MOST_LISTED + 1
        assert of_word[-1] == f"{word}: {more} more, which are counted and not printed"
    lines_of_the_database = 1 if command == "ingest" else 0
    assert len(lines) == 2 * MOST_LISTED + 2 + lines_of_the_database
    report = json.loads(ended.stdout)
    assert [len(report[name]) for name in ("refusals", "doubts")] == [MOST_LISTED] * 2
    if command == "ingest":
        assert len(rejects.read_bytes().splitlines()) == MOST_LISTED + 7
