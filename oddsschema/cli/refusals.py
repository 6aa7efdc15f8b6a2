"""The refusals, and the doubts, on standard error: the first ones, and the number of the others."""

from contextlib import AbstractContextManager

from oddsschema.cli.output import print_line
from oddsschema.ingestion import Doubt, Refusal
from oddsschema.ingestion.report import MOST_LISTED


class RefusalLines(AbstractContextManager["RefusalLines"]):
    """Lines that begin with a word, for refusals or for doubts, as many as a run lists.

    At the end, a last line has the number of the others.
    """

    def __init__(self, word: str) -> None:
        self._word = word
        self._found = 0

    def __exit__(self, *_: object) -> None:
        if (more := self._found - MOST_LISTED) > 0:
            self._print(f"{more:,} more, which are counted and not printed")

    def add(self, found: Refusal | Doubt) -> None:
        """Print a refusal or a doubt, unless enough of them are printed."""
        self._found += 1
        if self._found <= MOST_LISTED:
            self._print(str(found))

    def _print(self, text: str) -> None:
        print_line(f"{self._word}: {text}", err=True)
