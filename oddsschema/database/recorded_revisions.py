"""The revisions that a database records, and the version table that has them.

A database stands alone if this package migrates it: the revision is then in `oddsschema_version`,
beside the tables. Inside another project's alembic, the revision is in that project's version
table, which can have any name and be in any schema. The database alone decides which of the two it
is, in `reading`; every other part of this package asks here.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from oddsschema.database.names import quote
from oddsschema.database.schemas import Placement, placement_statement
from oddsschema.errors import TransactionError

if TYPE_CHECKING:
    from sqlalchemy import Connection as SyncConnection

    from oddsschema.database.targets import Connection

#: The version table of a database that stands alone.
OWN_TABLE = "oddsschema_version"

#: Alembic's default name of a version table.
DEFAULT_TABLE = "alembic_version"

# The names of the tables of this release, as a value in SQL.
_NAMES = "ARRAY[{names}]::name[]"

# Find the schema for new tables, if it has OWN_TABLE. Planning this costs little.
FIND_OWN_TABLE = f"""
SELECT current_schema()::text FROM pg_attribute
WHERE attrelid = to_regclass(quote_ident(current_schema()) || '.{OWN_TABLE}')
    AND attname = 'version_num'
"""

# Find the relations of a schema with names of our tables, whether it has OWN_TABLE, and whether its
# tables of markets are another program's: ours have a column for the event.
_FIND_RELATIONS = f"""
SELECT string_agg(c.relname, ' ') FILTER (WHERE c.relname = ANY ({_NAMES})),
    bool_or(c.relname = '{OWN_TABLE}' AND EXISTS (
        SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = 'version_num'
    )),
    bool_or(c.relkind IN ('r', 'p') AND wanted.event IS NOT NULL AND NOT EXISTS (
        SELECT FROM pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attname = wanted.event AND NOT a.attisdropped
    ))
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN (
    VALUES ('market_odds', 'event_id'), ('competitor_market_odds', 'competitor_event_id')
) AS wanted (name, event) ON wanted.name = c.relname
WHERE n.nspname = '{{schema}}' AND (c.relname = '{OWN_TABLE}' OR c.relname = ANY ({_NAMES}))
"""

# Find version tables: the schema, the name, and whether this role may read it.
#
# Another application's table can have a column of that name beside others.
_FIND_TABLES = f"""
SELECT n.nspname::text, c.relname::text,
    has_schema_privilege(n.oid, 'USAGE') AND has_column_privilege(c.oid, a.attnum, 'SELECT')
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'version_num'
WHERE a.atttypid IN ('varchar'::regtype, 'text'::regtype)
    AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND {{condition}}
    AND (c.relname = '{DEFAULT_TABLE}' OR NOT EXISTS (
        SELECT FROM pg_attribute AS other
        WHERE other.attrelid = c.oid AND other.attnum > 0 AND NOT other.attisdropped
            AND other.attnum <> a.attnum
    ) OR EXISTS (
        SELECT FROM pg_index AS i
        WHERE i.indrelid = c.oid AND i.indisprimary AND i.indnatts = 1 AND i.indkey[0] = a.attnum
    ))
ORDER BY c.relname <> '{DEFAULT_TABLE}', n.nspname, c.relname
"""

#: The version tables beside our tables.
_HERE = "n.nspname = '{schema}'"

#: The version tables in other schemas. One beside other tables of ours belongs to those.
_ELSEWHERE = f"""n.nspname <> '{{schema}}' AND n.oid NOT IN (
    SELECT relnamespace FROM pg_class WHERE relname = ANY ({_NAMES})
    GROUP BY relnamespace HAVING count(*) * 2 > {{number}}
)"""

# Read the revisions of version tables, each with the number of its table.
_READ_TABLE = "SELECT {number}, version_num FROM {table} WHERE version_num IS NOT NULL"


def is_own_revision(revision: str) -> bool:
    """Return whether a recorded revision belongs to this package."""
    return revision.startswith("oddsschema_")


@dataclass(frozen=True)
class VersionTable:
    """A version table of alembic's."""

    schema: str
    name: str

    @property
    def sql(self) -> str:
        """The qualified name, quoted for SQL."""
        return f"{quote(self.schema)}.{quote(self.name)}"

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class RecordedRevisions:
    """The recorded revisions that concern the tables of this package in one schema."""

    #: The schema of the tables, also before they are created; None if the search path has none.
    schema: str | None = None
    #: The relations there that have names of our tables. They are read only if no revision of this
    #: package is in `oddsschema_version`.
    tables: frozenset[str] = frozenset()
    #: Whether these are more than half of our tables. Fewer can be another application's.
    has_tables: bool = False
    #: Whether another program created the tables of markets among them.
    are_foreign: bool = False
    #: Whether the schema has the table `oddsschema_version`, which can be empty.
    has_own_table: bool = False
    #: The version table that records a revision of this package; None if none does.
    table: VersionTable | None = None
    #: The recorded revisions of this package, oldest first.
    own: tuple[str, ...] = ()
    #: The revisions of other projects, in `table`; without `table`, those beside our tables.
    others: tuple[str, ...] = ()

    @property
    def revision(self) -> str | None:
        """The newest recorded revision of this package; None if none is recorded."""
        return self.own[-1] if self.own else None

    @property
    def own_table(self) -> VersionTable | None:
        """The version table of a database that stands alone; None without a schema."""
        return None if self.schema is None else VersionTable(self.schema, OWN_TABLE)

    @property
    def may_stand_alone(self) -> bool:
        """Whether this package may migrate the database: no other project has a part in it."""
        ours = (OWN_TABLE, DEFAULT_TABLE)
        return not self.others and (
            self.table is None or (self.table.schema == self.schema and self.table.name in ours)
        )

    @property
    def is_in_default_table(self) -> bool:
        """Whether the revision is alone in `alembic_version`, where older releases recorded it."""
        return self.may_stand_alone and self.table is not None and self.table.name == DEFAULT_TABLE


#: The steps of a reading: statements, their rows, and the result.
Reading: TypeAlias = Generator[str, Sequence[Any], RecordedRevisions]


def reading() -> Reading:
    """Yield the statements that read the recorded revisions; their rows are sent back.

    A database that stands alone needs two cheap statements, since every chunk asks.
    """
    if rows := (yield FIND_OWN_TABLE):
        own_table = VersionTable(rows[0][0], OWN_TABLE)
        revisions = _by_table((yield read_tables([own_table]))).get(0, [])
        if any(map(is_own_revision, revisions)):
            found = RecordedRevisions(schema=own_table.schema, has_own_table=True)
            return _with_revisions(found, own_table, revisions)

    # The names are those of the tables' classes, which are above this layer.
    from oddsschema.models import Sport

    names = sorted(Sport.metadata.tables)
    values = {"names": ", ".join(f"'{name}'" for name in names), "number": len(names)}
    placement = Placement.from_row((yield placement_statement())[0])
    # Fewer tables can be another application's: a table of it may have a name of ours.
    schema = next(
        (place for place, found in placement.tables.items() if len(found) * 2 > len(names)),
        placement.creation_schema,
    )
    if schema is None:
        return RecordedRevisions()
    values["schema"] = schema.replace("'", "''")
    ((present, has_own_table, are_foreign),) = yield _FIND_RELATIONS.format(**values)
    tables = frozenset((present or "").split())
    found = RecordedRevisions(
        schema=schema,
        tables=tables,
        has_tables=len(tables) * 2 > len(names),
        are_foreign=bool(are_foreign),
        has_own_table=bool(has_own_table),
    )
    if has_own_table:
        own_table = VersionTable(schema, OWN_TABLE)
        if recorded := _by_table((yield read_tables([own_table]))):
            return _with_revisions(found, own_table, recorded[0])

    others: set[str] = set()
    # Elsewhere, a version table can belong to tables of ours only if they exist.
    for condition in (_HERE, _ELSEWHERE) if found.has_tables else (_HERE,):
        rows = yield _FIND_TABLES.format(condition=condition.format(**values))
        # A version table beside our tables has to be read; any other that is unreadable is
        # another application's.
        has_to_be_read = condition is _HERE and found.has_tables
        candidates = [
            VersionTable(place, name)
            for place, name, is_readable in rows
            if is_readable or has_to_be_read
        ]
        recorded = _by_table((yield read_tables(candidates))) if candidates else {}
        for number, revisions in sorted(recorded.items()):
            if any(map(is_own_revision, revisions)):
                return _with_revisions(found, candidates[number], revisions)
            if has_to_be_read:
                others |= set(revisions)
    return replace(found, others=tuple(sorted(others)))


async def read_revisions(connection: "Connection") -> RecordedRevisions:
    """Read the recorded revisions on a connection of the driver.

    Raises TransactionError, which is transient, if the version table was moved meanwhile.
    """
    import asyncpg

    steps = reading()
    statement = next(steps)
    while True:
        try:
            rows = await connection.fetch(statement)
        except asyncpg.UndefinedTableError as error:
            raise moved(str(error)) from None
        try:
            statement = steps.send(rows)
        except StopIteration as end:
            result: RecordedRevisions = end.value
            return result


def read_revisions_sync(connection: "SyncConnection") -> RecordedRevisions:
    """Read the recorded revisions on a connection of SQLAlchemy.

    A connection without a transaction has none afterwards. Raises TransactionError, as above.
    """
    from sqlalchemy.exc import ProgrammingError

    was_in_transaction = connection.in_transaction()
    steps = reading()
    statement = next(steps)
    try:
        while True:
            # Without parameters, a % in a name has no meaning to any driver.
            rows = connection.exec_driver_sql(
                statement, execution_options={"no_parameters": True}
            ).all()
            statement = steps.send(rows)
    except StopIteration as end:
        result: RecordedRevisions = end.value
        return result
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != "42P01":
            raise
        raise moved(str(error.orig)) from None
    finally:
        if not was_in_transaction:
            # Alembic would take the transaction for the caller's, and not commit.
            connection.rollback()


def read_tables(tables: Sequence[VersionTable]) -> str:
    """Return the statement that reads the revisions of tables, each with its table's number."""
    return " UNION ALL ".join(
        _READ_TABLE.format(number=number, table=table.sql) for number, table in enumerate(tables)
    )


def _by_table(rows: Sequence[Any]) -> dict[int, list[str]]:
    revisions: dict[int, list[str]] = {}
    for number, revision in rows:
        revisions.setdefault(number, []).append(revision)
    return revisions


def _with_revisions(
    found: RecordedRevisions, table: VersionTable, revisions: Sequence[str]
) -> RecordedRevisions:
    own = tuple(sorted(filter(is_own_revision, revisions)))
    others = tuple(sorted(set(revisions) - set(own)))
    return replace(found, table=table, own=own, others=others)


def moved(reason: str) -> TransactionError:
    """Build the error, which is transient, of a version table that was moved meanwhile."""
    return TransactionError(reason=f"the revision was moved to another table meanwhile ({reason})")
