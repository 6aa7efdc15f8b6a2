"""The output on standard output and standard error: text, JSON, tables and progress.

Control characters in texts are printed as escapes, so that names cannot control a terminal. rich is
imported only for a terminal.
"""

import re
import sys
import time
from collections.abc import Callable, Sequence
from typing import IO, TYPE_CHECKING, Any

import click
from pydantic import BaseModel

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live

#: Control characters but tab and line feed, and those that change the direction of text.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_CONTROL_OR_BREAK = re.compile(rf"[\t\n]|{_CONTROL.pattern}")
#: Seconds between two updates of the progress.
_INTERVAL = 0.2


def escape(text: str) -> str:
    """Replace control characters by escapes; tabs and line breaks stay."""
    return _CONTROL.sub(_escaped, text)


def escape_cell(text: str) -> str:
    """Replace control characters by escapes, tabs and line breaks as well."""
    return _CONTROL_OR_BREAK.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def print_text(text: str = "", *, err: bool = False) -> None:
    """Print a line or lines of plain text, which are not wrapped."""
    click.echo(escape(text), err=err)


def print_json(report: BaseModel) -> None:
    """Print a report as JSON."""
    click.echo(escape(report.model_dump_json(indent=2)))


def _is_terminal(stream: IO[str] | None) -> bool:
    """Return whether a standard stream is a terminal. Python has none for a closed one."""
    return stream is not None and stream.isatty()


def terminal() -> "Console | None":
    """Open the terminal of standard output; None if standard output is not a terminal."""
    if not _is_terminal(sys.stdout):
        return None
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


def print_table(
    console: "Console",
    heads: Sequence[str],
    sections: Sequence[tuple[str, Sequence[Sequence[str]]]],
) -> None:
    """Print sections of rows, each under its title, as a table on a terminal.

    The first column is left-aligned, the others are right-aligned.
    """
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    every_row = [heads, *(row for _, rows in sections for row in rows)]
    widths = [
        max(cell_len(escape_cell(cell)) for cell in column)
        for column in zip(*every_row, strict=True)
    ]

    def print_rows(rows: Sequence[Sequence[str]], style: str = "") -> None:
        table = Table.grid(padding=(0, 3, 0, 0))
        for number, width in enumerate(widths):
            table.add_column(width=width, justify="right" if number else "left")
        for row in rows:
            table.add_row(*(Text(escape_cell(cell)) for cell in row), style=style)
        console.print(table)

    print_rows([heads], "bold underline")
    for title, rows in sections:
        if title:
            console.print(Text(f"\n{escape_cell(title)}", style="bold"))
        print_rows(rows)


class ProgressLine:
    """A line on standard error that shows the progress; nothing if that is not a terminal."""

    def __init__(self) -> None:
        self.is_shown = _is_terminal(sys.stderr)
        self._updated = 0.0
        self._live: Live | None = None

    def __enter__(self) -> "ProgressLine":
        return self

    def __exit__(self, *_: Any) -> None:
        self.clear()

    def update(self, describe: Callable[[], str]) -> None:
        """Show the line that `describe` returns, at most five times a second."""
        now = time.monotonic()
        if not self.is_shown or now - self._updated < _INTERVAL:
            return
        self._updated = now
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        line = Text(escape_cell(describe()), no_wrap=True, overflow="ellipsis")
        if self._live is None:
            self._live = Live(
                console=Console(stderr=True),
                transient=True,
                auto_refresh=False,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        self._live.update(line, refresh=True)

    def clear(self) -> None:
        """Erase the line, before another line is printed."""
        if self._live is not None:
            self._live.stop()
            self._live = None
