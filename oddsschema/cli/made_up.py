"""The command line of odds that are made up: `demo` and `simulate`."""

import json
import os
import sys
import time

import click

from oddsschema.simulate import BOOKMAKERS, simulate


@click.command()
def demo() -> None:
    """Show it all in a few seconds, in a database of its own."""
    from oddsschema.demo import demo

    demo(click.echo)


@click.command("simulate")
@click.option("--seed", default=0, show_default=True, help="The same seed, the same odds.")
@click.option("--events", type=click.IntRange(min=1), default=12, show_default=True)
@click.option("--scrapes", type=click.IntRange(min=0), help="How many; endless without.")
@click.option(
    "--platform",
    "platforms",
    type=click.Choice(tuple(BOOKMAKERS)),
    multiple=True,
    default=tuple(BOOKMAKERS),
    help="Can be given again; all without.",
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    help="Captures a second; unlimited without.",
)
def simulate_captures(
    seed: int, events: int, scrapes: int | None, platforms: tuple[str, ...], rate: float | None
) -> None:
    """Print made-up captures of football odds (NDJSON), scrape after scrape."""
    stream = simulate(seed=seed, platforms=platforms, events=events, scrapes=scrapes)
    captures = (capture for scrape in stream for one in scrape.values() for capture in one)
    began = time.monotonic()
    try:
        for number, capture in enumerate(captures):
            if rate is not None:
                time.sleep(max(0.0, began + number / rate - time.monotonic()))
            click.echo(json.dumps(capture, ensure_ascii=False))
    except BrokenPipeError:
        # The reader has enough. What is still buffered goes nowhere at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        sys.exit(130)
