"""The migration commands: upgrade, downgrade, current, check, and the location of the revisions."""

import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import TypeVar

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util import CommandError
from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from oddsschema.contracts.base import metadata
from oddsschema.database.backends import LostBackends
from oddsschema.database.connections import sqlalchemy_connect, was_standby
from oddsschema.database.retry import as_package_error, is_transient, retrying
from oddsschema.database.revision import HEAD, is_own_revision
from oddsschema.database.targets import (
    Target,
    has_open_transaction,
    is_connection,
    open_source,
)
from oddsschema.database.time_limits import (
    LOCK_TIMEOUT,
    LONG_ANSWER_WITHIN,
    RETRY_FOR,
    STATEMENT_TIMEOUT,
    answer_after,
)
from oddsschema.errors import (
    ComparisonError,
    DatabaseUnavailableError,
    MigrationError,
    NewerDatabaseError,
    OtherProjectError,
    ReadOnlyDatabaseError,
    UnknownRevisionError,
)
from oddsschema.migrations.catalog import rolled_back
from oddsschema.migrations.kept_ids import READ_KEPT_IDS, describe_kept_ids
from oddsschema.migrations.report import CheckReport, Release, check_connection
from oddsschema.migrations.violations import translate_violations

_READ_ONLY_SQL_TRANSACTION = "25006"

#: A revision relative to the current one or to another: -1, head-2.
_RELATIVE = re.compile(r"[+-]\d+$")

_Result = TypeVar("_Result")


def script_location() -> Path:
    """Return the directory of env.py and versions/.

    It is inside the installed package, or beside the package in a checkout.
    """
    package = Path(__file__).parents[1]
    installed = package / "alembic"
    return installed if installed.is_dir() else package.parent / "alembic"


async def upgrade(
    target: Target,
    revision: str = "head",
    *,
    lock_timeout: timedelta = LOCK_TIMEOUT,
    statement_timeout: timedelta = STATEMENT_TIMEOUT,
    retry_for: timedelta = RETRY_FOR,
) -> tuple[str, ...]:
    """Upgrade the database to `revision`. Running it again changes nothing.

    Each revision is a transaction of its own, and those that change stored rows have many; with a
    connection of SQLAlchemy, or one of asyncpg with an open transaction, all are in that one. An
    upgrade that was interrupted is run again. The migration gives up after waiting `lock_timeout`
    for a lock, since every session that needs the same table waits behind it, or after
    `statement_timeout` in a statement; a duration of 0 means no limit.

    Unless `target` is a connection, transient errors are retried for `retry_for`, from the first
    failure: a wait for a lock that was too long, a deadlock, a lost connection, a server that
    starts up, a standby. A server that does not answer for a minute more than `statement_timeout`
    loses the connection.

    Returns notes: sentences about rows that keep an older form.

    Raises DatabaseUnavailableError and ReadOnlyDatabaseError, and the subclasses of MigrationError:
    UnknownRevisionError, NewerDatabaseError, OtherProjectError, CheckViolationError (with the
    SELECT that finds the rows), LockTimeoutError, StatementTimeoutError, MigrationDeadlockError.
    A sequence that is behind raises SequenceError.
    """
    config = alembic_config(lock_timeout=lock_timeout, statement_timeout=statement_timeout)
    return await _migrate(target, config, revision, command.upgrade, retry_for)


async def downgrade(
    target: Target,
    revision: str,
    *,
    lock_timeout: timedelta = LOCK_TIMEOUT,
    statement_timeout: timedelta = STATEMENT_TIMEOUT,
    retry_for: timedelta = RETRY_FOR,
) -> tuple[str, ...]:
    """Downgrade the database to `revision`; "base" drops every table of this package.

    Returns notes: sentences about rows that the older form cannot hold, which were deleted or
    changed, with their number. Limits and errors are those of `upgrade`.
    """
    config = alembic_config(lock_timeout=lock_timeout, statement_timeout=statement_timeout)
    return await _migrate(target, config, revision, command.downgrade, retry_for)


def upgrade_sql(
    revision: str = "head",
    *,
    lock_timeout: timedelta = LOCK_TIMEOUT,
    statement_timeout: timedelta = STATEMENT_TIMEOUT,
) -> str:
    """Return the SQL of an upgrade from an empty database, to be run by other means.

    `revision` may be a range, "from:to". The limits are those of `upgrade`, as SET statements.
    Raises UnknownRevisionError.
    """
    config = alembic_config(lock_timeout=lock_timeout, statement_timeout=statement_timeout)
    config.output_buffer = StringIO()
    with translate_alembic_errors(revision):
        command.upgrade(config, revision, sql=True)
    return config.output_buffer.getvalue()


async def current(target: Target, *, retry_for: timedelta = timedelta(0)) -> str | None:
    """Return the database's revision of this package; None when it has none.

    When only other projects' revisions are recorded, which may depend on this package's, it is the
    revision that `check` concludes from the tables. Unless `target` is a connection, transient
    errors are retried for `retry_for`. Raises DatabaseUnavailableError.
    """

    async def read(connection: AsyncConnection) -> str | None:
        recorded = await connection.run_sync(recorded_revisions)
        own = next(filter(is_own_revision, recorded), None)
        return (await check(connection)).revision if recorded and own is None else own

    return await _repeated(target, read, retry_for)


async def check(target: Target) -> CheckReport:
    """Compare the database with the tables that this release's migrations build.

    The report has each difference, with the SQL that repairs it. The expected tables are built as
    temporary tables and rolled back: that needs TEMPORARY on the database, SELECT on
    alembic_version, and a primary server. The transaction of a connection that was handed over is
    left unchanged.

    Raises DatabaseUnavailableError, ReadOnlyDatabaseError, UnsupportedDriverError, and
    ComparisonError for any other reason of the server's.
    """
    async with (
        open_source(target, LONG_ANSWER_WITHIN) as source,
        source.acquire() as connection,
    ):
        try:
            async with rolled_back(connection):
                return await check_connection(connection, current_release())
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
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
    config = Config()
    config.set_main_option("script_location", str(script_location()).replace("%", "%%"))
    config.attributes["timeouts"] = timeouts
    return config


def known_revisions() -> list[str]:
    """Return the revisions of this release, oldest first."""
    scripts = ScriptDirectory.from_config(alembic_config()).walk_revisions()
    return sorted(script.revision for script in scripts)


def recorded_revisions(connection: Connection) -> tuple[str, ...]:
    """Read the revisions that the database records, including those of other projects."""
    return MigrationContext.configure(connection).get_current_heads()


def require_known_revisions(connection: Connection) -> None:
    """Check that alembic can migrate the database with this package's revisions alone.

    Raises OtherProjectError and NewerDatabaseError.
    """
    unknown = sorted(set(recorded_revisions(connection)) - set(known_revisions()))
    others = tuple(revision for revision in unknown if not is_own_revision(revision))
    if others:
        raise OtherProjectError(revisions=others)
    if unknown:
        raise NewerDatabaseError(current=unknown[-1], head=HEAD)


def require_read_committed(connection: Connection) -> None:
    """Raise MigrationError at an isolation level that hides the commits of others meanwhile."""
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
        if isinstance(error.__cause__, MigrationError):  # raised by `timeouts` in env.py
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
def translate_read_only_errors() -> Iterator[None]:
    """Raise ReadOnlyDatabaseError in place of PostgreSQL's read_only_sql_transaction."""
    try:
        yield
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != _READ_ONLY_SQL_TRANSACTION:
            raise
        assert error.orig is not None  # an error with a SQLSTATE
        reason = str(error.orig.__cause__)
        raise ReadOnlyDatabaseError(reason=reason, operation="a migration") from error


async def _migrate(
    target: Target,
    config: Config,
    revision: str,
    move: Callable[[Config, str], None],
    retry_for: timedelta,
) -> tuple[str, ...]:
    """Run alembic, and return the notes of the revisions and of the rows that they left."""
    config.stdout = notes = StringIO()
    committed: list[str] = []
    #: The recorded revisions before each attempt.
    before: list[tuple[str, ...]] = []
    kept: list[str] = []
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
        with (
            translate_alembic_errors(revision),
            translate_violations(connection),
            translate_read_only_errors(),
        ):
            move(config, revision)

    async def migrate(connection: AsyncConnection) -> None:
        await connection.run_sync(require_read_committed)
        await connection.run_sync(require_known_revisions)
        before.append(await connection.run_sync(recorded_revisions))
        if not is_nested:
            # Alembic would take this transaction for the caller's, and not commit.
            await connection.rollback()
        await connection.run_sync(on_connection)
        if HEAD not in before[0] and HEAD in await connection.run_sync(recorded_revisions):
            kept[:] = describe_kept_ids((await connection.exec_driver_sql(READ_KEPT_IDS)).all())
        if not is_nested:
            await connection.commit()

    if _RELATIVE.search(revision):
        # An attempt that fails may have moved the database before.
        retry_for = timedelta(0)
    answer_within = answer_after(config.attributes["timeouts"]["statement_timeout"])
    await _repeated(target, migrate, retry_for, answer_within)
    return (*committed, *take_notes(), *kept)


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
            except (DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
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
        statements=statements.getvalue(),
    )
