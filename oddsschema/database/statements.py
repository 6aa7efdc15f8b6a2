"""Selects of SQLAlchemy as SQL text and arguments, for asyncpg."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import JSON, Executable
from sqlalchemy.types import TypeDecorator


@dataclass(frozen=True)
class Compiled:
    """A select as SQL text, with what belongs to its arguments and its columns."""

    #: The text, with $1, $2, ... for the arguments.
    text: str
    #: The statement as compiled.
    sql: Any
    #: The names of the columns.
    columns: tuple[str, ...]
    #: The positions of the columns with JSON.
    json_columns: tuple[int, ...]

    def arguments(self, parameters: Mapping[str, Any]) -> list[Any]:
        """List the arguments, with values for the parameters that the statement names.

        Raises StatementError of SQLAlchemy for a parameter without a value.
        """
        values, convert = self.sql.construct_params(parameters), self.sql._bind_processors
        return [
            convert[name](values[name]) if name in convert else values[name]
            for name in self.sql.positiontup or ()
        ]


def compiled(statement: Executable) -> tuple[str, list[Any]]:
    """Compile a select to SQL text with $1, $2, ... and the list of its arguments."""
    result = compile_select(statement)
    return result.text, result.arguments({})


def compile_select(statement: Executable) -> Compiled:
    """Compile a select. A statement object is compiled once: programs that keep it do not wait."""
    found = _compiled.get(statement)
    if found is None:
        found = _compiled[statement] = _compile(statement)
    return found


_compiled: WeakKeyDictionary[Executable, Compiled] = WeakKeyDictionary()


def _compile(statement: Any) -> Compiled:
    from sqlalchemy.dialects.postgresql.asyncpg import dialect

    untyped_dialect: Any = dialect
    sql = statement.compile(dialect=untyped_dialect(), compile_kwargs={"render_postcompile": True})
    columns = list(statement.selected_columns)
    return Compiled(
        text=str(sql),
        sql=sql,
        columns=tuple(column.name for column in columns),
        json_columns=tuple(place for place, column in enumerate(columns) if _is_json(column.type)),
    )


def _is_json(type_: Any) -> bool:
    return isinstance(type_.impl if isinstance(type_, TypeDecorator) else type_, JSON)
