"""Migrations of several databases at once in one process."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from threading import Thread
from typing import Any

import pytest

from oddsschema import migrations
from oddsschema.database.revision import HEAD
from oddsschema.errors import MigrationError
from oddsschema.migrations import CheckState
from oddsschema.migrations.turns import awaited_turn

Run = Callable[..., Any]


@pytest.fixture
def two_databases(new_database: Callable[..., Any]) -> Iterator[list[str]]:
    """Return the URLs of two empty databases."""
    with ExitStack() as databases:
        yield [databases.enter_context(new_database()) for _ in range(2)]


def test_tasks(two_databases: list[str], run: Run) -> None:
    """Tasks that migrate and check several databases at once do not disturb each other."""

    async def work(url: str) -> CheckState:
        await migrations.upgrade(url)
        await migrations.downgrade(url, "oddsschema_0003")
        await migrations.upgrade(url)
        return (await migrations.check(url)).state

    async def both() -> list[CheckState]:
        return await asyncio.gather(*map(work, two_databases))

    assert run(both()) == [CheckState.CLEAN] * 2


def test_threads(two_databases: list[str], run: Run) -> None:
    """Threads that migrate several databases at once do not disturb each other."""
    threads = [Thread(target=asyncio.run, args=(migrations.upgrade(url),)) for url in two_databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [run(migrations.current(url)) for url in two_databases] == [HEAD] * 2


def test_sql_text_beside_a_migration(run: Run) -> None:
    """SQL text is refused while a migration runs, instead of disturbing it."""

    async def beside() -> None:
        async with awaited_turn():
            with pytest.raises(MigrationError, match="another migration runs in this process"):
                migrations.upgrade_sql()

    run(beside())
    assert "CREATE TABLE" in migrations.upgrade_sql()


def test_failures_end_their_turn(two_databases: list[str], run: Run) -> None:
    """After a migration that failed or was cancelled, others run."""

    async def fail() -> None:
        first, second = two_databases
        with pytest.raises(MigrationError):
            await migrations.upgrade(first, "no_such_revision")
        cancelled = asyncio.create_task(migrations.upgrade(first))
        await asyncio.sleep(0.1)
        cancelled.cancel()
        await asyncio.wait([cancelled])
        async with asyncio.timeout(60):
            await migrations.upgrade(second)

    run(fail())
