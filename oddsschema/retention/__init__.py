"""Retention: the deletion of old history and of captures of the future, and the sizes of tables."""

from oddsschema.retention.options import PruneOptions
from oddsschema.retention.pruning import prune, prune_ahead
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
    "prune_ahead",
    "size",
]
