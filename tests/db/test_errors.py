"""Errors of a real server: the class that each case raises, and its data."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from oddsschema import IngestOptions, batch, errors, ingest, migrations, scrapes
from oddsschema.database.revision import HEAD
from tests.support.proxy import MESSAGES, Proxy
from tests.support.sessions import execute

Run = Callable[..., Any]


@pytest.fixture
def read_only(database: str) -> str:
    """The URL of a migrated database, with sessions that are read-only as on a standby."""
    separator = "&" if "?" in database else "?"
    return f"{database}{separator}options=-cdefault_transaction_read_only%3Don"


def test_read_only_database(read_only: str, run: Run) -> None:
    """Ingestion and migrations raise ReadOnlyDatabaseError where they cannot write."""
    retry_for = timedelta(seconds=0.1)
    options = IngestOptions(retry_for=retry_for)

    async def on_connection() -> None:
        connection = await asyncpg.connect(read_only)
        try:
            await ingest(connection, [], options=options)
        finally:
            await connection.close()

    for work, needed in (
        (on_connection(), "a primary server, and a transaction that may write"),
        (ingest(read_only, [], options=options), "default_transaction_read_only = off"),
        (
            migrations.downgrade(read_only, "base", retry_for=retry_for),
            "default_transaction_read_only = off",
        ),
    ):
        with pytest.raises(errors.ReadOnlyDatabaseError, match=f"needs {needed}") as raised:
            run(work)
        assert "read-only transaction" in raised.value.reason
    assert run(migrations.current(read_only)) == HEAD


@pytest.mark.sampled(6)
@pytest.mark.parametrize("message", [MESSAGES["commit"], b"first_named", b"scrape_batches"])
@pytest.mark.parametrize("occurrence", [1, 2, 3])
@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("is_migrated", [True, False])
def test_connection_lost_at_a_statement(
    database: str,
    run: Run,
    short_path: Path,
    message: bytes,
    occurrence: int,
    before: bool,
    is_migrated: bool,
) -> None:
    """A lost connection is a DatabaseUnavailableError, whichever statement is the last."""
    if not is_migrated:
        run(execute(database, "DROP TABLE scrape_batches CASCADE"))
    proxy = Proxy(database, short_path, occurrence, before=before, message=message)

    async def work() -> None:
        async with proxy.serving() as url:
            await scrapes.stale_batches(url)
            await scrapes.close_stale(url)

    dropped = () if is_migrated else (asyncpg.UndefinedTableError,)
    with suppress(errors.DatabaseUnavailableError, errors.NotMigratedError, *dropped):
        run(work())


def test_no_such_batch(database: str, run: Run) -> None:
    """A batch to join that does not exist is a BatchNotFoundError with its id."""

    async def join() -> None:
        async with batch(database, batch_id=41):
            pass

    with pytest.raises(errors.BatchNotFoundError) as raised:
        run(join())
    assert raised.value.batch_id == 41


def test_newer_database(database: str, run: Run) -> None:
    """A newer database is a NewerDatabaseError to a migration, a NotMigratedError to others."""

    async def make_newer() -> None:
        connection = await asyncpg.connect(database)
        await connection.execute("UPDATE oddsschema_version SET version_num = 'oddsschema_9999'")
        await connection.close()

    run(make_newer())
    with pytest.raises(errors.NewerDatabaseError) as newer:
        run(migrations.upgrade(database))
    assert (newer.value.current, newer.value.head) == ("oddsschema_9999", HEAD)
    with pytest.raises(errors.NotMigratedError, match="install a newer oddsschema") as raised:
        run(ingest(database, []))
    assert (raised.value.current, raised.value.head) == ("oddsschema_9999", HEAD)


def test_unavailable_database(run: Run) -> None:
    """A server that does not answer has its URL in the error, without the password."""
    with pytest.raises(errors.DatabaseUnavailableError) as raised:
        run(migrations.current("postgresql://me:secret@127.0.0.1:1/odds"))
    assert raised.value.url == "postgresql://me:***@127.0.0.1:1/odds"
    assert "secret" not in str(raised.value)
    with pytest.raises(errors.DatabaseURLError):
        run(migrations.current("mysql://127.0.0.1:1/odds"))
