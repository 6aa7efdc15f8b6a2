"""Captures in, rows out: `ingest` reads, validates, writes by COPY, and reports."""

from oddsschema.ingest.batch import Batch, Run, batch
from oddsschema.ingest.read import Item, read_files
from oddsschema.ingest.report import IngestReport, Problem, Refusal, RunReport
from oddsschema.ingest.stream import ingest
from oddsschema.ingest.validate import validate

__all__ = [
    "Batch",
    "IngestReport",
    "Item",
    "Problem",
    "Refusal",
    "Run",
    "RunReport",
    "batch",
    "ingest",
    "read_files",
    "validate",
]
