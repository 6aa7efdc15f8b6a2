"""What a capture and its file may cost at most.

Whatever exceeds a limit is refused, with its place and the limit's name; everything else goes on.
Together they bound the memory of an ingestion, whatever it is fed.
"""

from dataclasses import dataclass, field, fields

from annotated_types import MaxLen

from oddsschema.models import Market

#: How deep the JSON parser of pydantic-core goes, whatever it is asked. Of Python objects, pydantic
#: would take somewhat more.
PARSER_DEPTH = 200

#: How many outcomes the contract lets a market have.
_OUTCOMES: int = next(
    mark.max_length for mark in Market.model_fields["outcomes"].metadata if isinstance(mark, MaxLen)
)


def _limit(default: int, at_least: int, at_most: int, help: str) -> int:
    metadata = {"at_least": at_least, "at_most": at_most, "help": help}
    limit: int = field(default=default, metadata=metadata)
    return limit


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds on hostile and broken input. Raises ValueError for one that cannot be held to."""

    #: A capture that is a Python object has no line: of that, the raw_response is held to it, as
    #: JSON, when it is to be stored. (JSONB takes 256 MiB in one array or object, and up to six
    #: times as much as the JSON text.)
    line_bytes: int = _limit(4 * 2**20, 1, 32 * 2**20, "Bytes of a line.")
    #: The capture itself is not counted. Its markets' outcomes are on the fourth level.
    depth: int = _limit(PARSER_DEPTH, 4, PARSER_DEPTH, "Arrays and objects inside one another.")
    markets: int = _limit(5_000, 1, 1_000_000, "Markets of a capture.")
    outcomes: int = _limit(_OUTCOMES, 1, _OUTCOMES, "Outcomes of a market.")
    gzip_bytes: int = _limit(4 * 2**30, 1, 2**50, "Bytes that a .gz file may unpack to.")

    def __post_init__(self) -> None:
        for one in fields(self):
            value, least, most = getattr(self, one.name), *self.range(one.name)
            if not least <= value <= most:
                raise ValueError(
                    f"Limits.{one.name} is {value:,}, and must be {least:,} to {most:,}"
                )

    @classmethod
    def range(cls, name: str) -> tuple[int, int]:
        """The least and the most that a limit can be set to."""
        metadata = next(one.metadata for one in fields(cls) if one.name == name)
        return metadata["at_least"], metadata["at_most"]

    def exceeded(self, name: str, found: str) -> str:
        """The reason for a refusal: what was found, and which limit it exceeds."""
        limit = getattr(self, name)
        if limit == self.range(name)[1]:
            return f"{found}: there can be no more than {limit:,}"
        return f"{found}: the limit is {limit:,} (Limits.{name}, {option_name(name)})"


def option_name(name: str) -> str:
    """The command line's option for a limit: "--max-line-bytes" for line_bytes."""
    return f"--max-{name.replace('_', '-')}"


#: The limits, unless told otherwise. The reasons for them are in docs/hostile.md.
DEFAULT_LIMITS = Limits()
