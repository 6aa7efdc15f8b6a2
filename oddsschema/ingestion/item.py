"""An item: a capture as a source delivers it, before its validation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from oddsschema.capture import Capture
from oddsschema.ingestion.report import Doubt, Problem, Refusal

#: A capture as delivered: an object, a dict, or a JSON object as text. A dict may have contracts'
#: objects and tables' rows in it.
RawCapture = Capture | Mapping[str, Any] | bytes | str


@dataclass(frozen=True, slots=True)
class Item:
    """A capture before its validation, with its position."""

    file: str
    line: int
    payload: RawCapture | None
    #: The reason for a missing payload: the line is too long, or the file is damaged.
    unreadable: str | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    def refused(self, *problems: Problem, capture: Any, markets: int | None = None) -> Refusal:
        """Make the refusal of this item; with `markets`, of that many of its markets."""
        return Refusal(
            file=self.file, line=self.line, markets=markets, problems=problems, capture=capture
        )

    def doubted(self, problem: Problem) -> Doubt:
        """Make a doubt about this item."""
        return Doubt(file=self.file, line=self.line, problem=problem)
