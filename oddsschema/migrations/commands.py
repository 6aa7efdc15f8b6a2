"""The commands: upgrade, downgrade, current, check and hand_over."""

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from typing import TypeVar

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util import CommandError
from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from oddsschema.database.backends import LostBackends
from oddsschema.database.connections import sqlalchemy_connect, was_standby
from oddsschema.database.durations import require_durations, require_not_negative
from oddsschema.database.names import quote
from oddsschema.database.recorded_revisions import (
    DEFAULT_TABLE,
    RecordedRevisions,
    read_revisions_sync,
)
from oddsschema.database.retry import as_package_error, driver_errors, is_transient, retrying
from oddsschema.database.revision import HEAD, read_mark_sync
from oddsschema.database.targets import (
    Target,
    has_open_transaction,
    is_connection,
    open_source,
)
from oddsschema.database.time_limits import (
    LOCK_TIMEOUT,
    LONG_ANSWER_WITHIN,
    MIGRATION_WAIT,
    RETRY_FOR,
    STATEMENT_TIMEOUT,
    answer_after,
)
from oddsschema.database.urls import require_schema_name
from oddsschema.errors import (
    ComparisonError,
    DatabaseUnavailableError,
    ForeignTablesError,
    MigrationError,
    NewerDatabaseError,
    OddsSchemaError,
    OtherProjectError,
    ReadOnlyDatabaseError,
    SharedSchemaError,
    UnknownRevisionError,
    UnversionedDatabaseError,
)
from oddsschema.migrations.catalog import rolled_back
from oddsschema.migrations.kept_ids import READ_KEPT_IDS, describe_kept_ids
from oddsschema.migrations.known import require_names
from oddsschema.migrations.places import (
    require_creation_in_place,
    require_one_schema,
    require_schema,
)
from oddsschema.migrations.report import CheckReport, Release, check_connection
from oddsschema.migrations.schema_lock import describe_wait, locked_schema
from oddsschema.migrations.scripts import script_location
from oddsschema.migrations.time_limits import timeouts
from oddsschema.migrations.turns import awaited_turn, immediate_turn
from oddsschema.migrations.version_tables import hand_over_revision, take_over
from oddsschema.models import metadata
from oddsschema.queries.views import VIEWS
from oddsschema.release import Mark

_READ_ONLY_SQL_TRANSACTION = "25006"
_INSUFFICIENT_PRIVILEGE = "42501"

#: The SQLSTATEs of objects that exist already, as tables, indexes and types of other applications.
_DUPLICATE_OBJECT = ("42P07", "42710")

#: The SQLSTATE of views of others that read a view, or a column, of ours.
_DEPENDENT_OBJECTS = "2BP01"

#: The SQLSTATEs of tables, columns and constraints that a migration does not find.
_UNDEFINED_OBJECT = ("42P01", "42703", "42704")

#: A revision relative to the current one or to another: -1, head-2.
_RELATIVE = re.compile(r"[+-]\d+$")

_Result = TypeVar("_Result")


async def upgrade(
    target: Target,
    revision: str = "head",
    *,
    lock_timeout: timedelta = LOCK_TIMEOUT,
    statement_timeout: timedelta = STATEMENT_TIMEOUT,
    wait: timedelta = MIGRATION_WAIT,
    retry_for: timedelta = RETRY_FOR,
    keep_version_table: bool = False,
    create_schema: bool = False,
) -> tuple[str, ...]:
    """Upgrade the database to `revision`. Running it again changes nothing.

    The tables are created in the first schema of the search path. With `create_schema`, it is
    created before, if it does not exist.

    Each revision is a transaction of its own, and those that change stored rows have many; with a
    connection of SQLAlchemy, or one of asyncpg with an open transaction, all are in that one. An
    upgrade that was interrupted is run again. The migration gives up after waiting `lock_timeout`
    for a lock, since every session that needs the same table waits behind it, or after
    `statement_timeout` in a statement; a duration of 0 means no limit.

    One session at a time migrates the tables of a schema. Others wait for its end, for up to `wait`
    and without a transaction, and then do what is left; a note says so if that is nothing. A
    transaction of the caller's lets others wait until it ends.

    Unless `target` is a connection, transient errors are retried for `retry_for`, from the first
    failure: a wait for a lock that was too long, a deadlock, a lost connection, a server that
    starts up, a standby. A server that does not answer for a minute more than `statement_timeout`
    loses the connection.

    A revision that is alone in `alembic_version`, where older releases recorded it, moves to
    `oddsschema_version` first, unless `keep_version_table` is set: for another project whose
    alembic migrates the tables of this package, and which has no revision of its own yet.

    Returns notes: sentences about rows that keep an older form, and about such a move.

    Raises DatabaseUnavailableError and ReadOnlyDatabaseError, and the subclasses of MigrationError:
    MissingSchemaError, UnknownRevisionError, NewerDatabaseError, UnversionedDatabaseError,
    OtherProjectError, CheckViolationError (with the SELECT that finds the rows), LockTimeoutError,
    StatementTimeoutError, MigrationDeadlockError, MigrationRunningError (after `wait`), and
    PooledSessionError behind a pooler in transaction mode. A sequence that is behind raises
    SequenceError, and tables in several schemas raise SplitTablesError.
    """
    config = alembic_config(lock_timeout=lock_timeout, statement_timeout=statement_timeout)

    def require_place(connection: Connection, recorded: RecordedRevisions) -> None:
        if not recorded.own:
            with translate_server_errors():
                require_schema(connection, create=create_schema)
        elif HEAD not in recorded.own:
            require_creation_in_place(connection)

    return await _migrate(
        target,
        config,
        revision,
        command.upgrade,
        wait,
        retry_for,
        require_place,
        takes_over=not keep_version_table,
    )


async def downgrade(
    target: Target,
    revision: str,
    *,
    lock_timeout: timedelta = LOCK_TIMEOUT,
    statement_timeout: timedelta = STATEMENT_TIMEOUT,
    wait: timedelta = MIGRATION_WAIT,
    retry_for: timedelta = RETRY_FOR,
) -> tuple[str, ...]:
    """Downgrade the database to `revision`; "base" drops every table of this package.

    Returns notes: sentences about rows that the older form cannot hold, which were deleted or
    changed, with their number. Limits and errors are those of `upgrade`.
    """
    config = alembic_config(lock_timeout=lock_timeout, statement_timeout=statement_timeout)
    return await _migrate(target, config, revision, command.downgrade, wait, retry_for)


def upgrade_sql(
    revision: str = "head",
    *,
    lock_timeout: timedelta = LOCK_TIMEOUT,
    statement_timeout: timedelta = STATEMENT_TIMEOUT,
    schema: str | None = None,
    create_schema: bool = False,
) -> str:
    """Return the SQL of an upgrade from an empty database, to be run by other means.

    `revision` may be a range, "from:to". The limits are those of `upgrade`, as SET statements. The
    tables are created in `schema`, or where the search path of the session leads to. With
    `create_schema`, `schema` is created before.

    Raises UnknownRevisionError, and DatabaseURLError for a schema that cannot have tables.
    """
    config = alembic_config(lock_timeout=lock_timeout, statement_timeout=statement_timeout)
    config.output_buffer = StringIO()
    with translate_alembic_errors(revision), immediate_turn():
        command.upgrade(config, revision, sql=True)
    place = ""
    if schema is not None:
        require_schema_name(schema)
        name = quote(schema)
        create = f"CREATE SCHEMA IF NOT EXISTS {name};\n\n" if create_schema else ""
        place = f"{create}SET search_path = {name};\n\n"
    return place + config.output_buffer.getvalue()


async def current(target: Target, *, retry_for: timedelta = timedelta(0)) -> str | None:
    """Return the database's revision of this package; None when it has none.

    When only other projects' revisions are recorded, which may depend on this package's, it is the
    revision that `check` concludes from the tables. Unless `target` is a connection, transient
    errors are retried for `retry_for`. Raises DatabaseUnavailableError.
    """

    async def read(connection: AsyncConnection) -> str | None:
        recorded = await connection.run_sync(read_revisions_sync)
        is_concluded = recorded.others and not recorded.own
        return (await check(connection)).revision if is_concluded else recorded.revision

    return await _repeated(target, read, retry_for)


async def hand_over(
    target: Target,
    table: str = DEFAULT_TABLE,
    *,
    lock_timeout: timedelta = LOCK_TIMEOUT,
    statement_timeout: timedelta = STATEMENT_TIMEOUT,
    wait: timedelta = MIGRATION_WAIT,
    retry_for: timedelta = RETRY_FOR,
) -> tuple[str, ...]:
    """Move the recorded revision to another project's version table, whose alembic then migrates.

    `table` is the name that the project gives to alembic, "table" or "schema.table"; without a
    schema, it is in that of our tables. A table that is missing is created. The roles that may read
    the revision may read it afterwards. `hand_over(target, "oddsschema_version")` takes it back.

    Returns notes: a sentence about the move; none if the revision is in `table` already. Limits
    and errors are those of `upgrade`.
    """
    config = alembic_config(lock_timeout=lock_timeout, statement_timeout=statement_timeout)
    require_not_negative(wait=wait)
    notes: list[str] = []
    is_nested = has_open_transaction(target)

    async def migrate(connection: AsyncConnection) -> None:
        await connection.run_sync(require_read_committed)
        await connection.run_sync(require_one_schema)
        async with locked_schema(connection, target, wait, is_nested=is_nested):
            notes[:] = await _move(
                connection, config, lambda connection: hand_over_revision(connection, table)
            )
            if not is_nested:
                await connection.commit()

    await _repeated(target, migrate, retry_for, answer_after(statement_timeout))
    return tuple(notes)


async def check(target: Target, *, known: Iterable[str] = ()) -> CheckReport:
    """Compare the database with the tables that this release's migrations build.

    The report has each difference, with the SQL that repairs it. The expected tables are built as
    temporary tables and rolled back: that needs TEMPORARY on the database, and SELECT on
    oddsschema_version. On a standby, names alone are compared, and a note says so. The transaction
    of a connection that was handed over is left unchanged.

    `known` names the parts that you have added to the tables: the table, a dot, and the name of a
    column, constraint, index, trigger, rule, or inheriting table (`events.venue`). The report has
    notes about them, and about names without such a part, instead of differences.

    Raises DatabaseUnavailableError, ReadOnlyDatabaseError, UnsupportedDriverError, and
    ComparisonError for any other reason of the server's.
    """
    names = require_names(known)
    # Outside of the transaction: a role may have a short limit for idle transactions.
    async with awaited_turn():
        release = current_release()
    async with (
        open_source(target, LONG_ANSWER_WITHIN) as source,
        source.acquire() as connection,
    ):
        try:
            async with rolled_back(connection):
                return await check_connection(connection, release, names)
        except driver_errors() as error:
            if connection.is_closed():
                raise DatabaseUnavailableError(
                    reason=f"the connection was lost: {error}"
                ) from error
            # A standby rejects SET TRANSACTION READ WRITE as a feature that is not supported.
            if isinstance(
                error, asyncpg.ReadOnlySQLTransactionError | asyncpg.FeatureNotSupportedError
            ):
                raise ReadOnlyDatabaseError(reason=str(error), operation="check") from error
            raise ComparisonError(
                reason=str(error), sqlstate=getattr(error, "sqlstate", None)
            ) from error


# -- running alembic -------------------------------------------------------------------------------


def alembic_config(**timeouts: timedelta) -> Config:
    """Return alembic's configuration for this package's revisions, with the limits for env.py."""
    require_durations(**timeouts)
    config = Config()
    config.set_main_option("script_location", str(script_location()).replace("%", "%%"))
    config.attributes["timeouts"] = timeouts
    return config


def known_revisions() -> list[str]:
    """Return the revisions of this release, oldest first."""
    scripts = ScriptDirectory.from_config(alembic_config()).walk_revisions()
    return sorted(script.revision for script in scripts)


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


def undone_revisions(recorded: str | None, revision: str) -> list[Script]:
    """Return the revisions that a downgrade from `recorded` to `revision` undoes, newest first.

    Raises UnknownRevisionError.
    """
    with translate_alembic_errors(revision):
        scripts = ScriptDirectory.from_config(alembic_config())
        return [*scripts.iterate_revisions(recorded, revision, select_for_downgrade=True)]


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


async def _migrate(
    target: Target,
    config: Config,
    revision: str,
    move: Callable[[Config, str], None],
    wait: timedelta,
    retry_for: timedelta,
    require_place: Callable[[Connection, RecordedRevisions], None] = lambda *_: None,
    *,
    takes_over: bool = False,
) -> tuple[str, ...]:
    """Run alembic, and return the notes of the revisions and of the rows that they left.

    With `takes_over`, the revision moves to our own version table before.
    """
    require_not_negative(wait=wait)
    config.stdout = notes = StringIO()
    committed: list[str] = []
    moved: list[str] = []
    #: The recorded revisions before each attempt.
    before: list[tuple[str, ...]] = []
    kept: list[str] = []
    waits: list[str] = []
    # The transaction of the caller, who ends it.
    is_nested = has_open_transaction(target)

    def take_notes() -> list[str]:
        taken = notes.getvalue().splitlines()
        notes.seek(0)
        notes.truncate()
        return taken

    def on_connection(connection: Connection) -> None:
        config.attributes["connection"] = connection
        take_notes()  # of an attempt whose transaction was rolled back
        if not is_nested:
            event.listen(connection, "commit", lambda _: committed.extend(take_notes()))
        with translate_alembic_errors(revision), translate_server_errors():
            move(config, revision)

    async def migrate(connection: AsyncConnection) -> None:
        await connection.run_sync(require_read_committed)
        await connection.run_sync(require_one_schema)
        recorded = await connection.run_sync(read_revisions_sync)
        if move is command.upgrade and revision == "head":
            mark = await connection.run_sync(read_mark_sync)
            if mark is not None and mark.revision == recorded.revision and serves_newer(mark):
                waits[:] = [
                    f"the database is at {mark.revision}, newer than this release ({HEAD}), whose "
                    "programs work with it: nothing was changed"
                ]
                return
        require_migratable(recorded)
        if move is command.downgrade and not recorded.own:
            undone_revisions(None, revision)
            return
        if move is command.upgrade and revision == "head" and is_done(recorded):
            return
        async with locked_schema(connection, target, wait, is_nested=is_nested) as waited:
            # Another migration may have run meanwhile.
            recorded = await connection.run_sync(read_revisions_sync)
            require_migratable(recorded)
            await migrate_locked(connection, recorded)
            after = await connection.run_sync(read_revisions_sync)
            if waited and after.own == recorded.own and not moved:
                waits[:] = [describe_wait(waited)]

    def serves_newer(mark: Mark) -> bool:
        return mark.revision > HEAD and mark.serves(HEAD)

    def is_done(recorded: RecordedRevisions) -> bool:
        return recorded.own == (HEAD,) and not (takes_over and recorded.is_in_default_table)

    async def migrate_locked(connection: AsyncConnection, recorded: RecordedRevisions) -> None:
        await connection.run_sync(require_place, recorded)
        before.append(recorded.own)
        if takes_over and recorded.is_in_default_table:
            if not is_nested:
                # Two processes that have both read the version table could not lock it.
                await connection.commit()
            moved.extend(await _move(connection, config, take_over))
        if not is_nested:
            # Alembic would take an open transaction for the caller's, and not commit.
            await connection.commit()
        async with awaited_turn():
            await connection.run_sync(on_connection)
        after = await connection.run_sync(read_revisions_sync)
        if HEAD not in before[0] and HEAD in after.own:
            kept[:] = describe_kept_ids((await connection.exec_driver_sql(READ_KEPT_IDS)).all())
        if not is_nested:
            await connection.commit()

    if _RELATIVE.search(revision):
        # An attempt that fails may have moved the database before.
        retry_for = timedelta(0)
    answer_within = answer_after(config.attributes["timeouts"]["statement_timeout"])
    await _repeated(target, migrate, retry_for, answer_within)
    return (*moved, *committed, *take_notes(), *kept, *waits)


async def _move(
    connection: AsyncConnection, config: Config, move: Callable[[Connection], str | None]
) -> list[str]:
    """Move the revision to another version table, within the time limits; return the notes."""

    def on_connection(connection: Connection) -> str | None:
        context = MigrationContext.configure(connection)
        with (
            translate_alembic_errors("head"),
            translate_server_errors(),
            timeouts(context, **config.attributes["timeouts"]),
        ):
            return move(connection)

    note = await connection.run_sync(on_connection)
    return [] if note is None else [note]


async def _repeated(
    target: Target,
    work: Callable[[AsyncConnection], Awaitable[_Result]],
    retry_for: timedelta,
    answer_within: timedelta = LONG_ANSWER_WITHIN,
) -> _Result:
    """Run `work(connection)`; repeat it after transient errors for `retry_for`.

    On a connection of the caller's, it is not repeated. Raises DatabaseUnavailableError and
    TransactionError in place of the driver's errors.
    """
    require_not_negative(retry_for=retry_for)
    if is_connection(target):
        async with sqlalchemy_connect(target) as connection:
            return await work(connection)
    lost = LostBackends()
    async for attempt in retrying(is_transient, retry_for):
        with attempt:
            try:
                async with sqlalchemy_connect(
                    target, answer_within=answer_within, lost=lost
                ) as connection:
                    try:
                        return await work(connection)
                    except ReadOnlyDatabaseError as error:
                        raise await _with_recovery(error, connection) from error
            except (DBAPIError, *driver_errors()) as error:
                failure = as_package_error(error)
                if failure is None:
                    raise
                raise failure from error
    raise AssertionError("tenacity returns or raises")


async def _with_recovery(
    error: ReadOnlyDatabaseError, connection: AsyncConnection
) -> ReadOnlyDatabaseError:
    """Find out whether the server is a standby: no failover ends a read-only setting."""
    await connection.rollback()
    driver_connection = (await connection.get_raw_connection()).driver_connection
    return replace(error, is_standby=await was_standby(driver_connection))


# -- comparing -------------------------------------------------------------------------------------


def current_release() -> Release:
    """Describe this release: its revisions, its tables, and the SQL that builds them.

    The SQL has no transactions, and records no revision.
    """
    revisions = list(ScriptDirectory.from_config(alembic_config()).walk_revisions())
    statements = StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql",
        # Others double each % of a text.
        dialect_opts={"paramstyle": "named"},
        opts={
            "as_sql": True,
            "output_buffer": statements,
            "literal_binds": True,
            # An autocommit_block would end the transaction of the comparison.
            "transactional_ddl": False,
        },
    )
    with Operations.context(context):
        for revision in reversed(revisions):
            revision.module.upgrade()
    return Release(
        head=HEAD,
        revisions={revision.revision for revision in revisions},
        tables=[table.name for table in metadata.sorted_tables],
        views=list(VIEWS),
        statements=statements.getvalue(),
    )
