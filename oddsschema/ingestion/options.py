"""The options of an ingestion, and of the way in which captures are stored."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, get_args

from oddsschema.ingestion.limits import DEFAULT_LIMITS, Limits
from oddsschema.ingestion.report import Refusal

#: "complete": every market of every capture is stored. "changes": what differs from the last one.
Store = Literal["changes", "complete"]


@dataclass(frozen=True, kw_only=True)
class StorageOptions:
    """What of a capture is stored, and when a snapshot is a keyframe."""

    store: Store = "changes"
    #: A keyframe comes when the rows of changes since the last one exceed this share of the markets
    #: that are offered: more of it means less to store, and more to read.
    keyframe_share: float = 1.0
    #: And when something changes and the last one is older than this.
    keyframe_age: timedelta = timedelta(days=1)

    def __post_init__(self) -> None:
        """Raise ValueError for a way to store that there is not."""
        if self.store not in get_args(Store):
            raise ValueError(f"store must be one of {', '.join(get_args(Store))}: {self.store!r}")


@dataclass(frozen=True, kw_only=True)
class IngestOptions(StorageOptions):
    """How captures are ingested."""

    #: Store each capture's raw_response.
    keep_raw: bool = False
    #: One bad market sinks its capture.
    strict: bool = False
    #: What is refused for its size.
    limits: Limits = DEFAULT_LIMITS
    #: How many rows (markets, mostly) are committed at a time: few enough to start writing soon and
    #: to keep memory flat, many enough that a commit costs little beside them.
    chunk_rows: int = 20_000
    #: For how many seconds what fails for a passing reason is tried again.
    retry_for: float = 60
    #: Called with each refusal, verbatim capture included, as it happens.
    on_refusal: Callable[[Refusal], None] | None = None
    #: Called with how many captures, markets and refusals the batch has come to, at each capture.
    on_progress: Callable[[int, int, int], None] | None = None
