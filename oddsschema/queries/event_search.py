"""The search for events by team, tournament or id, at any bookmaker."""

from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Select,
    func,
    literal_column,
    or_,
    select,
    union_all,
)

from oddsschema.contracts.scalars import SportradarEventId, Text1000
from oddsschema.models import CompetitorTournament, Tournament
from oddsschema.models.sides import BETPAWA, table_of
from oddsschema.queries.searched_texts import folded, has_words
from oddsschema.queries.sides import LISTINGS, Listings

_SPORTRADAR_ID: TypeAdapter[str] = TypeAdapter(SportradarEventId)
_TEXT: TypeAdapter[str] = TypeAdapter(Text1000)

#: OFFSET 0 makes PostgreSQL compute the columns of a subquery once.
_ONCE: ColumnElement[int] = literal_column("0")


@dataclass(frozen=True)
class EventSearch:
    """The words of an event and its tournament, or its id; and the words of its tournament.

    All rows of events are read: no index has folded texts. Raises ValidationError for texts that
    PostgreSQL cannot hold.
    """

    text: str = ""
    tournament: str = ""

    def __post_init__(self) -> None:
        for text in (self.text, self.tournament):
            _TEXT.validate_python(text)

    def __bool__(self) -> bool:
        """Return whether anything is searched for."""
        return bool(self.text.split() or self.tournament.split())

    def event_ids(self) -> CompoundSelect[Any]:
        """Select the ids of BetPawa's events that are found, at any bookmaker."""
        reference, competitor = LISTINGS
        matched = competitor.reference_event
        return union_all(
            self._found(reference, reference.events.c.id),
            self._found(competitor, matched, matched.is_not(None)),
        )

    def unmatched_ids(self) -> Select[Any]:
        """Select the SportRadar ids of the events that are found and have none of BetPawa's."""
        _, competitor = LISTINGS
        is_unmatched = competitor.reference_event.is_(None)
        return self._found(competitor, competitor.events.c.sportradar_id, is_unmatched)

    def _found(
        self, listings: Listings, key: ColumnElement[Any], *conditions: ColumnElement[bool]
    ) -> Select[Any]:
        events, is_ours = listings.events, listings.side is BETPAWA
        tournaments = _folded_tournaments(is_ours)
        rows = (
            listings.select.with_only_columns(
                key.label("key"),
                *(events.c[name] for name in ("id", "sportradar_id")),
                _spaced(events.c.name, events.c.home_team, events.c.away_team).label("names"),
                tournaments.c.names.label("of_tournament"),
            )
            .join(tournaments, tournaments.c.id == events.c.tournament_id)
            .where(*conditions, has_words(tournaments.c.names, self.tournament))
            .offset(_ONCE)
            .subquery("searched")
        )
        found = has_words(_spaced(folded(rows.c.names), rows.c.of_tournament), self.text)
        return select(rows.c.key).where(or_(found, *self._ids(rows, is_ours)))

    def _ids(self, rows: Any, is_ours: bool) -> list[ColumnElement[bool]]:
        """List the conditions that the text is the id of an event."""
        try:
            sportradar_id = _SPORTRADAR_ID.validate_python(self.text)
        except ValidationError:
            # The text is no id.
            return []
        conditions = [rows.c.sportradar_id == sportradar_id]
        if is_ours and self.text.isdecimal() and len(self.text) < 10:
            conditions.append(rows.c.id == int(self.text))
        return conditions


def _folded_tournaments(is_ours: bool) -> Any:
    """Select the tournaments of a side, with their names and countries, folded."""
    tournaments = table_of(Tournament if is_ours else CompetitorTournament)
    country = tournaments.c.country if is_ours else func.coalesce(tournaments.c.country_raw, "")
    names = _spaced(tournaments.c.name, country).label("names")
    named = select(tournaments.c.id, names).offset(_ONCE).subquery("named")
    once = select(named.c.id, folded(named.c.names).label("names")).offset(_ONCE)
    return once.subquery("of_tournaments")


def _spaced(first: Any, *others: Any) -> ColumnElement[str]:
    text: ColumnElement[str] = first
    for other in others:
        text = text.concat(literal_column("' '")).concat(other)
    return text
