"""A database's content as captures, for a comparison by value."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from operator import attrgetter, itemgetter
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
from tests.support.market_keys import market_key


def comparable(value: Any) -> Any:
    """Convert a value to JSONB's form: numbers are decimal, a list equals a tuple."""
    if isinstance(value, bool) or value is None:
        return repr(value)
    if isinstance(value, int | float):
        return Decimal(repr(value))
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [comparable(item) for item in value]
    return value


def _order(market: dict[str, Any]) -> str:
    parts = market_key(market)
    return repr([part + 0.0 if isinstance(part, float) else part for part in parts])  # no -0.0


def keyed(captures: Sequence[Capture]) -> dict[Any, Any]:
    """Return captures as plain values by their keys; each key occurs once.

    The order of markets, and of a market's outcomes, has no meaning.
    """
    found = {}
    for capture in captures:
        values = capture.model_dump()
        event = values["event"] or values["competitor_event"]
        for market in values["markets"]:
            market["outcomes"] = sorted(market["outcomes"], key=itemgetter("name"))
        values["markets"] = sorted(values["markets"], key=_order)
        if capture.competitor_event is not None:
            event["tournament"]["source"] = event["source"]  # an optional key
        own_id = event["sportradar_id"] if values["event"] else event["external_id"]
        key = (bool(values["event"]), capture.source, own_id, capture.captured_at)
        assert key not in found
        found[key] = comparable(values)
    return found


def contract_of(contract: type[Contract], row: Any, **parts: Any) -> Any:
    """Build a contract from a row's fields and the given ones."""
    values = {name: getattr(row, name) for name in contract.model_fields if name not in parts}
    return contract(**values, **parts)


def captures_of(snapshots: Iterable[Any], parts: Callable[[Any], dict[str, Any]]) -> list[Capture]:
    """Build the captures of snapshots; `parts` builds a snapshot's event."""
    found = []
    offered: dict[Any, dict[Any, Any]] = defaultdict(dict)
    for snapshot in sorted(snapshots, key=attrgetter("captured_at")):
        event = parts(snapshot)
        markets = offered[repr(sorted(event.items()))]
        if snapshot.is_complete:
            markets.clear()
        for row in snapshot.markets:
            market = contract_of(Market, row)
            key = market_key(market.model_dump())
            if row.unavailable_at is None:
                markets[key] = market
            else:
                assert row.unavailable_at == snapshot.captured_at
                del markets[key]
        for at in (snapshot.captured_at, *snapshot.confirmed_at):
            raw = snapshot.raw_response if at == snapshot.captured_at else None
            found.append(
                Capture(captured_at=at, raw_response=raw, markets=tuple(markets.values()), **event)
            )
        assert snapshot.last_confirmed_at == max(snapshot.confirmed_at, default=None)
    return found


async def read_back(connection: AsyncConnection) -> list[Capture]:
    """Read every capture of a database from its tables."""
    async with AsyncSession(connection) as session:
        event = joinedload(CompetitorOddsSnapshot.competitor_event)  # type: ignore[arg-type]
        competitors = select(CompetitorOddsSnapshot).options(
            event.joinedload(CompetitorEvent.tournament).joinedload(CompetitorTournament.sport),  # type: ignore[arg-type]
            selectinload(CompetitorOddsSnapshot.markets),  # type: ignore[arg-type]
        )

        def their_event(snapshot: CompetitorOddsSnapshot) -> dict[str, Any]:
            row = snapshot.competitor_event
            sport = contract_of(CapturedSport, row.tournament.sport)
            tournament = contract_of(CapturedCompetitorTournament, row.tournament, sport=sport)
            event_of = contract_of(CapturedCompetitorEvent, row, tournament=tournament)
            return {"competitor_event": event_of}

        found = captures_of(await session.scalars(competitors), their_event)
        event = joinedload(OddsSnapshot.event)  # type: ignore[arg-type]
        reference = select(OddsSnapshot).options(
            joinedload(OddsSnapshot.bookmaker),  # type: ignore[arg-type]
            event.joinedload(Event.tournament).joinedload(Tournament.sport),  # type: ignore[arg-type]
            event.selectinload(Event.event_bookmakers),  # type: ignore[arg-type]
            selectinload(OddsSnapshot.markets),  # type: ignore[arg-type]
        )

        def our_event(snapshot: OddsSnapshot) -> dict[str, Any]:
            sport = contract_of(CapturedSport, snapshot.event.tournament.sport)
            tournament = contract_of(CapturedTournament, snapshot.event.tournament, sport=sport)
            (listing,) = (
                link
                for link in snapshot.event.event_bookmakers
                if link.bookmaker_id == snapshot.bookmaker_id
            )
            event_of = contract_of(
                CapturedEvent,
                snapshot.event,
                tournament=tournament,
                bookmaker=snapshot.bookmaker.slug,
                external_event_id=listing.external_event_id,
                event_url=listing.event_url,
            )
            return {"event": event_of}

        return found + captures_of(await session.scalars(reference), our_event)


def errors(report: IngestReport) -> list[str]:
    """List the errors of a batch's runs."""
    return [platform_run.error for platform_run in report.runs if platform_run.error is not None]
