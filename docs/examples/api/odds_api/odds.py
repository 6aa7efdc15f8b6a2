"""Queries for the odds of an event."""

from itertools import groupby
from operator import attrgetter

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from odds_api.answers import BookmakerOdds
from oddsschema import Event, queries
from oddsschema.queries import Offer


async def latest_odds(event: Event, session: AsyncSession) -> list[BookmakerOdds]:
    """Read the markets on offer at each bookmaker that lists the event.

    The last snapshot has rows only for the changes since the snapshot before it, so `offers()`
    answers this. `captured_at` is the time of the last capture. A market that was refused in it is
    as before. A bookmaker that has nothing on offer is left out.
    """
    statement = queries.offers().where(Offer.event_id == event.id)
    listing = col(Offer.competitor_event_id).nulls_first()  # BetPawa's own have none
    order = listing, col(Offer.bookmaker), col(Offer.market_odds_id)
    offers = await session.scalars(statement.order_by(*order))
    return [
        BookmakerOdds(bookmaker=bookmaker, captured_at=captured_at, markets=list(markets))
        for (_, bookmaker, captured_at), markets in groupby(
            offers, attrgetter("competitor_event_id", "bookmaker", "seen_at")
        )
    ]
