"""`oddsschema downgrade` names its losses, and asks before it drops them."""

import fcntl
import os
import pty
import subprocess
import sys
import termios
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest
from alembic.script import ScriptDirectory

from oddsschema import ingest, migrations
from oddsschema.database.revision import HEAD
from tests.support.scrapes import scrapes
from tests.support.screens import program
from tests.support.sessions import fetch, fetch_column

Run = Callable[..., Any]

TABLES = """
SELECT relname FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'oddsschema_version'
"""
COLUMNS = """
SELECT table_name, column_name FROM information_schema.columns
WHERE table_schema = 'public' AND table_name = ANY ($1)
"""


@pytest.fixture
def stored(database: str, run: Run) -> str:
    """Return the URL of a database with rows."""
    run(ingest(database, scrapes([0, 1], range(3))))
    return database


async def rows_of(url: str) -> dict[str, int]:
    """Count the rows of each table."""
    counts = {}
    for table in await fetch_column(url, TABLES):
        (counts[table],) = await fetch_column(url, f"SELECT count(*) FROM {table}")
    return counts


async def columns_of(url: str, tables: set[str]) -> set[str]:
    """Read the columns of tables, as `table.column`."""
    connection = await asyncpg.connect(url)
    try:
        return {".".join(row) for row in await connection.fetch(COLUMNS, list(tables))}
    finally:
        await connection.close()


def test_plan_is_the_loss(stored: str, run: Run) -> None:
    """The plan of each downgrade has exactly the tables, rows and columns that it drops."""
    scripts = ScriptDirectory(str(migrations.script_location())).walk_revisions()
    for revision in [str(script.down_revision or "base") for script in scripts]:
        tables = run(rows_of(stored))
        before = run(columns_of(stored, set(tables)))
        plan = run(migrations.plan_downgrade(stored, revision))
        assert run(rows_of(stored)) == tables
        run(migrations.downgrade(stored, revision))
        left = run(rows_of(stored))
        lost = {table: rows for table, rows in tables.items() if table not in left}
        assert {table.table: table.rows for table in plan.tables} == lost
        assert set(plan.columns) == {
            column
            for column in before - run(columns_of(stored, set(left)))
            if column.partition(".")[0] in left
        }
        assert len(plan.revisions) == 1
    assert run(migrations.plan_downgrade(stored, "base")).revisions == ()


def asked(url: str, revision: str, answer: bytes) -> tuple[int, str]:
    """Run the command on a terminal, and answer its question. Return its exit code and output."""
    terminal, of_command = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "oddsschema", "downgrade", revision, "--url", url],
        stdin=of_command,
        stdout=of_command,
        stderr=of_command,
        start_new_session=True,
        # So that Ctrl-C interrupts the command.
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    ) as process:
        os.close(of_command)
        printed = b""
        while b"[y/N] " not in printed:
            printed += os.read(terminal, 4096)
        os.write(terminal, answer)
        try:
            while piece := os.read(terminal, 4096):
                printed += piece
        except OSError:
            pass  # Linux: the command has ended
    os.close(terminal)
    return process.returncode, printed.decode()


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("answer", "status"), [(b"\n", 1), (b"no\n", 1), (b"\x04", 1), (b"\x03", 130)]
)
def test_refusal(stored: str, run: Run, answer: bytes, status: int) -> None:
    """Any answer but yes, the end of the input, and Ctrl-C change nothing."""
    before = run(rows_of(stored))
    code, printed = asked(stored, "base", answer)
    assert code == status, printed
    ((events,),) = run(fetch(stored, "SELECT count(*) FROM competitor_events"))
    assert f"\ndrop competitor_events: {events} rows\r\n" in printed
    assert "undo oddsschema_0003: Add competitor tables and scrape batches." in printed
    assert run(rows_of(stored)) == before
    assert "Traceback" not in printed


@pytest.mark.parametrize("answer", [b"y\n", b"Yes\n"])
def test_consent(stored: str, run: Run, answer: bytes) -> None:
    """After the answer yes, the tables are dropped."""
    code, printed = asked(stored, "base", answer)
    assert code == 0
    assert f"{HEAD} -> base" in printed
    assert run(rows_of(stored)) == {}


def test_without_a_terminal(stored: str, run: Run) -> None:
    """Without a terminal, the command names the losses and ends; with `--yes` it drops them."""
    before = run(rows_of(stored))
    command = [sys.executable, "-m", "oddsschema", "downgrade", "oddsschema_0007", "--url", stored]
    refused = subprocess.run(command, input="y\n", capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "\ndrop the column market_odds.specifiers\n" in refused.stderr
    assert "--yes" in refused.stderr
    assert run(migrations.current(stored)) == HEAD
    assert run(rows_of(stored)) == before
    ended = program("downgrade", "--yes", "oddsschema_0007", "--url", stored)
    assert (ended.code, ended.stdout) == (0, f"{HEAD} -> oddsschema_0007\n")
    assert "\ndrop the column market_odds.specifiers\n" in ended.stderr


def test_nothing_to_downgrade(stored: str) -> None:
    """A database that is at the revision already needs no consent."""
    ended = program("downgrade", HEAD, "--url", stored)
    assert (ended.code, ended.stdout) == (0, f"already at {HEAD}\n")


@pytest.mark.parametrize("revision", ["+1", "head+1", "0099", "no_such"])
def test_unknown_revision(database: str, revision: str) -> None:
    """A revision that does not exist is an error, before the question."""
    ended = program("downgrade", revision, "--url", database)
    assert ended.code == 2
    assert f"error: {revision!r} leads to no revision" in ended.stderr
    assert "Traceback" not in ended.stderr
