"""docs/roles.md names all that a scraper's, a pruner's and a reader's role need, no more."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from oddsschema import IngestOptions, ScrapeStatus, Table, ingest, migrations
from oddsschema.contracts.base import metadata
from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.ingestion.storage import competitor_events as competitor
from oddsschema.ingestion.storage import history, state
from oddsschema.ingestion.storage import matching as reference
from oddsschema.ingestion.storage import placement as plan
from oddsschema.ingestion.storage import reference_events as betpawa
from oddsschema.scrapes import bookkeeping
from tests.support.contents import assert_whole, content, expected
from tests.support.role_acts import read, scrape
from tests.support.roles import Roles, acting_as
from tests.support.scrapes import scrapes

Run = Callable[..., Any]


def test_scraper_ingests(committed: Roles, run: Run) -> None:
    """Under exactly the scraper's privileges everything is stored as it is by a superuser."""
    captures = scrapes(range(4), range(5))
    url = committed.url("scraper")
    report = run(ingest(url, captures))
    assert report.status is ScrapeStatus.COMPLETED
    run(assert_whole(url, captures))
    assert run(content(committed.url("reader"))) == expected(captures)
    run(scrape(url))


def test_every_statement_is_run(roles: Roles, run: Run) -> None:
    """What these tests have the scraper do is all that ingestion can: no statement is left out."""

    async def queries() -> list[str]:
        found: list[str] = []
        async with acting_as(roles, "scraper") as connection:
            with connection.query_logger(lambda record: found.append(record.query)):
                await scrape(connection)
        return found

    statements = {
        f"{module.__name__}.{name}": value
        for module in (betpawa, bookkeeping, competitor, history, plan, reference, state)
        for name, value in vars(module).items()
        if isinstance(value, str) and re.match(r"\s*(SELECT|INSERT|UPDATE|WITH)\b", value)
    }
    assert len(statements) > 20
    run_queries = run(queries())
    # Those with braces are filled in with the names of tables.
    patterns = {
        name: re.compile(".*".join(map(re.escape, re.split(r"\{\w+\}", value))), re.DOTALL)
        for name, value in statements.items()
    }
    assert [
        name
        for name, pattern in patterns.items()
        if not any(pattern.fullmatch(query) for query in run_queries)
    ] == []


def test_reader_reads(roles: Roles, run: Run) -> None:
    """Under exactly the reader's privileges, all tables and all commands that look can be used."""

    async def body(url: str) -> None:
        await read(url)
        assert await migrations.current(url) is not None
        assert not (await migrations.check(url)).differences
        async with sqlalchemy_connect(url) as connection, AsyncSession(connection) as session:
            for table in Table.__subclasses__():
                if table.metadata is metadata:
                    await session.scalars(select(table))

    run(body(roles.url("reader")))


def test_concurrent_scrapers(committed: Roles, run: Run) -> None:
    """Two scrapers at once, and a reader beside them, under these roles alone."""
    captures = scrapes(range(10, 16), range(3))

    async def body() -> None:
        url = committed.url("scraper")
        reports = await asyncio.gather(
            ingest(url, captures, options=IngestOptions(chunk_rows=20)),
            ingest(url, captures[::-1], options=IngestOptions(chunk_rows=20)),
            read(committed.url("reader")),
        )
        assert [report.status for report in reports[:2]] == [ScrapeStatus.COMPLETED] * 2

    run(body())
