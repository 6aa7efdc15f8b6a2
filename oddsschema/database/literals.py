"""Selects of SQLAlchemy as SQL text without parameters, for COPY and for the text of views."""

import json
from collections.abc import Callable
from typing import Any

from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg


class _LiteralJSONB(JSONB):
    """JSONB that can be written as a literal."""

    def literal_processor(self, dialect: Any) -> Callable[[Any], str]:
        """Return the function that writes a value as a literal."""
        return lambda value: f"'{json.dumps(value).replace(chr(39), chr(39) * 2)}'::jsonb"


_DIALECT = PGDialect_asyncpg()  # type: ignore[no-untyped-call]
_DIALECT.colspecs = {**PGDialect_asyncpg.colspecs, JSONB: _LiteralJSONB}


def sql_with_literals(statement: Any, *, schema: str | None = None) -> str:
    """Return a select as SQL with its parameters as literals, of tables in a schema if given."""
    compiled = statement.compile(
        dialect=_DIALECT,
        compile_kwargs={"literal_binds": True},
        schema_translate_map={} if schema is None else {None: schema},
        render_schema_translate=schema is not None,
    )
    return str(compiled)
