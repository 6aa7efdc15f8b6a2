"""The revision that this release needs, and the check that a database has it."""

from oddsschema.database.connections import Connection
from oddsschema.errors import NotMigratedError

#: The newest revision of the migrations that this release carries.
HEAD = "oddsschema_0007"

#: Whether each of $1, tables, has a column, a constraint or an index with the name beside it in $2.
_ALL_THERE = """
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


async def require_migrated(connection: Connection) -> None:
    """Raise NotMigratedError unless the tables of this release are there."""
    revisions = []
    if await connection.fetchval("SELECT to_regclass('alembic_version') NOTNULL"):
        rows = await connection.fetch("SELECT version_num FROM alembic_version")
        revisions = [row[0] for row in rows]
    current = next((one for one in revisions if one.startswith("oddsschema_")), None)
    if HEAD in revisions or (current is None and await _is_there(connection)):
        return
    if current is None and revisions:
        state = f"is at {', '.join(revisions)} of another project, without this release's tables"
        cure = "run that project's 'alembic upgrade heads'"
    else:
        state = f"is at revision {current}" if current else "has no tables of oddsschema"
        cure = "run 'oddsschema upgrade'"
    raise NotMigratedError(
        f"the database {state}, this release needs {HEAD}: {cure}", current=current, head=HEAD
    )


async def _is_there(connection: Connection) -> bool:
    """Whether all that this release's tables consist of is there, by its names.

    `metadata.create_all` records no revision, and another project's may be recorded in the place
    of the one of ours that it depends on.
    """
    from oddsschema.models import Sport

    tables = Sport.metadata.tables.values()
    wanted = [
        (table.name, str(part.name))
        for table in tables
        for part in (*table.columns, *table.constraints, *table.indexes)
    ]
    return bool(await connection.fetchval(_ALL_THERE, *zip(*wanted, strict=True)))
