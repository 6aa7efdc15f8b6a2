"""Statements in asyncpg's form, and their plans."""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import Executable
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.sql.compiler import SQLCompiler

if TYPE_CHECKING:
    import asyncpg

_DIALECT = dialect()
_IN_FULL = {"render_postcompile": True}


def compiled(statement: Executable) -> tuple[str, list[Any]]:
    """Return a statement and its arguments in asyncpg's form."""
    sql = cast(SQLCompiler, statement.compile(dialect=_DIALECT, compile_kwargs=_IN_FULL))
    processors = sql._bind_processors
    return str(sql), [
        processors[name](sql.params[name]) if name in processors else sql.params[name]
        for name in sql.positiontup or ()
    ]


async def explain(
    connection: "asyncpg.Connection[Any]", statement: Executable, options: str = "BUFFERS"
) -> Any:
    """Run a statement under EXPLAIN (ANALYZE) and return the plan."""
    return await explain_sql(connection, *compiled(statement), options)


async def explain_sql(
    connection: "asyncpg.Connection[Any]",
    sql: str,
    arguments: Sequence[Any],
    options: str = "BUFFERS",
) -> Any:
    """Run a text under EXPLAIN (ANALYZE) and return the plan."""
    plan = await connection.fetchval(f"EXPLAIN (ANALYZE, {options}, FORMAT JSON) {sql}", *arguments)
    return json.loads(plan)[0]


def nodes(plan: Any) -> Iterator[Any]:
    """List all nodes of a plan."""
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)
