"""docs/how-to/roles.md grants everything that a scraper, a pruner and a reader need."""

import asyncio
import importlib
import pkgutil
import re
from collections.abc import Callable
from types import ModuleType
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from oddsschema import IngestOptions, ScrapeStatus, Table, ingest, migrations
from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.ingestion import storage
from oddsschema.models import metadata
from oddsschema.scrapes import bookkeeping
from tests.support.contents import assert_whole, content, expected
from tests.support.portable_sql import broken_rules
from tests.support.role_acts import read, scrape
from tests.support.roles import Roles, acting_as
from tests.support.scrapes import scrapes

Run = Callable[..., Any]


def test_scraper_ingests(committed: Roles, run: Run) -> None:
    """The scraper's privileges suffice to store everything."""
    captures = scrapes(range(4), range(5))
    url = committed.url("scraper")
    report = run(ingest(url, captures))
    assert report.status is ScrapeStatus.COMPLETED
    run(assert_whole(url, captures))
    assert run(content(committed.url("reader"))) == expected(captures)
    run(scrape(url))


def storage_modules() -> list[ModuleType]:
    """Import every module of `oddsschema.ingestion.storage`."""
    return [
        importlib.import_module(module.name)
        for module in pkgutil.iter_modules(storage.__path__, f"{storage.__name__}.")
    ]


def test_every_statement_is_run(roles: Roles, run: Run) -> None:
    """These tests run every statement of ingestion, and each runs on Citus as well."""

    async def queries() -> list[str]:
        found: list[str] = []
        async with acting_as(roles, "scraper") as connection:
            with connection.query_logger(lambda record: found.append(record.query)):
                await scrape(connection)
        return found

    statements = {
        f"{module.__name__}.{name}": value
        for module in (bookkeeping, *storage_modules())
        for name, value in vars(module).items()
        if isinstance(value, str) and re.match(r"\s*(SELECT|INSERT|UPDATE|WITH)\b", value)
    }
    assert len(statements) > 20
    run_queries = run(queries())
    # Names of tables replace the braces.
    patterns = {
        name: re.compile(".*".join(map(re.escape, re.split(r"\{\w+\}", value))), re.DOTALL)
        for name, value in statements.items()
    }
    assert [
        name
        for name, pattern in patterns.items()
        # A select may be a part of several statements.
        if not any(pattern.search(query) for query in run_queries)
    ] == []
    assert [query for query in run_queries if broken_rules(query)] == []


def test_reader_reads(roles: Roles, run: Run) -> None:
    """The reader's privileges suffice for all tables and all commands that read."""

    async def body(url: str) -> None:
        await read(url)
        assert await migrations.current(url) is not None
        report = await migrations.check(url)
        assert (report.differences, report.notes) == ((), ())
        async with sqlalchemy_connect(url) as connection, AsyncSession(connection) as session:
            for table in Table.__subclasses__():
                if table.metadata is metadata:
                    await session.scalars(select(table))

    run(body(roles.url("reader")))


def test_concurrent_scrapers(committed: Roles, run: Run) -> None:
    """Two scrapers and a reader work at once under these roles."""
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
