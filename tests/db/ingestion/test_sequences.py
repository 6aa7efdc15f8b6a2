"""Sequences that are behind their tables: nothing is merged, and the error names the cure."""

from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

import oddsschema
from oddsschema import SequenceError
from oddsschema.models import metadata
from oddsschema.scrapes import bookkeeping
from tests.support.scrapes import PLATFORMS, Capture, capture, scrapes
from tests.support.sessions import execute, fetch

Run = Callable[..., Any]


def refused(platform: str, event: int) -> Capture:
    """Build a capture that is refused, so that its run has an error."""
    return capture(platform, event, 0) | {"markets": None}


def of_sport(slug: str, event: int) -> Capture:
    """Build a competitor's capture of an event of this sport."""
    made = capture("bet9ja", event, 0)
    made["competitor_event"]["tournament"] |= {
        "external_id": slug,
        "sport": {"slug": slug, "name": slug.title()},
    }
    return made


#: Captures that insert rows into every table.
FIRST = [*scrapes(range(2), range(2)), refused("bet9ja", 0)]
#: Other captures that do so: of other events, in other tournaments, a sport and a bookmaker.
SECOND = [
    *scrapes(range(3, 6), range(2)),
    capture("mozzart", 3, 0),
    of_sport("judo", 9),
    *(refused(platform, 0) for platform in PLATFORMS),
]


async def rows(url: str) -> dict[str, list[Any]]:
    """Read the rows of all tables."""
    return {
        table: await fetch(url, f"SELECT id, t::text FROM {table} AS t ORDER BY id")
        for table in metadata.tables
    }


async def ingest_all(url: str, captures: list[Capture]) -> str | None:
    """Ingest captures and an unmapped market; return the error, or that of the first failed run."""
    try:
        async with oddsschema.batch(url) as batch:
            (await batch.run_of("bet9ja")).unmapped(f"one of {len(captures)}")
            await batch.ingest(captures)
    except SequenceError as error:
        return f"{type(error).__name__}: {error}"
    return next((run.error for run in batch.runs if run.error is not None), None)


@pytest.mark.sampled(5)
@pytest.mark.parametrize("table", list(metadata.tables))
def test_sequence_behind(table: str, database: str, run: Run) -> None:
    """A collision of ids changes no row; the SQL in its error lets the next scrape store all."""
    assert run(ingest_all(database, FIRST)) is None
    before = run(rows(database))
    run(execute(database, f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), 1, false)"))
    error = run(ingest_all(database, SECOND))
    cure = SequenceError(table=table).repair
    assert error is not None
    assert cure is not None
    assert f"the sequence of {table}.id is behind its table" in error
    assert cure in error
    after = run(rows(database))
    assert {name: after[name][: len(before[name])] for name in before} == before

    run(execute(database, cure))
    assert run(ingest_all(database, SECOND)) is None
    report = run(oddsschema.ingest(database, SECOND))
    assert report.total.captures_known == len(SECOND) - len(PLATFORMS)


@pytest.mark.parametrize("table", ["scrape_batches", "scrape_runs"])
def test_id_reserved_twice(table: str, database: str, run: Run) -> None:
    """A repeated insert finds its own row; an insert of another reservation finds it taken."""

    async def reserve_twice() -> None:
        connection = await asyncpg.connect(database)
        (batch,), _ = await bookkeeping.reserve(connection, "scrape_batches")
        await bookkeeping.open_batch(connection, batch, None, None)

        async def insert(reserved: bookkeeping.Reserved) -> None:
            if table == "scrape_batches":
                await bookkeeping.open_batch(connection, reserved, None, "a note")
            else:
                await bookkeeping.open_run(connection, reserved, batch.id, "bet9ja")

        (first,), _ = await bookkeeping.reserve(connection, table)
        await connection.execute(f"SELECT setval('{table}_id_seq', {first.id}, false)")
        (second,), _ = await bookkeeping.reserve(connection, table)
        assert second.id == first.id
        await insert(first)
        stored = await connection.fetch(f"SELECT * FROM {table}")
        await insert(first)
        with pytest.raises(SequenceError):
            await insert(second)
        assert await connection.fetch(f"SELECT * FROM {table}") == stored
        await connection.close()

    run(reserve_twice())


@pytest.mark.parametrize("table", ["scrape_batches", "scrape_runs", "competitor_odds_snapshots"])
def test_column_without_a_sequence(table: str, database: str, run: Run) -> None:
    """An ingestion reports a column that has lost its sequence."""
    run(execute(database, f"ALTER SEQUENCE {table}_id_seq OWNED BY NONE"))
    error = run(ingest_all(database, FIRST))
    assert error is not None
    assert f"{table}.id owns no sequence" in error
