"""Reports on the events that bookmakers list: the events, and their number in each tournament."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import ConfigDict, RootModel
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from oddsschema.queries.listed_events import (
    ListedEvent,
    ListedTournament,
    Matching,
    events,
    events_by_tournament,
)

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection


class ListedEventList(RootModel[tuple[ListedEvent, ...]]):
    """Listed events as one JSON document, in the order of their kickoffs."""

    model_config = ConfigDict(frozen=True)


class ListedTournamentList(RootModel[tuple[ListedTournament, ...]]):
    """Tournaments of listed events as one JSON document, those with the most events first."""

    model_config = ConfigDict(frozen=True)


def selected_events(
    text: str = "",
    *,
    sport: str | None = None,
    tournament: str = "",
    bookmaker: str | None = None,
    matching: Sequence[Matching] = (),
    least_bookmakers: int = 1,
    kickoff_from: datetime | None = None,
    kickoff_until: datetime | None = None,
) -> SelectOfScalar[ListedEvent]:
    """Select the listed events under all of these conditions.

    They are found as by `events`; they are of a sport; a bookmaker lists them; so do at least a
    number of bookmakers; they are matched in one of these ways; and the kickoff is in the range
    from `kickoff_from` to before `kickoff_until`.
    """
    statement = events(text, tournament=tournament)
    if sport is not None:
        statement = statement.where(ListedEvent.sport == sport)
    if bookmaker is not None:
        statement = statement.where(col(ListedEvent.bookmakers).contains([bookmaker]))
    if matching:
        statement = statement.where(col(ListedEvent.matching).in_(matching))
    if least_bookmakers > 1:
        statement = statement.where(ListedEvent.bookmaker_count >= least_bookmakers)
    if kickoff_from is not None:
        statement = statement.where(ListedEvent.kickoff >= kickoff_from)
    if kickoff_until is not None:
        statement = statement.where(ListedEvent.kickoff < kickoff_until)
    return statement


async def read_events(
    connection: "AsyncConnection", among: SelectOfScalar[ListedEvent], limit: int
) -> ListedEventList:
    """Read the first of the selected events, in the order of their kickoffs."""
    statement = among.order_by(
        col(ListedEvent.kickoff), col(ListedEvent.name), col(ListedEvent.sportradar_id)
    )
    async with AsyncSession(connection) as session:
        return ListedEventList(tuple(await session.exec(statement.limit(limit))))


async def read_listed_tournaments(
    connection: "AsyncConnection", among: SelectOfScalar[ListedEvent], limit: int
) -> ListedTournamentList:
    """Count the selected events of each tournament; read the largest of them."""
    tournament = ListedTournament
    statement = events_by_tournament(among).order_by(
        col(tournament.events).desc(),
        *(col(tournament.sport), col(tournament.country), col(tournament.tournament)),
    )
    async with AsyncSession(connection) as session:
        return ListedTournamentList(tuple(await session.exec(statement.limit(limit))))
