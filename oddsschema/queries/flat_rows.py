"""Flat rows: an outcome with its market, its event and its bookmaker in one row.

The choice of the rows (events, bookmakers, markets) is part of the statements that read the
snapshots: a condition around them would be applied after everything is read.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, DateTime, Select, case, cast, func, or_
from sqlmodel import Field

from oddsschema.contracts.scalars import Flag, Name255, Odds, UtcTime, without_urn
from oddsschema.models import CompetitorTournament, Event, MarketType, Sport, Tournament
from oddsschema.models.sides import BETPAWA, table_of
from oddsschema.queries.listed_events import UNKNOWN_COUNTRY, AtTournament
from oddsschema.queries.sides import AtBookmaker, Listings

#: Remove `sr:match:` from a SportRadar id.
_without_prefix = without_urn("sr:match:")
#: The names of markets of which two outcomes win together.
_TWO_WINNERS = "Double Chance"


class MarketOfEvent(MarketType, AtTournament, AtBookmaker):
    """A market at a bookmaker, with the data of its event.

    Sport, country and tournament are BetPawa's where its event is matched, or else those of the
    bookmaker.
    """

    kickoff: UtcTime = Field(description="The kickoff that this bookmaker gives, UTC.")


class OutcomeOfEvent(MarketOfEvent):
    """An outcome of a market at a bookmaker, with the data of its event."""

    outcome: Name255 = Field(description="The outcome's common name.")
    odds: Odds | None = Field(
        description="The decimal odds; None for a closed outcome without a price."
    )
    is_active: Flag = Field(description="Whether the outcome is open: bets are taken.")


@dataclass(frozen=True)
class Choice:
    """The rows to read: of some events, bookmakers and markets; None for all."""

    #: SportRadar ids as text, or ids of BetPawa's events as integers.
    events: Collection[str | int] | None = None
    #: The slugs of bookmakers.
    bookmakers: Collection[str] | None = None
    #: BetPawa's ids of markets.
    markets: Collection[str] | None = None

    def __post_init__(self) -> None:
        for name in ("events", "bookmakers", "markets"):
            if isinstance(getattr(self, name), str):
                raise TypeError(f"{name} must be a collection, such as a list, not a single text")
        for event in self.events or ():
            if isinstance(event, bool) or not isinstance(event, str | int):
                raise TypeError(
                    "events must be SportRadar ids (text) or ids of BetPawa's events (integers), "
                    f"not {event!r}"
                )

    def of_listings(self, listings: Listings) -> list[ColumnElement[bool]]:
        """List the conditions on listings."""
        conditions: list[ColumnElement[bool]] = []
        columns = {column.name: column for column in listings.columns}
        if self.events is not None:
            ids = [event for event in self.events if isinstance(event, int)]
            names = [_without_prefix(event) for event in self.events if isinstance(event, str)]
            of_events = [listings.reference_event.in_(ids)] if ids or not names else []
            if names:
                of_events.append(listings.events.c.sportradar_id.in_(names))
            conditions.append(or_(*of_events))
        if self.bookmakers is not None:
            bookmaker: Any = columns["bookmaker"]
            conditions.append(getattr(bookmaker, "element", bookmaker).in_(list(self.bookmakers)))
        return conditions

    def of_markets(self, markets: Any) -> list[ColumnElement[bool]]:
        """List the conditions on market rows."""
        if self.markets is None:
            return []
        return [markets.c.betpawa_market_id.in_(list(self.markets))]


def instant(time: datetime, name: str) -> ColumnElement[Any]:
    """Return a time as a parameter. Raises ValueError for a time without a zone."""
    if time.tzinfo is None:
        raise ValueError(f"{name} must have a time zone, such as datetime(..., tzinfo=UTC)")
    # The cast is for statements with literals, which have no type.
    return cast(time, DateTime(timezone=True))


def described(listings: Listings, choice: Choice) -> tuple[Select[Any], list[ColumnElement[Any]]]:
    """Return the chosen listings of a side, and the columns that describe their events.

    The columns are those of `MarketOfEvent` without the market's.
    """
    tournaments, sports = table_of(Tournament), table_of(Sport)
    events = listings.events
    chosen = listings.select.where(*choice.of_listings(listings))
    if listings.side is BETPAWA:
        chosen = chosen.join(tournaments, tournaments.c.id == events.c.tournament_id)
        chosen = chosen.join(sports, sports.c.id == tournaments.c.sport_id)
        country, name = tournaments.c.country, tournaments.c.name
    else:
        theirs, matched = table_of(CompetitorTournament), table_of(Event).alias("matched_event")
        chosen = chosen.outerjoin(matched, matched.c.id == events.c.betpawa_event_id)
        chosen = chosen.outerjoin(tournaments, tournaments.c.id == matched.c.tournament_id)
        chosen = chosen.join(
            sports, sports.c.id == func.coalesce(tournaments.c.sport_id, theirs.c.sport_id)
        )
        country = func.coalesce(tournaments.c.country, theirs.c.country_raw, UNKNOWN_COUNTRY)
        name = func.coalesce(tournaments.c.name, theirs.c.name)
    return chosen, [
        *listings.columns,
        sports.c.slug.label("sport"),
        country.label("country"),
        name.label("tournament"),
        events.c.kickoff,
    ]


def usual_winners(markets: Any) -> ColumnElement[int]:
    """Return the number of outcomes of a market that win together: 2 of a Double Chance, else 1."""
    return case((markets.c.betpawa_market_name.startswith(_TWO_WINNERS), 2), else_=1)
