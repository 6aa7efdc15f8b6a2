"""The listings of the two sides: events at bookmakers, with the tables that hold their odds.

Questions are asked of the listings of each side, and the answers are put together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

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
from oddsschema.contracts.scalars import Id100, Int4, Name100, Name255, Name500, Slug
from oddsschema.models import (
    Bookmaker,
    CompetitorTournament,
    EventBookmaker,
    EventPage,
    Market,
)
from oddsschema.models.sides import BETPAWA, COMPETITORS, Side, table_of
from oddsschema.queries.rows import Row


class AtBookmaker(Contract):
    """An event at a bookmaker."""

    event_id: Int4 | None = Field(description="BetPawa's event; None where no event is matched.")
    competitor_event_id: Int4 | None = Field(
        description="The competitor's event; None for BetPawa's own."
    )
    sportradar_id: Name100 = Field(description="The event's SportRadar id.")
    bookmaker: Slug = Field(description="The bookmaker: 'betpawa', or a competitor's source.")
    home_team: Name255 = Field(description="The home team, as this bookmaker names it.")
    away_team: Name255 = Field(description="The away team, as this bookmaker names it.")


class EventListing(EventPage):
    """The listing of an event at a bookmaker."""

    bookmaker: Slug = Field(description="The bookmaker: 'betpawa', or a competitor's source.")
    competitor_event_id: Int4 | None = Field(
        description="The competitor's event; None for BetPawa's own."
    )
    external_id: Id100 = Field(description="The bookmaker's own id of the event.")
    name: Name500 = Field(description="The name, as this bookmaker writes it.")


class MarketAtBookmaker(Market, AtBookmaker):
    """A market of an event at a bookmaker."""


@dataclass(frozen=True)
class Listings:
    """The listings of one side, without soft-deleted events and tournaments."""

    side: Side
    #: The listings as a select, to be joined.
    select: Select[Any]
    #: The tables that the select reads.
    tables: Sequence[FromClause]
    #: The columns of `AtBookmaker`.
    columns: Sequence[ColumnElement[Any]]
    #: BetPawa's event, as the listing refers to it.
    reference_event: ColumnElement[Any]
    #: The columns of `EventListing`.
    page: Sequence[ColumnElement[Any]]
    #: The columns by which a snapshot refers to its listing, each with the listing's own column.
    links: Sequence[tuple[str, ColumnElement[Any]]]

    @cached_property
    def events(self) -> Any:
        """The table of events."""
        return self.side.event_table

    @property
    def kickoff(self) -> ColumnElement[Any]:
        """The kickoff of the event."""
        kickoff: ColumnElement[Any] = self.events.c.kickoff
        return kickoff

    def snapshots(self, alias: str) -> Any:
        """Return the table of snapshots under an alias."""
        return self.side.snapshot_table.alias(alias)

    def markets(self, alias: str) -> Any:
        """Return the table of markets under an alias."""
        return self.side.market_table.alias(alias)

    def has(self, snapshots: Any) -> ColumnElement[bool]:
        """Return the condition that snapshots are those of the listing."""
        return and_(*(snapshots.c[name] == value for name, value in self.links))

    def joins(self, markets: Alias, snapshots: Alias) -> ColumnElement[bool]:
        """Return the condition that market rows are those of the snapshot."""
        event = self.side.event_column
        return and_(markets.c[event] == snapshots.c[event], markets.c.snapshot_id == snapshots.c.id)

    def correlated(self, statement: Select[Any], *outer: FromClause) -> Select[Any]:
        """Correlate a statement with the listing, and with other tables of the outer statement."""
        return statement.correlate(*self.tables, *outer)


def reference_listings() -> Listings:
    """Build the listings of BetPawa's side: reference events at their bookmakers."""
    events, listed = table_of(BETPAWA.event_model), table_of(EventBookmaker)
    bookmakers = table_of(Bookmaker)
    bookmaker = bookmakers.c.slug.label("bookmaker")
    competitor_event_id = cast(null(), Integer).label("competitor_event_id")
    return Listings(
        side=BETPAWA,
        select=select().select_from(events.join(listed).join(bookmakers)),
        tables=(events, listed, bookmakers),
        columns=(
            events.c.id.label("event_id"),
            competitor_event_id,
            events.c.sportradar_id,
            bookmaker,
            events.c.home_team,
            events.c.away_team,
        ),
        reference_event=events.c.id,
        page=(
            bookmaker,
            competitor_event_id,
            listed.c.external_event_id.label("external_id"),
            listed.c.event_url,
            events.c.name,
        ),
        links=((BETPAWA.event_column, events.c.id), ("bookmaker_id", bookmakers.c.id)),
    )


def competitor_listings() -> Listings:
    """Build the listings of the competitors' side."""
    events, tournaments = table_of(COMPETITORS.event_model), table_of(CompetitorTournament)
    bookmaker = events.c.source.label("bookmaker")
    competitor_event_id = events.c.id.label("competitor_event_id")
    return Listings(
        side=COMPETITORS,
        select=select()
        .select_from(events.join(tournaments))
        .where(events.c.deleted_at.is_(None), tournaments.c.deleted_at.is_(None)),
        tables=(events, tournaments),
        columns=(
            events.c.betpawa_event_id.label("event_id"),
            competitor_event_id,
            events.c.sportradar_id,
            bookmaker,
            events.c.home_team,
            events.c.away_team,
        ),
        reference_event=events.c.betpawa_event_id,
        page=(
            bookmaker,
            competitor_event_id,
            events.c.external_id,
            events.c.event_url,
            events.c.name,
        ),
        links=((COMPETITORS.event_column, events.c.id),),
    )


#: The listings of both sides.
LISTINGS = (reference_listings(), competitor_listings())


def on_both_sides(row: type[Row], ask: Callable[[Listings], Select[Any]]) -> CompoundSelect[Any]:
    """Ask both sides; return the answers together, with the columns of a row in its order."""
    answers = (ask(listings).subquery() for listings in LISTINGS)
    return union_all(
        *(select(*(answer.c[name] for name in row.model_fields)) for answer in answers)
    )
