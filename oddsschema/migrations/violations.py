"""Rows that break a CHECK or a key in a migration, and the SQL that finds or mends them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import CheckConstraint, Connection
from sqlalchemy.exc import DBAPIError

from oddsschema.errors import CheckViolationError, OddsSchemaError, SequenceError
from oddsschema.models import metadata

#: Read the table as SQL names it, and the condition, of the CHECK $3 on the table $1.$2.
_CONDITION = """
SELECT conrelid::regclass::text, pg_get_expr(conbin, conrelid) FROM pg_constraint
WHERE conrelid = to_regclass(format('%I.%I', $1::text, $2::text)) AND conname = $3
"""


@contextmanager
def translate_violations(connection: Connection) -> Iterator[None]:
    """Raise CheckViolationError and SequenceError in place of PostgreSQL's errors."""
    try:
        yield
    except DBAPIError as error:
        failure = violation_error(connection, error.orig)
        if failure is None:
            raise
        raise failure from error


def violation_error(connection: Connection, violation: Any) -> OddsSchemaError | None:
    """Build the error for a CHECK or a primary key that rows break; None for any other error."""
    match getattr(violation, "sqlstate", None):
        case "23514":  # check_violation
            return check_violation(connection, violation.__cause__)
        case "23505":  # unique_violation
            return SequenceError.of_violation(violation.__cause__)
    return None


def check_violation(connection: Connection, violation: Any) -> CheckViolationError:
    """Build the error for asyncpg's CheckViolationError, with a SELECT that finds the rows."""
    table, constraint = violation.table_name, violation.constraint_name
    row = None
    # A transaction of the caller's has failed, and the server rejects every statement in it.
    if not connection.in_transaction():
        names = (violation.schema_name, table, constraint)
        row = connection.exec_driver_sql(_CONDITION, names).one_or_none()
    table, condition = row or (table, declared_condition(table, constraint))
    select = f"SELECT * FROM {table} WHERE NOT ({condition})" if condition else None
    return CheckViolationError(table=table, constraint=constraint, select=select)


def declared_condition(table: str, constraint: str) -> str | None:
    """Return the condition of a CHECK in this release's models; None for an unknown CHECK."""
    declared = metadata.tables[table].constraints if table in metadata.tables else ()
    for check in declared:
        if isinstance(check, CheckConstraint) and check.name == constraint:
            return str(check.sqltext)
    return None
