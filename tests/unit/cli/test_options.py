"""Options of the command line, compared with the fields and the reports that they stand for."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import MISSING, fields
from datetime import timedelta
from typing import Any

import click
import pytest
from click.testing import CliRunner

from oddsschema import IngestOptions, Limits, PruneOptions
from oddsschema.cli import cli
from oddsschema.cli.options import JsonOption
from oddsschema.database.durations import format_duration, parse_duration
from oddsschema.schema import REPORTS
from tests.support.commands import commands_of_groups, every_command, named_command

#: Options that are arguments of the function, or choose the input and the output.
OTHERS = {
    "ingest": {"files", "trigger", "notes", "rejects", "as_json", "url"},
    "prune": {"keep", "keep_runs", "ahead", "max_ahead", "dry_run", "as_json", "url"},
}


def parameters(command: str) -> dict[str, click.Parameter]:
    """The options of a command that stand for fields."""
    return {
        str(option.name): option
        for option in named_command(command).params
        if option.name not in OTHERS[command] | {"url", "schema"}
    }


def values(options: type[Any]) -> dict[str, Any]:
    """The fields of a dataclass that an option can set, with their defaults."""
    return {
        field.name: field.default
        for field in fields(options)
        # Every command handles SIGTERM.
        if not field.name.startswith("on_") and field.name not in ("limits", "sigterm_as_sigint")
    }


@pytest.mark.parametrize(
    ("command", "options"),
    [("ingest", values(IngestOptions) | values(Limits)), ("prune", values(PruneOptions))],
)
def test_options_are_fields(command: str, options: dict[str, Any]) -> None:
    """Each field has an option of its name, with its default; a limit's option begins with max."""
    given = parameters(command)
    assert given.keys() == options.keys()
    for name, option in given.items():
        default = options[name]
        assert default is not MISSING
        prefix = "--max-" if name in values(Limits) else "--"
        assert option.opts == [prefix + name.replace("_", "-")]
        if isinstance(default, timedelta):
            assert parse_duration(str(option.default)) == default
        elif getattr(option, "is_flag", False):
            assert default is False
        else:
            assert option.default == default


def test_every_report_has_a_schema() -> None:
    """The reports that `--json` prints are those whose schemas `schema json` prints."""
    printed = {
        report
        for command in commands_of_groups()
        for option in command.params
        if isinstance(option, JsonOption)
        for report in option.reports
    }
    assert printed == REPORTS.keys()


def test_commands_that_print_reports_have_json() -> None:
    """Every other command prints a line, a stream of captures, or a document of its own."""
    without = {
        command.name
        for command in commands_of_groups()
        if not any(isinstance(option, JsonOption) for option in command.params)
    }
    assert without == {
        "upgrade",
        "downgrade",
        "distribute",
        "undistribute",
        "move",
        "hand-over",
        "json",
        "sql",
        "erd",
        "demo",
        "export",
        "simulate",
    }


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("0", timedelta(0)),
        ("250ms", timedelta(milliseconds=250)),
        ("5s", timedelta(seconds=5)),
        ("1h30m", timedelta(minutes=90)),
        ("36h", timedelta(hours=36)),
        ("2w", timedelta(days=14)),
        ("45d", timedelta(days=45)),
    ],
)
def test_durations(text: str, duration: timedelta) -> None:
    """A duration is read in each unit, and printed as text that means the same."""
    assert parse_duration(text) == duration
    assert parse_duration(format_duration(duration)) == duration


@pytest.mark.parametrize(
    "text", ["", "14", "d", "-1d", "14D", "1 d", "1d 2h", "1y", "99999999999999d", "1d\n"]
)
@pytest.mark.parametrize("command", [["prune", "--keep"], ["upgrade", "--sql", "--lock-timeout"]])
def test_texts_that_are_no_durations(command: list[str], text: str) -> None:
    """A text that is no duration is refused before any connection, with examples."""
    result = CliRunner().invoke(cli, [*command, text])
    assert result.exit_code == 2
    assert "36h, 14d, 5s or 250ms" in result.output or "out of range" in result.output


@pytest.mark.parametrize(("text", "number"), [("1500", 1500), ("80G", 80 * 10**9)])
def test_bytes(text: str, number: int) -> None:
    """A number of bytes is read with or without a unit."""
    read: Callable[..., Any] = next(
        option.callback for option in named_command("size").params if option.name == "free_bytes"
    )
    assert read(None, None, text) == number


@pytest.mark.parametrize("option", ["--create-schema", "--keep-version-table"])
def test_options_of_a_database_beside_sql(option: str) -> None:
    """SQL text is not printed under an option that it does not follow."""
    result = CliRunner().invoke(cli, ["upgrade", "--sql", option])
    assert result.exit_code == 2
    assert "CREATE TABLE" not in result.output
    assert "CREATE TABLE" in CliRunner().invoke(cli, ["upgrade", "--sql"]).output


def test_help_describes_every_command() -> None:
    """The line of a command in the list is the first sentence of its own help."""
    for limit in (40, 10_000):
        context = click.Context(cli, terminal_width=limit, max_content_width=limit)
        formatter = context.make_formatter()
        cli.format_commands(context, formatter)
        of_commands = context.make_formatter()
        click.Group(commands=every_command()).format_commands(context, of_commands)
        assert formatter.getvalue() == of_commands.getvalue()


def test_unknown_command() -> None:
    """A word that is no command is an error, and no module."""
    result = CliRunner().invoke(cli, ["program"])
    assert result.exit_code == 2
    assert "No such command 'program'" in result.output


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_load_no_library_but_click(option: str) -> None:
    """The list of the commands, and the version, come without the modules of any command."""
    program = f"""if True:
        import sys
        from oddsschema.cli import main
        sys.argv = ["oddsschema", "{option}"]
        try:
            main()
        except SystemExit as end:
            assert end.code == 0, end.code
        slow = {{"asyncio", "asyncpg", "pydantic", "sqlalchemy", "sqlmodel", "rich", "tenacity"}}
        assert not slow & set(sys.modules), slow & set(sys.modules)
        """
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)
