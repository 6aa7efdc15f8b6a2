"""Texts that would act if they got into SQL, and everything that they could change."""

import json
from collections.abc import Iterator
from typing import Any

import asyncpg

from tests.support.catalog import catalog
from tests.support.sessions import fetch

#: A team's name that is hard to write into a file: a formula, quoted, in two lines.
HARD_NAME = '=A "quoted",\nlong 日本 \\N name'

#: Text that would act if it were pasted into SQL, a format string, a COPY or a JSON path.
HOSTILE = (
    "'; DROP TABLE sports; --",
    "'); CREATE TABLE injected (id int); --",
    '"; DROP TABLE events; --',
    "1); DELETE FROM bookmakers; --",
    "' OR '1'='1",
    "' || (SELECT rolname FROM pg_roles LIMIT 1) || '",
    "1 OR pg_sleep(99) IS NULL",
    "x', 1); COMMIT; DROP TABLE scrape_runs; --",
    "$1",
    "%s %(name)s :name ?",
    "{which} {0} {snapshots}",
    "$$; DROP TABLE sports; $$",
    "\\'; DROP TABLE sports; --",
    "\\",
    "\\.",
    "\\N",
    "a\tb\n\\.\nc",
    '{"a": 1, NULL}',
    '"}], "id": 1, "x": [{"',
    "/* */ -- ;",
    "NULL",
    "DEFAULT",
    "U&'\\0027'; --",
    "\u02bc; DROP TABLE sports; --",
    "\uff07; DROP TABLE sports; --",
    "E'\\x27'; --",
    "\x1a\x08\x7f",
)
#: The same texts, cut to the length of a platform's name.
SHORT_HOSTILE = tuple(text[:20] for text in HOSTILE)

#: Texts of a migrated database before any ingestion, and texts that the program itself writes.
OWN_WORDS = {
    *("Football", "football", "BetPawa", "betpawa", "SportyBet", "sportybet", "Bet9ja", "bet9ja"),
    *("completed", "partial", "failed", "running", "connection_failed", "refused"),
    *("name", "odds", "is_active"),
}

TEXT_COLUMNS = """
SELECT c.oid::regclass::text, a.attname, a.atttypid = 'jsonb'::regtype
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
    AND c.relname <> 'oddsschema_version'
    AND a.atttypid IN ('text'::regtype, 'varchar'::regtype, 'jsonb'::regtype)
"""


async def texts(url: str) -> set[str]:
    """Read every text in every row, with the keys and values inside JSONB."""
    found: set[str] = set()
    connection = await asyncpg.connect(url)
    try:
        for table, column, is_json in await connection.fetch(TEXT_COLUMNS):
            query = f"SELECT DISTINCT {column}::text FROM {table} WHERE {column} IS NOT NULL"
            for (value,) in await connection.fetch(query):
                found.update(strings(json.loads(value)) if is_json else [value])
    finally:
        await connection.close()
    return found


def strings(value: Any) -> Iterator[str]:
    """List every text in a JSON value or a dumped contract."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from strings(item)
    elif isinstance(value, str):
        yield str(value)


#: The database around the schema `public`: roles, settings, schemas, functions and the like.
SURROUNDINGS = """
SELECT concat_ws(' ', rolname, rolsuper, rolcanlogin) FROM pg_roles WHERE rolname !~ '^odds_'
UNION ALL SELECT nspname || nspacl::text FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp'
UNION ALL SELECT extname FROM pg_extension
UNION ALL SELECT proname FROM pg_proc WHERE oid >= 16384
UNION ALL SELECT concat_ws(' ', setdatabase, setrole, setconfig) FROM pg_db_role_setting
UNION ALL SELECT relname || relacl::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
UNION ALL SELECT version_num FROM oddsschema_version
"""


async def structure(url: str) -> list[str]:
    """List everything beside rows that an injected statement could change."""
    around = [row[0] for row in await fetch(url, SURROUNDINGS) if row[0] is not None]
    return [*await catalog(url), *sorted(around)]


async def words(url: str, table: str, *columns: str) -> list[tuple[Any, ...]]:
    """Read some columns of a table in the order in which rows were written."""
    return await fetch(url, f"SELECT {', '.join(columns)} FROM {table} ORDER BY id")
