"""The published SQL: it creates the same database as the migrations."""

from collections.abc import Callable
from typing import Any

import asyncpg

from oddsschema import migrations
from oddsschema.migrations import CheckState
from tests.support.paths import DOCS

SQL = DOCS / "schema" / "schema.sql"


def test_sql_makes_the_tables(empty_database: str, run: Callable[..., Any]) -> None:
    """The SQL on an empty database lacks only the record of the revision."""

    async def execute(statements: str) -> None:
        connection = await asyncpg.connect(empty_database)
        try:
            await connection.execute(statements)
        finally:
            await connection.close()

    run(execute(SQL.read_text(encoding="utf-8")))
    differences = run(migrations.check(empty_database)).differences
    # The SQL has no views.
    assert {difference.kind for difference in differences} == {"view", "revision"}
    for difference in differences:
        run(execute(difference.repair))
    assert run(migrations.check(empty_database)).state is CheckState.CLEAN
