"""Captures in, rows out: `ingest` reads, validates, writes by COPY, and reports."""

from oddsschema.ingestion.batches import Batch, batch
from oddsschema.ingestion.dispatch import ingest
from oddsschema.ingestion.limits import Limits
from oddsschema.ingestion.options import IngestOptions
from oddsschema.ingestion.report import IngestReport, Problem, Refusal, RunReport
from oddsschema.ingestion.run import Run
from oddsschema.ingestion.sources import Item, Source, read_files, stream_files
from oddsschema.ingestion.validation.diagnosis import problems
from oddsschema.ingestion.validation.validator import reject, validate

__all__ = [
    "Batch",
    "IngestOptions",
    "IngestReport",
    "Item",
    "Limits",
    "Problem",
    "Refusal",
    "Run",
    "RunReport",
    "Source",
    "batch",
    "ingest",
    "problems",
    "read_files",
    "reject",
    "stream_files",
    "validate",
]
