"""Scrapes on record: batches, their runs, and the errors of runs.

- `bookkeeping`: writes of batches, runs and errors
- `summaries`: reads of batches with their runs
- `stale`: batches whose process has died
- `unmapped`: reads of the markets that scrapers could not map

The functions for batches are public: `oddsschema.scrapes.newest_batches(url)`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oddsschema.scrapes.stale import close_stale as close_stale
    from oddsschema.scrapes.stale import stale_batches as stale_batches
    from oddsschema.scrapes.summaries import BatchList as BatchList
    from oddsschema.scrapes.summaries import BatchSummary as BatchSummary
    from oddsschema.scrapes.summaries import RunSummary as RunSummary
    from oddsschema.scrapes.summaries import newest_batches as newest_batches

#: The public names, with their modules: an ingestion does not need the queries that they import.
_MODULES = {
    "BatchList": "summaries",
    "BatchSummary": "summaries",
    "RunSummary": "summaries",
    "close_stale": "stale",
    "newest_batches": "summaries",
    "stale_batches": "stale",
}

__all__ = [
    "BatchList",
    "BatchSummary",
    "RunSummary",
    "close_stale",
    "newest_batches",
    "stale_batches",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"oddsschema.scrapes.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'oddsschema.scrapes' has no attribute {name!r}")
