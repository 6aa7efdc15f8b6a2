"""The reads of selects as Arrow tables and record batches."""

import asyncio
import io
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from oddsschema.database.literals import sql_with_literals
from oddsschema.database.retry import as_package_error
from oddsschema.database.targets import Connection, Target, open_source
from oddsschema.database.time_limits import LONG_ANSWER_WITHIN
from oddsschema.frames.blocks import BLOCK, Blocks
from oddsschema.frames.columns import Column, arrow, schema_of, sent_rows

if TYPE_CHECKING:
    import pyarrow

#: The form of the values, whatever the defaults of the role and of the connection are.
_SETTINGS = """
SET LOCAL TimeZone = 'UTC';
SET LOCAL DateStyle = 'ISO';
SET LOCAL extra_float_digits = 1;
SET LOCAL client_encoding = 'UTF8';
SET LOCAL standard_conforming_strings = on;
SET LOCAL jit = off
"""


async def read_table(target: Target, statement: Any) -> "pyarrow.Table":
    """Read a select as an Arrow table.

    Times are in UTC, in microseconds; names are dictionary-encoded; integers may be null. Outcomes
    are lists of structs. pandas takes it by `.to_pandas()`, polars by `polars.from_arrow`, DuckDB
    by its name in a query.

    Raises MissingExtraError without pyarrow, TypeError for a column whose type has no Arrow type,
    and DatabaseUnavailableError.
    """
    pa = arrow()
    batches = [batch async for batch in read_batches(target, statement)]
    table: pyarrow.Table = pa.Table.from_batches(batches, schema_of(statement))
    return table.unify_dictionaries()


async def read_batches(
    target: Target, statement: Any, *, block_size: int = BLOCK
) -> AsyncGenerator["pyarrow.RecordBatch", None]:
    """Read a select as a stream of Arrow record batches, in bounded memory.

    A batch is made of a block of `block_size` bytes of PostgreSQL's text. A consumer that is slow
    makes the server wait. All batches come from one statement: they show the database at one
    instant. A consumer that stops early closes the stream: its connection ends, except for a
    connection of the caller's, from which the other rows are read and dropped. See `read_table` for
    the types and errors.
    """
    query, columns = sent_rows(statement)
    copy = sql_with_literals(query)
    async with _connected(target) as (connection, is_borrowed), _rolled_back(connection):
        await connection.execute(_SETTINGS)
        # At most one block waits: the reader of the connection stops meanwhile.
        waiting: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=1)
        blocks = Blocks(block_size)
        is_stopped = False

        async def give(block: bytes) -> None:
            if not is_stopped:
                await waiting.put(block)

        async def take(data: bytes) -> None:
            for block in blocks.add(data):
                await give(block)

        async def run() -> None:
            try:
                await connection.copy_from_query(copy, output=take, format="csv")
                for block in blocks.last():
                    await give(block)
            finally:
                with suppress(asyncio.QueueFull):
                    waiting.put_nowait(None)

        reading = asyncio.ensure_future(run())
        try:
            while not (reading.done() and waiting.empty()):
                block = await waiting.get()
                if block is None:
                    break
                for batch in await asyncio.to_thread(batches_of, block, columns):
                    yield batch
            await reading
        finally:
            is_stopped = True
            if not reading.done():
                if is_borrowed:
                    if waiting.full():
                        waiting.get_nowait()
                else:
                    # A COPY that is cancelled leaves the connection in use for some time.
                    connection.terminate()
                    reading.cancel()
                await asyncio.wait([reading])
            if reading.done() and not reading.cancelled():
                reading.exception()


def batches_of(block: bytes, columns: Sequence[Column]) -> "list[pyarrow.RecordBatch]":
    """Convert whole rows of PostgreSQL's CSV to record batches."""
    pa = arrow()
    from pyarrow import csv

    names = [column.name for column in columns]
    table = csv.read_csv(
        io.BytesIO(block),
        read_options=csv.ReadOptions(column_names=names, block_size=max(len(block), 1)),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types={column.name: column.read_as for column in columns},
            null_values=[""],
            # PostgreSQL quotes an empty text, and not NULL.
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["t"],
            false_values=["f"],
        ),
    )
    batches = []
    for batch in table.to_batches():
        arrays = [
            column.convert(values) for column, values in zip(columns, batch.columns, strict=True)
        ]
        schema = pa.schema([(column.name, column.type) for column in columns])
        batches.append(pa.RecordBatch.from_arrays(arrays, schema=schema))
    return batches


@asynccontextmanager
async def _rolled_back(connection: Connection) -> AsyncIterator[None]:
    """Begin a transaction, or a savepoint, and roll it back, so that a caller's settings return."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield
    finally:
        if not connection.is_closed():
            await transaction.rollback()


@asynccontextmanager
async def _connected(target: Target) -> AsyncIterator[tuple[Connection, bool]]:
    """Take a connection of a target; yield also whether it is the caller's.

    Raises DatabaseUnavailableError if it is lost.
    """
    try:
        async with open_source(target, LONG_ANSWER_WITHIN) as source, source.acquire() as taken:
            if source.is_borrowed:
                await source.begin()
            yield taken, source.is_borrowed
    except Exception as error:
        failure = as_package_error(error)
        if failure is None or failure is error:
            raise
        raise failure from error
