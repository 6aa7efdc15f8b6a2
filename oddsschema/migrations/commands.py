"""Running the migrations: upgrade, downgrade, current, check; and where the revisions are."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from io import StringIO
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util import CommandError
from asyncpg.pool import PoolConnectionProxy
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from oddsschema.contracts.base import metadata
from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.database.revision import HEAD
from oddsschema.database.time_limits import LOCK_TIMEOUT, STATEMENT_TIMEOUT
from oddsschema.errors import DatabaseUnavailableError, OddsSchemaError
from oddsschema.migrations.catalog import undone
from oddsschema.migrations.report import CheckReport, Release, check_connection
from oddsschema.migrations.violations import broken_checks


def script_location() -> Path:
    """Where env.py and versions/ are: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "alembic"
    return installed if installed.is_dir() else package.parent / "alembic"


async def upgrade(
    target: str | AsyncConnection,
    revision: str = "head",
    *,
    lock_timeout: float = LOCK_TIMEOUT,
    statement_timeout: float = STATEMENT_TIMEOUT,
) -> None:
    """Bring the database to `revision`. Running it again changes nothing.

    Each revision is a transaction of its own, unless a connection was handed over. It gives up
    when it has waited `lock_timeout` seconds for a lock, since everybody else who wants that table
    waits with it, or `statement_timeout` seconds for a statement; 0 stands for no limit.

    Raises DatabaseUnavailableError, and OddsSchemaError when time was up, when rows that were there
    before break a new CHECK (with the SELECT that finds them), and for a revision that does not
    exist.
    """
    config = _config(lock_timeout=lock_timeout, statement_timeout=statement_timeout)
    await _run(target, config, revision, command.upgrade)


async def downgrade(
    target: str | AsyncConnection,
    revision: str,
    *,
    lock_timeout: float = LOCK_TIMEOUT,
    statement_timeout: float = STATEMENT_TIMEOUT,
) -> None:
    """Take the database back to `revision`; "base" drops every table of this package.

    Timeouts and errors are those of `upgrade`.
    """
    config = _config(lock_timeout=lock_timeout, statement_timeout=statement_timeout)
    await _run(target, config, revision, command.downgrade)


def upgrade_sql(
    revision: str = "head",
    *,
    lock_timeout: float = LOCK_TIMEOUT,
    statement_timeout: float = STATEMENT_TIMEOUT,
) -> str:
    """The SQL of an upgrade from an empty database, for those who run it by other means.

    `revision` may be a range, "from:to". Timeouts are those of `upgrade`, as SET statements.
    """
    config = _config(lock_timeout=lock_timeout, statement_timeout=statement_timeout)
    config.output_buffer = StringIO()
    with _in_words(revision):
        command.upgrade(config, revision, sql=True)
    return config.output_buffer.getvalue()


async def current(target: str | AsyncConnection) -> str | None:
    """The revision that the database is at; None when it has none of this package's.

    Where only other projects' revisions are recorded, one of which may stand for ours, it is what
    `check` finds.
    """
    async with _connected(target) as connection:
        recorded = await connection.run_sync(_recorded)
        ours = next((one for one in recorded if one.startswith("oddsschema_")), None)
        return (await check(connection)).revision if recorded and ours is None else ours


async def check(target: str | AsyncConnection) -> CheckReport:
    """Compare the database with what this release's migrations build, and say what mends it.

    What is expected is built in temporary tables, and undone: that needs TEMPORARY on the database,
    SELECT on alembic_version, and a primary server. On a connection that was handed over, its
    transaction stays as it was.

    Raises DatabaseUnavailableError, and OddsSchemaError when the server does not let it compare.
    """
    async with AsyncExitStack() as stack:
        if isinstance(target, str):
            target = await stack.enter_async_context(sqlalchemy_connect(target))
        connection = (await target.get_raw_connection()).driver_connection
        if not isinstance(connection, (asyncpg.Connection, PoolConnectionProxy)):
            raise OddsSchemaError("check needs a connection of postgresql+asyncpg")
        try:
            async with undone(connection):
                return await check_connection(connection, _release())
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            if connection.is_closed():
                raise DatabaseUnavailableError(f"the connection was lost: {error}") from error
            raise OddsSchemaError(_why_not(error)) from error


# -- running alembic -------------------------------------------------------------------------------


def _config(**timeouts: float) -> Config:
    config = Config()
    config.set_main_option("script_location", str(script_location()).replace("%", "%%"))
    config.attributes["timeouts"] = timeouts
    return config


async def _run(
    target: str | AsyncConnection,
    config: Config,
    revision: str,
    move: Callable[[Config, str], None],
) -> None:
    def on_connection(connection: Connection) -> None:
        config.attributes["connection"] = connection
        with _in_words(revision), broken_checks(connection):
            move(config, revision)

    async with _connected(target) as connection:
        await connection.run_sync(_require_known_revisions)
        if isinstance(target, str):
            await connection.rollback()  # or alembic would take the transaction for the caller's
        await connection.run_sync(on_connection)
        if isinstance(target, str):
            await connection.commit()


def _require_known_revisions(connection: Connection) -> None:
    """Raise OddsSchemaError when alembic, which knows ours alone, could do nothing here."""
    known = {one.revision for one in ScriptDirectory.from_config(_config()).walk_revisions()}
    recorded = _recorded(connection)
    unknown = ", ".join(sorted(set(recorded) - known))
    if any(not one.startswith("oddsschema_") for one in recorded):
        raise OddsSchemaError(
            f"the database has another project's revisions ({unknown}), which may build on these: "
            "migrate both with that project's alembic ('alembic upgrade heads')"
        )
    if unknown:
        raise OddsSchemaError(
            f"the database is at {unknown}, which this release does not know (its newest is "
            f"{HEAD}): install a newer oddsschema"
        )


@asynccontextmanager
async def _connected(target: str | AsyncConnection) -> AsyncIterator[AsyncConnection]:
    if isinstance(target, str):
        async with sqlalchemy_connect(target) as connection:
            yield connection
    else:
        if not target.in_transaction():
            # Or alembic would begin one of its own, and commit it.
            await target.begin()
        yield target


@contextmanager
def _in_words(revision: str) -> Iterator[None]:
    """Raise OddsSchemaError for what alembic raises, with the revisions when it is about them."""
    try:
        yield
    except CommandError as error:
        # (A range is for SQL text alone.)
        if isinstance(error.__cause__, RevisionError) or ":" in revision:
            raise OddsSchemaError(f"{error}; {_revisions()}") from error
        raise OddsSchemaError(str(error)) from error
    except (AssertionError, ValueError) as error:
        # What alembic answers to an argument that it does not expect ("", "@", "head+1").
        raise OddsSchemaError(f"{revision!r} leads to no revision; {_revisions()}") from error


def _revisions() -> str:
    scripts = ScriptDirectory.from_config(_config()).walk_revisions()
    known = ", ".join(sorted(script.revision for script in scripts))
    return f"there are base, {known} and head (the newest)"


# -- comparing -------------------------------------------------------------------------------------


def _recorded(connection: Connection) -> tuple[str, ...]:
    return MigrationContext.configure(connection).get_current_heads()


def _release() -> Release:
    """The upgrade from nothing as SQL, without transactions and revisions, and what it leads to."""
    revisions = list(ScriptDirectory.from_config(_config()).walk_revisions())
    statements = StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql",
        opts={
            "as_sql": True,
            "output_buffer": statements,
            "literal_binds": True,
            # A block that wants to be outside of a transaction would end ours.
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


def _why_not(error: Exception) -> str:
    match error:
        case asyncpg.InsufficientPrivilegeError():
            cure = "check needs SELECT on alembic_version and TEMPORARY on the database"
        case asyncpg.ReadOnlySQLTransactionError() | asyncpg.FeatureNotSupportedError():
            cure = "check needs a primary server, and a transaction that may write"
        case asyncpg.DuplicateTableError():
            cure = "a temporary table of this session is in the way"
        case asyncpg.LockNotAvailableError():
            cure = "is a migration running? Check again when it is through"
        case _:
            cure = "nothing was compared"
    return f"cannot compare the database with this release: {error}; {cure}"
