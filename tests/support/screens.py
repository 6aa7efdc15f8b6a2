"""The program, run in this process, and the characters that it must not print."""

import io
import sys
import unicodedata
from contextlib import redirect_stderr, redirect_stdout
from typing import NamedTuple
from unittest import mock

from hypothesis import strategies as st

from oddsschema.cli import main
from tests.support.hostile_texts import HOSTILE

#: Characters of the category Cf that names need: joiners, and the visible signs of some scripts.
_PRINTED = {0x200C, 0x200D, *range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD}
_PRINTED |= {0x110CD, *range(0x13430, 0x13440), *range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B)}

#: Every character that acts on a terminal, hides, or is not allowed in XML: those of the categories
#: control, format, line separator, paragraph separator and surrogate, and two noncharacters.
UNSAFE = [
    chr(code)
    for code in range(sys.maxunicode + 1)
    if unicodedata.category(chr(code)) in ("Cc", "Cf", "Zl", "Zp", "Cs") and code not in _PRINTED
] + ["\ufffe", "\uffff"]

#: Names that draw a formula, hide from a legend, clear a screen, or forge a row.
NAMES = (
    *("$x^$", "$\\frac{$", "_hidden", "a\nBatch 99  betpawa ✓", "\x1b[2J", "\x1b]0;title\x07"),
    *("\u202eevil", "a\u2028b", "<b>&amp;", "日本 - 中国", "e\u0301\u200d", "[red]x[/red]"),
)


def unsafe_characters(text: str) -> set[str]:
    """Return the unsafe characters of a text."""
    return set(text).intersection(UNSAFE)


def unsafe_texts() -> st.SearchStrategy[str]:
    """Draw texts with many unsafe characters."""
    return st.text(st.sampled_from(UNSAFE) | st.characters())


def names() -> st.SearchStrategy[str]:
    """Draw names that the contracts accept, as hostile as possible."""
    storable = st.sampled_from([c for c in UNSAFE if c != "\0" and not 0xD800 <= ord(c) <= 0xDFFF])
    ordinary = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
    texts = st.text(storable | ordinary, max_size=20).map(lambda text: f"x{text}x")
    return st.sampled_from([*NAMES, *(text.strip() for text in HOSTILE)]) | texts


class Ended(NamedTuple):
    """A program that has ended."""

    code: int
    stdout: str
    stderr: str


def program(*arguments: str) -> Ended:
    """Run `oddsschema` in this process."""
    out, errors, code = io.StringIO(), io.StringIO(), 0
    with (
        redirect_stdout(out),
        redirect_stderr(errors),
        mock.patch.object(sys, "argv", ["oddsschema", *arguments]),
    ):
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    return Ended(code, out.getvalue(), errors.getvalue())
