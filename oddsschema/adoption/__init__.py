"""Adoption: the odds of another program's tables, in the form of the plan, become ours.

The way of a database, from the top module down:

1. `steps` (`adopt`) opens both databases, and runs the steps in their order.
2. `scrape_copies` copies batches, runs and errors, and maps their ids.
3. `source_captures` reads snapshots with their markets, and makes captures of them, which go
   through `oddsschema.ingestion` like all others.
4. `proof` reads every snapshot back, compares it, and sets its run.
5. `reference_rows` counts events and tournaments on both sides, and deletes softly those that were.
6. `source_tables` knows the tables and columns of the plan, and finds them in the source.
   `local_times` converts times without a zone, and `report` has the result.

The source is read in one transaction, which sees one state of it, and never written to. Nothing is
stored twice, because every row has a natural key: an adoption that was interrupted is repeated.
"""

from oddsschema.adoption.report import AdoptProgress, AdoptReport, TableCounts
from oddsschema.adoption.steps import adopt

__all__ = ["AdoptProgress", "AdoptReport", "TableCounts", "adopt"]
