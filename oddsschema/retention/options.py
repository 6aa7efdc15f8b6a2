"""The options of a prune."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

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
    #: The time for retries after transient errors.
    retry_for: timedelta = timedelta(minutes=1)
    #: Callback for the report so far, called after each transaction.
    on_progress: Callable[[PruneReport], None] | None = None
