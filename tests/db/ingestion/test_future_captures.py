"""Captures of the future are refused, by PostgreSQL's clock."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from click.testing import CliRunner

from oddsschema import IngestOptions, IngestReport, batch, ingest
from oddsschema.cli import cli
from oddsschema.database.clock import MAX_AHEAD, server_clock
from tests.support.scrapes import capture, written
from tests.support.sessions import fetch

Run = Callable[..., Any]

STORED = "SELECT captured_at FROM competitor_odds_snapshots ORDER BY captured_at"
ERRORS = "SELECT error_message FROM scrape_errors WHERE error_type = 'refused'"


def captured(at: datetime, event: int = 1) -> dict[str, Any]:
    """Build a capture at an instant."""
    return capture("bet9ja", event, 0) | {"captured_at": at.isoformat()}


async def ingest_at_once(target: Any, captures: Any, options: IngestOptions) -> IngestReport:
    """Ingest a stream of captures."""
    return await ingest(target, captures, options=options)


async def ingest_in_run(target: Any, captures: Any, options: IngestOptions) -> IngestReport:
    """Ingest captures in a run of a batch."""
    async with batch(target, options=options) as opened, opened.run("bet9ja") as platform_run:
        await platform_run.ingest(captures)
    return opened.report()


async def ingest_in_joined(target: Any, captures: Any, options: IngestOptions) -> IngestReport:
    """Ingest captures in a run of a batch that another process has opened."""
    async with batch(target) as first:
        pass
    async with batch(target, batch_id=first.id, options=options) as opened:
        async with opened.run("bet9ja") as platform_run:
            await platform_run.ingest(captures)
        return opened.report()


@pytest.mark.parametrize("way", [ingest_at_once, ingest_in_run, ingest_in_joined])
def test_refused_beyond_the_limit(way: Callable[..., Any], database: str, run: Run) -> None:
    """A capture beyond the limit is refused with its reason; all others are stored."""
    now = datetime.now(UTC)
    ahead = [MAX_AHEAD / 2, timedelta(hours=1), timedelta(days=1), timedelta(days=-1)]
    delivered = [captured(now + each, event) for event, each in enumerate(ahead)]
    report = run(way(database, delivered, IngestOptions()))
    assert report.total.captures_refused == 2
    assert report.total.captures_stored == 2
    assert run(fetch(database, STORED)) == [(now + ahead[3],), (now + ahead[0],)]
    messages = [message for (message,) in run(fetch(database, ERRORS))]
    assert len(messages) == 2
    assert all("ahead of PostgreSQL's clock" in message for message in messages)
    run(way(database, delivered, IngestOptions(max_ahead=timedelta(hours=2))))
    assert len(run(fetch(database, STORED))) == 3
    run(way(database, delivered, IngestOptions(max_ahead=None)))
    assert len(run(fetch(database, STORED))) == 4


def test_rejects(database: str, run: Run, tmp_path: Path) -> None:
    """A refused capture is in the rejects, and can be ingested with another limit."""
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    delivered = captured(tomorrow)
    path = written(tmp_path / "captures.ndjson", [delivered])
    rejects = tmp_path / "rejects.ndjson"
    command = ["ingest", "--url", database]
    result = CliRunner().invoke(cli, [*command, "--rejects", str(rejects), str(path)])
    assert result.exit_code == 1
    assert "ahead of PostgreSQL's clock" in result.stderr
    assert run(fetch(database, STORED)) == []
    assert json.loads(rejects.read_text())["capture"] == delivered
    result = CliRunner().invoke(cli, [*command, "--max-ahead", "none", str(rejects)])
    assert result.exit_code == 0
    assert run(fetch(database, STORED)) == [(tomorrow,)]


def test_the_clock_goes_on(database: str, run: Run) -> None:
    """After one read, the clock agrees with PostgreSQL's, also in a transaction that is older."""

    async def body() -> None:
        connection = await asyncpg.connect(database)
        try:
            async with connection.transaction():
                await connection.execute("SELECT")
                await asyncio.sleep(0.5)
                clock = await server_clock(connection)
                await asyncio.sleep(0.5)
                before = clock.now()
                now = await connection.fetchval("SELECT clock_timestamp()")
                assert timedelta(seconds=-0.2) < before - now < timedelta(seconds=0.2)
        finally:
            await connection.close()

    run(body())
