"""The revision that this release needs, and the check that a database has it."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from oddsschema.database.recorded_revisions import (
    FIND_OWN_TABLE,
    OWN_TABLE,
    VersionTable,
    moved,
    read_revisions,
    read_tables,
)
from oddsschema.database.schemas import (
    Placement,
    find_other_schemas,
    placement_statement,
)
from oddsschema.errors import MissingSchemaError, NotMigratedError
from oddsschema.release import HEAD as HEAD
from oddsschema.release import Mark

if TYPE_CHECKING:
    from sqlalchemy import Connection as SyncConnection

    from oddsschema.database.known_databases import KnownDatabase
    from oddsschema.database.targets import Connection

#: Read the mark of the tables that the search path leads to.
_READ_MARK: Final = "SELECT obj_description(to_regclass('sports'), 'pg_class')"

#: Return whether every named column, constraint and index exists: the tables are $1, the names $2.
HAS_ALL_PARTS = """
WITH wanted AS (
    SELECT to_regclass(quote_ident(owner)) AS oid, name
    FROM unnest($1::text[], $2::text[]) AS _ (owner, name)
)
SELECT NOT EXISTS (
    SELECT oid, name FROM wanted
    EXCEPT (
        SELECT attrelid, attname::text FROM pg_attribute WHERE NOT attisdropped
        UNION ALL SELECT conrelid, conname FROM pg_constraint WHERE convalidated
        UNION ALL SELECT indrelid, relname FROM pg_index JOIN pg_class ON oid = indexrelid
    )
)
"""


# Read the places of the tables, and the revisions in the version table {table}.
_READ_BOTH = """
SELECT placement.*, ARRAY(SELECT version_num::text FROM {table}) FROM ({placement}) AS placement
"""


# Read the places of the tables, and the schema of the version table if the database stands alone.
_FIND_BOTH = f"SELECT placement.*, ({FIND_OWN_TABLE}) FROM ({{placement}}) AS placement"


async def keep_migrated(connection: "Connection", snapshots: str) -> None:
    """Keep migrations from changing the rows of a history until the transaction ends.

    A SELECT suffices to lock the table `snapshots`: a migration that gives rows another meaning
    locks it before it reads. Raises NotMigratedError if such a migration ran before.
    """
    await connection.execute(f"SELECT FROM {snapshots} LIMIT 0")
    # Read after the lock, for which a migration may have been waited.
    await require_revision(connection)


async def fetch_keeping_migrated(
    connection: "Connection",
    snapshots: str,
    statement: Callable[[str], str],
    arguments: Sequence[Any],
) -> Any:
    """Fetch rows of a history, and keep migrations away as `keep_migrated`, in one round trip.

    `statement` makes a statement that reads the table `snapshots`, with one more column.
    """
    import asyncpg

    known = _known(connection)
    if known is None or known.version_table is None:
        await keep_migrated(connection, snapshots)
        return await connection.fetch(statement("NULL"), *arguments)
    # To parse the statement locks the table: the revisions are read afterwards.
    revisions = f"ARRAY(SELECT version_num::text FROM {known.version_table}) AS revisions"
    try:
        rows = await connection.fetch(statement(revisions), *arguments)
    except asyncpg.UndefinedTableError as error:
        raise moved(str(error)) from None
    if not (rows and HEAD in rows[0]["revisions"]):
        await require_revision(connection)
    return rows


async def require_migrated(connection: "Connection") -> None:
    """Raise NotMigratedError unless the database has the tables of this release.

    Raises SplitTablesError if they are in several schemas, and MissingSchemaError if the first
    schema of the search path does not exist, and no other one has them.
    """
    placement, revisions = await _read_placement_and_revisions(connection)
    placement.require_one_schema()
    if not placement.tables:
        if placement.missing_schema is not None:
            raise MissingSchemaError(schema=placement.missing_schema)
        if elsewhere := await find_other_schemas(connection):
            raise NotMigratedError(current=None, head=HEAD, elsewhere=elsewhere)
    if HEAD not in revisions:
        await require_revision(connection)


async def _read_placement_and_revisions(
    connection: "Connection",
) -> tuple[Placement, Sequence[str]]:
    """Read the places of the tables, and the revisions in the version table if it is known."""
    import asyncpg

    known = _known(connection)
    if known is not None and known.version_table is not None:
        statement = _READ_BOTH.format(table=known.version_table, placement=placement_statement())
        try:
            *row, revisions = await connection.fetchrow(statement)
        except asyncpg.UndefinedTableError as error:
            if connection.is_in_transaction():
                raise moved(str(error)) from None
        else:
            return Placement.from_row(row), revisions
    *row, schema = await connection.fetchrow(_FIND_BOTH.format(placement=placement_statement()))
    placement = Placement.from_row(row)
    if schema is None:
        return placement, ()
    table = VersionTable(schema, OWN_TABLE)
    try:
        revisions = [row[1] for row in await connection.fetch(read_tables([table]))]
    except asyncpg.UndefinedTableError as error:
        raise moved(str(error)) from None
    if known is not None and HEAD in revisions:
        known.version_table = table.sql
    return placement, revisions


def _known(connection: "Connection") -> "KnownDatabase | None":
    """Return the facts that are known about the database of a connection of ours."""
    known: KnownDatabase | None = getattr(connection, "known", None)
    return known


async def require_revision(connection: "Connection") -> None:
    """Raise NotMigratedError unless programs of this release live with the tables.

    The tables are at its revision, or at a newer one that serves it.
    """
    recorded = await read_revisions(connection)
    if HEAD in recorded.own:
        if recorded.table is not None and (known := _known(connection)) is not None:
            known.version_table = recorded.table.sql
        return
    mark = await read_mark(connection)
    is_newer = mark is not None and mark.revision > HEAD
    if is_newer and mark is not None and recorded.revision in (mark.revision, None):
        if mark.serves(HEAD):
            return
        current: str | None = mark.revision
    elif not recorded.own and await has_all_parts(connection):
        return
    else:
        current = recorded.revision
    raise NotMigratedError(current=current, head=HEAD, others=recorded.others)


async def read_mark(connection: "Connection") -> Mark | None:
    """Read the mark that the newest revision left; None if there is none."""
    return Mark.parse(await connection.fetchval(_READ_MARK))


def read_mark_sync(connection: "SyncConnection") -> Mark | None:
    """Read the mark that the newest revision left, through SQLAlchemy; None if there is none."""
    return Mark.parse(connection.exec_driver_sql(_READ_MARK).scalar())


async def has_all_parts(connection: "Connection") -> bool:
    """Return whether all parts of this release's tables exist, judged by their names.

    The recorded revision cannot answer this: `metadata.create_all` records none, and alembic
    records another project's revision instead of the revision of ours that it depends on.
    """
    from oddsschema.models import Sport

    tables = Sport.metadata.tables.values()
    parts = [
        (table.name, str(part.name))
        for table in tables
        for part in (*table.columns, *table.constraints, *table.indexes)
    ]
    return bool(await connection.fetchval(HAS_ALL_PARTS, *zip(*parts, strict=True)))
