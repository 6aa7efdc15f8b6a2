"""Retention: the deletion of history before a cutoff, and the sizes of the tables."""

from oddsschema.retention.options import PruneOptions
from oddsschema.retention.pruning import prune
from oddsschema.retention.report import Kept, PruneReport, Removed
from oddsschema.retention.sizes import SizeReport, TableSize, size

__all__ = [
    "Kept",
    "PruneOptions",
    "PruneReport",
    "Removed",
    "SizeReport",
    "TableSize",
    "prune",
    "size",
]
