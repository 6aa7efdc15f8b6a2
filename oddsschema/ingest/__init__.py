"""Captures in, rows out: `ingest` reads, validates, writes by COPY, and reports."""

from oddsschema.ingest.batch import Batch, Options, Run, batch
from oddsschema.ingest.closely import problems
from oddsschema.ingest.limits import Limits
from oddsschema.ingest.read import Item, Source, read_files, stream_files
from oddsschema.ingest.report import IngestReport, Problem, Refusal, RunReport
from oddsschema.ingest.stream import ingest
from oddsschema.ingest.validate import reject, validate

__all__ = [
    "Batch",
    "IngestReport",
    "Item",
    "Limits",
    "Options",
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
