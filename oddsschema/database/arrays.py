"""Arrays of rows, the parameters of statements that read them with unnest, and arrays of times.

Times are texts inside arrays: an array has the codec of its elements, and a connection of another
program may have a codec of its own for times.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple, get_type_hints

from pydantic_core import from_json

_TYPES: dict[Any, str] = {
    str: "text",
    str | None: "text",
    int: "int",
    int | None: "int",
    bool: "bool",
    datetime: "timestamptz",
}


def unnest(row: type[NamedTuple], first_parameter: int, **more: str) -> str:
    """Return `unnest($2::text[], $3::int[], ...) AS c (name, ...)`, a column for each field.

    `more` adds columns with their SQL types. `arrays` makes the arguments for the fields.
    """
    hints = get_type_hints(row)
    types = {name: _TYPES[hints[name]] for name in row._fields} | more
    parameters = (
        times(number) if sql_type == "timestamptz" else f"${number}::{sql_type}[]"
        for number, sql_type in enumerate(types.values(), first_parameter)
    )
    return f"unnest({', '.join(parameters)}) AS c ({', '.join(types)})"


def arrays(row: type[NamedTuple], rows: Sequence[NamedTuple]) -> list[list[Any]]:
    """Transpose rows into an array for each field of `row`: the arguments for `unnest`."""
    if not rows:
        return [[] for _ in row._fields]
    hints = get_type_hints(row)
    return [
        time_texts(column) if hints[name] is datetime else list(column)
        for name, column in zip(row._fields, zip(*rows, strict=True), strict=True)
    ]


def times(parameter: int) -> str:
    """Return the SQL of a parameter that is an array of times; `time_texts` makes the argument."""
    return f"${parameter}::text[]::timestamptz[]"


def time_texts(instants: Iterable[datetime | None]) -> list[str | None]:
    """Write times as texts, for `times`."""
    return [None if instant is None else instant.isoformat() for instant in instants]


def times_text(array: str) -> str:
    """Return the SQL of a text that has the times of an array; `read_times` reads the text."""
    return f"to_jsonb({array})::text"


def read_times(text: str | None) -> list[datetime]:
    """Read the times in a text of `times_text`; none in NULL."""
    return [] if text is None else list(map(datetime.fromisoformat, from_json(text)))
