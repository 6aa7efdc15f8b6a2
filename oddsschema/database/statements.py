"""Selects of SQLAlchemy as SQL text and arguments, for asyncpg."""

from typing import Any

from sqlalchemy import Executable


def compiled(statement: Executable) -> tuple[str, list[Any]]:
    """Compile a select to SQL text with $1, $2, ... and the list of its arguments."""
    from sqlalchemy.dialects.postgresql.asyncpg import dialect

    untyped_statement: Any = statement
    untyped_dialect: Any = dialect
    result = untyped_statement.compile(
        dialect=untyped_dialect(), compile_kwargs={"render_postcompile": True}
    )
    return str(result), [result.params[name] for name in result.positiontup or ()]
