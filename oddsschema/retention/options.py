"""The options of a prune."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from oddsschema.database.durations import require_duration_fields
from oddsschema.database.time_limits import LONG_ANSWER_WITHIN, RETRY_FOR
from oddsschema.retention.report import PruneReport


@dataclass(frozen=True, kw_only=True)
class PruneOptions:
    """The options of a prune."""

    #: The approximate number of rows per transaction. An ingestion of the same events waits for the
    #: end of the transaction.
    chunk_rows: int = 10_000
    #: The longest wait for an event that another session has locked. After a wait that failed,
    #: the prune waits for no other event.
    patience: timedelta = timedelta(seconds=10)
    #: The time for retries after transient errors, from the first failure.
    retry_for: timedelta = RETRY_FOR
    #: The time for the server's answer to a statement, after which the connection is lost; 0 for no
    #: limit.
    answer_within: timedelta = LONG_ANSWER_WITHIN
    #: Callback for the report so far, called after each transaction.
    on_progress: Callable[[PruneReport], None] | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for a negative duration, and TypeError for one that is no timedelta."""
        require_duration_fields(self)
