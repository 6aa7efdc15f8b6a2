"""The command `history`: the offers of an event side by side, or the price history of a market."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from oddsschema.cli.comparison import Comparison, MarketComparison, compare, format_row
from oddsschema.cli.markets import market_title
from oddsschema.cli.options import json_option, read_from_database, url_option
from oddsschema.cli.output import line_width, print_json, print_line, print_table, terminal
from oddsschema.cli.pictures import draw, new_figure, plain_texts, save
from oddsschema.cli.price_changes import describe_changes
from oddsschema.contracts.scalars import sort_specifiers
from oddsschema.errors import MarketNotFoundError
from oddsschema.queries import BestPrice
from oddsschema.queries.event_reports import (
    EventIdentity,
    EventOffers,
    MarketHistory,
    find_event,
    read_best_prices,
    read_history,
    read_offers,
)

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

_BEST = "* the best price"
_CARRIED = "carried: the market was refused in the last capture, and the prices are older"


class _Choice(NamedTuple):
    """The markets to read: those of a line, or of specifiers, or all."""

    line: float | None
    specifiers: str | None


def _read_specifiers(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    try:
        return sort_specifiers(value) if value.strip() else ""
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command()
@click.argument("event")
@click.argument("market", required=False)
@click.option("--line", type=float, help="Only markets of this line.")
@click.option(
    "--specifiers",
    callback=_read_specifiers,
    metavar="TEXT",
    help="Only markets of these specifiers: 'minute=15|player=sr:player:38004'; '' for none.",
)
@click.option(
    "--at",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]),
    metavar="TIME",
    help="The instant of the offers (UTC): 2024-01-09T12:00. The default is now.",
)
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.svg",
    help="Draw the prices of MARKET; needs oddsschema[plot].",
)
@json_option("EventOffers", "MarketHistory")
@url_option
def history(
    event: str,
    market: str | None,
    line: float | None,
    specifiers: str | None,
    at: datetime | None,
    plot: Path | None,
    as_json: bool,
    url: str | None,
) -> None:
    """Print the offers of EVENT side by side, or the price history of a MARKET.

    EVENT is a SportRadar id (66457014 or sr:match:66457014), the id of an event of BetPawa, or
    words of the names of its teams and tournament: if several events have them, they are listed.
    MARKET is BetPawa's id of the market, or a part of its name. Times are UTC.
    """
    choice = _Choice(line, specifiers)
    if market is None:
        if plot is not None:
            raise click.UsageError("--plot draws the prices of a MARKET: name one")
        _print_offers(event, choice, None if at is None else at.replace(tzinfo=UTC), as_json, url)
    else:
        if at is not None:
            raise click.UsageError("--at is for what was on offer: leave MARKET out")
        _print_changes(event, market, choice, plot, as_json, url)


def _print_offers(
    event: str, choice: _Choice, at: datetime | None, as_json: bool, url: str | None
) -> None:
    async def read(
        connection: "AsyncConnection",
    ) -> tuple[EventIdentity, EventOffers, Sequence[BestPrice]]:
        identity = await find_event(connection, event)
        return (
            identity,
            await read_offers(connection, identity, at=at, **choice._asdict()),
            await read_best_prices(connection, identity, at=at, **choice._asdict()),
        )

    identity, offers, best = read_from_database(url, read)
    if as_json:
        print_json(offers)
        return
    print_line(_title(identity))
    comparison = compare(offers.root, best)
    console = terminal()
    if console is None or not comparison.markets:
        for text in _comparison_lines(comparison):
            print_line(text)
        return
    heads = ["", *comparison.listings]
    sections = [("", [_cells(comparison, "seen", _seen(comparison))])]
    for market in comparison.markets:
        rows = [_cells(comparison, label, cells) for label, cells in _rows(market)]
        sections.append((market_title(market.market), rows))
    print_table(console, heads, sections)
    for text in _legend(comparison):
        print_line(text)


def _print_changes(
    event: str, market: str, choice: _Choice, plot: Path | None, as_json: bool, url: str | None
) -> None:
    figure = new_figure() if plot is not None else None

    async def read(connection: "AsyncConnection") -> tuple[EventIdentity, MarketHistory]:
        identity = await find_event(connection, event)
        return identity, await read_history(connection, identity, market, **choice._asdict())

    identity, points = read_from_database(url, read)
    if not points.root:
        raise MarketNotFoundError(event=event, event_name=identity.name, market=market)
    if figure is not None and plot is not None:
        with plain_texts():
            draw(figure, _title(identity), points.root)
            save(figure, plot)
        print_line(f"drawn in {plot}", err=True)
    if as_json:
        print_json(points)
        return
    print_line(_title(identity))
    for text in describe_changes(points.root, line_width()):
        print_line(text.rstrip())


def _title(identity: EventIdentity) -> str:
    return f"{identity.name}, kickoff {identity.kickoff:%Y-%m-%d %H:%M} UTC"


def _comparison_lines(comparison: Comparison) -> Iterator[str]:
    if not comparison.markets:
        yield "nothing is on offer"
        return

    def line(label: str, cells: Mapping[str, str]) -> str:
        label, *texts = _cells(comparison, label, cells)
        return format_row(label, texts, label_width=24, width=13)

    yield line("", {listing: listing for listing in comparison.listings})
    yield line("seen", _seen(comparison))
    for market in comparison.markets:
        yield market_title(market.market)
        for label, cells in _rows(market):
            yield line(label, cells)
    for text in _legend(comparison):
        yield f"  {text}"


def _rows(market: MarketComparison) -> Iterator[tuple[str, Mapping[str, str]]]:
    yield from market.prices.items()
    if market.overrounds:
        yield "overround", market.overrounds
    if market.carried:
        yield "carried", market.carried


def _legend(comparison: Comparison) -> Iterator[str]:
    if len(comparison.listings) > 1:
        yield _BEST
    if any(market.carried for market in comparison.markets):
        yield _CARRIED


def _seen(comparison: Comparison) -> dict[str, str]:
    return {listing: f"{at:%d %b %H:%M}" for listing, at in comparison.seen_at.items()}


def _cells(comparison: Comparison, label: str, cells: Mapping[str, str]) -> list[str]:
    return [label, *(cells.get(listing, "-") for listing in comparison.listings)]
