"""Selects as Arrow tables and record batches, for pandas, polars, DuckDB and files.

>>> prices = await frames.read_table(url, queries.prices(since))
>>> prices.to_pandas(), polars.from_arrow(prices), duckdb.sql("SELECT avg(odds) FROM prices")

The rows come by COPY, in blocks, and Arrow reads each block by column: no object is made for a row.
The extra `frames` installs Arrow. The modules:

- `columns`: the types of the columns
- `blocks`: the blocks of a COPY
- `reads`: the reads
"""

from oddsschema.frames.columns import schema_of
from oddsschema.frames.reads import read_batches, read_table

__all__ = ["read_batches", "read_table", "schema_of"]
