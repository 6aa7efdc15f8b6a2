"""The columns of a table: SQL types and CHECKs that derive from the fields, and common fields.

A bound is declared once, on the type (`oddsschema.contracts.scalars`). If the SQL type does not
enforce a bound, a CHECK does. Therefore no other writer can store a value that the contract
refuses.
"""

from collections.abc import Iterator
from datetime import datetime
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from annotated_types import Ge, Le, Lt, MaxLen, MinLen
from pydantic import StringConstraints
from pydantic.fields import FieldInfo
from sqlalchemy import BigInteger, Boolean, Double, Enum, Integer, String, Text, func, text
from sqlalchemy.types import TypeEngine
from sqlmodel import Field
from sqlmodel.sql.sqltypes import UTCDateTime

from oddsschema.contracts.scalars import NO_NUL, WHITE_SPACE


def unwrap_annotation(annotation: Any) -> tuple[Any, list[Any]]:
    """Split an annotation into its Python type and the marks of its `Annotated`.

    The type has neither `Annotated` nor `None`. Marks that contain several marks are expanded.
    """
    if get_origin(annotation) in (Union, UnionType):
        (annotation,) = (arg for arg in get_args(annotation) if arg is not NoneType)
    if get_origin(annotation) is not Annotated:
        return annotation, []
    inner, *own_marks = get_args(annotation)
    python_type, marks = unwrap_annotation(inner)
    for mark in own_marks:
        if isinstance(mark, FieldInfo):
            marks.extend(mark.metadata)
        elif isinstance(mark, StringConstraints):
            marks.extend(mark)
        else:
            marks.append(mark)
    return python_type, marks


# -- SQL types -------------------------------------------------------------------------------------


def column_type(field: FieldInfo) -> TypeEngine[Any]:
    """Derive the SQL type of a field's column from its scalar.

    An SQL type in the scalar's `Annotated` has priority.

    Raises TypeError if the Python type implies no SQL type.
    """
    python_type, marks = unwrap_annotation(field.rebuild_annotation())
    for mark in marks:
        if isinstance(mark, TypeEngine):
            return mark
    if issubclass(python_type, str):
        lengths = [mark.max_length for mark in marks if isinstance(mark, MaxLen)]
        return String(lengths[0]) if lengths else Text()
    if issubclass(python_type, bool):
        return Boolean()
    if issubclass(python_type, float):
        return Double()
    if issubclass(python_type, datetime):
        return UTCDateTime()
    raise TypeError(f"no SQL type is known for {python_type}: add one to its Annotated[...]")


# -- CHECKs ----------------------------------------------------------------------------------------


def column_check(column: str, field: FieldInfo) -> str | None:
    """Derive the SQL condition of a column's CHECK from its field.

    Returns None if the SQL type enforces all bounds. A mark with a `condition` (SQL, with `{}` for
    the column) replaces the conditions of the other marks, because it implies them. A pattern does
    the same.
    """
    _, marks = unwrap_annotation(field.rebuild_annotation())
    conditions = [
        mark.condition.replace("{}", column) for mark in marks if hasattr(mark, "condition")
    ]
    conditions = conditions or list(bound_conditions(column, marks))
    return " AND ".join(conditions) or None


def bound_conditions(column: str, marks: list[Any]) -> Iterator[str]:
    """Yield an SQL condition for each bound that the column's SQL type does not enforce."""
    sql_type = next((mark for mark in marks if isinstance(mark, TypeEngine)), None)
    pattern = next((mark.pattern for mark in marks if getattr(mark, "pattern", None)), NO_NUL)
    if isinstance(sql_type, Enum):
        yield f"{column} IN ({', '.join(map(sql_literal, sql_type.enums))})"
    if pattern != NO_NUL:
        yield f"{column} ~ {sql_literal(pattern)}"
        return
    for mark in marks:
        if isinstance(mark, MinLen):
            least = mark.min_length
            yield f"{column} <> ''" if least == 1 else f"length({column}) >= {least}"
        elif isinstance(mark, Ge) and mark.ge != _RANGES.get(type(sql_type), (None,))[0]:
            yield f"{column} >= {sql_literal(mark.ge)}"
        elif isinstance(mark, Le) and mark.le != _RANGES.get(type(sql_type), (None,))[-1]:
            yield f"{column} <= {sql_literal(mark.le)}"
        elif isinstance(mark, Lt):
            yield f"{column} < {sql_literal(mark.lt)}"
        elif getattr(mark, "strip_whitespace", None):
            # Comparing code points takes a third less time than a regular expression, for each row.
            for end in (column, f"right({column}, 1)"):
                yield f"ascii({end}) NOT IN ({', '.join(map(str, WHITE_SPACE))})"
        elif getattr(mark, "allow_inf_nan", None) is False:
            # PostgreSQL sorts NaN after all other values.
            yield f"{column} > '-Infinity' AND {column} < 'Infinity'"


def sql_literal(value: Any) -> str:
    """Write a number, or a text without quotes in it, as an SQL literal."""
    return str(value) if isinstance(value, int | float) else f"'{value}'"


#: The smallest and the largest value of the integer types.
_RANGES: dict[Any, tuple[int, int]] = {
    Integer: (-(2**31), 2**31 - 1),
    BigInteger: (-(2**63), 2**63 - 1),
}

# -- fields ----------------------------------------------------------------------------------------


def primary_key() -> Any:
    """Declare the id of a row, which PostgreSQL assigns."""
    return Field(
        default=None, primary_key=True, description="The id of the row, assigned by PostgreSQL."
    )


def foreign_key(
    target: str,
    description: str | None = None,
    *,
    ondelete: Any = None,
    nullable: bool = False,
) -> Any:
    """Declare a reference to `target` ("table.column").

    The constructor does not require it, because a relationship can fill it.
    """
    on_delete = {} if ondelete is None else {"ondelete": ondelete}
    return Field(
        default=None,
        foreign_key=target,
        nullable=nullable,
        description=description,
        **on_delete,
    )


def server_time(description: str, *, of_statement: bool = False, of_update: bool = False) -> Any:
    """Declare a time with the default now(), which PostgreSQL sets.

    `of_statement`: what SQLAlchemy inserts has the time of the statement, not of the transaction.
    `of_update`: what SQLAlchemy updates gets the time of the update's transaction.
    """
    inserted = {"default": func.clock_timestamp()} if of_statement else {}
    updated = {"onupdate": func.now()} if of_update else {}
    return Field(
        default=None,
        nullable=False,
        sa_column_kwargs={"server_default": text("now()"), **inserted, **updated},
        description=description,
    )


def defaulted(value: Any, description: str) -> Any:
    """Declare a NOT NULL column with the same default in Python and in the database."""
    server_default = str(value) if isinstance(value, str) else text(str(value).lower())
    return Field(
        default=value,
        nullable=False,
        sa_column_kwargs={"server_default": server_default},
        description=description,
    )
