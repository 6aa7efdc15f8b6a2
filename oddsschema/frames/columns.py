"""The Arrow types of the columns of a select, and the form in which PostgreSQL sends them."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    ColumnElement,
    Date,
    DateTime,
    Enum,
    Float,
    FromClause,
    Integer,
    Interval,
    Numeric,
    SmallInteger,
    String,
    Text,
    cast,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator, TypeEngine

from oddsschema.contracts.outcomes import OutcomesJSONB
from oddsschema.errors import MissingExtraError

if TYPE_CHECKING:
    import pyarrow


def arrow() -> Any:
    """Import Arrow. Raises MissingExtraError without pyarrow."""
    try:
        import pyarrow
    except ImportError:
        raise MissingExtraError(package="pyarrow", extra="frames") from None
    return pyarrow


@dataclass(frozen=True)
class Column:
    """A column of a select."""

    name: str
    #: The type of the result.
    type: "pyarrow.DataType"
    #: The type as which Arrow reads PostgreSQL's text.
    read_as: "pyarrow.DataType"
    #: The column as PostgreSQL sends it.
    sent: ColumnElement[Any]

    def convert(self, values: Any) -> Any:
        """Convert the values that were read to the type of the result."""
        pa = arrow()
        if self.read_as == self.type:
            return values
        if pa.types.is_duration(self.type):
            return values.cast(self.type)
        # JSON: each text is parsed once.
        parsed = [json.loads(text) for text in values.dictionary.to_pylist()]
        return pa.array(parsed, self.type).take(values.indices)


def columns_of(rows: FromClause) -> list[Column]:
    """List the columns of a select, given as a subquery. Raises TypeError for unknown types."""
    return [_column(column) for column in rows.c]


def _column(column: Any) -> Column:
    pa = arrow()
    kind: TypeEngine[Any] = column.type
    names = pa.dictionary(pa.int32(), pa.string())
    result: Any
    if isinstance(kind, OutcomesJSONB):
        fields = {"name": pa.string(), "odds": pa.float64(), "is_active": pa.bool_()}
        outcomes = pa.list_(pa.struct(list(fields.items())))
        return Column(column.name, outcomes, names, cast(cast(column, JSONB), Text))
    if isinstance(kind, Interval):
        microseconds = func.extract("epoch", column) * 1_000_000
        result = pa.duration("us")
        return Column(column.name, result, pa.int64(), cast(microseconds, BigInteger))
    if isinstance(kind, TypeDecorator):
        kind = kind.impl_instance
    if isinstance(kind, ARRAY):
        item = _simple(kind.item_type, column.name)
        array = pa.list_(item.value_type if pa.types.is_dictionary(item) else item)
        return Column(column.name, array, names, cast(func.to_jsonb(column), Text))
    result = _simple(kind, column.name)
    return Column(column.name, result, result, column)


def _simple(kind: TypeEngine[Any], name: str) -> Any:
    pa = arrow()
    if isinstance(kind, TypeDecorator):
        kind = kind.impl_instance
    known: list[tuple[Any, Any]] = [
        (Boolean, pa.bool_()),
        (BigInteger, pa.int64()),
        (SmallInteger, pa.int16()),
        (Integer, pa.int32()),
        ((Float, Numeric), pa.float64()),
        (DateTime, pa.timestamp("us", tz="UTC")),
        (Date, pa.date32()),
        # Names repeat: each is held once.
        ((Enum, String), pa.dictionary(pa.int32(), pa.string())),
    ]
    for types, arrow_type in known:
        if isinstance(kind, types):
            return arrow_type
    if isinstance(kind, JSON):
        return pa.string()
    raise TypeError(f"column {name!r} has the type {kind!r}, which has no Arrow type here: cast it")


def schema_of(statement: Any) -> "pyarrow.Schema":
    """Return the Arrow schema of a select. Raises MissingExtraError and TypeError."""
    columns = columns_of(statement.subquery("rows"))
    schema: pyarrow.Schema = arrow().schema([(column.name, column.type) for column in columns])
    return schema


def sent_rows(statement: Any) -> tuple[Any, list[Column]]:
    """Return a select as PostgreSQL sends it, and its columns."""
    rows = statement.subquery("rows")
    columns = columns_of(rows)
    return select(*(column.sent.label(column.name) for column in columns)), columns
