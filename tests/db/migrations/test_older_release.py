"""Programs of an older release, on a database that this release has upgraded."""

from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from oddsschema import migrations
from oddsschema.database.revision import HAS_ALL_PARTS, HEAD

Run = Callable[..., Any]

PARTS = """
SELECT c.relname, p.name FROM pg_class AS c JOIN (
    SELECT attrelid, attname FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped
    UNION ALL SELECT conrelid, conname FROM pg_constraint WHERE contype <> 'n'
    UNION ALL SELECT indrelid, indexrelid::regclass::text FROM pg_index
) AS p (relid, name) ON p.relid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
    AND c.relname <> 'oddsschema_version'
"""


@pytest.mark.parametrize("revision", ["oddsschema_0008", HEAD])
def test_names_of_revision_7(revision: str, old_database: str, run: Run) -> None:
    """A program that looks for the names of revision 7 finds them there, and no longer later."""

    async def look() -> None:
        connection = await asyncpg.connect(old_database)
        names = zip(*await connection.fetch(PARTS), strict=True)
        tables, parts = map(list, names)
        assert len(parts) > 200
        assert await connection.fetchval(HAS_ALL_PARTS, tables, parts)
        await migrations.upgrade(old_database, revision)
        await connection.execute("DROP TABLE oddsschema_version")
        assert not await connection.fetchval(HAS_ALL_PARTS, tables, parts)
        await connection.close()

    run(look())
