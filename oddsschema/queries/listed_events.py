"""The events of all bookmakers, each with its listings, and their number in each tournament."""

from collections.abc import Callable
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any

from sqlalchemy import (
    CompoundSelect,
    Dialect,
    FromClause,
    Integer,
    Select,
    String,
    and_,
    case,
    cast,
    distinct,
    func,
    null,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, aggregate_order_by
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field
from sqlmodel.sql.expression import SelectOfScalar

from oddsschema.contracts.base import Contract, loader
from oddsschema.contracts.scalars import (
    Count,
    Int4,
    Name100,
    Name255,
    Slug,
    varchar_enum,
)
from oddsschema.models import CompetitorTournament, Fixture, Sport, Tournament
from oddsschema.models.sides import BETPAWA, COMPETITORS, table_of
from oddsschema.queries.event_search import EventSearch
from oddsschema.queries.rows import Row, selecting
from oddsschema.queries.sides import LISTINGS, EventListing, Listings, competitor_listings


class Matching(StrEnum):
    """The sides that list an event."""

    #: BetPawa's side lists the event, and so does a competitor.
    MATCHED = "matched"
    BETPAWA_ONLY = "betpawa_only"
    COMPETITOR_ONLY = "competitor_only"


class _ListingsJSONB(TypeDecorator[tuple[EventListing, ...]]):
    """A tuple of `EventListing` in Python, a JSONB array in PostgreSQL."""

    impl = JSONB
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> tuple[EventListing, ...]:
        """Convert a JSONB array to listings, without validation."""
        # JSONB has an order of its own.
        return tuple(
            [_load_listing({name: listing[name] for name in _LISTING}) for listing in value]
        )


_load_listing, _LISTING = loader(EventListing), tuple(EventListing.model_fields)


class AtTournament(Contract):
    """A tournament: BetPawa's or, if BetPawa has none of the kind, a competitor's.

    A competitor's tournament is BetPawa's if they have the same SportRadar id, or the same sport,
    country and name.
    """

    sport: Name100 = Field(description="The slug of the sport: 'football'.")
    country: Name100 = Field(description="The country; 'Unknown' where a competitor names none.")
    tournament: Name255 = Field(description="The name of the tournament.")


class ListedEvent(AtTournament, Fixture, Row):
    """An event with its listings at all bookmakers.

    Names and kickoff are BetPawa's, or else those of the competitor that listed the event first.
    """

    event_id: Int4 | None = Field(description="BetPawa's event; None where no event is matched.")
    matching: Annotated[Matching, varchar_enum(Matching, 20)] = Field(
        description="The sides that list it: 'matched', 'betpawa_only' or 'competitor_only'."
    )
    bookmakers: Annotated[tuple[Slug, ...], ARRAY(String, as_tuple=True)] = Field(
        description="The bookmakers that list it, each once."
    )
    bookmaker_count: Count = Field(description="The number of these bookmakers.")
    listings: Annotated[tuple[EventListing, ...], _ListingsJSONB()] = Field(
        description="The listings. Some bookmakers list an event twice."
    )


class ListedTournament(AtTournament, Row):
    """A tournament with the number of its listed events."""

    events: Count = Field(description="All events.")
    matched: Count = Field(description="The events that both BetPawa and a competitor list.")
    betpawa_only: Count = Field(description="The events that BetPawa's side alone lists.")
    competitor_only: Count = Field(description="The events that only competitors list.")


#: The country of BetPawa's tournaments that have none.
UNKNOWN_COUNTRY: str = Tournament.model_fields["country"].default

#: The table of events of each side, under the name that it has in the selects.
LISTED_EVENT = {side: side.event_table.alias("listed_event") for side in (BETPAWA, COMPETITORS)}


def events(text: str = "", *, tournament: str = "") -> SelectOfScalar[ListedEvent]:
    """Select the events that any bookmaker lists, each with all its listings, in no order.

    `text` finds events by team, tournament or country: each of its words is a part of the names
    that BetPawa or a competitor gives to the event. Accents and case make no difference. It may
    also be the SportRadar id, with or without its prefix, or the id of BetPawa's event.
    `tournament` finds the events of a tournament by words of its name or country.

    The events of a day: `.where(ListedEvent.kickoff >= start, ListedEvent.kickoff < end)`; at
    several bookmakers: `.where(ListedEvent.bookmaker_count >= 3)`; of one side:
    `.where(ListedEvent.matching == Matching.COMPETITOR_ONLY)`.

    Events that no event of BetPawa is matched to are one event if they have the same SportRadar id.
    """
    return selecting(ListedEvent, _listed(EventSearch(text, tournament)))


@lru_cache(maxsize=32)
def _listed(search: EventSearch) -> CompoundSelect[Any]:
    ours, theirs = reference_events(page_of, gathered), competitors_events(page_of, gathered)
    if search:
        ours = ours.where(LISTED_EVENT[BETPAWA].c.id.in_(search.event_ids()))
        event = LISTED_EVENT[COMPETITORS].c
        theirs = theirs.where(event.sportradar_id.in_(search.unmatched_ids()))
    answers = (ours.subquery(), theirs.subquery())
    rows = (select(*(answer.c[name] for name in ListedEvent.model_fields)) for answer in answers)
    return union_all(*rows)


def events_by_tournament(
    among: SelectOfScalar[ListedEvent] | None = None,
) -> SelectOfScalar[ListedTournament]:
    """Count the listed events of each tournament, by default all.

    `events_by_tournament(events().where(ListedEvent.kickoff >= start))`.
    """
    listed = (events() if among is None else among).subquery("listed")
    tournament = [listed.c[name] for name in AtTournament.model_fields]
    counts = (
        func.count().filter(listed.c.matching == matching).label(matching.value)
        for matching in Matching
    )
    statement = select(*tournament, func.count().label("events"), *counts).group_by(*tournament)
    return selecting(ListedTournament, statement)


#: A question about listings.
Ask = Callable[[Listings], Select[Any]]
#: The rows of an event, from the answers of its listings; no row if nothing is found.
Gather = Callable[[Any], FromClause]


def page_of(listings: Listings) -> Select[Any]:
    """Select the listings, with the columns of `EventListing`."""
    return listings.select.with_only_columns(*listings.page)


def reference_events(ask: Ask, gather: Gather) -> Select[Any]:
    """Select BetPawa's events, with the rows of the listings of each."""
    events = LISTED_EVENT[BETPAWA]
    tournaments, sports = table_of(Tournament), table_of(Sport)
    found = gather(
        union_all(
            *(
                ask(listings).where(listings.reference_event == events.c.id).correlate(events)
                for listings in LISTINGS
            )
        )
    )
    return select(
        events.c.id.label("event_id"),
        *(events.c[name] for name in Fixture.model_fields),
        sports.c.slug.label("sport"),
        tournaments.c.country,
        tournaments.c.name.label("tournament"),
        *found.c,
    ).select_from(events.join(tournaments).join(sports).join(found, true()))


def competitors_events(ask: Ask, gather: Gather) -> Select[Any]:
    """Select the events that only competitors list, with the rows of the listings of each.

    The first row of a SportRadar id describes the event. Grouped rows would have no kickoff before
    all are read.
    """
    events = LISTED_EVENT[COMPETITORS]
    theirs = table_of(CompetitorTournament).alias("their_tournament")
    tournaments, sports = table_of(Tournament), table_of(Sport)
    competitor = competitor_listings()

    def same_event(ask: Ask) -> Select[Any]:
        return (
            ask(competitor)
            .where(
                competitor.reference_event.is_(None),
                competitor.events.c.sportradar_id == events.c.sportradar_id,
            )
            .correlate(events)
        )

    found = gather(same_event(ask))
    return (
        select(
            cast(null(), Integer).label("event_id"),
            *(events.c[name] for name in Fixture.model_fields),
            sports.c.slug.label("sport"),
            func.coalesce(tournaments.c.country, theirs.c.country_raw, UNKNOWN_COUNTRY).label(
                "country"
            ),
            func.coalesce(tournaments.c.name, theirs.c.name).label("tournament"),
            *found.c,
        )
        .select_from(
            events.join(theirs)
            .join(sports, sports.c.id == theirs.c.sport_id)
            .outerjoin(
                tournaments,
                and_(
                    tournaments.c.sportradar_id == theirs.c.sportradar_id,
                    tournaments.c.sport_id == theirs.c.sport_id,
                ),
            )
            .join(found, true())
        )
        .where(
            events.c.betpawa_event_id.is_(None),
            events.c.deleted_at.is_(None),
            theirs.c.deleted_at.is_(None),
            ~same_event(page_of).where(competitor.events.c.id < events.c.id).exists(),
        )
    )


def gathered(found: Any) -> FromClause:
    """Gather the listings of an event into a row; no row if it has none."""
    listing = found.lateral("listing")
    bookmaker, competitor_event_id = listing.c.bookmaker, listing.c.competitor_event_id
    fields = (part for name in EventListing.model_fields for part in (name, listing.c[name]))
    is_ours = func.bool_or(competitor_event_id.is_(None))
    is_theirs = func.bool_or(competitor_event_id.is_not(None))
    matching = case(
        (is_ours & is_theirs, Matching.MATCHED.value),
        (is_ours, Matching.BETPAWA_ONLY.value),
        else_=Matching.COMPETITOR_ONLY.value,
    )
    return (
        select(
            matching.label("matching"),
            func.array_agg(aggregate_order_by(distinct(bookmaker), bookmaker)).label("bookmakers"),
            func.count(distinct(bookmaker)).label("bookmaker_count"),
            func.jsonb_agg(
                aggregate_order_by(func.jsonb_build_object(*fields), bookmaker, competitor_event_id)
            ).label("listings"),
        )
        .select_from(listing)
        .having(func.count() > 0)
        .lateral("listed")
    )
