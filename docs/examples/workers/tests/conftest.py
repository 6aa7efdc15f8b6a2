from collections.abc import Callable
from typing import Any

import asyncpg
import pytest


@pytest.fixture
def fetch(
    oddsschema_database: str,
    oddsschema_run: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str], list[Any]]:
    """Set the database of the programs, and return a function that reads from it."""
    monkeypatch.setenv("DATABASE_URL", oddsschema_database)

    async def rows(query: str) -> list[Any]:
        connection = await asyncpg.connect(oddsschema_database)
        try:
            return [tuple(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()

    return lambda query: oddsschema_run(rows(query))
