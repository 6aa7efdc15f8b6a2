"""The commands: upgrade, downgrade, current, check and hand_over."""

from collections.abc import Iterable
from datetime import timedelta
from io import StringIO

import asyncpg
from alembic import command
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from oddsschema.database.durations import require_not_negative
from oddsschema.database.names import quote
from oddsschema.database.recorded_revisions import (
    DEFAULT_TABLE,
    RecordedRevisions,
    read_revisions_sync,
)
from oddsschema.database.retry import driver_errors
from oddsschema.database.revision import HEAD
from oddsschema.database.targets import Target, has_open_transaction, open_source
from oddsschema.database.time_limits import (
    LOCK_TIMEOUT,
    LONG_ANSWER_WITHIN,
    MIGRATION_WAIT,
    RETRY_FOR,
    STATEMENT_TIMEOUT,
    answer_after,
)
from oddsschema.database.urls import require_schema_name
from oddsschema.errors import ComparisonError, DatabaseUnavailableError, ReadOnlyDatabaseError
from oddsschema.migrations.attempts import repeated
from oddsschema.migrations.catalog import rolled_back
from oddsschema.migrations.error_translation import (
    translate_alembic_errors,
    translate_server_errors,
)
from oddsschema.migrations.known import require_names
from oddsschema.migrations.places import (
    require_creation_in_place,
    require_one_schema,
    require_schema,
)
from oddsschema.migrations.release_schema import current_release
from oddsschema.migrations.report import CheckReport, check_connection
from oddsschema.migrations.requirements import require_read_committed
from oddsschema.migrations.runs import MigrationRun, move_revision
from oddsschema.migrations.schema_lock import locked_schema
from oddsschema.migrations.scripts import alembic_config
from oddsschema.migrations.turns import awaited_turn, immediate_turn
from oddsschema.migrations.version_tables import hand_over_revision


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

    run = MigrationRun(
        target,
        config,
        revision,
        command.upgrade,
        wait,
        require_place,
        takes_over=not keep_version_table,
    )
    return await run.finish(retry_for)


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
    run = MigrationRun(target, config, revision, command.downgrade, wait)
    return await run.finish(retry_for)


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

    return await repeated(target, read, retry_for)


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
            notes[:] = await move_revision(
                connection, config, lambda connection: hand_over_revision(connection, table)
            )
            if not is_nested:
                await connection.commit()

    await repeated(target, migrate, retry_for, answer_after(statement_timeout))
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
