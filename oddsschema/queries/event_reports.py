"""Reports on a single event: its offers, its best prices, and the price history of a market."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import RootModel, TypeAdapter, ValidationError
from sqlalchemy import ColumnElement, case, null, or_
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlmodel import Field, col, select

from oddsschema.contracts.base import loader
from oddsschema.contracts.scalars import SportradarEventId
from oddsschema.errors import EventNotFoundError
from oddsschema.models import CompetitorEvent, Event
from oddsschema.queries.availability import BestPrice, Offer, best_prices, offers
from oddsschema.queries.history import PricePoint, price_history
from oddsschema.queries.outcomes import Overround, overround

_SPORTRADAR_ID: TypeAdapter[str] = TypeAdapter(SportradarEventId)


class EventIdentity(NamedTuple):
    """An event, as BetPawa or else a competitor names it."""

    name: str
    #: The start of the event, UTC.
    kickoff: datetime
    sportradar_id: str
    #: The id of BetPawa's event; None for an event that only competitors have.
    event_id: int | None

    def has(self, row: Any) -> ColumnElement[bool]:
        """Return the condition that the rows of a query belong to this event."""
        condition: ColumnElement[bool] = (
            row.sportradar_id == self.sportradar_id
            if self.event_id is None
            else row.event_id == self.event_id
        )
        return condition


class OfferedMarket(Offer):
    """A market as a bookmaker offers it at an instant, with its overround."""

    overround: Overround | None = Field(
        description="Overround of the market: 0.07 is 7 %; None with a closed outcome."
    )


class MarketPoint(PricePoint):
    """A change in the price history of a market, with its overround."""

    overround: Overround | None = Field(
        description="Overround of the market: 0.07 is 7 %; None with a closed outcome."
    )


_load_offered, _load_point = loader(OfferedMarket), loader(MarketPoint)


class EventOffers(RootModel[tuple[OfferedMarket, ...]]):
    """The markets on offer of an event, at all bookmakers."""


class MarketHistory(RootModel[tuple[MarketPoint, ...]]):
    """The price history of the markets of an event, at all bookmakers."""


async def find_event(connection: AsyncConnection, event: str) -> EventIdentity:
    """Find an event by its SportRadar id, or by the id of BetPawa's event.

    A SportRadar id may be written as `sr:match:66457014`. BetPawa's event is preferred to a
    competitor's. Raises EventNotFoundError.
    """
    try:
        sportradar_id = _SPORTRADAR_ID.validate_python(event)
    except ValidationError:
        raise EventNotFoundError(event=event) from None
    reference = select(Event.name, Event.kickoff, Event.sportradar_id, Event.id)
    competitor = select(
        CompetitorEvent.name, CompetitorEvent.kickoff, CompetitorEvent.sportradar_id, null()
    )
    statements: list[Any] = [
        reference.where(Event.sportradar_id == sportradar_id),
        competitor.where(
            CompetitorEvent.sportradar_id == sportradar_id,
            col(CompetitorEvent.deleted_at).is_(None),
        ),
    ]
    if event.isdecimal() and len(event) < 10:
        statements.append(reference.where(Event.id == int(event)))
    for statement in statements:
        if (row := (await connection.execute(statement.limit(1))).first()) is not None:
            return EventIdentity(*row)
    raise EventNotFoundError(event=event)


async def read_offers(
    connection: AsyncConnection,
    event: EventIdentity,
    *,
    at: datetime | None = None,
    line: float | None = None,
    specifiers: str | None = None,
) -> EventOffers:
    """Read the markets on offer of an event at an instant, or now.

    Of all lines and specifiers, or of the given ones. Specifiers are given as they are stored:
    sorted by name, and empty for markets that have none.
    """
    statement: Any = offers(at).add_columns(_overround(Offer))
    statement = statement.where(event.has(Offer), *_are_chosen(Offer, line, specifiers))
    return EventOffers(
        tuple(
            _load_offered({**dict(offer), "overround": margin})
            for offer, margin in await _rows(connection, statement)
        )
    )


async def read_best_prices(
    connection: AsyncConnection,
    event: EventIdentity,
    *,
    at: datetime | None = None,
    line: float | None = None,
    specifiers: str | None = None,
) -> Sequence[BestPrice]:
    """Read the best price of each outcome of an event, as `read_offers` reads its markets."""
    among = offers(at).where(event.has(Offer), *_are_chosen(Offer, line, specifiers))
    return [best for (best,) in await _rows(connection, best_prices(among))]


async def read_history(
    connection: AsyncConnection,
    event: EventIdentity,
    market: str,
    *,
    line: float | None = None,
    specifiers: str | None = None,
) -> MarketHistory:
    """Read the price history of a market of an event; line and specifiers as in `read_offers`.

    `market` is BetPawa's id of the market, or a part of its name. Only the id is looked up if it is
    a number.
    """
    statement: Any = price_history().add_columns(_overround(PricePoint))
    statement = statement.where(event.has(PricePoint), *_are_chosen(PricePoint, line, specifiers))
    chosen = col(PricePoint.betpawa_market_id) == market
    if not market.isdecimal():
        name = col(PricePoint.betpawa_market_name)
        chosen = or_(chosen, name.icontains(market, autoescape=True))
    statement = statement.where(chosen)
    return MarketHistory(
        tuple(
            _load_point({**dict(point), "overround": margin})
            for point, margin in await _rows(connection, statement)
        )
    )


def _are_chosen(
    row: Any, line: float | None, specifiers: str | None
) -> Iterator[ColumnElement[bool]]:
    if line is not None:
        yield row.line == line
    if specifiers is not None:
        yield row.specifiers == specifiers if specifiers else row.specifiers.is_(None)


def _overround(row: Any) -> ColumnElement[float | None]:
    # Two of the three outcomes of a Double Chance win.
    winners = case((row.betpawa_market_name.startswith("Double Chance"), 2), else_=1)
    return overround(row.outcomes, winners)


async def _rows(connection: AsyncConnection, statement: Any) -> Sequence[Any]:
    async with AsyncSession(connection) as session:
        return (await session.execute(statement)).all()
