"""CHECK violations of a migration, and the SELECT that finds the rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import CheckConstraint, Connection
from sqlalchemy.exc import DBAPIError

from oddsschema.contracts.base import metadata
from oddsschema.errors import CheckViolationError

_CHECK_VIOLATION = "23514"

#: Read the table as SQL names it, and the condition, of the CHECK $3 on the table $1.$2.
_CONDITION = """
SELECT conrelid::regclass::text, pg_get_expr(conbin, conrelid) FROM pg_constraint
WHERE conrelid = to_regclass(format('%I.%I', $1::text, $2::text)) AND conname = $3
"""


@contextmanager
def translate_check_violations(connection: Connection) -> Iterator[None]:
    """Raise CheckViolationError in place of PostgreSQL's check_violation."""
    try:
        yield
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != _CHECK_VIOLATION:
            raise
        assert error.orig is not None  # an error with a SQLSTATE
        raise check_violation(connection, error.orig.__cause__) from error


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
