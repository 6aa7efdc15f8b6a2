"""The list of the markets that scrapers could not map, the most frequent first."""

from datetime import timedelta
from typing import TYPE_CHECKING

from pydantic import ConfigDict, RootModel
from sqlalchemy import func
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from oddsschema.models import UnmappedMarket
from oddsschema.queries import unmapped_markets

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection


class UnmappedMarketList(RootModel[tuple[UnmappedMarket, ...]]):
    """Unmapped markets as one JSON document, the most frequent first."""

    model_config = ConfigDict(frozen=True)


async def read_unmapped_markets(
    connection: "AsyncConnection",
    limit: int,
    *,
    source: str | None = None,
    within: timedelta | None = None,
) -> UnmappedMarketList:
    """Read the most frequent unmapped markets: of a source, and reported within a time, or all."""
    statement = unmapped_markets().limit(limit)
    if source is not None:
        statement = statement.where(col(UnmappedMarket.source) == source)
    if within is not None:
        statement = statement.where(func.now() - col(UnmappedMarket.last_seen_at) <= within)
    async with AsyncSession(connection) as session:
        return UnmappedMarketList(tuple(await session.exec(statement)))
