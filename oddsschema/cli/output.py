"""The output on standard output and standard error: text, JSON, tables and progress.

Control characters and invisible characters in texts are printed as the escapes of JSON, so that
names can neither control a terminal nor look like other names. rich is imported only for a terminal
and for the width of names that are not ASCII.
"""

import json
import re
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from typing import IO, TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import Console
    from rich.live import Live

    from oddsschema.errors import OddsSchemaError
    from oddsschema.migrations import CheckReport

#: The characters that are escaped:
#: control characters but tab and line feed; soft hyphens; marks of direction, embeddings and
#: overrides (bidirectional text); separators of lines and paragraphs; characters without a width,
#: except the joiners of Persian and Indian names and of emoji (U+200C, U+200D); annotations; tags;
#: and the code points that neither UTF-8 nor XML has.
_UNSAFE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    r"\ud800-\udfff\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)
_UNSAFE_OR_BREAK = re.compile(rf"[\t\n]|{_UNSAFE.pattern}")
#: Seconds between two updates of the progress.
_INTERVAL = 0.2


def escape(text: str) -> str:
    """Replace control characters and invisible characters by escapes; tabs and line feeds stay."""
    return _UNSAFE.sub(_escaped, text)


def name_schema_option(failure: "OddsSchemaError | CheckReport") -> str:
    """Return the message, with the option that sets the search path if another one is needed."""
    hint = " (--schema NAME sets the search path)" if failure.needs_search_path else ""
    return f"{failure}{hint}"


def escape_cell(text: str) -> str:
    """Replace the same characters by escapes, tabs and line feeds as well."""
    return _UNSAFE_OR_BREAK.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    # JSON escapes a character beyond the first 65,536 as two surrogates.
    units = match[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))


def cell_width(text: str) -> int:
    """Return the number of columns that a text takes on a terminal."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def align_left(text: str, width: int) -> str:
    """Fill a text with spaces behind it, up to a width."""
    return text + " " * (width - cell_width(text))


def align_right(text: str, width: int) -> str:
    """Fill a text with spaces before it, up to a width."""
    return " " * (width - cell_width(text)) + text


def cut(text: str, width: int) -> str:
    """Cut a text that takes more columns than a width; an ellipsis marks the cut."""
    if cell_width(text) <= width:
        return text
    while cell_width(text) >= width:
        text = text[:-1]
    return f"{text}…"


def line_width() -> int:
    """Return the columns of the terminal, or of COLUMNS; 80 without either."""
    return shutil.get_terminal_size().columns


def print_line(text: str = "", *, err: bool = False, **style: bool) -> None:
    """Print a line, which is not wrapped. Line breaks in the text are escaped.

    On a terminal, the line has a style: `bold=True` or `dim=True`.
    """
    line = escape_cell(text)
    if style and is_terminal(sys.stdout):
        line = click.style(line, **style)
    _print(line, err=err)


def print_text(text: str, *, err: bool = False) -> None:
    """Print a text of several lines, whose line breaks are this package's own."""
    _print(escape(text), err=err)


def ask(question: str) -> bool:
    """Ask on the terminal. Return whether the answer is yes."""
    _print(f"{escape_cell(question)} [y/N] ", err=True, end="")
    return sys.stdin.readline().strip().casefold() in ("y", "yes")


def _print(text: str, *, err: bool = False, end: str = "\n") -> None:
    stream = sys.stderr if err else sys.stdout
    if stream is None:  # a closed one: print would take standard output in its place
        return
    for progress in _shown:
        progress.clear()
    # Each line at once, so that lines of both streams keep their order in a log.
    print(text, end=end, file=stream, flush=True)


def print_json(report: "BaseModel") -> None:
    """Print a report as JSON."""
    # pydantic's own JSON refuses lone surrogates, which the name of a file can have.
    document = json.dumps(report.model_dump(mode="json"), indent=2, ensure_ascii=False)
    print_text(document)


def is_terminal(stream: IO[str] | None) -> bool:
    """Return whether a standard stream is a terminal. Python has none for a closed one."""
    return stream is not None and stream.isatty()


def terminal() -> "Console | None":
    """Open the terminal of standard output; None if standard output is not a terminal."""
    if not is_terminal(sys.stdout):
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
    from rich.table import Table
    from rich.text import Text

    every_row = [heads, *(row for _, rows in sections for row in rows)]
    widths = [
        max(cell_width(escape_cell(cell)) for cell in column)
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
        self.is_shown = is_terminal(sys.stderr)
        self._updated = 0.0
        self._live: Live | None = None

    def __enter__(self) -> "ProgressLine":
        _shown.append(self)
        return self

    def __exit__(self, *_: Any) -> None:
        self.clear()
        _shown.remove(self)

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


#: The lines of progress that are open.
_shown: list[ProgressLine] = []
