"""The messages for a refused row: the text for each field of a form."""

from collections.abc import Collection, Iterator, Mapping
from reprlib import repr as excerpt
from typing import Any

from pydantic import ValidationError
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.exc import StaleDataError

from oddsschema.admin.columns import relationship_of
from oddsschema.contracts.table import Table
from oddsschema.errors import SequenceError
from oddsschema.ingestion import problems

#: The message for a row that was deleted after its form was shown.
GONE = "The row does not exist any more: go back to the list"


class MissingRelatedRows(ValueError):
    """A form names related rows that do not exist: `messages` has a message for each field."""

    def __init__(self, messages: Mapping[str, str]) -> None:
        super().__init__(messages)
        self.messages = messages


#: The errors that refuse a row.
REFUSALS = (ValidationError, IntegrityError, MissingRelatedRows, StaleDataError)


def missing_row(table: type[Table], identity: Any) -> str:
    """Write the message for an id that no row has."""
    return f"No {table.__name__} has the id {excerpt(identity)}"


def field_messages(table: type[Table], error: Exception, fields: Collection[str]) -> dict[str, str]:
    """Write the messages of one of the `REFUSALS` for the fields of a form.

    A column of a foreign key may be in the form as its relationship. The message for a column that
    the form does not have is at the form's first field, with the column's name.
    """
    texts: dict[str, list[str]] = {}
    for column, text in _messages(table, error):
        place = column if column in fields else relationship_of(table, column)
        if place is None or place not in fields:
            place = next(iter(fields))
            text = f"{column}: {text}" if column else text
        texts.setdefault(place, []).append(text)
    return {name: "; ".join(dict.fromkeys(each)) for name, each in texts.items()}


def _messages(table: type[Table], error: Exception) -> Iterator[tuple[str, str]]:
    match error:
        case ValidationError():
            yield from _problems(table, error)
        case IntegrityError():
            yield from _violations(table, error)
        case MissingRelatedRows():
            yield from error.messages.items()
        case StaleDataError():
            yield "", GONE


def _problems(table: type[Table], error: ValidationError) -> Iterator[tuple[str, str]]:
    for details, problem in zip(error.errors(), problems(error), strict=True):
        if len(details["loc"]) == 1:
            yield str(details["loc"][0]), problem.reason
        elif details["loc"]:
            yield str(details["loc"][0]), str(problem)
        else:
            # A rule does not say which of its fields is wrong.
            tied = dict.fromkeys(field for rule in table.__rules__ for field in rule.fields)
            for field in tied or ("",):
                yield field, problem.reason


def _violations(table: type[Table], error: IntegrityError) -> Iterator[tuple[str, str]]:
    """Yield the messages for a violated constraint."""
    violation = _violation(error)
    match getattr(error.orig, "sqlstate", None):
        case "23502":  # not_null_violation
            yield violation.column_name, "A value is required"
        case "23503":  # foreign_key_violation
            for column in _constrained(table, violation.constraint_name):
                yield column, "The related row does not exist"
        case "23505":  # unique_violation
            if behind := SequenceError.of_violation(violation):
                yield "", str(behind)
                return
            columns = _constrained(table, violation.constraint_name)
            for column in columns:
                yield column, f"Another row has the same {' and '.join(columns)}"
        case _:
            yield "", str(error.orig)


def deletion_message(error: IntegrityError) -> str:
    """Describe why the database refused to delete a row."""
    return (
        f"Rows of {_violation(error).table_name} refer to this row: delete them or change them "
        "first"
    )


def _violation(error: IntegrityError) -> Any:
    """Return the description of a violated constraint, by psycopg or asyncpg."""
    return getattr(error.orig, "diag", None) or getattr(error.orig, "__cause__", None)


def _constrained(table: type[Table], constraint: str) -> list[str]:
    """List the columns of one of the table's constraints; none of another table's."""
    declared: Any = table.__table__.constraints  # type: ignore[attr-defined]
    return [column.name for each in declared if each.name == constraint for column in each.columns]
