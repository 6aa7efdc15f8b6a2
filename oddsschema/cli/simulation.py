"""The command `simulate`: simulated captures as NDJSON."""

import json
import sys

import click

from oddsschema.cli.output import print_line
from oddsschema.cli.streams import output_error
from oddsschema.simulate import BOOKMAKERS, simulate, stream


@click.command("simulate")
@click.option(
    "--seed",
    default=0,
    show_default=True,
    help="Seed of the odds: the same seed gives the same odds.",
)
@click.option(
    "--events", type=click.IntRange(min=1), default=12, show_default=True, help="Events on offer."
)
@click.option(
    "--scrapes", type=click.IntRange(min=0), help="Number of scrapes. The default is all until now."
)
@click.option(
    "--platform",
    "platforms",
    type=click.Choice(tuple(BOOKMAKERS)),
    multiple=True,
    default=tuple(BOOKMAKERS),
    help="A platform; may be repeated. The default is all platforms.",
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    help="Captures per second. The default is unlimited.",
)
def simulate_captures(
    seed: int, events: int, scrapes: int | None, platforms: tuple[str, ...], rate: float | None
) -> None:
    """Print simulated captures of football odds (NDJSON), scrape after scrape.

    The scrapes are five minutes apart, from 17 January 2026 on, and none is of the future.
    """
    try:
        simulated = simulate(seed=seed, platforms=platforms, events=events, scrapes=scrapes)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--scrapes") from error
    try:
        for capture in stream(simulated, rate=rate):
            print_line(json.dumps(capture, ensure_ascii=False))
            if output_error() is not None:
                break
    except KeyboardInterrupt:
        sys.exit(130)
