"""The schemas that the search path leads to, and the tables of this release in them.

All tables have to be in one schema. Where another application has a table of the same name in an
earlier schema of the search path, a statement would read and change that one.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from oddsschema.errors import SplitTablesError

if TYPE_CHECKING:
    from sqlalchemy import Connection as SyncConnection

    from oddsschema.database.targets import Connection

# Read the schema for new tables, the first schema of the search path if it does not exist, and the
# schemas with the names that the search path leads to. Temporary tables hide none of them.
_PLACES = """
WITH named AS (
    SELECT place, (CASE WHEN left(found[1], 1) = '"'
        THEN replace(substr(found[1], 2, length(found[1]) - 2), '""', '"')
        ELSE lower(found[1])
    END)::name::text AS name
    FROM regexp_matches(
        current_setting('search_path'), '("(?:[^"]|"")*"|[^[:space:],"]+)', 'g'
    ) WITH ORDINALITY AS matches (found, place)
), first_named AS (
    SELECT name FROM named WHERE name NOT IN ('', '$user', 'pg_temp', 'pg_catalog')
    ORDER BY place LIMIT 1
), visible AS (
    SELECT DISTINCT ON (c.relname) c.relname::text AS name, n.nspname::text AS schema
    FROM unnest(current_schemas(false)) WITH ORDINALITY AS path (schema, place)
    JOIN pg_namespace AS n ON n.nspname = path.schema AND n.oid <> pg_my_temp_schema()
    JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = ANY ('{{{tables}}}'::name[])
    ORDER BY c.relname, path.place
)
SELECT (
        SELECT n.nspname::text
        FROM unnest(current_schemas(false)) WITH ORDINALITY AS path (schema, place)
        JOIN pg_namespace AS n ON n.nspname = path.schema AND n.oid <> pg_my_temp_schema()
        ORDER BY path.place LIMIT 1
    ),
    (SELECT quote_ident(name) FROM first_named WHERE to_regnamespace(quote_ident(name)) IS NULL),
    ARRAY(SELECT name FROM visible ORDER BY name),
    ARRAY(SELECT schema FROM visible ORDER BY name)
"""


@dataclass(frozen=True)
class Placement:
    """The places of the tables of this release, as the search path of a session leads to them."""

    #: The schema for new tables; None if the search path has none that this role may use.
    creation_schema: str | None
    #: The first schema that the search path names, if it does not exist; quoted as SQL needs it.
    missing_schema: str | None
    #: The tables by their schemas. Relations of another kind or owner are included.
    tables: Mapping[str, tuple[str, ...]]

    @classmethod
    def from_row(cls, row: Iterable[Any]) -> "Placement":
        """Build from the row of the statement."""
        creation_schema, missing_schema, names, schemas = row
        pairs = list(zip(schemas, names, strict=True))
        return cls(
            creation_schema=creation_schema,
            missing_schema=missing_schema,
            tables={
                schema: tuple(name for other, name in pairs if other == schema)
                for schema in dict(pairs)
            },
        )

    @property
    def present(self) -> frozenset[str]:
        """The names of the tables that exist."""
        return frozenset(name for names in self.tables.values() for name in names)

    @property
    def schema(self) -> str | None:
        """The schema of the tables, or the schema for new tables if there are none."""
        return next(iter(self.tables), self.creation_schema)

    def is_other_applications(self, tables: Collection[str]) -> bool:
        """Return whether tables without a revision hide nothing that a migration creates.

        They are only some of `tables`, and new tables are created in an earlier schema.
        """
        return not self.present.issuperset(tables) and self.creation_schema not in self.tables

    def require_one_schema(self) -> None:
        """Raise SplitTablesError if the tables are in several schemas."""
        if len(self.tables) > 1:
            raise SplitTablesError(tables=dict(self.tables))


# Find the schemas outside of the search path that have most of the tables. The role may use them.
_OTHER_SCHEMAS = """
SELECT n.nspname::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relname = ANY ('{{{tables}}}'::name[]) AND c.relpersistence <> 't'
    AND n.nspname <> ALL (current_schemas(false)) AND has_schema_privilege(n.oid, 'USAGE')
GROUP BY n.nspname HAVING count(*) * 2 > {number}
ORDER BY n.nspname
"""


async def find_other_schemas(connection: "Connection") -> tuple[str, ...]:
    """Find the schemas outside of the search path that have tables of this package."""
    from oddsschema.models import Sport

    tables = Sport.metadata.tables
    statement = _OTHER_SCHEMAS.format(tables=",".join(tables), number=len(tables))
    return tuple(row[0] for row in await connection.fetch(statement))


async def read_placement(connection: "Connection") -> Placement:
    """Read the places of the tables."""
    return Placement.from_row(await connection.fetchrow(placement_statement()))


def read_placement_sync(connection: "SyncConnection") -> Placement:
    """Read the places of the tables, through SQLAlchemy with any driver."""
    return Placement.from_row(connection.exec_driver_sql(placement_statement()).one())


@cache
def placement_statement() -> str:
    """Return the statement that reads the row of a `Placement`."""
    from oddsschema.models import Sport

    return _PLACES.format(tables=",".join(Sport.metadata.tables))
