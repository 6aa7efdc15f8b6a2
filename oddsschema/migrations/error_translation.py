"""The errors of alembic and of PostgreSQL in a migration, as errors of this package."""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic.script.revision import RevisionError
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from oddsschema.errors import (
    MigrationError,
    OddsSchemaError,
    ReadOnlyDatabaseError,
    SharedSchemaError,
    UnknownRevisionError,
)
from oddsschema.migrations.scripts import known_revisions

_READ_ONLY_SQL_TRANSACTION = "25006"
_INSUFFICIENT_PRIVILEGE = "42501"

#: The SQLSTATEs of objects that exist already, as tables, indexes and types of other applications.
_DUPLICATE_OBJECT = ("42P07", "42710")

#: The SQLSTATE of views of others that read a view, or a column, of ours.
_DEPENDENT_OBJECTS = "2BP01"

#: The SQLSTATEs of tables, columns and constraints that a migration does not find.
_UNDEFINED_OBJECT = ("42P01", "42703", "42704")


@contextmanager
def translate_alembic_errors(revision: str) -> Iterator[None]:
    """Raise errors of this package in place of alembic's: UnknownRevisionError, MigrationError."""
    try:
        yield
    except CommandError as error:
        if isinstance(error.__cause__, OddsSchemaError):  # raised by `timeouts` in env.py
            raise error.__cause__ from error.__cause__.__cause__
        # Only SQL text can have a range.
        if isinstance(error.__cause__, RevisionError) or ":" in revision:
            raise _unknown_revision(revision, str(error)) from error
        raise MigrationError(str(error)) from error
    except RevisionError as error:  # of its scripts; its commands raise CommandError
        raise _unknown_revision(revision, str(error)) from error
    except (AssertionError, ValueError) as error:
        # Alembic's answer to malformed revisions ("", "@", "head+1").
        raise _unknown_revision(revision) from error


def _unknown_revision(revision: str, reason: str | None = None) -> UnknownRevisionError:
    return UnknownRevisionError(revision=revision, known=known_revisions(), reason=reason)


@contextmanager
def translate_server_errors() -> Iterator[None]:
    """Raise errors of this package in place of PostgreSQL's, for a database that others changed.

    A server that accepts no writes raises ReadOnlyDatabaseError. An object that exists already, one
    that is missing, one that others' views read, and a role without a privilege raise
    MigrationError.
    """
    try:
        yield
    except DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None)
        if error.orig is None or state is None:
            raise
        reason = str(error.orig.__cause__ or error.orig)
        if state == _READ_ONLY_SQL_TRANSACTION:
            raise ReadOnlyDatabaseError(reason=reason, operation="a migration") from error
        if state == _INSUFFICIENT_PRIVILEGE:
            raise MigrationError(f"{reason}: migrate as the owner of the tables") from error
        if state in _DUPLICATE_OBJECT:
            raise SharedSchemaError(
                reason=f"{reason}, and a migration would create it\n"
                "The transaction was rolled back. If it belongs to another application, give "
                "oddsschema a schema of its own (?search_path=… in the URL)"
            ) from error
        if state == _DEPENDENT_OBJECTS:
            driver_error = error.orig.__cause__
            details = [getattr(driver_error, name, None) for name in ("detail", "hint")]
            raise MigrationError(
                "\n".join([reason, *filter(None, details)]) + "\nThe transaction was rolled back"
            ) from error
        if state in _UNDEFINED_OBJECT:
            raise MigrationError(
                f"{reason}, and a migration would change it: the tables are not those of the "
                "recorded revision\n"
                "The transaction was rolled back. Restore the object, then run the migration again"
            ) from error
        raise
