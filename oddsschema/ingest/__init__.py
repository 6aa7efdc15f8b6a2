"""Captures in, rows out: `ingest` reads, validates, writes by COPY, and reports."""

from oddsschema.ingest.report import IngestReport, Problem, Refusal, RunReport
from oddsschema.ingest.run import ingest

__all__ = ["IngestReport", "Problem", "Refusal", "RunReport", "ingest"]
