"""The objects of somebody else's that refer to our tables, or share their schema."""

from collections.abc import Sequence

from oddsschema.database.targets import Connection

# Find what would break: everything outside of the relations $2 of schema $1 that depends on them.
_REFERRING = """
WITH ours AS (
    SELECT c.oid, c.reltype, c.relnamespace FROM pg_class AS c
    WHERE c.relnamespace = quote_ident($1)::regnamespace AND c.relname = ANY ($2::text[])
), types AS (
    SELECT t.oid FROM pg_type AS t JOIN ours ON t.oid = ours.reltype
    UNION ALL SELECT t.typarray FROM pg_type AS t JOIN ours ON t.oid = ours.reltype
)
SELECT DISTINCT found.name FROM (
    SELECT format('table %s', f.conrelid::regclass) AS name
    FROM pg_constraint AS f
    WHERE f.contype = 'f' AND f.confrelid IN (SELECT oid FROM ours)
        AND f.conrelid NOT IN (SELECT oid FROM ours)
    UNION ALL
    SELECT format('table %s', f.confrelid::regclass)
    FROM pg_constraint AS f
    WHERE f.contype = 'f' AND f.conrelid IN (SELECT oid FROM ours)
        AND f.confrelid NOT IN (SELECT oid FROM ours)
    UNION ALL
    SELECT format('%s %s',
        CASE c.relkind WHEN 'm' THEN 'materialized view' WHEN 'v' THEN 'view' ELSE 'rule of' END,
        c.oid::regclass)
    FROM pg_depend AS d
    JOIN pg_rewrite AS r ON r.oid = d.objid
    JOIN pg_class AS c ON c.oid = r.ev_class
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
        AND d.refobjid IN (SELECT oid FROM ours) AND c.oid NOT IN (SELECT oid FROM ours)
    UNION ALL
    SELECT format('function %s', d.objid::regprocedure)
    FROM pg_depend AS d
    WHERE d.classid = 'pg_proc'::regclass AND (
        d.refclassid = 'pg_class'::regclass AND d.refobjid IN (SELECT oid FROM ours)
        OR d.refclassid = 'pg_type'::regclass AND d.refobjid IN (SELECT oid FROM types)
    )
    UNION ALL
    SELECT format('column %s.%I', a.attrelid::regclass, a.attname)
    FROM pg_attribute AS a
    WHERE a.atttypid IN (SELECT oid FROM types) AND a.attrelid NOT IN (SELECT oid FROM ours)
        AND NOT a.attisdropped
    UNION ALL
    SELECT format('table %s', i.inhrelid::regclass)
    FROM pg_inherits AS i WHERE i.inhparent IN (SELECT oid FROM ours)
    UNION ALL
    SELECT format('trigger %I on %s', t.tgname, t.tgrelid::regclass)
    FROM pg_trigger AS t WHERE t.tgrelid IN (SELECT oid FROM ours) AND NOT t.tgisinternal
) AS found
ORDER BY found.name
"""

# Find the relations of schema $1 that are not among $2, but for their indexes and sequences.
_NEIGHBOURS = """
SELECT c.oid::regclass::text FROM pg_class AS c
WHERE c.relnamespace = to_regnamespace(quote_ident($1)) AND c.relkind IN ('r', 'p', 'f', 'm', 'v')
    AND c.relname <> ALL ($2::text[])
ORDER BY c.relname
"""


async def referring_objects(connection: Connection, schema: str, ours: Sequence[str]) -> list[str]:
    """List the objects of others that refer to our relations, or that these refer to."""
    return [row[0] for row in await connection.fetch(_REFERRING, schema, list(ours))]


async def neighbours(connection: Connection, schema: str, ours: Sequence[str]) -> list[str]:
    """List the tables and views of others in a schema."""
    return [row[0] for row in await connection.fetch(_NEIGHBOURS, schema, list(ours))]
