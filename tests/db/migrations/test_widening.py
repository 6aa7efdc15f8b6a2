"""The recipe that widens a column: no row is read while the table is locked."""

from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from oddsschema import migrations
from oddsschema.contracts.base import metadata
from oddsschema.database.revision import HEAD
from oddsschema.errors import CheckViolationError
from oddsschema.migrations import CheckState
from oddsschema.migrations.widening import is_wider
from tests.support.drift import rolled_back
from tests.support.next_revision import REVISION
from tests.support.sessions import execute, fetch
from tests.support.views import under_views

Run = Callable[..., Any]

SCRIPT = """
def upgrade() -> None:
    op.widen_column(
        "sports", "name", "varchar(300)", checks={"ck_sports_name": "name !~ ':a|%s'"}
    )


def downgrade() -> None:
    op.execute("ALTER TABLE sports ALTER COLUMN name TYPE varchar(100)")
"""

#: Return the type of the column, and whether its CHECK is valid.
STATE = """
SELECT format_type(atttypid, atttypmod), convalidated
FROM pg_attribute, pg_constraint
WHERE attrelid = 'sports'::regclass AND attname = 'name' AND conname = 'ck_sports_name'
"""

#: Return the number of rows that this transaction has read of a table, by scans of the whole table.
ROWS_READ = "SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = $1"


@pytest.fixture
def widened(write_revision: Callable[[str], None]) -> None:
    """Add the revision to this release."""
    write_revision(SCRIPT)


@pytest.mark.usefixtures("widened")
def test_widen(database: str, run: Run) -> None:
    """The CHECK is validated after the commit; bad rows are named, and may then be mended."""

    async def body() -> None:
        await execute(
            database,
            "ALTER TABLE sports DROP CONSTRAINT ck_sports_name",
            "INSERT INTO sports (name, slug) VALUES ('Judo:a', 'judo')",
        )
        with pytest.raises(CheckViolationError) as raised:
            await migrations.upgrade(database)
        assert raised.value.select is not None
        assert [row[1] for row in await fetch(database, raised.value.select)] == ["Judo:a"]
        assert await fetch(database, STATE) == [("character varying(300)", False)]
        assert await migrations.current(database) == HEAD
        await execute(database, "UPDATE sports SET name = 'Judo' WHERE slug = 'judo'")
        await migrations.upgrade(database)
        assert await fetch(database, STATE) == [("character varying(300)", True)]
        assert (await migrations.check(database)).state is CheckState.CLEAN
        assert await migrations.current(database) == REVISION

    run(body())


@pytest.mark.usefixtures("widened")
def test_transaction_of_the_caller(database: str, run: Run) -> None:
    """In the caller's transaction, everything is in it, and nothing is committed."""

    async def body() -> None:
        connection = await asyncpg.connect(database)
        transaction = connection.transaction()
        await transaction.start()
        await migrations.upgrade(connection)
        assert tuple(await connection.fetchrow(STATE)) == ("character varying(300)", True)
        await transaction.rollback()
        await connection.close()
        assert await fetch(database, STATE) == [("character varying(100)", True)]

    run(body())


@pytest.mark.usefixtures("widened")
def test_sql_text(database: str, run: Run) -> None:
    """SQL text validates outside of its transactions."""
    text = migrations.upgrade_sql(f"{HEAD}:{REVISION}")
    assert text.index("NOT VALID") < text.index("COMMIT") < text.index("VALIDATE CONSTRAINT")
    run(execute(database, *(part for part in text.split(";\n") if part.strip())))
    assert run(fetch(database, STATE)) == [("character varying(300)", True)]


#: The columns with a limit that the stored rows do not reach.
COLUMNS = [
    (table.name, column.name, column.type.length)
    for table in metadata.tables.values()
    for column in table.columns
    if (getattr(column.type, "length", None) or 0) > 3
]

#: Those in the condition of an index, which PostgreSQL builds anew.
INDEXED = {
    f"{table.name}.{column.name}"
    for table in metadata.tables.values()
    for index in table.indexes
    for column in index.columns
    if index.dialect_options["postgresql"]["where"] is not None
}


def test_repair(filled: str, run: Run) -> None:
    """The repair of a narrow column reads no row before it validates, and `check` is clean then."""

    async def body() -> None:
        async with rolled_back(filled) as (connection, raw):
            narrowed = (
                f"ALTER TABLE {table} ALTER COLUMN {column} TYPE varchar({length - 1})"
                for table, column, length in COLUMNS
            )
            await raw.execute(under_views("; ".join(narrowed)))
            differences = (await migrations.check(connection)).differences
            found = {difference.location: difference.expected for difference in differences}
            assert found == {
                f"{table}.{column}": f"character varying({length})"
                for table, column, length in COLUMNS
            }
            validations = 0
            for difference in differences:
                change, *rest = difference.repair.split("; ALTER")
                table = difference.location.split(".")[0]
                before = await raw.fetchval(ROWS_READ, table)
                await raw.execute(change)
                is_read = await raw.fetchval(ROWS_READ, table) > before
                assert is_read <= (difference.location in INDEXED), difference.location
                for statement in rest:
                    await raw.execute(f"ALTER{statement}")
                    validations += await raw.fetchval(ROWS_READ, table) > before
            assert validations > len(COLUMNS) / 2
            assert (await migrations.check(connection)).state is CheckState.CLEAN

    run(body())


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        ("character varying(20)", "character varying(10)", True),
        ("VARCHAR(20)", "varchar(10)", True),
        ("text", "character varying(10)", True),
        ("text", "character varying", True),
        ("character varying", "character varying(10)", True),
        ("character varying(10)", "character varying(20)", False),
        ("character varying(10)", "character varying(10)", False),
        ("character varying(10)", "text", False),
        ("bigint", "integer", False),
        ('character varying(20) COLLATE "C"', "character varying(10)", False),
    ],
)
def test_wider(new: str, old: str, expected: bool) -> None:
    """A type of text is wider than another one if each value of the other one fits into it."""
    assert is_wider(new, old) is expected
