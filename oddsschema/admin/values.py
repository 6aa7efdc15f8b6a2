"""The values of forms: from the row to the form, and back."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import inspect
from sqlalchemy.orm import Session

from oddsschema.contracts.base import Contract
from oddsschema.contracts.row_validators import changes_validator
from oddsschema.contracts.table import Table


def plain(value: Any) -> Any:
    """Convert the items of a tuple for a form: outcomes to dicts, times to text."""
    if not isinstance(value, tuple):
        return value
    return [dict(item) if isinstance(item, Contract) else _text(item) for item in value]


def _text(item: Any) -> Any:
    return item.isoformat(sep=" ") if isinstance(item, datetime) else item


def entered(table: type[Table], values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert the values of a form: times without an offset are in UTC, blank text is NULL.

    A blank field that is never NULL is left out if PostgreSQL has a default for it.
    """
    columns = inspect(table).columns
    result = {}
    for name, value in values.items():
        column = columns.get(name)
        if column is not None and value in (None, ""):
            if column.nullable:
                value = None
            elif column.server_default is not None:
                continue
        result[name] = _converted(value)
    return result


def _converted(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\r\n", "\n")  # browsers send line ends so
    return [_aware(item) for item in value] if isinstance(value, list) else _aware(value)


def _aware(value: Any) -> Any:
    is_naive = isinstance(value, datetime) and value.tzinfo is None
    return value.replace(tzinfo=UTC) if is_naive else value


def is_shown(value: Any, row: Table, name: str) -> bool:
    """Check whether a value of a form is that of the row, as the form shows it."""
    return name in type(row).model_fields and _are_equal(value, getattr(row, name))


def _are_equal(value: Any, stored: Any) -> bool:
    """Compare a value of a form with a stored value.

    Forms show times without fractions of seconds, and pickers drop them. They show empty text as
    they show NULL.
    """
    if value is None:
        return stored is None or stored == ""
    if isinstance(value, datetime) and isinstance(stored, datetime):
        return value.replace(microsecond=0) == stored.replace(microsecond=0)
    if isinstance(value, list) and isinstance(stored, tuple):
        return len(value) == len(stored) and all(map(_are_equal, value, stored))
    if isinstance(stored, Contract):
        return bool(value == dict(stored))
    return type(value) is type(stored) and bool(value == stored)


def store(table: type[Table], row: Table | None, values: Mapping[str, Any]) -> Table:
    """Build a row, or change it, with the values of a form and with related rows.

    Values that the form showed stay as they are.

    Raises pydantic.ValidationError if the result breaks the contract. The row does not change then.
    """
    values = entered(table, values)
    if row is None:
        return table(**values)
    relationships = inspect(table).relationships
    values = {name: value for name, value in values.items() if not is_shown(value, row, name)}
    row.sqlmodel_update(values)
    for name in values.keys() & relationships.keys():
        setattr(row, name, values[name])
    return row


def key_of(table: type[Table], identity: Any) -> Any:
    """Convert the text of an id to the id; None if no row can have it."""
    (key,) = inspect(table).primary_key
    try:
        validated = changes_validator(table).validate_python({key.name: identity}, context=((), {}))
    except ValidationError:
        return None
    return validated[key.name]


def find(session: Session, table: type[Table], identity: Any) -> Table | None:
    """Find a row by its id, which may be any text."""
    key = key_of(table, identity)
    return None if key is None else session.get(table, key)
