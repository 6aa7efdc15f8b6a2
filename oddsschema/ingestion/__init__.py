"""Ingestion: captures in, rows out.

The way of a capture, from the top module down:

1. `batches` (`ingest`, or a batch that a program opens itself; `ingester` keeps connections from
   one batch to the next) has a `run` for each platform. A
   run, or `dispatch` for captures of several platforms, asks `sources` for the next `item`, and
   obeys `options`.
   `files` reads files and pipes; `lines`, and `gzip_lines` for a .gz, cut them into items.
2. `validation.validator` turns the item into a record (`records`) or a refusal (`report`):
   `validation.fast_path` accepts nearly every line of JSON text, `validation.bounded_validator`
   decides on the others, and `validation.diagnosis` finds all errors of a bad one and the part of
   it that can be stored, with the texts of `validation.messages`. `validation.horizon` refuses
   captures of the future. `validation.doubts` and `validation.names` find captures that are most
   likely wrong. `limits` bounds every size.
3. `run` collects records in a chunk (`storage.chunk`); `pipeline` writes one chunk while the next
   is filled, each in one transaction, which is repeated after a transient error.
4. `storage.known_rows` finds the rows that exist, and locks the events. `storage.reference_events`
   and `storage.competitor_events` bring sports (`storage.sports`), tournaments
   (`storage.reference_tournaments`) and events up to date;
   `storage.matching` links the two sides, and compares them.
5. `storage.placement` finds the place of each capture in its event's history, `storage.state` reads
   the markets on offer before and compares, `storage.history` decides on the snapshots to write,
   `storage.history_rows` writes them, and `storage.binary_copy` encodes markets for COPY.
   `storage.unknown_markets` names the refused markets, which keep their state, and
   `storage.state_changes` corrects the snapshots after a late capture.
6. `run` counts the result, and `report` has it for the caller.

`oddsschema.gc_threshold` keeps Python's garbage collector from scanning captures in flight.
"""

from oddsschema.ingestion.batches import Batch, batch, ingest
from oddsschema.ingestion.files import read_files, stream_files
from oddsschema.ingestion.ingester import Ingester, connect
from oddsschema.ingestion.item import Item
from oddsschema.ingestion.limits import Limits
from oddsschema.ingestion.options import IngestOptions
from oddsschema.ingestion.report import (
    Doubt,
    IngestCounts,
    IngestProgress,
    IngestReport,
    Problem,
    Refusal,
    RunReport,
    ValidateReport,
)
from oddsschema.ingestion.run import Run
from oddsschema.ingestion.sources import Source
from oddsschema.ingestion.validation.horizon import Horizon
from oddsschema.ingestion.validation.messages import problems
from oddsschema.ingestion.validation.names import ScrapeNames
from oddsschema.ingestion.validation.validator import reject, validate

__all__ = [
    "Batch",
    "Doubt",
    "Horizon",
    "IngestCounts",
    "IngestOptions",
    "IngestProgress",
    "IngestReport",
    "Ingester",
    "Item",
    "Limits",
    "Problem",
    "Refusal",
    "Run",
    "RunReport",
    "ScrapeNames",
    "Source",
    "ValidateReport",
    "batch",
    "connect",
    "ingest",
    "problems",
    "read_files",
    "reject",
    "stream_files",
    "validate",
]
