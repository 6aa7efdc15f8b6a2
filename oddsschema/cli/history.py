"""`oddsschema history`: what bookmakers offer of an event, and how a market's prices got there."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import cycle, groupby
from pathlib import Path
from typing import Any, NamedTuple

import click
from sqlalchemy import case, null
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlmodel import col, select

from oddsschema.cli.options import on_database, url_option
from oddsschema.contracts.outcomes import Outcome
from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.database.revision import require_migrated
from oddsschema.errors import (
    EventNotFoundError,
    MarketNotFoundError,
    MissingExtraError,
    PlotError,
)
from oddsschema.models import CompetitorEvent, Event, Market
from oddsschema.models.odds import MARKET_KEY
from oddsschema.queries import OUTCOME_NAMES, Offer, PricePoint, offers, overround, price_history

#: Columns of a plot in the terminal.
_WIDTH = 40
_LEVELS = "▁▂▃▄▅▆▇█"

#: What a query yields: a market at a bookmaker, and its overround.
_Rows = Sequence[tuple[Any, float | None]]


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
    type=click.Path(dir_okay=False, path_type=Path),
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
    some of its name. Times are UTC.
    """
    if market is None and plot is not None:
        raise click.UsageError("--plot draws the prices of a MARKET: name one")
    if market is not None and at is not None:
        raise click.UsageError("--at is for what was on offer: leave MARKET out")
    figure = _new_figure() if plot is not None else None
    instant = None if at is None else at.replace(tzinfo=UTC)
    fixture, rows = on_database(url, lambda url: _read(url, event, market, line, instant))
    if market is not None and not rows:
        raise MarketNotFoundError(event=event, event_name=fixture.name, market=market)
    if figure is not None:
        _draw(figure, fixture, rows)
        _save(figure, str(plot))
    if as_json:
        told = [row.model_dump(mode="json") | {"overround": margin} for row, margin in rows]
        click.echo(json.dumps(told, indent=2))
        return
    click.echo(f"{fixture.name}, kickoff {fixture.kickoff:%Y-%m-%d %H:%M} UTC")
    for text in _side_by_side(rows) if market is None else _changes(rows):
        click.echo(text.rstrip())


# -- reading ---------------------------------------------------------------------------------------


async def _read(
    url: str, event: str, market: str | None, line: float | None, at: datetime | None
) -> tuple[_Fixture, _Rows]:
    """The event, and its offers or the points of a market's history, each with the overround."""
    row: Any = Offer if market is None else PricePoint
    asked = offers(at) if market is None else price_history()
    winners = case((row.betpawa_market_name.startswith("Double Chance"), 2), else_=1)
    statement: Any = asked.add_columns(overround(row.outcomes, winners))
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
    raise EventNotFoundError(event=event)


# -- words -----------------------------------------------------------------------------------------


def _side_by_side(rows: _Rows) -> Iterator[str]:
    """A table for each market, a column for each bookmaker."""
    if not rows:
        yield "nothing is on offer"
        return
    names = _names(rows)
    bookmakers = list(names.values())

    def line(label: str, cells: dict[str, str]) -> str:
        return f"  {label:<24}" + "".join(f"{cells.get(one, '-'):>14}" for one in bookmakers)

    yield line("", {one: one for one in bookmakers})
    yield line("seen", {names[_listing(one)]: f"{one.seen_at:%d %b %H:%M}" for one, _ in rows})
    for market, offered in _by(rows, _market_order):
        yield _title(market)
        outcomes = {names[_listing(offer)]: _outcomes(offer) for offer, _ in offered}
        for label in dict.fromkeys(label for known in outcomes.values() for label in known):
            known = {who: one[label] for who, one in outcomes.items() if label in one}
            odds = [one.odds for one in known.values() if one.is_active]
            best = max(odds) if len(odds) > 1 else None
            yield line(
                label,
                {who: ("*" if one.odds == best else "") + _odds(one) for who, one in known.items()},
            )
        margins = {names[_listing(one)]: f"{margin:.1%}" for one, margin in offered if margin}
        if margins:
            yield line("overround", margins)
    if len(bookmakers) > 1:
        yield "  * the best price"


def _changes(rows: _Rows) -> Iterator[str]:
    """Each market's points at each bookmaker, and a plot of each price."""
    names = _names(rows)
    for market, of_market in _by(rows, _market_order):
        yield ""
        yield _title(market)
        for first, told in _by(of_market, _listing):
            points = [point for point, _ in told]
            labels = _labels(points)
            widths = [max(8, len(label) + 2) for label in labels]
            heads = "".join(
                f"{label:>{width}}" for label, width in zip(labels, widths, strict=True)
            )
            yield f"  {names[_listing(first)]:<21}{heads}  overround"
            before: Any = None
            for point, margin in told:
                state = point.is_available and _outcomes(point)
                if state == before and point is not points[-1]:
                    continue  # the bookmaker calls an outcome by another name
                if state == before:
                    cells = "  unchanged" if state else "  still not on offer"
                elif not state:
                    cells = "  not on offer"
                else:
                    prices = [_odds(state[label]) if label in state else "-" for label in labels]
                    cells = _columns(prices, widths)
                    cells += "" if margin is None else f"{margin:>11.1%}"
                yield f"  {point.at:%Y-%m-%d %H:%M:%S}  {cells}"
                before = state
            for label in labels:
                yield f"    {label:<17}  {_plot(points, label)}"


def _columns(cells: Iterable[str], widths: Iterable[int]) -> str:
    return "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))


def _plot(points: Sequence[PricePoint], label: str) -> str:
    """A bar for each part of the time, as high as the price was; none while there was none."""
    first, last = points[0].at, points[-1].at
    prices = [_price(point, label) for point in points]
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
    extent = f"{lowest:.2f}" if lowest == highest else f"{lowest:.2f} to {highest:.2f}"
    return f"{''.join(bars)}  {extent}"


def _outcomes(market: Market) -> dict[str, Outcome]:
    """A market's outcomes by the names that all bookmakers' have."""
    known = ((OUTCOME_NAMES.get(one.name, one.name), one) for one in market.outcomes)
    return {label: one.model_copy(update={"name": label}) for label, one in known}


def _labels(points: Sequence[PricePoint]) -> list[str]:
    return list(dict.fromkeys(label for point in points for label in _outcomes(point)))


def _odds(outcome: Outcome) -> str:
    return f"{outcome.odds:.2f}" if outcome.is_active else "closed"


def _price(point: PricePoint, label: str) -> float | None:
    """What an outcome's odds are, if it can be bet on."""
    outcome = _outcomes(point).get(label) if point.is_available else None
    return outcome.odds if outcome is not None and outcome.is_active else None


def _by(rows: Iterable[Any], order: Any) -> Iterator[tuple[Any, list[Any]]]:
    """Rows of (market, overround) in groups, each with its first market."""
    in_order = sorted(rows, key=lambda row: order(row[0]))
    for _, group in groupby(in_order, key=lambda row: order(row[0])):
        members = list(group)
        yield members[0][0], members


def _market_order(market: Market) -> Any:
    return [
        (value is not None, value if value is not None else "")
        for value in (getattr(market, name) for name in MARKET_KEY)
    ]


def _listing(row: Any) -> Any:
    """Where a row's event is listed; BetPawa's comes first."""
    return row.bookmaker != "betpawa", row.bookmaker, row.competitor_event_id or 0


def _names(rows: _Rows) -> dict[Any, str]:
    """What listings are called, in order: as their bookmaker, if it lists the event only once."""
    listings = sorted({_listing(row) for row, _ in rows})
    times = Counter(bookmaker for _, bookmaker, _ in listings)
    return {one: one[1] if times[one[1]] == 1 else f"{one[1]} {one[2]}" for one in listings}


def _title(market: Market) -> str:
    said = [f"{market.betpawa_market_name} ({market.betpawa_market_id})"]
    if market.line is not None:
        said.append(f"line {market.line:g}")
    if market.handicap_type is not None:
        said.append(
            f"{market.handicap_type} handicap {market.handicap_home:+g} {market.handicap_away:+g}"
        )
    return ", ".join(said)


# -- pictures --------------------------------------------------------------------------------------


def _new_figure() -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError(package="matplotlib", extra="plot") from None
    return Figure(layout="constrained")


def _draw(figure: Any, fixture: _Fixture, rows: _Rows) -> None:
    """For each market a panel: a colour for each outcome, a kind of line for each bookmaker.

    Prices are steps, with a dot where they changed and where they were last seen, and a gap where
    they were not on offer.
    """
    from matplotlib import dates

    markets = list(_by(rows, _market_order))
    figure.set_size_inches(10, 1 + 3.5 * len(markets))
    figure.suptitle(f"{fixture.name}, kickoff {fixture.kickoff:%Y-%m-%d %H:%M} UTC")
    names = _names(rows)
    kinds = dict(zip(names, cycle(["-", "--", ":", "-."]), strict=False))
    panels = figure.subplots(len(markets), squeeze=False, sharex=True)[:, 0]
    for axes, (market, of_market) in zip(panels, markets, strict=True):
        colours = {
            label: f"C{number}"
            for number, label in enumerate(_labels([point for point, _ in of_market]))
        }
        for first, told in _by(of_market, _listing):
            points = [point for point, _ in told]
            for label in _labels(points):
                prices = [_price(point, label) for point in points]
                axes.step(
                    [point.at for point in points],
                    [float("nan") if price is None else price for price in prices],
                    where="post",
                    color=colours[label],
                    linestyle=kinds[_listing(first)],
                    marker=".",
                    label=f"{label}, {names[_listing(first)]}",
                )
        axes.set(title=_title(market), ylabel="decimal odds")
        axes.grid(alpha=0.3)
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    untyped: Any = dates
    locator = untyped.AutoDateLocator()
    panels[-1].xaxis.set_major_locator(locator)
    panels[-1].xaxis.set_major_formatter(untyped.ConciseDateFormatter(locator))
    panels[-1].set_xlabel("UTC")


def _save(figure: Any, path: str) -> None:
    from matplotlib import rc_context

    try:
        with rc_context({"svg.fonttype": "none"}):  # text that can be found and copied
            figure.savefig(path)
    except (OSError, ValueError) as error:  # no such directory, no such format
        raise PlotError(path=path, reason=str(error)) from error
    click.echo(f"drawn in {path}", err=True)
