"""The SportRadar ids that keep their URN's prefix, because another row has the plain form."""

from collections.abc import Iterable, Iterator
from typing import Any

import asyncpg

from oddsschema.database.connections import Connection

#: The tables with unique ids, and the prefixes of URNs there.
_PREFIXES = {"events": "sr:match:", "tournaments": "sr:tournament:"}

#: The largest number of ids in a note.
_LISTED = 10

# The rows that keep a prefix, each with the row of the plain form.
_PAIRS = """FROM {table} AS kept
JOIN {table} AS plain ON plain.sportradar_id = substr(kept.sportradar_id, {length} + 1)
WHERE kept.sportradar_id ~ '^{prefix}[0-9]+$'"""

# Read the number of these rows, and the first ids, for a table that has any.
_COUNT_PAIRS = f"""
SELECT '{{table}}' AS table_name, count(*) AS kept,
    (array_agg(kept.sportradar_id ORDER BY kept.id))[:{_LISTED}] AS first_ids
{_PAIRS}
HAVING count(*) > 0
"""

#: Find the pairs of rows; a note quotes this statement.
_FIND_PAIRS = f"SELECT kept.id, plain.id AS plain_id, plain.sportradar_id {_PAIRS}"


def _of_table(statement: str, table: str) -> str:
    prefix = _PREFIXES[table]
    return statement.format(table=table, prefix=prefix, length=len(prefix))


#: Read the ids that keep a prefix: the table, their number, and the first of them.
READ_KEPT_IDS = "UNION ALL".join(_of_table(_COUNT_PAIRS, table) for table in _PREFIXES)


def describe_kept_ids(rows: Iterable[Any]) -> Iterator[str]:
    """Yield a note for each row of READ_KEPT_IDS."""
    for table, kept, first_ids in rows:
        more = f" and {kept - len(first_ids)} more" if kept > len(first_ids) else ""
        find = " ".join(_of_table(_FIND_PAIRS, table).split())
        yield (
            f"{table}.sportradar_id: {', '.join(first_ids)}{more} keep the prefix "
            f"{_PREFIXES[table]}, since other rows have these ids without it. Rows stored before "
            f"stay where they are; new captures use the ids without it. The pairs are: {find}"
        )


async def read_kept_ids(connection: Connection) -> tuple[str, ...]:
    """Read the notes of a database; none if its role or its tables do not allow it."""
    try:
        async with connection.transaction():
            return tuple(describe_kept_ids(await connection.fetch(READ_KEPT_IDS)))
    except asyncpg.SyntaxOrAccessError:
        # No right to SELECT, or a table or a column that was renamed or dropped: no reason to fail.
        return ()
