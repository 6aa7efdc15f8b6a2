"""The columns and relationships of a table that an admin view shows, unless it chooses others.

Rows of the other end of a to-many relationship are left out: an event has thousands of snapshots.
"""

from typing import Any

from sqlalchemy import Float, inspect

from oddsschema.contracts.table import Table

#: The times of a row that PostgreSQL sets.
ROW_TIMES = ("created_at", "updated_at")

#: The column that is too large for a list of rows.
LARGE = "raw_response"


def details_columns(table: type[Table]) -> list[str]:
    """List all columns but foreign keys, with the relationships in their place."""
    columns = [column.key for column in _columns(table) if not column.foreign_keys]
    keys = [column.key for column in _columns(table) if column.primary_key]
    return [*keys, *related_tables(table), *(name for name in columns if name not in keys)]


def list_columns(table: type[Table]) -> list[str]:
    """List the columns for a list of rows."""
    return [name for name in details_columns(table) if name != LARGE]


def form_columns(table: type[Table]) -> list[str]:
    """List the columns and relationships that people fill in."""
    keys = [column.key for column in _columns(table) if column.primary_key]
    return [name for name in details_columns(table) if name not in (*keys, *ROW_TIMES)]


def related_tables(table: type[Table]) -> dict[str, type[Table]]:
    """Return the related table of each to-one relationship."""
    return {
        name: relationship.mapper.class_
        for name, relationship in inspect(table).relationships.items()
        if not relationship.uselist
    }


def naming_columns(table: type[Table]) -> list[str]:
    """List the columns that `str(row)` shows: the key, and those that name a row."""
    keys = [column.key for column in _columns(table) if column.primary_key]
    return [*keys, *(name for name in table.__named_by__ if name in inspect(table).columns)]


def relationship_of(table: type[Table], column: str) -> str | None:
    """Return the to-one relationship whose foreign key has this column."""
    for name, relationship in inspect(table).relationships.items():
        if not relationship.uselist and column in {each.key for each in relationship.local_columns}:
            return str(name)
    return None


def description(table: type[Table], name: str) -> str | None:
    """Return the description of a column, or of a relationship's foreign key."""
    relationship = inspect(table).relationships.get(name)
    if relationship is not None and not relationship.uselist:
        # The last column of a composite key is the one that only this relationship fills.
        name = [column.key for column, _ in relationship.local_remote_pairs][-1]
    field = table.model_fields.get(name)
    return field.description if field else None


def default(table: type[Table], name: str) -> Any:
    """Return the default of a column; None if it has none, or if PostgreSQL has it."""
    field = table.model_fields.get(name)
    return None if field is None or field.is_required() else field.default


def float_columns(table: type[Table]) -> list[str]:
    """List the columns of floats."""
    return [column.key for column in _columns(table) if isinstance(column.type, Float)]


def _columns(table: type[Table]) -> list[Any]:
    return list(inspect(table).columns)
