"""What a database holds, put together again as captures, and compared by value."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import joinedload, selectinload

from oddsschema import (
    Capture,
    CapturedCompetitorEvent,
    CapturedCompetitorTournament,
    CapturedEvent,
    CapturedSport,
    CapturedTournament,
    CompetitorEvent,
    CompetitorOddsSnapshot,
    CompetitorTournament,
    Contract,
    Event,
    IngestReport,
    Market,
    OddsSnapshot,
    Tournament,
)


def comparable(value: Any) -> Any:
    """A value as JSONB keeps it: its numbers are decimal, a list and a tuple are the same."""
    if isinstance(value, bool) or value is None:
        return repr(value)
    if isinstance(value, int | float):
        return Decimal(repr(value))
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [comparable(item) for item in value]
    return value


def keyed(captures: Sequence[Capture]) -> dict[Any, Any]:
    """Captures by what tells them apart, as plain values; none may stand there twice."""
    found = {}
    for capture in captures:
        values = capture.model_dump()
        event = values["event"] or values["competitor_event"]
        if capture.competitor_event is not None:
            event["tournament"]["source"] = event["source"]  # which may be left out
        own_id = event["sportradar_id"] if values["event"] else event["external_id"]
        key = (bool(values["event"]), capture.source, own_id, capture.captured_at)
        assert key not in found
        found[key] = comparable(values)
    return found


def contract_of(contract: type[Contract], row: Any, **parts: Any) -> Any:
    """A contract whose fields are those of a row, but for the given ones."""
    values = {name: getattr(row, name) for name in contract.model_fields if name not in parts}
    return contract(**values, **parts)


def capture_of(snapshot: Any, **event: Any) -> Capture:
    """A capture, from a snapshot with its markets and the event put together."""
    markets = sorted(snapshot.markets, key=lambda market: market.id)
    return Capture(
        captured_at=snapshot.captured_at,
        raw_response=snapshot.raw_response,
        markets=tuple(contract_of(Market, market) for market in markets),
        **event,
    )


async def read_back(connection: AsyncConnection) -> list[Capture]:
    """Every capture that a database holds, put together again from its tables."""
    found = []
    async with AsyncSession(connection) as session:
        event = joinedload(CompetitorOddsSnapshot.competitor_event)  # type: ignore[arg-type]
        competitors = select(CompetitorOddsSnapshot).options(
            event.joinedload(CompetitorEvent.tournament).joinedload(CompetitorTournament.sport),  # type: ignore[arg-type]
            selectinload(CompetitorOddsSnapshot.markets),  # type: ignore[arg-type]
        )
        for theirs in await session.scalars(competitors):
            row = theirs.competitor_event
            sport = contract_of(CapturedSport, row.tournament.sport)
            tournament = contract_of(CapturedCompetitorTournament, row.tournament, sport=sport)
            event_of = contract_of(CapturedCompetitorEvent, row, tournament=tournament)
            found.append(capture_of(theirs, competitor_event=event_of))
        event = joinedload(OddsSnapshot.event)  # type: ignore[arg-type]
        reference = select(OddsSnapshot).options(
            joinedload(OddsSnapshot.bookmaker),  # type: ignore[arg-type]
            event.joinedload(Event.tournament).joinedload(Tournament.sport),  # type: ignore[arg-type]
            event.selectinload(Event.event_bookmakers),  # type: ignore[arg-type]
            selectinload(OddsSnapshot.markets),  # type: ignore[arg-type]
        )
        for ours in await session.scalars(reference):
            sport = contract_of(CapturedSport, ours.event.tournament.sport)
            tournament = contract_of(CapturedTournament, ours.event.tournament, sport=sport)
            (listing,) = (
                one for one in ours.event.event_bookmakers if one.bookmaker_id == ours.bookmaker_id
            )
            event_of = contract_of(
                CapturedEvent,
                ours.event,
                tournament=tournament,
                bookmaker=ours.bookmaker.slug,
                external_event_id=listing.external_event_id,
                event_url=listing.event_url,
            )
            found.append(capture_of(ours, event=event_of))
    return found


def errors(report: IngestReport) -> list[str]:
    """What broke the runs of a batch off."""
    return [one.error for one in report.runs if one.error is not None]
