"""The command `demo`: two simulated batches, stored, and read back from PostgreSQL.

The demonstration uses a database of its own, `oddsschema_demo`, on the embedded server of the user.
Each run drops the database of the last run, and changes nothing else.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from operator import attrgetter
from typing import Any

import click
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import joinedload
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from oddsschema.cli.comparison import Comparison, compare, format_row
from oddsschema.cli.markets import format_odds
from oddsschema.cli.output import print_line
from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.embedded import EmbeddedPostgres
from oddsschema.ingestion import batch
from oddsschema.models import Event, MarketType
from oddsschema.queries import Coverage, Move, coverage, moves
from oddsschema.queries.event_reports import find_event, read_best_prices, read_offers
from oddsschema.scrapes.summaries import newest_batches
from oddsschema.simulate import Scrape, simulate

#: The name of the database.
DATABASE = "oddsschema_demo"

#: The titles of the columns, by bookmaker.
TITLES = {"betpawa": "BetPawa", "sportybet": "SportyBet", "bet9ja": "Bet9ja"}

#: The time between the two scrapes.
INTERVAL = timedelta(minutes=5)

#: The markets that are shown, by BetPawa's id and line: 1X2, Over/Under 2.5, Both Teams To Score.
MARKETS = [("3743", None), ("5000", 2.5), ("3795", None)]

#: Labels of outcomes that need their market to be understood.
LABELS = {"Yes": "Both teams score", "No": "Not both score"}

#: The last lines: commands to try.
NEXT = (
    ("oddsschema upgrade", "tables of your own"),
    ("oddsschema ingest FILE.ndjson", "your scrapers' odds"),
    ("oddsschema simulate --scrapes 9 | oddsschema ingest -", "or made-up ones"),
    ("oddsschema batches", "the results of each run"),
)


@click.command()
def demo() -> None:
    """Show the package at work in a few seconds, in a database of its own."""
    print_line("Three bookmakers' odds in a PostgreSQL of your own", bold=True)
    print_line("Starting the server, which takes a few seconds the first time ...")
    with EmbeddedPostgres() as server, _without_tracebacks():
        asyncio.run(_demo(server))


async def _demo(server: EmbeddedPostgres) -> None:
    from oddsschema import migrations
    from oddsschema.embedded.scratch_database import scratch_database

    async with scratch_database(server.url, DATABASE):
        url = server.url_for(DATABASE)
        await migrations.upgrade(url)
        print_line(f"Created the tables in the new database {DATABASE}.")
        # On the hour, so that the times to kickoff are the same in each run.
        start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - INTERVAL
        first, second = simulate(seed=1202, scrapes=2, start=start, interval=INTERVAL)
        await _store(url, first)
        await _store(url, second, unreachable="bet9ja")
        _print_heading("Two scrapes of made-up odds, five minutes apart; one run fails")
        for summary in reversed(await newest_batches(url, limit=2)):
            # A line of `oddsschema batches`, folded.
            for number, run in enumerate(summary.runs):
                name = "" if number else f"Batch {summary.batch_id}"
                print_line(f"  {name:<9}{run}")
        async with sqlalchemy_connect(url) as connection:
            changes = await _read_changes(connection)
            # The event with the most changes.
            ((event, _),) = Counter(change.sportradar_id for change in changes).most_common(1)
            match = await _read_match(connection, event)
        _print_match(match)
        _print_changes(changes, match)
    _print_heading("Your turn")
    for command, purpose in NEXT:
        print_line(f"  {command:<55}{purpose}")
    print_line("  They use this server too, or the one of --url or DATABASE_URL.")


async def _store(url: str, scrape: Scrape, unreachable: str | None = None) -> None:
    async with batch(url, trigger="demo") as opened:
        for platform, captures in scrape.items():
            async with opened.run(platform) as run:
                if platform == unreachable:
                    raise ConnectionError(f"{platform}.com did not answer within 30 s")
                await run.ingest(captures)


@dataclass(frozen=True)
class _Match:
    """An event with its prices at each bookmaker."""

    event: Event
    comparison: Comparison
    #: By bookmaker: the newest batch that has captured its events.
    batches: Mapping[str | None, int | None]


async def _read_changes(connection: AsyncConnection) -> Sequence[Move]:
    """Read the prices of the shown markets that changed between the two batches."""
    async with AsyncSession(connection) as session:
        changes = (await session.exec(moves(1, 2))).all()
    return [change for change in changes if _is_shown(change)]


async def _read_match(connection: AsyncConnection, sportradar_id: str) -> _Match:
    """Read an event and its offers side by side, in the shown markets."""
    identity = await find_event(connection, sportradar_id)
    offers = await read_offers(connection, identity)
    best_prices = await read_best_prices(connection, identity)
    # To a type checker, an attribute of the class has the type of its value.
    event_class: Any = Event
    async with AsyncSession(connection) as session:
        event = await session.get_one(
            Event,
            identity.event_id,
            options=[joinedload(event_class.tournament), joinedload(event_class.competitor_events)],
        )
        batches = await session.exec(
            coverage().where(Coverage.events > 0).order_by(col(Coverage.batch_id))
        )
        return _Match(
            event=event,
            comparison=compare(filter(_is_shown, offers.root), best_prices),
            batches={run.platform: run.batch_id for run in batches},
        )


def _print_match(match: _Match) -> None:
    event, comparison = match.event, match.comparison
    _print_heading(f"{event.name}, side by side")
    seconds = round((event.kickoff - max(comparison.seen_at.values())).total_seconds())
    hours, minutes = divmod(seconds // 60, 60)
    tournament = event.tournament
    print_line(f"  {tournament.name}, {tournament.country}, kickoff in {hours} h {minutes} min")
    competitors = sorted(event.competitor_events, key=attrgetter("id"))
    print_line(f"  matched with {' and '.join(competitor.name for competitor in competitors)}")
    print_line()
    print_line(_row("", TITLES))
    batches = {platform: f"batch {batch_id}" for platform, batch_id in match.batches.items()}
    print_line(_row("as of", batches), dim=True)
    for market in sorted(comparison.markets, key=lambda market: _place(market.market)):
        for label, prices in market.prices.items():
            print_line(_row(_label(market.market, label), prices))
        print_line(_row("overround", market.overrounds), dim=True)
        print_line()
    print_line("  * the best price   overround: the bookmaker's margin, the sum of 1/odds - 1")


def _print_changes(changes: Iterable[Move], match: _Match) -> None:
    _print_heading("Its prices that moved between the two batches")
    labels = [
        _label(market.market, label)
        for market in sorted(match.comparison.markets, key=lambda market: _place(market.market))
        for label in market.prices
    ]
    of_match = {
        (_label(change, change.outcome), change.bookmaker): change
        for change in changes
        if change.event_id == match.event.id
    }
    for label, platform in product(labels, TITLES):
        if (change := of_match.get((label, platform))) is not None:
            before, after = format_odds(change.odds_before), format_odds(change.odds_after)
            print_line(f"  {label:<20}{TITLES[platform]:<11}{before:>6} → {after}")
    others = [change.event_id for change in changes if change.event_id != match.event.id]
    print_line(f"  and {len(others)} prices of {len(set(others))} other events")


def _place(market: MarketType) -> int:
    return MARKETS.index((market.betpawa_market_id, market.line))


def _is_shown(market: MarketType) -> bool:
    return (market.betpawa_market_id, market.line) in MARKETS


def _label(market: MarketType, label: str) -> str:
    label = LABELS.get(label, label)
    return label if market.line is None else f"{label} {market.line:g}"


def _row(label: str, cells: Mapping[Any, str]) -> str:
    return format_row(label, (cells.get(platform, "-") for platform in TITLES))


def _print_heading(text: str) -> None:
    print_line()
    print_line(text, bold=True)


@contextmanager
def _without_tracebacks() -> Iterator[None]:
    """Add a handler: without one, logging prints the traceback of the run that has to fail."""
    logger, handler = logging.getLogger("oddsschema"), logging.NullHandler()
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
