"""Arrays of rows: the parameters of statements that read them with unnest."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, get_type_hints

_TYPES: dict[Any, str] = {
    str: "text",
    str | None: "text",
    int: "int",
    int | None: "int",
    datetime: "timestamptz",
}


def unnest(row: type[NamedTuple], first_parameter: int, **more: str) -> str:
    """Return `unnest($2::text[], $3::int[], ...) AS c (name, ...)`, a column for each field.

    `more` adds columns with their SQL types. `arrays` makes the arguments for the fields.
    """
    hints = get_type_hints(row)
    types = {name: _TYPES[hints[name]] for name in row._fields} | more
    parameters = (
        f"${number}::{sql_type}[]"
        for number, sql_type in enumerate(types.values(), first_parameter)
    )
    return f"unnest({', '.join(parameters)}) AS c ({', '.join(types)})"


def arrays(row: type[NamedTuple], rows: Sequence[NamedTuple]) -> list[list[Any]]:
    """Transpose rows into an array for each field of `row`: the arguments for `unnest`."""
    if not rows:
        return [[] for _ in row._fields]
    return [list(column) for column in zip(*rows, strict=True)]
