"""The command `unmapped`: the list from which the mapping of a scraper grows."""

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta

import click

from oddsschema.cli.options import (
    json_option,
    read_duration,
    read_from_database,
    read_slug,
    url_option,
)
from oddsschema.cli.output import align_left, align_right, cell_width, cut, print_json, print_line
from oddsschema.models import UnmappedMarket
from oddsschema.scrapes.unmapped import read_unmapped_markets

#: The width to which an example is cut.
_EXAMPLE_WIDTH = 60


@click.command()
@click.option("-n", "--limit", default=20, show_default=True, help="Number of markets.")
@click.option(
    "--source", callback=read_slug, metavar="SLUG", help="Only markets of this bookmaker."
)
@click.option(
    "--since",
    callback=read_duration,
    metavar="DURATION",
    help="Only markets that a scraper has reported within this time: 36h, 7d.",
)
@json_option("UnmappedMarketList")
@url_option
def unmapped(
    limit: int, source: str | None, since: timedelta | None, as_json: bool, url: str | None
) -> None:
    """Print the markets that scrapers could not map to BetPawa's, the most frequent first.

    One line for each: the number of reports, the bookmaker, its id of the market, the time of the
    last report (UTC), the name, and outcomes as an example.
    """
    markets = read_from_database(
        url,
        lambda connection: read_unmapped_markets(connection, limit, source=source, within=since),
    )
    if as_json:
        print_json(markets)
        return
    for text in _lines(markets.root):
        print_line(text)


def _lines(markets: Sequence[UnmappedMarket]) -> Iterator[str]:
    rows = [
        (
            f"{market.times_seen:,}",
            market.source,
            market.market_id,
            f"{market.last_seen_at:%Y-%m-%d %H:%M}",
            market.name or "-",
        )
        for market in markets
    ]
    widths = [max(map(cell_width, column)) for column in zip(*rows, strict=True)]
    for (times, *texts), market in zip(rows, markets, strict=True):
        cells = [align_right(times, widths[0]), *map(align_left, texts, widths[1:])]
        if market.example is not None:
            cells.append(cut(json.dumps(market.example, ensure_ascii=False), _EXAMPLE_WIDTH))
        yield "  ".join(cells).rstrip()
