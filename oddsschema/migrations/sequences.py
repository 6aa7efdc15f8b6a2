"""The positions of sequences: whether the next id is above the greatest id of the column.

A restore, logical replication and rows with ids of their own can leave a sequence behind. The next
inserts then collide with rows that are there.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from oddsschema.database.connections import Connection

#: Read the sequences that integer columns of the tables named $1 own, or use in a default.
SEQUENCES = """
SELECT c.oid::regclass::text AS table_name, quote_ident(a.attname) AS column_name,
    s.seqrelid::regclass::text AS name,
    has_column_privilege(c.oid, a.attnum, 'SELECT')
        AND has_sequence_privilege(s.seqrelid, 'SELECT') AS is_readable
FROM unnest($1::text[]) AS given (name)
JOIN pg_class AS c ON c.oid = to_regclass(given.name)
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
CROSS JOIN LATERAL (
    SELECT d.objid AS oid FROM pg_depend AS d
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
        AND (d.refobjid, d.refobjsubid) = (a.attrelid, a.attnum) AND d.deptype = 'a'
    UNION
    SELECT d.refobjid FROM pg_attrdef AS f
    JOIN pg_depend AS d ON (d.classid, d.objid) = ('pg_attrdef'::regclass, f.oid)
    WHERE (f.adrelid, f.adnum) = (a.attrelid, a.attnum) AND d.refclassid = 'pg_class'::regclass
) AS used
JOIN pg_sequence AS s ON s.seqrelid = used.oid
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
    AND a.atttypid IN ('smallint'::regtype, 'integer'::regtype, 'bigint'::regtype)
ORDER BY table_name, column_name, name
"""

# Read the greatest id of a column, and the next id of a sequence of it.
_POSITION = """
SELECT (SELECT max({column_name}) FROM {table_name}) AS greatest,
    last_value + is_called::int AS next_id
FROM {name}
"""


class ColumnSequence(NamedTuple):
    """A column and a sequence of it. The names are quoted where SQL needs it."""

    table_name: str
    column_name: str
    name: str
    #: Whether this role may read both.
    is_readable: bool

    @property
    def column(self) -> str:
        """The column, with its table."""
        return f"{self.table_name}.{self.column_name}"


class Position(NamedTuple):
    """The greatest id of a column, None without rows, and the next id of its sequence."""

    greatest: int | None
    next_id: int

    @property
    def is_behind(self) -> bool:
        """Whether the next ids may belong to rows already."""
        return self.greatest is not None and self.greatest >= self.next_id


async def read_sequences(connection: Connection, tables: Iterable[str]) -> list[ColumnSequence]:
    """Read the sequences of the tables with these names that exist."""
    return [ColumnSequence(*row) for row in await connection.fetch(SEQUENCES, list(tables))]


async def read_position(connection: Connection, sequence: ColumnSequence) -> Position:
    """Read the position of a readable sequence."""
    row = await connection.fetchrow(_POSITION.format(**sequence._asdict()))
    return Position(*row)


async def describe_unreadable(connection: Connection, tables: Sequence[str]) -> tuple[str, ...]:
    """Return a note that lists the sequences which this role may not read, if there are any."""
    names = [
        sequence.name
        for sequence in await read_sequences(connection, tables)
        if not sequence.is_readable
    ]
    if not names:
        return ()
    return (
        f"the positions of the sequences {', '.join(names)} were not compared, since this role "
        "lacks SELECT on them or on the ids of their tables: check as the owner, above all after a "
        "restore",
    )
