"""The errors of migrations: the base first, then a class for each reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from oddsschema.errors.root import OddsSchemaError


class MigrationError(OddsSchemaError):
    """A migration that did not finish. Revisions and rows that it had committed stay."""


@dataclass(kw_only=True, eq=False, repr=False)
class MissingSchemaError(MigrationError):
    """A schema for the tables that does not exist, or that the role may not create."""

    #: The first schema of the search path, quoted as SQL needs it.
    schema: str
    #: The server's message when the schema could not be created; None when it was not tried.
    reason: str | None = None

    @property
    def needs_search_path(self) -> bool:
        """Whether another search path is the cure, or one of several."""
        return self.reason is None

    def __post_init__(self) -> None:
        create = f"CREATE SCHEMA {self.schema}"
        super().__init__(
            f"the schema {self.schema}, the first of the search path, does not exist: create it "
            f"({create}), or correct the search path"
            if self.reason is None
            else f"the schema {self.schema} could not be created: {self.reason}. Run {create} as a "
            "role that may, and give this role USAGE and CREATE on it"
        )


@dataclass(kw_only=True, eq=False, repr=False)
class SharedSchemaError(MigrationError):
    """A search path that leads a migration to a schema with another application's objects."""

    #: The obstacle and the cure.
    reason: str

    @property
    def needs_search_path(self) -> bool:
        """Whether another search path is the cure, or one of several."""
        return True

    def __post_init__(self) -> None:
        super().__init__(self.reason)


@dataclass(kw_only=True, eq=False, repr=False)
class UnknownRevisionError(MigrationError):
    """A revision to migrate to that this release does not have."""

    #: The revision that was asked for.
    revision: str
    #: The revisions of this release, oldest first.
    known: Sequence[str]
    #: Alembic's explanation, if it gave any.
    reason: str | None = None

    def __post_init__(self) -> None:
        reason = f" ({self.reason})" if self.reason else ""
        super().__init__(
            f"{self.revision!r} leads to no revision{reason}: choose base, "
            f"{', '.join(self.known)} or head (the newest)"
        )


@dataclass(kw_only=True, eq=False, repr=False)
class NewerDatabaseError(MigrationError):
    """A database that a newer release of oddsschema has migrated."""

    #: The database's revision, unknown to this release.
    current: str
    #: The newest revision of this release.
    head: str
    #: Whether programs of this release live with the tables all the same.
    serves: bool = False

    def __post_init__(self) -> None:
        meanwhile = "; until then, programs of this release work" if self.serves else ""
        super().__init__(
            f"the database is at {self.current}, which this release does not know (its newest is "
            f"{self.head}): upgrade the package (install a newer oddsschema){meanwhile}"
        )


@dataclass(kw_only=True, eq=False, repr=False)
class UnversionedDatabaseError(MigrationError):
    """A database with tables named like oddsschema's, and without a revision."""

    #: The tables, if the database has only some of oddsschema's; none if it has all.
    only: Sequence[str] = ()

    @property
    def needs_search_path(self) -> bool:
        """Whether another search path is the cure, or one of several."""
        return bool(self.only)

    def __post_init__(self) -> None:
        super().__init__(
            f"the database records no revision, and has only some of oddsschema's tables "
            f"({', '.join(self.only)}): if they belong to another application, give oddsschema a "
            "schema of its own (?search_path=… in the URL); if nobody needs them, drop them; then "
            "run 'oddsschema upgrade'"
            if self.only
            else "the database has the tables of oddsschema, but records no revision: run the "
            "repairs that 'oddsschema check' lists, the revision's last"
        )


@dataclass(kw_only=True, eq=False, repr=False)
class ForeignTablesError(MigrationError):
    """A schema with tables named like oddsschema's that another program created."""

    #: The schema of the tables.
    schema: str

    @property
    def needs_search_path(self) -> bool:
        """Whether another search path is the cure, or one of several."""
        return True

    def __post_init__(self) -> None:
        super().__init__(
            f"the schema {self.schema} has tables with names of oddsschema's, but these tables are "
            "not ours: their markets have no column for the event. Give oddsschema a schema of its "
            "own (?search_path=odds in the URL; upgrade, ingest, check and all reads work there), "
            "then copy the rows of these tables into it with 'oddsschema adopt', if you want to "
            "move in. Adopt only reads these tables"
        )


@dataclass(kw_only=True, eq=False, repr=False)
class OtherProjectError(MigrationError):
    """A database that another project's alembic migrates, together with its own tables."""

    #: The recorded revisions of the other project; none if it has none yet.
    revisions: Sequence[str]
    #: The version table with oddsschema's revision; None if that is not recorded.
    table: str | None = None

    def __post_init__(self) -> None:
        place = f" in {self.table}" if self.table is not None else ""
        super().__init__(
            f"the database has another project's revisions{place} ({', '.join(self.revisions)}), "
            "which may depend on oddsschema's: migrate both with that project's alembic ('alembic "
            "upgrade heads')"
            if self.revisions
            else f"the revision of oddsschema is recorded in {self.table}, the version table of "
            "another project: migrate with that project's alembic ('alembic upgrade heads'), or "
            "take the revision back by 'oddsschema hand-over oddsschema_version'"
        )


@dataclass(kw_only=True, eq=False, repr=False)
class CheckViolationError(MigrationError):
    """Stored rows that break a CHECK which a migration adds."""

    #: The table, quoted and qualified as SQL needs it.
    table: str
    #: The name of the CHECK.
    constraint: str
    #: A SELECT that finds the rows; None when the condition is unknown.
    select: str | None

    def __post_init__(self) -> None:
        rows = f". The rows are\n  {self.select}" if self.select else ""
        super().__init__(
            f"rows of {self.table} break the CHECK {self.constraint}, which all rows have to "
            "satisfy\n"
            "The transaction was rolled back. Correct or delete the rows, then run the migration "
            f"again{rows}"
        )


@dataclass(kw_only=True, eq=False, repr=False)
class LockTimeoutError(MigrationError):
    """A migration that waited too long for a lock of another session."""

    #: The limit, `lock_timeout`.
    timeout: timedelta
    #: The statement that waited, shortened.
    statement: str

    def __post_init__(self) -> None:
        super().__init__(
            f"waited {self.timeout.total_seconds():g} s for a lock that another session holds: "
            f"{self.statement}\n"
            "The transaction was rolled back. Run the migration again when that session has ended "
            "its transaction. It is one of the first in\n"
            "  SELECT pid, application_name, state, xact_start FROM pg_stat_activity"
            " ORDER BY xact_start\n"
            "A longer lock_timeout also works, but every session that needs the table then waits "
            "behind the migration"
        )


@dataclass(kw_only=True, eq=False, repr=False)
class StatementTimeoutError(MigrationError):
    """A statement of a migration that took too long, or that was cancelled."""

    #: The limit, `statement_timeout`.
    timeout: timedelta
    #: The statement, shortened.
    statement: str

    def __post_init__(self) -> None:
        super().__init__(
            f"a statement did not end within {self.timeout.total_seconds():g} s, or was cancelled: "
            f"{self.statement}\n"
            "The transaction was rolled back. Run the migration again with a longer "
            "statement_timeout"
        )


@dataclass(kw_only=True, eq=False, repr=False)
class MigrationDeadlockError(MigrationError):
    """A migration that PostgreSQL ended because of a deadlock with another session."""

    #: The statement that waited, shortened.
    statement: str

    def __post_init__(self) -> None:
        super().__init__(
            "this migration and another session waited for each other's locks: "
            f"{self.statement}\n"
            "The transaction was rolled back. Run the migration again"
        )


@dataclass(kw_only=True, eq=False, repr=False)
class MigrationRunningError(MigrationError):
    """A migration that waited too long for the end of another one of the same tables."""

    #: The limit, `wait`.
    wait: timedelta
    #: The process of the server that has the lock of the schema; None if it is unknown.
    process: int | None

    def __post_init__(self) -> None:
        session = "another session" if self.process is None else f"the session {self.process}"
        super().__init__(
            f"{session} of the server has been migrating the same tables for more than "
            f"{self.wait.total_seconds():g} s\n"
            "Nothing was changed. Run the migration again when that session has ended "
            "(SELECT * FROM pg_stat_activity finds it), or give a longer wait"
        )


@dataclass(kw_only=True, eq=False, repr=False)
class PooledSessionError(MigrationError):
    """A migration through a pooler that gives the session to others between two transactions."""

    #: The process of the server that the pooler gave to the connection.
    process: int

    def __post_init__(self) -> None:
        super().__init__(
            "a migration locks the schema for its session, and this connection goes through a "
            f"pooler that gives the session ({self.process}) to other clients between two "
            "transactions\n"
            "Nothing was changed. Give the URL of the server itself, or a pool in session mode"
        )
