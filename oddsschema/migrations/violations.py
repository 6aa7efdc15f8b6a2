"""Which rows a migration trips over: those that break a CHECK that is to hold for all rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import CheckConstraint, Connection
from sqlalchemy.exc import DBAPIError

from oddsschema.contracts.base import metadata
from oddsschema.errors import OddsSchemaError

_CONDITION = """
SELECT conrelid::regclass::text, pg_get_expr(conbin, conrelid) FROM pg_constraint
WHERE conrelid = to_regclass(format('%I.%I', $1::text, $2::text)) AND conname = $3
"""


@contextmanager
def broken_checks(connection: Connection) -> Iterator[None]:
    """Raise OddsSchemaError, with a SELECT for the rows, in the place of PostgreSQL's violation."""
    try:
        yield
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != "23514":  # check_violation
            raise
        assert error.orig is not None  # it has a sqlstate
        raise OddsSchemaError(_in_words(connection, error.orig.__cause__)) from error


def _in_words(connection: Connection, violation: Any) -> str:
    table, name = violation.table_name, violation.constraint_name
    found = None
    # A caller's transaction has failed, and PostgreSQL answers nothing in it.
    if not connection.in_transaction():
        names = (violation.schema_name, table, name)
        found = connection.exec_driver_sql(_CONDITION, names).one_or_none()
    table, condition = found or (table, _declared(table, name))
    find = f". They are\n  SELECT * FROM {table} WHERE NOT ({condition})" if condition else ""
    return (
        f"rows of {table} break the CHECK {name}, which the contracts hold new rows to\n"
        f"Nothing of this revision stays. Mend or delete them, and run it again{find}"
    )


def _declared(table: str, name: str) -> str | None:
    """The condition as this release has it."""
    constraints = metadata.tables[table].constraints if table in metadata.tables else ()
    for one in constraints:
        if isinstance(one, CheckConstraint) and one.name == name:
            return str(one.sqltext)
    return None
