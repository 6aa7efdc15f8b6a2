"""PostgreSQL's DISTINCT ON, written in the same way for SQLAlchemy 2.0 and 2.1."""

from typing import Any

from sqlalchemy import ColumnElement, UnaryExpression, tuple_
from sqlalchemy.sql.operators import custom_op

_DISTINCT_ON: custom_op[Any] = custom_op("DISTINCT ON")


def distinct_on(*key: ColumnElement[Any]) -> UnaryExpression[Any]:
    """Build the prefix of a select that keeps the first row of each key.

    `Select.distinct(*key)` is deprecated from SQLAlchemy 2.1 on, and its replacement is new there.
    """
    return UnaryExpression(tuple_(*key), operator=_DISTINCT_ON)
