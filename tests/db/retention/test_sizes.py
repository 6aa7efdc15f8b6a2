"""Sizes, growth, and the time until the disk is full."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oddsschema import IngestOptions, ingest, metadata
from oddsschema.retention import SizeReport, size
from tests.support.histories import START
from tests.support.prune_checks import command
from tests.support.pruned_histories import PLATFORMS, History, markets
from tests.support.sessions import fetch

Run = Callable[..., Any]

TOTALS = "SELECT sum(pg_total_relation_size(name::regclass)) FROM unnest($1::text[]) AS name"


def test_sizes(database: str, run: Run) -> None:
    """Sizes are PostgreSQL's, rows and growth are the tables', and the disk's size is found."""

    async def body() -> SizeReport:
        now = datetime.now(UTC)
        minutes = [(now - START) / timedelta(minutes=1) - days * 1440 for days in (9, 3, 2, 1)]
        model = History(10_000_000)
        captures = [
            model.captured(platform, "1", minute, markets({}))
            for platform in PLATFORMS
            for minute in minutes
        ]
        await ingest(database, captures, options=IngestOptions(store="complete"))
        return await size(database, timedelta(days=4))

    report = run(body())
    by_name = {table.table: table for table in report.tables}
    assert set(by_name) == set(metadata.tables)
    assert report.total_bytes == run(fetch(database, TOTALS, list(by_name)))[0][0]
    assert report.window == timedelta(days=4)
    for table, rows in (("competitor_market_odds", 24), ("odds_snapshots", 8), ("events", 1)):
        size_of_table = by_name[table]
        recent = 1 if table == "events" else rows * 3 / 4
        assert (size_of_table.rows, size_of_table.rows_per_day) == (rows, pytest.approx(recent / 4))
        assert size_of_table.bytes_per_day == pytest.approx(
            size_of_table.total_bytes / rows * recent / 4
        )
    assert by_name["sports"].bytes_per_day == 0
    assert report.bytes_per_day == pytest.approx(
        sum(table.bytes_per_day for table in report.tables)
    )
    if "DATABASE_URL" not in os.environ:
        assert report.free_bytes is not None
        assert report.days_left == pytest.approx(report.free_bytes / report.bytes_per_day)


def test_sizes_of_a_young_history(database: str, run: Run) -> None:
    """A history of two days grows by half of itself a day; one of minutes counts as an hour."""

    async def grown(hours: float) -> float:
        now = datetime.now(UTC)
        first = (now - START) / timedelta(minutes=1) - 60 * hours
        model = History(10_000_000)
        await ingest(database, [model.captured("bet9ja", "1", first, markets({}))])
        report = await size(database)
        return report.window / timedelta(days=1)

    assert run(grown(0.01)) == pytest.approx(1 / 24)
    assert run(grown(48)) == pytest.approx(2, abs=0.01)


def test_size_command(database: str) -> None:
    """`size` prints a line for each table; --free-bytes adds the time that is left."""
    done = command("size", "--free-bytes", "2G", "--url", database)
    assert (done.returncode, done.stderr) == (0, "")
    assert len([line for line in done.stdout.splitlines() if " KB" in line]) >= len(metadata.tables)
    assert "2.0 GB of the disk are left" in done.stdout
    as_json = command("size", "--free-bytes", "1500", "--json", "--url", database)
    found = json.loads(as_json.stdout)
    assert (found["free_bytes"], found["bytes_per_day"], found["days_left"]) == (1500, 0, None)
    for text in ("much", "1500 apples and pears", "1..5", "1500; 2G"):
        assert command("size", "--free-bytes", text, "--url", database).returncode == 2
