"""`oddsschema history`: what bookmakers offer of an event, and how a market's prices got there."""

import asyncio
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import click
from sqlalchemy import null
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlmodel import col, select

from oddsschema.capture import MARKET_KEY
from oddsschema.cli_retention import url_option
from oddsschema.database import require_migrated, sqlalchemy_connect
from oddsschema.embedded import database_url
from oddsschema.models import CompetitorEvent, Event, Market
from oddsschema.queries import OUTCOME_NAMES, Offer, PricePoint, offers, overround, price_history

#: Columns of a plot in the terminal.
_WIDTH = 40
_LEVELS = "▁▂▃▄▅▆▇█"


class _Fixture(NamedTuple):
    name: str
    kickoff: datetime
    sportradar_id: str
    #: BetPawa's event, if there is one.
    event_id: int | None

    def of(self, row: Any) -> Any:
        """The condition that rows are of this event."""
        if self.event_id is None:
            return row.sportradar_id == self.sportradar_id
        return row.event_id == self.event_id


@click.command()
@click.argument("event")
@click.argument("market", required=False)
@click.option("--line", type=float, help="Only markets of this line.")
@click.option(
    "--at",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]),
    metavar="TIME",
    help="What was on offer then (UTC): 2024-01-09T12:00. Without it, what is now.",
)
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE.svg",
    help="Draw MARKET's prices; needs oddsschema[plot].",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@url_option
def history(
    event: str,
    market: str | None,
    line: float | None,
    at: datetime | None,
    plot: Path | None,
    as_json: bool,
    url: str | None,
) -> None:
    """Print what is on offer of EVENT, side by side, or how the prices of a MARKET changed.

    EVENT is a SportRadar id, or the id of an event of BetPawa's. MARKET is BetPawa's id of it, or
    some of its name.
    """
    if market is None and plot is not None:
        raise click.UsageError("--plot draws the prices of a MARKET: name one")
    if market is not None and at is not None:
        raise click.UsageError("--at is for what was on offer: leave MARKET out")
    figure = _new_figure() if plot is not None else None
    instant = None if at is None else at.replace(tzinfo=UTC)
    with database_url(url) as found_url:
        fixture, rows = asyncio.run(_read(found_url, event, market, line, instant))
    if as_json:
        click.echo(json.dumps([row.model_dump(mode="json") for row, _ in rows], indent=2))
    else:
        click.echo(f"{fixture.name}, kickoff {_time(fixture.kickoff)}")
        for text in _side_by_side(rows) if market is None else _changes(rows):
            click.echo(text)
    if figure is not None:
        _draw(figure, fixture, [row for row, _ in rows])
        figure.savefig(plot)
        click.echo(f"drawn in {plot}", err=True)


# -- reading ---------------------------------------------------------------------------------------


async def _read(
    url: str, event: str, market: str | None, line: float | None, at: datetime | None
) -> tuple[_Fixture, Sequence[Any]]:
    """The event, and its offers or the points of a market's history, each with the overround."""
    row: Any = Offer if market is None else PricePoint
    asked = offers(at) if market is None else price_history()
    statement: Any = asked.add_columns(overround(row.outcomes))
    if line is not None:
        statement = statement.where(row.line == line)
    if market is not None and market.isdecimal():
        statement = statement.where(row.betpawa_market_id == market)
    elif market is not None:
        statement = statement.where(row.betpawa_market_name.icontains(market, autoescape=True))
    async with sqlalchemy_connect(url) as connection:
        raw = await connection.get_raw_connection()
        await require_migrated(raw.driver_connection)
        fixture = await _find(connection, event)
        async with AsyncSession(connection) as session:
            return fixture, (await session.execute(statement.where(fixture.of(row)))).all()


async def _find(connection: AsyncConnection, event: str) -> _Fixture:
    """BetPawa's event of a SportRadar id, or a competitor's, or BetPawa's of an id."""
    reference = select(Event.name, Event.kickoff, Event.sportradar_id, Event.id)
    theirs = select(
        CompetitorEvent.name, CompetitorEvent.kickoff, CompetitorEvent.sportradar_id, null()
    )
    statements: list[Any] = [
        reference.where(Event.sportradar_id == event),
        theirs.where(
            CompetitorEvent.sportradar_id == event, col(CompetitorEvent.deleted_at).is_(None)
        ),
    ]
    if event.isdecimal() and len(event) < 10:
        statements.append(reference.where(Event.id == int(event)))
    for statement in statements:
        if (row := (await connection.execute(statement.limit(1))).first()) is not None:
            return _Fixture(*row)
    raise click.ClickException(
        f"no event {event}: it should be a SportRadar id, or the id of an event of BetPawa's"
    )


# -- words -----------------------------------------------------------------------------------------


def _side_by_side(rows: Sequence[tuple[Offer, float | None]]) -> Iterator[str]:
    """A table for each market, a column for each bookmaker."""
    bookmakers = sorted({offer.bookmaker for offer, _ in rows}, key=_reference_first)
    if not rows:
        yield "nothing is on offer"
        return

    def line(label: str, cells: dict[str, str]) -> str:
        return f"  {label:<24}" + "".join(f"{cells.get(one, '-'):>14}" for one in bookmakers)

    yield line("", {one: one for one in bookmakers})
    yield line("seen", {offer.bookmaker: f"{offer.seen_at:%d %b %H:%M}" for offer, _ in rows})
    for market, group in _by(rows, _market_order):
        offered = list(group)
        yield f"{_title(market)}"
        outcomes = {
            offer.bookmaker: {OUTCOME_NAMES.get(one.name, one.name): one for one in offer.outcomes}
            for offer, _ in offered
        }
        for label in dict.fromkeys(label for known in outcomes.values() for label in known):
            prices = {one: known[label] for one, known in outcomes.items() if label in known}
            best = max((one.odds for one in prices.values() if one.is_active), default=None)
            yield line(
                label,
                {
                    bookmaker: (f"{'*' if one.odds == best else ''}{one.odds:.2f}")
                    if one.is_active
                    else "closed"
                    for bookmaker, one in prices.items()
                },
            )
        yield line(
            "overround",
            {offer.bookmaker: f"{margin:.1%}" for offer, margin in offered if margin is not None},
        )
    yield "  * the best price"


def _changes(rows: Sequence[tuple[PricePoint, float | None]]) -> Iterator[str]:
    """Each market's points at each bookmaker, and a plot of each price."""
    if not rows:
        yield "no such market was ever on offer"
    for market, group in _by(rows, _market_order):
        yield f"{_title(market)}"
        for bookmaker, points in _by(list(group), lambda point: point.bookmaker):
            told = list(points)
            yield f"  {bookmaker.bookmaker}"
            for number, (point, margin) in enumerate(told):
                yield f"    {_time(point.at)}  {_prices(told, number)}{_margin(point, margin)}"
            history = [point for point, _ in told]
            for name in dict.fromkeys(one.name for point in history for one in point.outcomes):
                yield f"    {name:<16}{_plot(history, name)}"


def _prices(told: Sequence[tuple[PricePoint, Any]], number: int) -> str:
    point = told[number][0]
    before = told[number - 1][0] if number else None
    if before is not None and _state(before) == _state(point):
        return "as before, when last captured"
    if not point.is_available:
        return "not on offer"
    return "  ".join(
        f"{one.name} {one.odds:.2f}" + ("" if one.is_active else " closed")
        for one in point.outcomes
    )


def _margin(point: PricePoint, margin: float | None) -> str:
    return f"  ({margin:.1%})" if point.is_available and margin is not None else ""


def _state(point: PricePoint) -> Any:
    return point.is_available, {(one.name, one.odds, one.is_active) for one in point.outcomes}


def _plot(points: Sequence[PricePoint], name: str) -> str:
    """A bar for each part of the time, as high as the price was; none while there was none."""
    first, last = points[0].at, points[-1].at
    prices = [_price(point, name) for point in points]
    known = [price for price in prices if price is not None]
    if not known:
        return "closed"
    lowest, highest = min(known), max(known)
    bars, standing = [], 0
    for column in range(_WIDTH):
        at = first + (last - first) * column / (_WIDTH - 1)
        while standing + 1 < len(points) and points[standing + 1].at <= at:
            standing += 1
        price = prices[standing]
        level = 0.0 if price is None else (price - lowest) / ((highest - lowest) or 1)
        bars.append(" " if price is None else _LEVELS[round(level * (len(_LEVELS) - 1))])
    return f"{''.join(bars)}  {lowest:.2f} to {highest:.2f}"


def _price(point: PricePoint, name: str) -> float | None:
    """What an outcome's odds are, if it can be bet on."""
    if not point.is_available:
        return None
    return next((one.odds for one in point.outcomes if one.name == name and one.is_active), None)


def _by(rows: Iterable[Any], order: Any) -> Iterator[tuple[Any, Iterator[Any]]]:
    """Rows of (contract, overround) in groups, each with its first contract."""
    in_order = sorted(rows, key=lambda row: order(row[0]))
    for _, group in groupby(in_order, key=lambda row: order(row[0])):
        members = list(group)
        yield members[0][0], iter(members)


def _market_order(market: Market) -> Any:
    return [
        (value is not None, value if value is not None else "")
        for value in (getattr(market, name) for name in MARKET_KEY)
    ]


def _reference_first(bookmaker: str) -> Any:
    return bookmaker != "betpawa", bookmaker


def _title(market: Market) -> str:
    said = [f"{market.betpawa_market_name} ({market.betpawa_market_id})"]
    if market.line is not None:
        said.append(f"line {market.line:g}")
    if market.handicap_type is not None:
        said.append(
            f"{market.handicap_type} handicap {market.handicap_home:+g} {market.handicap_away:+g}"
        )
    return ", ".join(said)


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


# -- pictures --------------------------------------------------------------------------------------


def _new_figure() -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise click.ClickException(
            "--plot needs matplotlib: pip install 'oddsschema[plot]'"
        ) from None
    return Figure(figsize=(10, 6), layout="constrained")


def _draw(figure: Any, fixture: _Fixture, points: Sequence[PricePoint]) -> None:
    """A step for each change of each price; a gap where it was not on offer."""
    axes = figure.subplots()
    several = len({_title(point) for point in points}) > 1
    of_listing = groupby(points, key=lambda point: (_market_order(point), point.bookmaker))
    for _, group in of_listing:
        told = list(group)
        for name in dict.fromkeys(one.name for point in told for one in point.outcomes):
            label = f"{told[0].bookmaker} {name}" + (f", {_title(told[0])}" if several else "")
            prices = [_price(point, name) for point in told]
            axes.step(
                [point.at for point in told],
                [float("nan") if price is None else price for price in prices],
                where="post",
                label=label,
            )
    title = _title(points[0]) if points and not several else "no points" if not points else ""
    axes.set(title=f"{fixture.name}\n{title}".strip(), xlabel="UTC", ylabel="decimal odds")
    if points:
        axes.legend()
    figure.autofmt_xdate()
