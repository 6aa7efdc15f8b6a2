"""Output of the command line: escapes, and plain text where there is no terminal."""

import json
import re
import subprocess
import sys

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from oddsschema.cli.output import ProgressLine, escape, escape_cell, print_json


class Report(BaseModel):
    """A report with a text."""

    text: str


@given(st.text())
def test_no_control_character_is_printed(text: str) -> None:
    """Escapes leave no control character; those of cells leave no line break either."""
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", escape(text))
    assert escape_cell(text).isascii() >= text.isascii()
    assert not re.search(r"[\t\n\x00-\x1f\x7f-\x9f]", escape_cell(text))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_json_stays_the_same(text: str) -> None:
    """JSON with escapes has the same values."""
    from _pytest.monkeypatch import MonkeyPatch

    printed: list[str] = []
    with MonkeyPatch.context() as patched:
        patched.setattr("click.echo", printed.append)
        print_json(Report(text=text))
    assert json.loads(printed[0]) == {"text": text}


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
