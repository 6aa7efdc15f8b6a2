"""Events where they are listed, and the tables that hold their odds.

BetPawa's odds and the competitors' are in two pairs of tables of one shape: what is asked of the
one is asked of the other, and the answers are put together.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    Alias,
    ColumnElement,
    CompoundSelect,
    FromClause,
    Integer,
    Select,
    and_,
    cast,
    null,
    select,
    union_all,
)
from sqlmodel import Field

from oddsschema.contracts.base import Contract
from oddsschema.contracts.scalars import Int4, Name100, Slug
from oddsschema.models import (
    Bookmaker,
    CompetitorEvent,
    CompetitorMarketOdds,
    CompetitorOddsSnapshot,
    CompetitorTournament,
    Event,
    EventBookmaker,
    MarketOdds,
    OddsSnapshot,
)
from oddsschema.queries.rows import Row, table_of


class AtBookmaker(Contract):
    """An event at a bookmaker."""

    event_id: Int4 | None = Field(description="BetPawa's event; None where none is matched.")
    competitor_event_id: Int4 | None = Field(description="The competitor's event; None: BetPawa's.")
    sportradar_id: Name100 = Field(description="The event's SportRadar id.")
    bookmaker: Slug = Field(description="Whose odds they are: 'betpawa', or a competitor's source.")


_events, _listed, _bookmakers = map(table_of, (Event, EventBookmaker, Bookmaker))
_competitor_events, _tournaments = map(table_of, (CompetitorEvent, CompetitorTournament))


class Side(NamedTuple):
    """BetPawa's tables, or the competitors'."""

    #: Every listing that is not deleted, to be joined.
    listings: Select[Any]
    #: The tables that they come from.
    tables: Sequence[FromClause]
    #: The columns of `AtBookmaker`.
    listing: Sequence[ColumnElement[Any]]
    kickoff: ColumnElement[Any]
    snapshots: Any
    markets: Any
    #: What the snapshots' and the markets' reference to the event is called.
    event: str
    #: What a snapshot has of its listing: its column, and the listing's.
    links: Sequence[tuple[str, ColumnElement[Any]]]

    def of_listing(self, snapshots: Any) -> ColumnElement[bool]:
        """That snapshots are those of the listing at hand."""
        return and_(*(snapshots.c[name] == value for name, value in self.links))

    def of_snapshot(self, markets: Alias, snapshots: Alias) -> ColumnElement[bool]:
        """That markets are those of the snapshot."""
        event = self.event
        return and_(markets.c[event] == snapshots.c[event], markets.c.snapshot_id == snapshots.c.id)

    def correlated(self, statement: Select[Any], *known: FromClause) -> Select[Any]:
        """A statement that is asked of each listing, and of what is known of it."""
        return statement.correlate(*self.tables, *known)


SIDES = (
    Side(
        listings=select().select_from(_events.join(_listed).join(_bookmakers)),
        tables=(_events, _listed, _bookmakers),
        listing=(
            _events.c.id.label("event_id"),
            cast(null(), Integer).label("competitor_event_id"),
            _events.c.sportradar_id,
            _bookmakers.c.slug.label("bookmaker"),
        ),
        kickoff=_events.c.kickoff,
        snapshots=table_of(OddsSnapshot),
        markets=table_of(MarketOdds),
        event="event_id",
        links=(("event_id", _events.c.id), ("bookmaker_id", _bookmakers.c.id)),
    ),
    Side(
        listings=select()
        .select_from(_competitor_events.join(_tournaments))
        .where(_competitor_events.c.deleted_at.is_(None), _tournaments.c.deleted_at.is_(None)),
        tables=(_competitor_events, _tournaments),
        listing=(
            _competitor_events.c.betpawa_event_id.label("event_id"),
            _competitor_events.c.id.label("competitor_event_id"),
            _competitor_events.c.sportradar_id,
            _competitor_events.c.source.label("bookmaker"),
        ),
        kickoff=_competitor_events.c.kickoff,
        snapshots=table_of(CompetitorOddsSnapshot),
        markets=table_of(CompetitorMarketOdds),
        event="competitor_event_id",
        links=(("competitor_event_id", _competitor_events.c.id),),
    ),
)


def on_both_sides(row: type[Row], ask: Callable[[Side], Select[Any]]) -> CompoundSelect[Any]:
    """What is asked of both sides, with the columns of a row in its order."""
    asked = (ask(side).subquery() for side in SIDES)
    return union_all(*(select(*(one.c[name] for name in row.model_fields)) for one in asked))
