"""The database of a command: an empty URL is an error, and a command that writes names it."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from sqlalchemy import make_url

from oddsschema.database.urls import redact
from oddsschema.embedded import database_url
from oddsschema.errors import DatabaseURLError
from oddsschema.ingestion import IngestReport
from tests.support.commands import every_command
from tests.support.paths import ROOT
from tests.support.scrapes import capture, written
from tests.support.screens import program
from tests.support.sessions import fetch

Run = Callable[..., Any]

#: The arguments that some commands need.
ARGUMENTS = {
    "adopt": ["--from-schema", "public"],
    "distribute": ["--schema", "football"],
    "downgrade": ["base"],
    "export": ["-o", "odds.csv"],
    "history": ["1"],
    "move": ["--schema", "football", "--node", "db2:5432"],
    "prune": ["--keep", "1d"],
    "undistribute": ["--schema", "football"],
}


def commands() -> Iterator[str]:
    """Yield the commands that use a database."""
    for name, command in every_command().items():
        if any(
            isinstance(option, click.Option) and option.name == "url" for option in command.params
        ):
            yield name


@pytest.mark.parametrize("empty", ["", " ", "\t\n"])
@pytest.mark.parametrize("name", [*commands()])
def test_empty_url(name: str, empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty URL, as an option or in DATABASE_URL, is an error of every command."""
    file = written(tmp_path / "captures.ndjson", [capture("bet9ja", 1, 0)])
    words = [name, *ARGUMENTS.get(name, []), *([str(file)] if name == "ingest" else [])]
    monkeypatch.setenv("DATABASE_URL", empty)
    of_variable = program(*words)
    assert of_variable.stderr.startswith("error: DATABASE_URL is empty: ")
    of_option = program(*words, "--url", empty)
    assert of_option.stderr.startswith("error: the given database URL is empty: ")
    for ended in (of_variable, of_option):
        assert (ended.code, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)


def test_empty_url_of_the_library(monkeypatch: pytest.MonkeyPatch, server_url: str) -> None:
    """Neither an empty URL nor an empty DATABASE_URL starts the private server."""
    monkeypatch.setenv("DATABASE_URL", " ")
    for given in ("", " ", None):
        with pytest.raises(DatabaseURLError), database_url(given):
            pytest.fail("a URL was yielded")
    monkeypatch.setenv("DATABASE_URL", server_url)
    with database_url() as url:
        assert url == server_url


def test_empty_url_of_alembic(monkeypatch: pytest.MonkeyPatch) -> None:
    """Alembic in a checkout refuses an empty DATABASE_URL, and an empty `-x url=`."""
    for words, url in ((["-x", "url="], "postgresql://127.0.0.1:1/odds"), ([], "")):
        done = subprocess.run(
            [sys.executable, "-m", "alembic", *words, "current"],
            cwd=ROOT,
            env=os.environ | {"DATABASE_URL": url},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode != 0
        assert "is empty: it should look like postgresql://user@host/name" in done.stdout


def test_writing_commands_name_their_database(database: str, tmp_path: Path) -> None:
    """The database, without its password, is the first line on standard error."""
    file = written(tmp_path / "captures.ndjson", [capture("bet9ja", 1, 0)])
    url = make_url(database).set(password="hunter2").render_as_string(hide_password=False)
    for words in (
        ["upgrade"],
        ["ingest", str(file)],
        ["ingest", str(file), "--json"],
        ["batches", "--close"],
        ["prune", "--keep", "1d"],
        ["downgrade", "--yes", "oddsschema_0009"],
    ):
        ended = program(*words, "--url", url)
        assert ended.code == 0
        assert ended.stderr.splitlines()[0] == f"database: {redact(url)}"
        assert "hunter2" not in ended.stdout + ended.stderr
        assert "database: " not in ended.stdout
        if "--json" in words:
            assert IngestReport.model_validate_json(ended.stdout).total.captures_known == 1


def test_reading_commands_do_not(database: str) -> None:
    """Commands that only read print nothing on standard error."""
    for words in (
        ["batches"],
        ["unmapped"],
        ["events"],
        ["events", "--by-tournament"],
        ["current"],
        ["check"],
        ["size"],
        ["prune", "--keep=1d", "--dry-run"],
    ):
        assert program(*words, "--url", database).stderr == ""


def test_private_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a URL, the database is named as a private one, with its directory."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    # Closes nothing: no run is so old.
    ended = program("batches", "--close", "--older-than", "36500d")
    assert ended.stderr.startswith(
        "database: a private PostgreSQL, postgresql://postgres@/postgres?"
    )
    assert "host=/" in ended.stderr.splitlines()[0]


def test_sentence_without_a_connection(run: Run, database: str) -> None:
    """A database that cannot be reached is named before the error."""
    url = "postgresql://odds:hunter2@127.0.0.1:1/odds"
    ended = program("upgrade", "--url", url, "--retry-for=0")
    named, error = ended.stderr.splitlines()
    assert named == "database: postgresql://odds:***@127.0.0.1:1/odds"
    assert error.startswith("error: cannot connect to postgresql://odds:***@127.0.0.1:1/odds: ")
    assert run(fetch(database, "SELECT count(*) FROM scrape_batches")) == [(0,)]
