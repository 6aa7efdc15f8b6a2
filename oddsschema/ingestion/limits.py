"""Limits: the largest capture, and the largest file, that an ingestion accepts.

Input over a limit is refused, with its position and the limit's name; the rest is ingested.
Together the limits bound the memory of an ingestion, whatever its input.
"""

from dataclasses import dataclass, field, fields

from annotated_types import MaxLen

from oddsschema.models import Market

#: The depth at which the JSON parser of pydantic-core stops; it cannot be changed. For Python
#: objects, pydantic accepts slightly deeper nesting.
PARSER_DEPTH = 200

#: The number of outcomes that the contract allows a market.
_OUTCOMES: int = next(
    mark.max_length for mark in Market.model_fields["outcomes"].metadata if isinstance(mark, MaxLen)
)


#: The greatest limit on the bytes of a line.
_LONGEST_LINE = 32 * 2**20


def _limit(default: int, at_least: int, at_most: int, help: str) -> int:
    metadata = {"at_least": at_least, "at_most": at_most, "help": help}
    limit: int = field(default=default, metadata=metadata)
    return limit


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds on hostile and broken input. Raises ValueError for a limit out of its range."""

    #: Bytes of a line. A capture that is a Python object has no line: the limit applies to its
    #: raw_response, as JSON, when that is stored. (JSONB takes 256 MiB in one array or object, and
    #: up to six times as much as the JSON text.)
    line_bytes: int = _limit(4 * 2**20, 1, _LONGEST_LINE, "Bytes of a line.")
    #: Nested arrays and objects, without the capture itself. Outcomes are on the fourth level.
    depth: int = _limit(PARSER_DEPTH, 4, PARSER_DEPTH, "Nested arrays and objects.")
    markets: int = _limit(5_000, 1, 1_000_000, "Markets of a capture.")
    outcomes: int = _limit(_OUTCOMES, 1, _OUTCOMES, "Outcomes of a market.")
    gzip_bytes: int = _limit(4 * 2**30, 1, 2**50, "Bytes that a .gz file may unpack to.")
    #: Bytes after which a line that has not ended ends its file, as /dev/zero. A line that could be
    #: accepted never does.
    endless_line_bytes: int = _limit(
        2**30, _LONGEST_LINE, 2**50, "Bytes after which a line without an end ends its file."
    )

    def __post_init__(self) -> None:
        for limit in fields(self):
            value, least, most = getattr(self, limit.name), *self.range(limit.name)
            if not least <= value <= most:
                raise ValueError(
                    f"Limits.{limit.name} is {value:,}, and must be {least:,} to {most:,}"
                )

    @classmethod
    def range(cls, name: str) -> tuple[int, int]:
        """Return the least and the greatest value of a limit."""
        metadata = next(limit.metadata for limit in fields(cls) if limit.name == name)
        return metadata["at_least"], metadata["at_most"]

    def exceeded(self, name: str, size: str) -> str:
        """Phrase the reason for a refusal: the size of the input, and the limit that it exceeds."""
        limit = getattr(self, name)
        if limit == self.range(name)[1]:
            return f"{size}: at most {limit:,} are possible"
        return f"{size}: the limit is {limit:,} ({name})"


#: The default limits. docs/reference/hostile-input.md gives the reasons for them.
DEFAULT_LIMITS = Limits()
