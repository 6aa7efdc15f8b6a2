"""Databases that are altered, checked and repaired in a transaction that is rolled back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from oddsschema import migrations
from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.migrations import CheckState, Difference


@asynccontextmanager
async def rolled_back(url: str) -> AsyncIterator[tuple[AsyncConnection, Any]]:
    """Open a connection and the asyncpg connection below it; roll back at the end."""
    async with sqlalchemy_connect(url) as connection:
        await connection.exec_driver_sql("SELECT 1")
        yield connection, (await connection.get_raw_connection()).driver_connection
        await connection.rollback()


def without_repair(difference: Difference) -> tuple[str, str, str | None, str | None]:
    """Return the parts of a difference without its repair."""
    return difference.kind, difference.location, difference.expected, difference.actual


async def repaired(connection: AsyncConnection, raw: Any) -> list[tuple[str, str]]:
    """Repair all differences in their order, and return their kinds and places."""
    report = await migrations.check(connection)
    for difference in report.differences:
        await raw.execute(difference.repair)
    assert (await migrations.check(connection)).state is CheckState.CLEAN
    return [(difference.kind, difference.location) for difference in report.differences]
