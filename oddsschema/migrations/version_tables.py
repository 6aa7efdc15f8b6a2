"""The move of the recorded revision to another version table, and the options that name the table.

A database that stands alone has its revision in `oddsschema_version`. Another project's alembic
needs it in that project's version table.
"""

from typing import Any

from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Connection

from oddsschema.database.names import quote
from oddsschema.database.recorded_revisions import (
    DEFAULT_TABLE,
    OWN_TABLE,
    RecordedRevisions,
    VersionTable,
    is_own_revision,
    read_revisions_sync,
)
from oddsschema.database.schemas import read_placement_sync
from oddsschema.errors import MigrationError, SplitTablesError

#: The bytes of a name in PostgreSQL, which cuts longer ones.
_LONGEST_NAME = 63

# Keep other moves of the revision away until the transaction ends.
_LOCK_MOVES = "SELECT pg_advisory_xact_lock(hashtext('oddsschema.revision'))"

# Keep everybody away from a version table until the transaction ends.
_LOCK_TABLE = "LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"

# Return whether a table has the column of a version table; no row without the table.
_FIND_TABLE = """
SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'version_num')
FROM pg_class AS c WHERE c.oid = to_regclass('{table}')
"""

# Return whether a schema exists.
_FIND_SCHEMA = "SELECT to_regnamespace('{schema}') IS NOT NULL"

# Find the name of a version table's primary key.
_FIND_KEY = (
    "SELECT conname FROM pg_constraint WHERE conrelid = '{table}'::regclass AND contype = 'p'"
)

# Find the roles that may read a table, besides its owner.
_FIND_READERS = """
SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END
FROM pg_class AS c
CROSS JOIN aclexplode(c.relacl) AS a
LEFT JOIN pg_roles AS r ON r.oid = a.grantee
WHERE c.oid = '{table}'::regclass AND a.privilege_type = 'SELECT' AND a.grantee <> c.relowner
"""

# Create a version table, as alembic does.
_CREATE_TABLE = """
CREATE TABLE {table} (version_num varchar(32) NOT NULL CONSTRAINT {key} PRIMARY KEY)
"""

# Remove the revisions of this package from a version table.
_DELETE_REVISIONS = "DELETE FROM {table} WHERE starts_with(version_num, 'oddsschema_')"

# Record a revision.
_INSERT_REVISION = "INSERT INTO {table} (version_num) VALUES ('{revision}')"


def version_table_options(connection: Connection | None) -> dict[str, Any]:
    """Return the arguments of `context.configure` that name the version table of a database.

    It is the one that records a revision of this package, else `oddsschema_version` in the schema
    of the tables; without a connection (SQL text), `oddsschema_version`.
    """
    if connection is None:
        return {"version_table": OWN_TABLE}
    recorded = read_revisions_sync(connection)
    table = recorded.table or recorded.own_table
    if table is None:
        return {"version_table": OWN_TABLE}
    return {
        "version_table": table.name,
        "version_table_schema": table.schema,
        "on_version_apply": drop_own_table_at_base,
    }


def drop_own_table_at_base(*, ctx: Any, heads: set[str], **_: Any) -> None:
    """Drop `oddsschema_version` with the last table of this package: a hook of alembic's."""
    if not heads and ctx.version_table == OWN_TABLE:
        table = VersionTable(ctx.version_table_schema, OWN_TABLE)
        ctx.connection.exec_driver_sql(f"DROP TABLE {table.sql}")


def require_own_place(context: MigrationContext) -> None:
    """Reject a migration by any alembic that would change other tables than ours, or ours twice.

    The search path can lead to another application's tables with names of ours. While the revision
    is in our own table, another project's alembic would take our tables for missing or older. A
    project that does not have our revisions among its own may do anything. Raises alembic's
    CommandError.
    """
    if context.script is None or context.connection is None:
        return
    if not any(map(is_own_revision, context.script.get_bases())):
        return
    was_in_transaction = context.connection.in_transaction()
    placement = read_placement_sync(context.connection)
    if not was_in_transaction:
        # Alembic would take the transaction for the caller's, and not commit.
        context.connection.rollback()
    try:
        placement.require_one_schema()
    except SplitTablesError as error:
        raise CommandError(str(error)) from error
    if context.version_table == OWN_TABLE:
        return
    recorded = read_revisions_sync(context.connection)
    if recorded.table is not None and recorded.table == recorded.own_table:
        table = ".".join(filter(None, (context.version_table_schema, context.version_table)))
        raise CommandError(
            f"oddsschema's tables are at {recorded.revision}, recorded in {OWN_TABLE}, not in the "
            f"version table of this project: run 'oddsschema hand-over {table}', which moves the "
            "revision there, then this command again"
        )


def take_over(connection: Connection) -> str | None:
    """Move the revision from `alembic_version` to `oddsschema_version`, if it is alone there.

    Returns a note, or None if nothing was moved.
    """
    connection.exec_driver_sql(_LOCK_MOVES)
    recorded = read_revisions_sync(connection)
    if not recorded.is_in_default_table:
        return None  # another process has moved it
    assert recorded.own_table is not None  # there is a version table in the schema
    return _move(connection, recorded, recorded.own_table)


def hand_over_revision(connection: Connection, name: str) -> str | None:
    """Move the revision to the version table `name` ("table" or "schema.table").

    Returns a note, or None if the revision is there already. Raises MigrationError if no revision
    is recorded, or if `name` is no version table.
    """
    connection.exec_driver_sql(_LOCK_MOVES)
    recorded = read_revisions_sync(connection)
    if recorded.table is None or recorded.schema is None or not recorded.own:
        raise MigrationError(
            "the database records no revision of oddsschema that could be handed over: 'oddsschema "
            "check' reports its state"
        )
    schema, dot, table = name.rpartition(".")
    if not (table and (schema or not dot)) or any(
        len(part.encode()) > _LONGEST_NAME for part in (schema, table)
    ):
        raise MigrationError(
            f"{name!r} is no name of a version table: it should look like alembic_version or "
            f"app.alembic_version, each part with at most {_LONGEST_NAME} bytes"
        )
    target = VersionTable(schema if dot else recorded.schema, table)
    return None if target == recorded.table else _move(connection, recorded, target)


def _move(connection: Connection, recorded: RecordedRevisions, target: VersionTable) -> str:
    """Move the revisions of this package to `target`, with the privilege to read them."""
    source = recorded.table
    assert source is not None  # a revision of this package is recorded
    connection.exec_driver_sql(_LOCK_TABLE.format(table=source.sql))
    if read_revisions_sync(connection) != recorded:
        raise MigrationError(
            f"the revisions in {source} changed meanwhile: try again when no other migration runs"
        )
    is_emptied = not recorded.others and source.schema == recorded.schema
    is_dropped = is_emptied and source.name in (OWN_TABLE, DEFAULT_TABLE)
    schema = _in_text(quote(target.schema))
    if not connection.exec_driver_sql(_FIND_SCHEMA.format(schema=schema)).scalar_one():
        raise MigrationError(f"no schema {target.schema} for the table {target}: create it first")
    found = connection.exec_driver_sql(_FIND_TABLE.format(table=_in_text(target.sql))).all()
    if found == [(False,)]:
        raise MigrationError(f"{target} is no version table: it has no column version_num")
    if found and target.name == OWN_TABLE and target.schema == recorded.schema:
        connection.exec_driver_sql(f"DROP TABLE {target.sql}")  # it has no rows
        found = []
    if is_dropped and not found and source.schema == target.schema:
        _rename(connection, source, target)
    else:
        if not found:
            key = quote(f"{target.name}_pkc")
            connection.exec_driver_sql(_CREATE_TABLE.format(table=target.sql, key=key))
        _grant_to_readers(connection, source, target)
        connection.exec_driver_sql(_DELETE_REVISIONS.format(table=target.sql))
        for revision in recorded.own:
            connection.exec_driver_sql(
                _INSERT_REVISION.format(table=target.sql, revision=_in_text(revision))
            )
        connection.exec_driver_sql(
            f"DROP TABLE {source.sql}" if is_dropped else _DELETE_REVISIONS.format(table=source.sql)
        )
    if read_revisions_sync(connection).own != recorded.own:
        raise MigrationError(
            f"{target.schema} has tables of oddsschema of its own, to which a revision in {target} "
            f"would belong, and not to the tables in {recorded.schema}: give a version table in "
            "another schema"
        )
    return f"the revision moved from {source} to {target}, with the privileges to read it"


def _rename(connection: Connection, source: VersionTable, target: VersionTable) -> None:
    """Rename a version table in its schema; it keeps its owner and its privileges."""
    key = connection.exec_driver_sql(_FIND_KEY.format(table=_in_text(source.sql))).scalar()
    connection.exec_driver_sql(f"ALTER TABLE {source.sql} RENAME TO {quote(target.name)}")
    if key is not None:
        connection.exec_driver_sql(
            f"ALTER TABLE {target.sql} RENAME CONSTRAINT {quote(key)} "
            f"TO {quote(f'{target.name}_pkc')}"
        )


def _grant_to_readers(connection: Connection, source: VersionTable, target: VersionTable) -> None:
    """Let the roles that may read `source` read `target`."""
    statement = _FIND_READERS.format(table=_in_text(source.sql))
    readers = connection.exec_driver_sql(statement).scalars().all()
    if readers:
        connection.exec_driver_sql(f"GRANT SELECT ON {target.sql} TO {', '.join(readers)}")


def _in_text(value: str) -> str:
    """Escape a value for a literal in SQL."""
    return value.replace("'", "''")
