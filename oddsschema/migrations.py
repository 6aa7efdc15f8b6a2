"""The migrations that the wheel carries: upgrade, downgrade, current, check; and hooks for others.

A target is a PostgreSQL URL, or an SQLAlchemy AsyncConnection whose transaction is then the
caller's. A project with tables of its own adds the versions to its `version_locations`, and
`autogenerate_options` to its env.py: see docs/howto-extending.md.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from io import StringIO
from pathlib import Path
from typing import Any, Literal

import asyncpg
from alembic import command
from alembic.autogenerate.api import AutogenContext
from alembic.config import Config
from alembic.operations import Operations
from alembic.operations.ops import MigrationScript
from alembic.runtime.environment import NameFilterParentNames, NameFilterType
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util import CommandError, to_tuple
from asyncpg.pool import PoolConnectionProxy
from sqlalchemy import Connection, MetaData, Table
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import Enum
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

from oddsschema.base import metadata
from oddsschema.broken import broken_checks
from oddsschema.catalog import undone
from oddsschema.check import CheckReport, Release, check_connection
from oddsschema.database import HEAD, sqlalchemy_connect
from oddsschema.errors import DatabaseUnavailableError, OddsSchemaError
from oddsschema.outcomes import OutcomesJSONB
from oddsschema.timeouts import LOCK_TIMEOUT, STATEMENT_TIMEOUT


def script_location() -> Path:
    """Where env.py and versions/ are: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
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


# -- for an env.py ---------------------------------------------------------------------------------


def autogenerate_options(own: MetaData | Sequence[MetaData] | None = None) -> dict[str, Any]:
    """What `context.configure` needs for tables of one's own in the database of ours.

    `own` is their MetaData (without it, ours): what `revision --autogenerate` and `alembic check`
    compare with the database. Tables of oddsschema are left out: `oddsschema check` is for them.

        context.configure(connection=connection, **autogenerate_options(SQLModel.metadata))

    The parts are there for those who combine them with hooks of their own: `include_object`,
    `render_item` and `require_dependency_on_tables`; `target_metadata` is `own`.
    """
    if own is None:
        return {
            "target_metadata": metadata,
            "include_name": _is_ours,
            "render_item": render_item,
            "compare_server_default": True,
            # By name, which all of ours have. Those without one, which other projects may have,
            # would come out as dropped.
            "autogenerate_plugins": [
                "alembic.autogenerate.*",
                "alembic.ext.checkconstraint_byname",
            ],
        }
    return {
        "target_metadata": own,
        "include_object": include_object,
        "render_item": render_item,
        "process_revision_directives": require_dependency_on_tables,
        "compare_server_default": True,
    }


def include_object(
    item: SchemaItem,
    name: str | None,
    kind: NameFilterType,
    reflected: bool,
    compare_to: SchemaItem | None,
) -> bool:
    """Alembic's hook: leave the tables of oddsschema alone, which would come out as dropped."""
    return not (isinstance(item, Table) and item.schema is None and name in metadata.tables)


def render_item(kind: str, item: Any, autogen_context: AutogenContext) -> str | Literal[False]:
    """Alembic's hook: write types of oddsschema and SQLModel as plain SQLAlchemy ones.

    So that a migration imports neither, and stays what it is when they change.
    """
    if kind != "type":
        return False
    if isinstance(item, OutcomesJSONB):
        autogen_context.imports.add("from sqlalchemy.dialects import postgresql")
        return "postgresql.JSONB()"
    if isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    if isinstance(item, AutoString) or _is_varchar(item):
        return f"sa.String(length={item.length})" if item.length else "sa.String()"
    return False


def require_dependency_on_tables(
    context: MigrationContext,
    revision: str | Iterable[str | None] | Iterable[str],
    directives: list[MigrationScript],
) -> None:
    """Alembic's hook: a new revision depends on the one of ours that made the tables it refers to.

    On our newest one it must not: alembic keeps heads alone, so that it would be recorded in the
    place of ours, and only a comparison of the tables would tell where ours are. On the branch
    ("oddsschema") it must not: alembic takes that for its first revision.

    Raises alembic's CommandError.
    """
    for script in directives:
        for wanted in to_tuple(script.depends_on, default=()):
            if wanted == "oddsschema" or _resolved(context, wanted) == HEAD:
                raise CommandError(
                    f"depend on the revision of oddsschema that made the tables you refer to "
                    f"(docs/migrations.md lists them: oddsschema_0003, for one), not on {wanted}"
                )


def _resolved(context: MigrationContext, wanted: str) -> str | None:
    found = context.script.get_revision(wanted) if context.script is not None else None
    return found.revision if found is not None else None


def _is_varchar(item: Any) -> bool:
    """Whether an enumeration's values are kept as text, which PostgreSQL holds to nothing."""
    return isinstance(item, Enum) and not (item.native_enum or item.create_constraint)


def _is_ours(name: str | None, kind: NameFilterType, parents: NameFilterParentNames) -> bool:
    """Leave other applications' tables alone: without this, they would come out as DROP TABLE."""
    return kind != "table" or name in metadata.tables


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
