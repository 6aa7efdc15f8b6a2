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


def unnest(row: type[NamedTuple], first_parameter: int) -> str:
    """Return `unnest($2::text[], $3::int[], ...) AS c (name, ...)`, a column for each field.

    `arrays` makes the arguments.
    """
    types = get_type_hints(row)
    parameters = (
        f"${number}::{_TYPES[types[name]]}[]"
        for number, name in enumerate(row._fields, first_parameter)
    )
    return f"unnest({', '.join(parameters)}) AS c ({', '.join(row._fields)})"


def arrays(row: type[NamedTuple], rows: Sequence[NamedTuple]) -> list[list[Any]]:
    """Transpose rows into an array for each field of `row`: the arguments for `unnest`."""
    if not rows:
        return [[] for _ in row._fields]
    return [list(column) for column in zip(*rows, strict=True)]
