"""The parts of tables (columns, constraints, indexes, ...), as PostgreSQL's catalogs print them."""

import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import asyncpg

from oddsschema.database.connections import Connection


class Kind(StrEnum):
    """The kind of a part. The members are in an order in which parts can be created."""

    SEQUENCE = "sequence"
    TABLE = "table"
    COLUMN = "column"
    IDENTITY = "column identity"
    GENERATED = "generated column"
    TYPE = "column type"
    DEFAULT = "column default"
    NULLABILITY = "column nullability"
    OWNER = "sequence owner"
    PRIMARY_KEY = "primary key"
    UNIQUE = "unique constraint"
    EXCLUSION = "exclusion constraint"
    CHECK = "check constraint"
    FOREIGN_KEY = "foreign key"
    INDEX = "index"
    TRIGGER = "trigger"
    DISABLED_TRIGGERS = "disabled triggers"
    RULE = "rule"
    ROW_SECURITY = "row level security"


@dataclass(frozen=True)
class Part:
    """A part of a table. Names are quoted where SQL needs it."""

    kind: Kind
    table: str
    #: The part's name, or its column's; empty for kinds that a table has only once.
    name: str
    definition: str
    #: "NOT VALID", "INVALID", "UNLOGGED", or empty for a valid part.
    state: str
    #: The keys of the parts that this part needs, including those of other tables.
    depends_on: frozenset[str]

    @property
    def location(self) -> str:
        """The table, and the name inside it."""
        return f"{self.table}.{self.name}" if self.name else self.table

    @property
    def key(self) -> str:
        """The identity of the part, unique in a database."""
        return f"{self.kind} {self.location}"

    @property
    def description(self) -> str:
        """The definition, with the state of a part that is not valid."""
        return f"{self.definition} {self.state}".rstrip()

    @classmethod
    def from_row(cls, row: asyncpg.Record) -> Self:
        """Build a part from a row of PARTS."""
        return cls(
            kind=Kind(row["kind"]),
            table=row["tbl"],
            name=row["name"] or "",
            definition=_without_line_breaks(row["definition"]),
            state=row["state"] or "",
            depends_on=frozenset(filter(None, row["depends_on"] or ())),
        )


_QUOTED_OR_BREAK = re.compile(r"""('(?:[^']|'')*'|"(?:[^"]|"")*")|\s*\n\s*""")


def _without_line_breaks(text: str) -> str:
    """Remove line breaks outside of literals and quoted names."""
    return _QUOTED_OR_BREAK.sub(lambda match: match[1] or " ", text)


#: Parts by their keys.
Parts = dict[str, Part]

#: The definitions of the relations that can be compared part by part.
TABLES = {"table", "unlogged table"}

#: Make the catalogs' texts the same for every session, and limit the wait for locks.
#:
#: PostgreSQL qualifies the names that the search path does not lead to, and prints times in the
#: session's zone. With pg_temp at its end, temporary tables hide no others. The limit ends the wait
#: for a concurrent migration.
SETTINGS = """
SELECT set_config('search_path', concat_ws(', ', (
        SELECT string_agg(quote_ident(schema), ', ' ORDER BY place)
        FROM unnest(current_schemas(false)) WITH ORDINALITY AS path (schema, place)
        WHERE schema !~ '^pg_temp_'
    ), 'pg_temp'), true),
    set_config('TimeZone', 'UTC', true),
    set_config('DateStyle', 'ISO', true),
    set_config('IntervalStyle', 'postgres', true),
    set_config('lock_timeout', coalesce(nullif(current_setting('lock_timeout'), '0'), '10s'), true)
"""

#: Read which of the tables named $1 the search path leads to.
PRESENT = """
SELECT given.name
FROM unnest($1::text[]) AS given (name)
JOIN pg_class AS c ON c.oid = to_regclass(given.name)
WHERE c.relpersistence <> 't'
"""

#: Read the parts of the tables named $1 that the search path leads to: temporary tables if $2 is
#: true, else all others.
PARTS = r"""
WITH relations AS (
    SELECT c.*, c.oid::regclass::text AS tbl
    FROM unnest($1::text[]) AS given (name)
    JOIN pg_class AS c ON c.oid = to_regclass(given.name)
    WHERE (c.relpersistence = 't') = $2
), tables AS (
    SELECT * FROM relations WHERE relkind = 'r'
), columns AS (
    SELECT t.tbl, a.attrelid, a.attnum, quote_ident(a.attname) AS name,
        concat_ws(' COLLATE ', format_type(a.atttypid, a.atttypmod),
            CASE WHEN a.attcollation <> y.typcollation THEN a.attcollation::regcollation END
        ) AS type,
        concat_ws(' ', CASE WHEN a.attnotnull THEN 'NOT NULL' ELSE 'NULL' END, (
            -- since PostgreSQL 18
            SELECT 'NOT VALID' FROM pg_constraint AS n
            WHERE n.conrelid = a.attrelid AND n.contype = 'n' AND n.conkey = ARRAY[a.attnum]
                AND NOT n.convalidated
        )) AS nullability,
        CASE a.attidentity
            WHEN 'a' THEN 'GENERATED ALWAYS AS IDENTITY'
            WHEN 'd' THEN 'GENERATED BY DEFAULT AS IDENTITY'
        END AS identity,
        CASE WHEN a.attgenerated <> '' THEN format('GENERATED ALWAYS AS (%s) %s',
            pg_get_expr(d.adbin, d.adrelid),
            CASE a.attgenerated WHEN 's' THEN 'STORED' ELSE 'VIRTUAL' END
        ) END AS generated,
        CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END AS expression,
        d.oid AS attrdef
    FROM tables AS t
    JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type AS y ON y.oid = a.atttypid
    LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
), sequences AS (
    -- Those that a default uses, and those that a column owns. An identity's is no separate part.
    SELECT s.*, c.tbl, c.name AS of_column, s.seqrelid::regclass::text AS name, d.classid
    FROM columns AS c
    JOIN pg_depend AS d ON (d.classid, d.objid) = ('pg_attrdef'::regclass, c.attrdef)
    JOIN pg_sequence AS s ON (d.refclassid, d.refobjid) = ('pg_class'::regclass, s.seqrelid)
    UNION ALL
    SELECT s.*, c.tbl, c.name, s.seqrelid::regclass::text, d.classid
    FROM columns AS c
    JOIN pg_depend AS d ON d.refclassid = 'pg_class'::regclass AND d.deptype = 'a'
        AND (d.refobjid, d.refobjsubid) = (c.attrelid, c.attnum)
    JOIN pg_sequence AS s ON (d.classid, d.objid) = ('pg_class'::regclass, s.seqrelid)
), constraints AS (
    SELECT k.*, k.conrelid::regclass::text AS tbl, quote_ident(k.conname) AS name,
        pg_get_constraintdef(k.oid) AS definition,
        CASE k.contype
            WHEN 'p' THEN 'primary key'
            WHEN 'u' THEN 'unique constraint'
            WHEN 'x' THEN 'exclusion constraint'
            WHEN 'c' THEN 'check constraint'
            WHEN 'f' THEN 'foreign key'
        END AS kind
    FROM pg_constraint AS k WHERE k.conrelid IN (SELECT oid FROM tables)
)
SELECT 'table' AS kind, tbl, NULL AS name,
    CASE relkind
        WHEN 'r' THEN CASE relpersistence WHEN 'u' THEN 'unlogged table' ELSE 'table' END
        WHEN 'p' THEN 'partitioned table'
        WHEN 'f' THEN 'foreign table'
        WHEN 'v' THEN 'view'
        WHEN 'm' THEN 'materialized view'
        ELSE format('relation of kind %s', relkind)
    END AS definition,
    NULL AS state, NULL::text[] AS depends_on
FROM relations
UNION ALL
SELECT 'column', tbl, name,
    concat_ws(' ', type, 'DEFAULT ' || expression, identity, generated,
        NULLIF(split_part(nullability, ' NOT VALID', 1), 'NULL')),
    NULL, ARRAY['table ' || tbl]
FROM columns
UNION ALL
SELECT aspect.kind, c.tbl, c.name, aspect.definition, NULL,
    ARRAY['column ' || c.tbl || '.' || c.name] || (
        SELECT array_agg(format('sequence %s.%s', s.tbl, s.name)) FROM sequences AS s
        WHERE aspect.kind = 'column default' AND (s.tbl, s.of_column) = (c.tbl, c.name)
            AND s.classid = 'pg_attrdef'::regclass
    )
FROM columns AS c
CROSS JOIN LATERAL (VALUES
    ('column type', c.type),
    ('column nullability', c.nullability),
    ('column default', c.expression),
    ('column identity', c.identity),
    ('generated column', c.generated)
) AS aspect (kind, definition)
WHERE aspect.definition IS NOT NULL
UNION ALL
SELECT 'sequence', tbl, name,
    format('AS %s INCREMENT BY %s MINVALUE %s MAXVALUE %s %s',
        format_type(min(seqtypid), NULL), min(seqincrement), min(seqmin), min(seqmax),
        CASE WHEN bool_or(seqcycle) THEN 'CYCLE' ELSE 'NO CYCLE' END),
    -- The sequences of an unlogged table follow it.
    (
        SELECT 'UNLOGGED' FROM pg_class AS c WHERE c.oid = seqrelid AND c.relpersistence = 'u'
            AND tbl NOT IN (SELECT t.tbl FROM tables AS t WHERE t.relpersistence = 'u')
    ),
    ARRAY['column ' || tbl || '.' || min(of_column)]
FROM sequences GROUP BY tbl, name, seqrelid
UNION ALL
SELECT 'sequence owner', tbl, name, tbl || '.' || of_column, NULL,
    ARRAY['column ' || tbl || '.' || of_column, 'sequence ' || tbl || '.' || name]
FROM sequences WHERE classid = 'pg_class'::regclass
UNION ALL
SELECT k.kind, k.tbl, k.name, regexp_replace(k.definition, ' NOT VALID$', ''),
    CASE
        WHEN k.definition LIKE '% NOT VALID' THEN 'NOT VALID'
        WHEN NOT i.indisvalid THEN 'INVALID'
    END,
    (
        SELECT array_agg(format('column %s.%I', a.attrelid::regclass, a.attname))
        FROM pg_attribute AS a
        WHERE (a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey))
            OR (a.attrelid = k.confrelid AND a.attnum = ANY (k.confkey))
    ) || ARRAY['table ' || k.tbl] || CASE k.contype WHEN 'f' THEN ARRAY[
        'table ' || k.confrelid::regclass,
        (
            SELECT format('%s %s.%I',
                CASE u.contype WHEN 'p' THEN 'primary key' ELSE 'unique constraint' END,
                u.conrelid::regclass, u.conname)
            FROM pg_constraint AS u WHERE u.conindid = k.conindid AND u.contype IN ('p', 'u')
        )
    ] END
FROM constraints AS k
LEFT JOIN pg_index AS i ON i.indexrelid = k.conindid AND k.contype IN ('p', 'u', 'x')
WHERE k.kind IS NOT NULL
UNION ALL
SELECT 'index', t.tbl, i.indexrelid::regclass::text,
    -- Storage parameters such as the fill factor are left to the administrator.
    concat_ws(' ', CASE WHEN i.indisunique THEN 'UNIQUE' END, regexp_replace(
        substring(pg_get_indexdef(i.indexrelid) FROM ' (USING .*)'), ' WITH \([^)]*\)', ''
    )),
    CASE WHEN NOT i.indisvalid THEN 'INVALID' END,
    (
        SELECT array_agg(DISTINCT 'column ' || c.tbl || '.' || c.name)
        FROM pg_depend AS d
        JOIN columns AS c ON (d.refobjid, d.refobjsubid) = (c.attrelid, c.attnum)
        WHERE (d.classid, d.objid) = ('pg_class'::regclass, i.indexrelid)
            AND d.refclassid = 'pg_class'::regclass
    ) || ARRAY['table ' || t.tbl]
FROM pg_index AS i JOIN tables AS t ON t.oid = i.indrelid
WHERE i.indexrelid NOT IN (SELECT conindid FROM constraints WHERE contype IN ('p', 'u', 'x'))
UNION ALL
SELECT 'trigger', t.tbl, quote_ident(g.tgname), pg_get_triggerdef(g.oid, true), NULL,
    ARRAY['table ' || t.tbl]
FROM pg_trigger AS g JOIN tables AS t ON t.oid = g.tgrelid WHERE NOT g.tgisinternal
UNION ALL
SELECT 'disabled triggers', t.tbl, NULL,
    'those of ' || string_agg(DISTINCT k.conname, ', '), NULL, ARRAY['table ' || t.tbl]
FROM pg_trigger AS g
JOIN tables AS t ON t.oid = g.tgrelid
JOIN pg_constraint AS k ON k.oid = g.tgconstraint
WHERE g.tgisinternal AND g.tgenabled IN ('D', 'R')
GROUP BY t.tbl
UNION ALL
SELECT 'rule', t.tbl, quote_ident(r.rulename), rtrim(pg_get_ruledef(r.oid), ';'), NULL,
    ARRAY['table ' || t.tbl]
FROM pg_rewrite AS r JOIN tables AS t ON t.oid = r.ev_class
UNION ALL
SELECT 'row level security', tbl, NULL,
    CASE WHEN relforcerowsecurity THEN 'forced' ELSE 'enabled' END, NULL, ARRAY['table ' || tbl]
FROM tables WHERE relrowsecurity
"""

#: Read the tables, except those named $2, that have indexes with the names $1.
#:
#: A renamed table keeps the names of its indexes, and index names are unique in a schema.
TABLES_BY_INDEX = """
SELECT c.relname AS index, i.indrelid::regclass::text AS table
FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
WHERE c.relname = ANY ($1::text[]) AND c.relpersistence <> 't' AND pg_table_is_visible(i.indrelid)
    AND i.indrelid::regclass::text <> ALL ($2::text[])
"""


async def read_parts(
    connection: Connection, tables: Iterable[str], *, temporary: bool = False
) -> Parts:
    """Read all parts of the tables with these names that exist, by their keys."""
    rows = await connection.fetch(PARTS, list(tables), temporary)
    # A part that another session dropped meanwhile has no definition.
    parts = [Part.from_row(row) for row in rows if row["definition"] is not None]
    return {part.key: part for part in parts}


@asynccontextmanager
async def rolled_back(connection: Connection) -> AsyncIterator[None]:
    """Open a transaction, or a savepoint inside the caller's, and roll it back at the end."""
    outermost = not connection.is_in_transaction()
    # The catalogs must not change between two reads.
    transaction = connection.transaction(isolation="repeatable_read" if outermost else None)
    await transaction.start()
    try:
        if outermost:
            # Roles for reading are often read-only by default, and this is rolled back.
            await connection.execute("SET TRANSACTION READ WRITE")
        yield
    finally:
        # After a lost connection, the server rolls back itself.
        if not connection.is_closed():
            await transaction.rollback()
