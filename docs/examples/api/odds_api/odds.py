"""Queries for the odds of an event."""

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload, selectinload
from sqlmodel import col

from odds_api.answers import BookmakerOdds
from oddsschema import (
    CompetitorEvent,
    CompetitorOddsSnapshot,
    Event,
    OddsSnapshot,
)

BETPAWA = (
    select(OddsSnapshot)
    .ext(distinct_on(col(OddsSnapshot.bookmaker_id)))
    .order_by(col(OddsSnapshot.bookmaker_id), col(OddsSnapshot.captured_at).desc())
    .options(joinedload(OddsSnapshot.bookmaker), selectinload(OddsSnapshot.markets))
)
COMPETITORS = (
    select(CompetitorOddsSnapshot)
    .join(CompetitorOddsSnapshot.competitor_event)
    .where(col(CompetitorEvent.deleted_at).is_(None))
    .ext(distinct_on(col(CompetitorOddsSnapshot.competitor_event_id)))
    .order_by(
        col(CompetitorOddsSnapshot.competitor_event_id),
        col(CompetitorOddsSnapshot.captured_at).desc(),
    )
    .options(
        joinedload(CompetitorOddsSnapshot.competitor_event),
        selectinload(CompetitorOddsSnapshot.markets),
    )
)


async def latest_odds(event: Event, session: AsyncSession) -> list[BookmakerOdds]:
    """Read the newest snapshot of each bookmaker that lists the event."""
    betpawa = await session.scalars(BETPAWA.where(OddsSnapshot.event_id == event.id))
    theirs = await session.scalars(COMPETITORS.where(CompetitorEvent.betpawa_event_id == event.id))
    snapshots = [(snapshot.bookmaker.slug, snapshot) for snapshot in betpawa]
    snapshots += [(snapshot.competitor_event.source, snapshot) for snapshot in theirs]
    return [
        BookmakerOdds(bookmaker=slug, captured_at=snapshot.captured_at, markets=snapshot.markets)
        for slug, snapshot in snapshots
    ]
