"""Batches in the database, and a model with the rows that a query must yield."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

from oddsschema import IngestOptions, Outcome, ingest
from oddsschema.ingestion.records import MarketKey
from oddsschema.models.odds import MARKET_KEY
from oddsschema.models.sides import SIDES
from tests.support.histories import START, STORAGE, Model, captured
from tests.support.market_keys import market_key

Run = Callable[..., Any]

PLATFORMS = ("betpawa", "mozzart", "bet9ja", "sportybet")
EVENTS = ("1", "2")
#: A kickoff among the captures' instants, so that some captures are later.
KICKOFF = START + timedelta(minutes=5)
#: The captures' instants, and instants between them.
INSTANTS = [START + timedelta(seconds=30 * at) for at in range(-1, 20)]

#: Batches of captures, each with its options of storage.
batches = st.lists(
    st.tuples(captured(PLATFORMS, EVENTS, KICKOFF, refusals=True), STORAGE), min_size=1, max_size=4
)


class Stored:
    """Batches in the database, and the model of them."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection
        self.session = AsyncSession(connection, expire_on_commit=False)
        self.model = Model()
        self.batch_ids: list[int] = []
        self.captures: list[list[dict[str, Any]]] = []

    async def take(self, captures: list[dict[str, Any]], options: IngestOptions) -> None:
        """Store a batch."""
        for capture in captures:
            self.model.take(capture)
        report = await ingest(self.connection, captures, options=options)
        assert report.total.captures_refused == report.total.captures_lost == 0, report
        self.batch_ids.append(report.batch_id)
        self.captures.append(captures)

    async def all(self, statement: Any) -> Any:
        """Return the rows of a query."""
        return (await self.session.exec(statement)).all()

    @property
    def listings(self) -> Any:
        """The states by instant of each captured platform and event."""
        return {listing: instants for listing, instants in self.model.instants.items() if instants}

    def carried(self, at: datetime) -> dict[tuple[str, str], set[MarketKey]]:
        """Return the markets of each listing that its last capture until an instant had refused."""
        found = {}
        for listing, instants in self.listings.items():
            if past := [instant for instant in instants if instant <= at]:
                found[listing] = self.model.carried[listing, max(past)]
        return found


def stored(
    connection: AsyncConnection, run: Run, parts: Any, check: Callable[[Stored], Awaitable[None]]
) -> None:
    """Store batches, run the check, and roll back."""

    async def body() -> None:
        transaction = await connection.begin()
        try:
            everything = Stored(connection)
            for captures, options in parts:
                await everything.take(captures, options)
            await check(everything)
        finally:
            await transaction.rollback()

    run(body())


#: The keys of all market rows, each with those of the refused markets of its snapshot.
STORED_ROWS = " UNION ALL ".join(
    f"SELECT {', '.join(f'm.{name}' for name in MARKET_KEY)}, s.unknown_markets "
    f"FROM {side.markets} AS m JOIN {side.snapshots} AS s ON s.id = m.snapshot_id"
    for side in SIDES
)


async def counted_rows(connection: AsyncConnection) -> int:
    """Count the market rows that were captured: all but those that a snapshot carries."""
    rows = (await connection.execute(text(STORED_ROWS))).all()
    return sum(list(market) not in (unknown or ()) for *market, unknown in rows)


def listing(row: Any) -> tuple[str, str]:
    """Return a row's bookmaker and event."""
    return row.bookmaker, row.sportradar_id


def key(row: Any) -> MarketKey:
    """Return the key of a row's market."""
    return market_key(row.model_dump())


def prices(row: Any) -> Any:
    """Return the prices of a row's outcomes by name."""
    return {outcome.name: (outcome.odds, outcome.is_active) for outcome in row.outcomes}


def points(instants: dict[datetime, Any], market: MarketKey) -> list[tuple[datetime, bool, Any]]:
    """Return a market's price history in the model: instants, availability, last known prices."""
    found: list[tuple[datetime, bool, Any]] = []
    for at in sorted(instants):
        known = instants[at].get(market)
        if known is not None and (not found or not found[-1][1] or found[-1][2] != known[1]):
            found.append((at, True, known[1]))
        elif known is None and found and found[-1][1]:
            found.append((at, False, found[-1][2]))
    last = max(instants)
    if found[-1][0] < last:
        found.append((last, *found[-1][1:]))
    return found


def open_odds(outcomes: tuple[Outcome, ...]) -> list[float]:
    """List the odds of the open outcomes."""
    return [outcome.odds for outcome in outcomes if outcome.is_active and outcome.odds is not None]


def overround(outcomes: tuple[Outcome, ...], winners: int = 1) -> float | None:
    """Return the overround of complete outcomes, or None."""
    odds = open_odds(outcomes)
    if len(odds) < 2 or len(odds) < len(outcomes):
        return None
    return sum(1 / price for price in odds) / winners - 1
