"""The catalog and the reference data of a database, as PostgreSQL reports them."""

from tests.support.sessions import fetch_column

#: Every object in the schema `public`, a statement each; columns sorted by name.
CATALOG = """
WITH relations AS (
    SELECT * FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE 'oddsschema_version%'
), parts AS (
    SELECT a.attrelid AS oid, 1 AS kind, format('%I %s', a.attname, concat_ws(' ',
        format_type(a.atttypid, a.atttypmod),
        CASE WHEN a.attnotnull THEN 'NOT NULL' END,
        CASE WHEN a.attidentity <> '' THEN 'IDENTITY' END,
        CASE WHEN a.attgenerated <> '' THEN 'GENERATED' END,
        'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid)
    )) AS part
    FROM pg_attribute AS a
    LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT conrelid, 2, format('CONSTRAINT %I %s', conname, pg_get_constraintdef(oid))
    FROM pg_constraint WHERE contype <> 'n'  -- since PostgreSQL 18 each NOT NULL has a name
)
SELECT format(
    E'%s %I (\n    %s\n)%s;',
    CASE r.relkind WHEN 'r' THEN 'CREATE TABLE' ELSE 'CREATE ' || r.relkind::text END,
    r.relname,
    string_agg(p.part, E',\n    ' ORDER BY p.kind, p.part),
    ' WITH (' || array_to_string(r.reloptions, ', ') || ')'
)
FROM relations AS r JOIN parts AS p ON p.oid = r.oid
WHERE r.relkind NOT IN ('S', 'i')
GROUP BY r.relname, r.relkind, r.reloptions
UNION ALL
SELECT pg_get_indexdef(i.indexrelid) || ';'
FROM relations AS r JOIN pg_index AS i ON i.indexrelid = r.oid
WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = r.oid AND contype IN ('p', 'u'))
UNION ALL
SELECT format('CREATE SEQUENCE %I AS %s OWNED BY %s.%I;',
    r.relname, s.seqtypid::regtype, d.refobjid::regclass, a.attname)
FROM relations AS r
JOIN pg_sequence AS s ON s.seqrelid = r.oid
LEFT JOIN pg_depend AS d ON d.objid = r.oid AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
LEFT JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
UNION ALL
SELECT pg_get_triggerdef(t.oid) || ';'
FROM relations AS r JOIN pg_trigger AS t ON t.tgrelid = r.oid AND NOT t.tgisinternal
UNION ALL
SELECT format('CREATE TYPE %I;', typname)
FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd')
UNION ALL
SELECT format('CREATE FUNCTION %I;', proname)
FROM pg_proc WHERE pronamespace = 'public'::regnamespace
"""

REFERENCE_DATA = """
SELECT 'sport ' || name || ' ' || slug FROM sports
UNION ALL SELECT 'bookmaker ' || name || ' ' || slug || ' ' || is_active FROM bookmakers
ORDER BY 1
"""


async def catalog(url: str) -> list[str]:
    """List everything in the schema `public` in order, without alembic's own table."""
    return sorted(await fetch_column(url, CATALOG))


REFERENCE = [
    "bookmaker Bet9ja bet9ja true",
    "bookmaker BetPawa betpawa true",
    "bookmaker SportyBet sportybet true",
    "sport Football football",
]
