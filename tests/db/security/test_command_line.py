"""SQL in an argument of the command line is used as text."""

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
import pytest
from sqlalchemy import make_url

from oddsschema.cli import main
from tests.support.commands import every_command
from tests.support.hostile_texts import HOSTILE, structure, words
from tests.support.scrapes import capture
from tests.support.sessions import execute, fetch

Run = Callable[..., Any]


@pytest.fixture
def program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Return a function that runs `oddsschema` in this process: exit code and output."""

    def run_program(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["oddsschema", *arguments])
        with pytest.raises(SystemExit) as exited:
            main()
        return int(exited.value.code or 0), "".join(capsys.readouterr())

    return run_program


Program = Callable[..., tuple[int, str]]

#: The arguments that take any text, with their tests below.
TEXT_ARGUMENTS = {
    "revision": "test_revisions",
    "url": "test_urls",
    "schema": "test_schemas",
    "source": "test_sources",
    "from_schema": "test_sources",
    "timezone": "test_other_arguments",
    "files": "test_files",
    "specifiers": "test_history",
    "rejects": "test_files",
    "trigger": "test_triggers_and_notes",
    "notes": "test_triggers_and_notes",
    "platforms": "test_other_arguments",
    "store": "test_other_arguments",
    "at": "test_other_arguments",
    "keep": "test_other_arguments",
    "keep_runs": "test_other_arguments",
    "since": "test_other_arguments",
    "reference": "test_other_arguments",
    "free_bytes": "test_other_arguments",
    **dict.fromkeys(
        (
            *("lock_timeout", "statement_timeout", "retry_for", "answer_within", "patience"),
            *("keyframe_age", "older_than", "window"),
            *("flush_after", "close_within", "max_ahead", "wait", "nodes"),
            *("matching", "kickoff_from", "kickoff_until", "until", "what", "file_format"),
        ),
        "test_other_arguments",
    ),
    **dict.fromkeys(("bookmaker", "sport", "tournament", "text"), "test_choices"),
    "output": "test_choices",
    "known": "test_known_parts",
    "table": "test_version_tables",
    "event": "test_history",
    "market": "test_history",
    "plot": "test_history",
}


def options() -> Iterator[tuple[str, click.Parameter]]:
    """List every argument of every command, with the command's name."""
    for name, command in every_command().items():
        for parameter in command.params:
            yield name, parameter


def test_every_text_argument_is_tried() -> None:
    """Every argument that takes text has a test below."""
    for _, parameter in options():
        is_flag = isinstance(parameter, click.Option) and parameter.is_flag
        is_number = isinstance(
            parameter.type, click.types.FloatParamType | click.types.IntParamType
        )
        if not is_flag and not is_number:
            assert TEXT_ARGUMENTS[str(parameter.name)] in globals()


def test_revisions(database: str, program: Program, run: Run) -> None:
    """SQL in place of a revision is an unknown revision."""
    before = run(structure(database))
    for text in HOSTILE:
        for command in ("upgrade", "downgrade"):
            # Text that begins with a minus would be an option.
            code, output = program(command, "--url", database, "--", text)
            assert (code, "error: " in output) == (2, True), output
    assert run(structure(database)) == before


def test_urls(database: str, server_url: str, program: Program, tmp_path: Path, run: Run) -> None:
    """SQL in a URL is an unknown user, database, host or setting."""
    before = run(structure(database))
    file = tmp_path / "captures.ndjson"
    file.write_text(json.dumps(capture("bet9ja", 1, 0)), encoding="utf-8")
    url = make_url(server_url)
    for text in HOSTILE:
        encoded = quote(text, safe="")
        host = f"host={quote(str(url.query.get('host', url.host)), safe='')}"
        for hostile in (
            url.set(database=text).render_as_string(hide_password=False),
            url.set(username=f"odds {text}").render_as_string(hide_password=False),
            f"postgresql://postgres@/postgres?{host}&application_name=a&{encoded}=1",
            f"postgresql://{encoded}",
            text,
        ):
            code, output = program("ingest", str(file), "--retry-for=0", "--url", hostile)
            assert code == 2, f"{hostile}: {output}"
            assert "error: " in output
    assert run(structure(database)) == before


def test_schemas(database: str, program: Program, run: Run) -> None:
    """SQL in place of a schema is a schema that does not exist, or no name of a schema."""
    before = run(structure(database))
    for text in HOSTILE:
        code, output = program("upgrade", "--url", database, f"--schema={text}")
        assert code == 2, output
        assert re.search(
            "the first of the search path, does not exist|is no name of a schema", output
        ), output
    assert run(structure(database)) == before


def test_sources(database: str, program: Program, run: Run) -> None:
    """SQL in place of a source is no URL, and in place of its schema a schema without tables."""
    before = run(structure(database))
    for text in HOSTILE:
        code, output = program("adopt", f"--from={text}", "--url", database)
        assert (code, "error: " in output) == (2, True), output
        code, output = program("adopt", f"--from-schema={text}", "--url", database)
        assert (code, "has no table of snapshots" in output) == (2, True), output
        for command in (("unmapped", f"--source={text}"), ("events", f"--bookmaker={text}")):
            code, output = program(*command, "--url", database)
            assert (code, "Invalid value for" in output) == (2, True), output
    assert run(structure(database)) == before


@pytest.mark.sampled(1)
@pytest.mark.parametrize("text", ["'; DROP TABLE sports; --", '"; DROP TABLE sports; --', "%s\\"])
def test_names_of_databases_and_roles(
    text: str, server_url: str, program: Program, tmp_path: Path, run: Run
) -> None:
    """Every command works with a database and a role of such a name."""
    name = f"odds_{text}{os.getpid()}"
    quoted = '"' + name.replace('"', '""') + '"'
    url = make_url(server_url).set(database=name, username=name, password="secret")
    file = tmp_path / "captures.ndjson"
    file.write_text(json.dumps(capture("bet9ja", 1, 0)), encoding="utf-8")
    run(execute(server_url, f"CREATE ROLE {quoted} LOGIN PASSWORD 'secret'"))
    run(execute(server_url, f"CREATE DATABASE {quoted} OWNER {quoted}"))
    try:
        given = ("--url", url.render_as_string(hide_password=False))
        assert program("upgrade", *given)[0] == 0
        assert program("ingest", str(file), *given)[0] == 0
        assert "bet9ja ✓" in program("batches", *given)[1]
        assert program("check", *given)[0] == 0
        assert program("downgrade", "--yes", "base", *given)[0] == 0
    finally:
        run(execute(server_url, f"DROP DATABASE {quoted}"))
        run(execute(server_url, f"DROP ROLE {quoted}"))


def test_triggers_and_notes(database: str, program: Program, tmp_path: Path, run: Run) -> None:
    """SQL in --trigger and --notes is stored unchanged."""
    before = run(structure(database))
    file = tmp_path / "captures.ndjson"
    file.write_text(json.dumps(capture("bet9ja", 1, 0)), encoding="utf-8")
    for text in HOSTILE:
        code, output = program(
            "ingest", str(file), f"--trigger={text}", f"--notes={text}", "--url", database
        )
        assert code == 0, output
    found = run(words(database, "scrape_batches", "trigger", "notes"))
    assert found == [(text, text) for text in HOSTILE]
    assert run(structure(database)) == before
    assert run(fetch(database, "SELECT count(*) FROM competitor_odds_snapshots")) == [(1,)]


def test_files(database: str, program: Program, tmp_path: Path, run: Run) -> None:
    """SQL in a file's name is unchanged in the refusals, and names the file of rejects."""
    before = run(structure(database))
    for text in HOSTILE:
        name = text.replace("/", "|")
        file, rejects = tmp_path / f"in {name}.ndjson", tmp_path / f"out {name}.ndjson"
        file.write_text("[]\n", encoding="utf-8")
        code, _ = program("ingest", str(file), "--rejects", str(rejects), "--url", database)
        assert code == 1
        assert json.loads(rejects.read_text(encoding="utf-8"))["capture"] == "[]"
        ((message,),) = run(
            fetch(database, "SELECT error_message FROM scrape_errors ORDER BY id DESC LIMIT 1")
        )
        assert message.startswith(f"{file}:1: ")
    assert run(structure(database)) == before


@pytest.mark.nightly
def test_history(database: str, program: Program, tmp_path: Path, run: Run) -> None:
    """SQL in place of an event or a market is an unknown one, and can name a file."""
    file = tmp_path / "captures.ndjson"
    file.write_text(json.dumps(capture("bet9ja", 1, 0)), encoding="utf-8")
    assert program("ingest", str(file), "--url", database)[0] == 0
    ((event, market),) = run(
        fetch(
            database,
            "SELECT e.sportradar_id, m.betpawa_market_id FROM competitor_events AS e"
            " JOIN competitor_market_odds AS m ON m.competitor_event_id = e.id LIMIT 1",
        )
    )
    before = run(structure(database))
    for text in HOSTILE:
        for arguments in (
            ("--", text),
            ("--", event, text),
            (f"--specifiers=a={text}", "--", event, market),
        ):
            code, output = program("history", "--url", database, *arguments)
            assert (code, "error: " in output.lower()) == (2, True), output
        plot = tmp_path / f"{text.replace('/', '|')}.svg"
        assert program("history", event, market, f"--plot={plot}", "--url", database)[0] == 0
        assert plot.exists()
    assert run(structure(database)) == before


def test_known_parts(database: str, program: Program, run: Run) -> None:
    """SQL in place of a part is the name of a part that does not exist."""
    before = run(structure(database))
    known = [f"--known=events.{text}" for text in HOSTILE]
    code, output = program("check", "--url", database, *known)
    assert (code, output.count("does not exist")) == (0, len(HOSTILE))
    assert run(structure(database)) == before


@pytest.mark.nightly
def test_version_tables(database: str, program: Program, run: Run) -> None:
    """SQL in place of a version table names a table, to which the revision can move and back."""
    before = run(structure(database))
    for text in HOSTILE:
        code, output = program("hand-over", "--url", database, "--", text)
        assert code == 0 or "error: " in output
        assert program("hand-over", "oddsschema_version", "--url", database)[0] == 0
        assert program("check", "--url", database)[0] == 0
    # The version tables stay, without a row.
    assert set(before) <= set(run(structure(database)))


@pytest.mark.nightly
def test_choices(database: str, program: Program, tmp_path: Path, run: Run) -> None:
    """SQL in place of an event, a bookmaker, a market or a file chooses no rows, or is a name."""
    before = run(structure(database))
    for text in HOSTILE:
        choices = [(f"--{name}={text}",) for name in ("bookmaker", "sport", "tournament")]
        for choice in (*choices, ("--", text)):
            code, output = program("events", "--url", database, *choice)
            assert code == 0 or "Error: " in output
        for option in ("--event", "--bookmaker", "--market"):
            file = tmp_path / "odds.csv"
            words = ("-o", str(file), "--format", "csv", "--force", "--url", database)
            code, output = program("export", f"{option}={text}", *words)
            assert code == 0, output
            assert len(file.read_text(encoding="utf-8").splitlines()) == 1
        code, output = program("export", "-o", f"{tmp_path}/no/{text}", "--url", database)
        assert (code, "error: " in output) == (2, True), output
    assert run(structure(database)) == before


def test_other_arguments(database: str, program: Program, run: Run) -> None:
    """SQL in place of a number, a platform or a command is refused at once."""
    before = run(structure(database))
    for text in HOSTILE:
        for name, parameter in options():
            tried = TEXT_ARGUMENTS.get(str(parameter.name), "test_other_arguments")
            if tried != "test_other_arguments":
                continue
            if isinstance(parameter, click.Option) and not parameter.is_flag:
                needed = ["-o", "never.csv"] if name == "export" else []
                code, output = program(name, f"{parameter.opts[-1]}={text}", *needed)
                assert (code, "Invalid value for" in output) == (2, True), output
        assert program(text, "--url", database)[0] == 2
    assert run(structure(database)) == before
