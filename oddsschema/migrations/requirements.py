"""The requirements of a migration: the recorded revisions, the transaction, the revision."""

from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection

from oddsschema.database.recorded_revisions import RecordedRevisions
from oddsschema.database.revision import HEAD
from oddsschema.errors import (
    ForeignTablesError,
    MigrationError,
    NewerDatabaseError,
    OtherProjectError,
    UnversionedDatabaseError,
)
from oddsschema.migrations.error_translation import translate_alembic_errors
from oddsschema.migrations.scripts import alembic_config, known_revisions
from oddsschema.models import metadata


def require_migratable(recorded: RecordedRevisions) -> None:
    """Check that this package's revisions alone can migrate the database.

    Raises ForeignTablesError, OtherProjectError, NewerDatabaseError and UnversionedDatabaseError.
    """
    if recorded.are_foreign and not recorded.own:
        raise ForeignTablesError(schema=str(recorded.schema))
    if not recorded.may_stand_alone:
        table = None if recorded.table is None else str(recorded.table)
        raise OtherProjectError(revisions=recorded.others, table=table)
    if unknown := sorted(set(recorded.own) - set(known_revisions())):
        raise NewerDatabaseError(current=unknown[-1], head=HEAD)
    if recorded.tables and not recorded.own:
        is_complete = recorded.tables == set(metadata.tables)
        raise UnversionedDatabaseError(only=() if is_complete else sorted(recorded.tables))


def require_read_committed(connection: Connection) -> None:
    """Raise MigrationError without a transaction, and at a level that hides others' commits."""
    if connection.connection.dbapi_connection.autocommit:  # type: ignore[union-attr]  # asyncpg's
        raise MigrationError(
            "a migration needs a transaction, and the isolation level of the connection is "
            "AUTOCOMMIT: a step that fails would leave half of its changes\n"
            "Give a connection with READ COMMITTED"
        )
    level = connection.exec_driver_sql("SHOW transaction_isolation").scalar_one()
    if level != "read committed":
        raise MigrationError(
            f"a migration needs the isolation level READ COMMITTED, not {str(level).upper()}: it "
            "would not see the rows that others commit while it waits for their locks\n"
            "Begin the transaction with READ COMMITTED"
        )


def undone_revisions(recorded: str | None, revision: str) -> list[Script]:
    """Return the revisions that a downgrade from `recorded` to `revision` undoes, newest first.

    Raises UnknownRevisionError.
    """
    with translate_alembic_errors(revision):
        scripts = ScriptDirectory.from_config(alembic_config())
        return [*scripts.iterate_revisions(recorded, revision, select_for_downgrade=True)]
