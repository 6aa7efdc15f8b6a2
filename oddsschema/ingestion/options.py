"""The options of an ingestion, and of the storage of captures."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, get_args

from pydantic import ConfigDict, TypeAdapter, ValidationError

from oddsschema.contracts.scalars import Slug
from oddsschema.database.clock import MAX_AHEAD
from oddsschema.database.durations import require_duration_fields
from oddsschema.database.time_limits import ANSWER_WITHIN, RETRY_FOR
from oddsschema.ingestion.limits import DEFAULT_LIMITS, Limits
from oddsschema.ingestion.report import Doubt, IngestProgress, Refusal
from oddsschema.reference import REFERENCE

_SLUG: TypeAdapter[str] = TypeAdapter(Slug, config=ConfigDict(defer_build=True))

#: The way of storage. "changes": the differences from the last capture of the event; "complete":
#: every market of every capture.
Store = Literal["changes", "complete"]


def is_slug(value: object) -> bool:
    """Return whether a value is a slug as it is stored, without spaces around it."""
    try:
        return _SLUG.validate_python(value) == value
    except ValidationError:
        return False


@dataclass(frozen=True, kw_only=True)
class StorageOptions:
    """The options of the storage of captures, and of keyframes: snapshots with every market."""

    store: Store = "changes"
    #: The limit on rows of changes since the last keyframe, as a share of the markets on offer. A
    #: snapshot beyond it becomes a keyframe. A larger share stores less, and makes reads slower.
    keyframe_share: float = 1.0
    #: The age of the last keyframe above which a snapshot with changes becomes a keyframe at the
    #: latest. Each event has an age of its own, between half of this one and all of it: the
    #: keyframes of a scrape's events come in different scrapes.
    keyframe_age: timedelta = timedelta(days=1)
    #: The bookmaker whose captures change events and tournaments. On its side, captures of other
    #: bookmakers only add events that are missing, which its own first capture then describes.
    reference: str = REFERENCE

    def __post_init__(self) -> None:
        """Raise ValueError for an unknown way of storage, a negative duration and no slug.

        Raises TypeError for a duration that is no timedelta.
        """
        require_duration_fields(self)
        if self.store not in get_args(Store):
            raise ValueError(f"store must be one of {', '.join(get_args(Store))}: {self.store!r}")
        if not is_slug(self.reference):
            raise ValueError(
                "reference must be the slug of a bookmaker, such as 'betpawa' (lower case letters, "
                f"digits, '_' and '-', at most 20 characters): {self.reference!r}"
            )


@dataclass(frozen=True, kw_only=True)
class IngestOptions(StorageOptions):
    """The options of an ingestion."""

    #: Whether to store the raw_response of each capture.
    keep_raw: bool = False
    #: Whether an invalid market, or a doubt, refuses its whole capture.
    strict: bool = False
    #: The limits on the size of captures.
    limits: Limits = DEFAULT_LIMITS
    #: The time by which a capture may be ahead of PostgreSQL's clock. A capture beyond it is
    #: refused; None refuses none.
    max_ahead: timedelta | None = MAX_AHEAD
    #: The number of rows (mostly of markets) per transaction: small enough for early writes and
    #: little memory, large enough for cheap commits.
    chunk_rows: int = 20_000
    #: The time after which captures are committed, even if they do not fill a chunk; 0 for never.
    flush_after: timedelta = timedelta(seconds=5)
    #: The time for retries after transient errors, from the first failure.
    retry_for: timedelta = RETRY_FOR
    #: The time for the server's answer to a statement, after which the connection is lost; 0 for no
    #: limit. For a COPY, it counts from the last block that the connection took.
    answer_within: timedelta = ANSWER_WITHIN
    #: The time for the commit of accepted captures after a cancellation (Ctrl-C).
    close_within: timedelta = timedelta(seconds=10)
    #: Whether SIGTERM is handled as SIGINT (Ctrl-C) while the batch is open. Only the main thread
    #: can handle signals.
    sigterm_as_sigint: bool = False
    #: Callback for each refusal, with the verbatim capture.
    on_refusal: Callable[[Refusal], None] | None = None
    #: Callback for each doubt.
    on_doubt: Callable[[Doubt], None] | None = None
    #: Callback for the progress of the batch, called at each capture.
    on_progress: Callable[[IngestProgress], None] | None = None
