"""Rows that break a CHECK or a key in a migration, and the SQL that finds or mends them."""

from typing import Any

from sqlalchemy import CheckConstraint, Connection, text
from sqlalchemy.exc import DBAPIError

from oddsschema.errors import CheckViolationError, OddsSchemaError, SequenceError
from oddsschema.models import metadata

#: Read the table as SQL names it, and the condition, of a CHECK.
_CONDITION = text("""
SELECT conrelid::regclass::text, pg_get_expr(conbin, conrelid) FROM pg_constraint
WHERE conrelid = to_regclass(format('%I.%I', CAST(:schema AS text), CAST(:table AS text)))
    AND conname = :constraint
""")


def violation_error(connection: Connection, error: DBAPIError) -> OddsSchemaError | None:
    """Build the error for a CHECK or a primary key that rows break; None for any other error."""
    fields = server_fields(error.orig)
    match getattr(error.orig, "sqlstate", None):
        case "23514":  # check_violation
            return check_violation(connection, fields)
        case "23505":  # unique_violation
            return SequenceError.of_violation(fields)
    return None


def server_fields(error: Any) -> Any:
    """Return the object with the names of table and constraint, of asyncpg's or psycopg's error."""
    return error.diag if hasattr(error, "diag") else error.__cause__


def check_violation(connection: Connection, fields: Any) -> CheckViolationError:
    """Build the error for rows that break a CHECK, with a SELECT that finds them."""
    table, constraint = fields.table_name, fields.constraint_name
    row = None
    # A transaction of the caller's has failed, and the server rejects every statement in it.
    if not connection.in_transaction():
        names = {"schema": fields.schema_name, "table": table, "constraint": constraint}
        row = connection.execute(_CONDITION, names).one_or_none()
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
