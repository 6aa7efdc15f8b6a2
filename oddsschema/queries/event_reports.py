"""Reports on a single event: its offers, its best prices, and the price history of a market."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import RootModel, TypeAdapter, ValidationError
from sqlalchemy import ColumnElement, Integer, case, cast, func, null, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlmodel import Field, col

from oddsschema.contracts.base import loader
from oddsschema.contracts.scalars import SportradarEventId
from oddsschema.errors import AmbiguousEventError, EventNotFoundError
from oddsschema.models import CompetitorEvent, Event
from oddsschema.models.sides import table_of
from oddsschema.queries.availability import NOW, BestPrice, Offer, best_prices, offers
from oddsschema.queries.distinct_rows import distinct_on
from oddsschema.queries.event_search import EventSearch
from oddsschema.queries.history import PricePoint, price_history
from oddsschema.queries.outcomes import Overround, overround

_SPORTRADAR_ID: TypeAdapter[str] = TypeAdapter(SportradarEventId)

#: The greatest number of events that an AmbiguousEventError lists.
MAX_CANDIDATES = 10


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
    """Find an event by its SportRadar id, by the id of BetPawa's event, or by words of its names.

    A SportRadar id may be written as `sr:match:66457014`. BetPawa's event is preferred to a
    competitor's. See `queries.events` for words; they are looked up if no event has the id.
    Raises EventNotFoundError and AmbiguousEventError.
    """
    try:
        search = EventSearch(event)
    except ValidationError:
        raise EventNotFoundError(event=event) from None
    for statement in (*_by_id(event), *([_by_words(search)] if search else [])):
        found = [EventIdentity(*row) for row in await connection.execute(statement)]
        if len(found) == 1:
            return found[0]
        if found:
            candidates = tuple((each.sportradar_id, each.kickoff, each.name) for each in found)
            raise AmbiguousEventError(
                event=event,
                candidates=candidates[:MAX_CANDIDATES],
                are_all=len(candidates) <= MAX_CANDIDATES,
            )
    raise EventNotFoundError(event=event)


_REFERENCE = select(*(col(Event.name), col(Event.kickoff), col(Event.sportradar_id), col(Event.id)))
# Of the competitors that list an event, the first one names it.
_COMPETITOR = (
    select(
        *(col(CompetitorEvent.name), col(CompetitorEvent.kickoff)),
        *(col(CompetitorEvent.sportradar_id), cast(null(), Integer).label("id")),
    )
    .where(col(CompetitorEvent.deleted_at).is_(None))
    .order_by(col(CompetitorEvent.sportradar_id), col(CompetitorEvent.id))
    .prefix_with(distinct_on(table_of(CompetitorEvent).c.sportradar_id))
)


def _by_id(event: str) -> Iterator[Any]:
    """Yield the selects of the event with an id."""
    try:
        sportradar_id = _SPORTRADAR_ID.validate_python(event)
    except ValidationError:
        # The text is no id.
        return
    yield _REFERENCE.where(col(Event.sportradar_id) == sportradar_id)
    yield _COMPETITOR.where(col(CompetitorEvent.sportradar_id) == sportradar_id)
    if event.isdecimal() and len(event) < 10:
        yield _REFERENCE.where(col(Event.id) == int(event))


def _by_words(search: EventSearch) -> Any:
    """Select the events with words: those with a kickoff near to now, if there are many."""
    found = union_all(
        _REFERENCE.where(col(Event.id).in_(search.event_ids())),
        _COMPETITOR.where(
            col(CompetitorEvent.betpawa_event_id).is_(None),
            col(CompetitorEvent.sportradar_id).in_(search.unmatched_ids()),
        ),
    ).subquery("found")
    distance = func.abs(func.extract("epoch", found.c.kickoff - NOW))
    nearest = select(found).order_by(distance).limit(MAX_CANDIDATES + 1).subquery("nearest")
    return select(nearest).order_by(nearest.c.kickoff, nearest.c.sportradar_id)


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
