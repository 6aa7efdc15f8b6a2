"""Output of the command line: escapes, and plain text where there is no terminal."""

import io
import json
import re
import subprocess
import sys
from contextlib import redirect_stdout

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from rich.cells import cell_len

from oddsschema.cli.output import (
    ProgressLine,
    align_left,
    align_right,
    escape,
    escape_cell,
    name_schema_option,
    print_json,
)
from oddsschema.errors import DatabaseUnavailableError, SplitTablesError
from tests.support.screens import unsafe_characters, unsafe_texts


class Report(BaseModel):
    """A report with a text."""

    text: str


@given(st.text() | unsafe_texts())
def test_no_control_character_is_printed(text: str) -> None:
    """Escapes leave no control character; those of cells leave no line break either."""
    assert unsafe_characters(escape(text)) <= {"\t", "\n"}
    assert unsafe_characters(escape_cell(text)) == set()
    assert escape_cell(text).isascii() >= text.isascii()


@given(st.text() | unsafe_texts())
def test_json_stays_the_same(text: str) -> None:
    """JSON with escapes has the same values, also of the name of a file that is not UTF-8."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        print_json(Report.model_construct(text=text))
    assert unsafe_characters(printed.getvalue()) <= {"\n"}
    # A pair of surrogates is one character in JSON.
    expected = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    assert json.loads(printed.getvalue()) == {"text": expected}


@given(st.text(["e", "\u0301", "日", "\U0001f600", "\x1b"], max_size=9))
def test_columns_are_as_wide_as_on_a_terminal(text: str) -> None:
    """Wide characters and characters without a width keep the columns of a table."""
    cell = escape_cell(text)
    assert cell_len(align_left(cell, 60)) == cell_len(align_right(cell, 60)) == 60
    assert align_left(cell, 60).rstrip(" ") == align_right(cell, 60).lstrip(" ") == cell


def test_progress_is_for_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal, no progress is printed."""
    with ProgressLine() as progress:
        progress.update(lambda: "1 row")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("arguments", [["-c", "import oddsschema"], ["-m", "oddsschema", "--help"]])
def test_rich_is_imported_when_it_is_needed(arguments: list[str]) -> None:
    """Neither `import oddsschema` nor `oddsschema --help` imports rich."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments], capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0
    assert "oddsschema" in done.stderr
    assert not re.search(r"\| +rich\b", done.stderr)


def test_long_lines_are_not_wrapped() -> None:
    """A line that is longer than 80 columns stays a line."""
    import click

    from oddsschema.cli.output import print_text

    @click.command()
    def command() -> None:
        print_text("x" * 200)

    assert CliRunner().invoke(command).output == "x" * 200 + "\n"


def test_schema_option_is_named_where_it_helps() -> None:
    """Only errors with another search path as a cure name the option, whatever their URL has."""
    split = SplitTablesError(tables={"public": ["sports"], "shadow": ["events"]})
    assert name_schema_option(split) == f"{split} (--schema NAME sets the search path)"
    url = "postgresql://localhost/odds?search_path=odds"
    unreachable = DatabaseUnavailableError(reason="refused", url=url)
    assert name_schema_option(unreachable) == str(unreachable)
