"""The place of a migration: one schema, which exists or is created."""

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from oddsschema.database.schemas import read_placement_sync
from oddsschema.errors import MissingSchemaError, SharedSchemaError

#: The states of an error after which another session may have created the schema: duplicate_schema,
#: and the unique_violation of two sessions that create it at once.
_CREATED_MEANWHILE = {"42P06", "23505"}

_INSUFFICIENT_PRIVILEGE = "42501"


def require_one_schema(connection: Connection) -> None:
    """Raise SplitTablesError if the search path leads to tables in several schemas."""
    read_placement_sync(connection).require_one_schema()


def require_creation_in_place(connection: Connection) -> None:
    """Raise SharedSchemaError if new tables would be created in another schema than the others."""
    placement = read_placement_sync(connection)
    if placement.tables and placement.creation_schema not in placement.tables:
        raise SharedSchemaError(
            reason=f"the tables of oddsschema are in {placement.schema}, but the search path "
            f"creates new tables in {placement.creation_schema}, and all of them have to be in one "
            "schema\n"
            f"Give a search path that begins with {placement.schema}, such as "
            f"?search_path={placement.schema} in the URL"
        )


def require_schema(connection: Connection, *, create: bool) -> None:
    """Raise MissingSchemaError if the first schema of the search path does not exist.

    With `create`, it is created instead.
    """
    schema = read_placement_sync(connection).missing_schema
    if schema is None:
        return
    if not create:
        raise MissingSchemaError(schema=schema)
    try:
        # IF NOT EXISTS does not help: a session without the privilege gets an error anyway, and
        # two sessions at once as well.
        with connection.begin_nested():
            # Without parameters, a % in the name has no meaning to any driver.
            connection.exec_driver_sql(
                f"CREATE SCHEMA {schema}", execution_options={"no_parameters": True}
            )
    except DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None)
        if state == _INSUFFICIENT_PRIVILEGE:
            raise MissingSchemaError(
                schema=schema, reason=str(getattr(error.orig, "__cause__", None) or error.orig)
            ) from error
        if state not in _CREATED_MEANWHILE:
            raise
