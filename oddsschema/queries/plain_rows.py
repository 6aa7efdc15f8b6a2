"""The rows of selects as plain tuples or dicts, without an object for each row."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal, overload

from sqlalchemy import Executable

from oddsschema.database.connections import Connection, Target, open_connections
from oddsschema.database.json_text import decode_json
from oddsschema.database.retry import as_package_error
from oddsschema.database.statements import Compiled, compile_select
from oddsschema.database.targets import open_source
from oddsschema.database.time_limits import LONG_ANSWER_WITHIN
from oddsschema.gc_threshold import RaisedThreshold

#: The rows that are fetched at a time when rows are streamed.
CHUNK_ROWS = 1_000

_NO_PARAMETERS: Mapping[str, Any] = {}


@overload
async def fetch_rows(
    target: Target,
    statement: Executable,
    parameters: Mapping[str, Any] = ...,
    *,
    as_dicts: Literal[False] = False,
) -> list[tuple[Any, ...]]: ...


@overload
async def fetch_rows(
    target: Target,
    statement: Executable,
    parameters: Mapping[str, Any] = ...,
    *,
    as_dicts: Literal[True],
) -> list[dict[str, Any]]: ...


async def fetch_rows(
    target: Target,
    statement: Executable,
    parameters: Mapping[str, Any] = _NO_PARAMETERS,
    *,
    as_dicts: bool = False,
) -> list[Any]:
    """Fetch the rows of a select as tuples, or as dicts by the names of the columns.

    A value is what asyncpg makes of the column: text, floats, aware times in UTC. JSON is decoded:
    the outcomes of a market are a list of dicts.

    A statement object is compiled once. A program that reads often keeps it, with parameters:
    `offers().where(Offer.event_id == bindparam("event"))`, and `{"event": 5}` as `parameters`. On a
    connection or a pool of asyncpg, the server also keeps the plan, as for any statement there.

    Raises DatabaseUnavailableError when no connection can be opened, and NotMigratedError when a
    table or a column is missing; on a connection or a pool of asyncpg, its own errors.
    """
    import asyncpg

    select = compile_select(statement)
    arguments = select.arguments(parameters)
    with RaisedThreshold():
        if isinstance(target, asyncpg.Connection | asyncpg.Pool):
            records = await target.fetch(select.text, *arguments)
        else:

            async def fetch(connection: Connection) -> Any:
                return await connection.fetch(select.text, *arguments)

            async with open_connections(target, remembers=False) as connections:
                records = await connections.transact(fetch)
        return _converter(select, as_dicts)(records)


@overload
def stream_rows(
    target: Target,
    statement: Executable,
    parameters: Mapping[str, Any] = ...,
    *,
    as_dicts: Literal[False] = False,
) -> AsyncIterator[tuple[Any, ...]]: ...


@overload
def stream_rows(
    target: Target,
    statement: Executable,
    parameters: Mapping[str, Any] = ...,
    *,
    as_dicts: Literal[True],
) -> AsyncIterator[dict[str, Any]]: ...


async def stream_rows(
    target: Target,
    statement: Executable,
    parameters: Mapping[str, Any] = _NO_PARAMETERS,
    *,
    as_dicts: bool = False,
) -> AsyncIterator[Any]:
    """Stream the rows of a select as `fetch_rows` gives them, 1,000 at a time.

    The memory that it takes does not depend on the number of rows. The rows come from a cursor in a
    transaction, which is open until the last row, or until the iterator is closed.

    Raises the errors of `fetch_rows`.
    """
    select = compile_select(statement)
    arguments = select.arguments(parameters)
    convert = _converter(select, as_dicts)
    async with _transaction(target) as connection:
        await connection.execute(
            f"DECLARE {_CURSOR} NO SCROLL CURSOR FOR {select.text}", *arguments
        )
        while records := await connection.fetch(f"FETCH FORWARD {CHUNK_ROWS} FROM {_CURSOR}"):
            for row in convert(records):
                yield row
        await connection.execute(f"CLOSE {_CURSOR}")


_CURSOR = "oddsschema_rows"


@asynccontextmanager
async def _transaction(target: Target) -> AsyncIterator[Connection]:
    try:
        async with open_source(target, LONG_ANSWER_WITHIN) as source, source.acquire() as opened:
            await source.begin()
            async with opened.transaction():
                yield opened
    except Exception as error:
        failure = as_package_error(error)
        if failure is None:
            raise
        raise failure from error


def _converter(select: Compiled, as_dicts: bool) -> Callable[[Sequence[Any]], list[Any]]:
    """Return the function that converts records of asyncpg."""
    names, places = select.columns, select.json_columns

    def values(record: Any) -> list[Any]:
        row = [*record]
        for place in places:
            # A connection of another program may have decoded it itself.
            if type(document := row[place]) is str:
                row[place] = decode_json(document)
        return row

    if as_dicts:
        return lambda records: [dict(zip(names, row, strict=True)) for row in map(values, records)]
    return lambda records: [tuple(row) for row in map(values, records)]
