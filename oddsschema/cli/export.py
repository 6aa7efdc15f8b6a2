"""The command `export`: flat odds as a file of Parquet, CSV or NDJSON."""

import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import click
from sqlmodel import col

from oddsschema import frames, queries
from oddsschema.cli.options import run_on_database, time_option, url_option
from oddsschema.cli.output import ProgressLine, is_terminal, print_line
from oddsschema.frames.columns import arrow
from oddsschema.frames.files import (
    FileFormat,
    in_order_of_parts,
    write_file,
    write_parts,
    write_stream,
)
from oddsschema.queries import Offer, Price


class Request(NamedTuple):
    """The choice of the rows to export."""

    since: datetime | None
    until: datetime | None
    events: tuple[str, ...]
    bookmakers: tuple[str, ...]
    markets: tuple[str, ...]

    def over_time(self, ask: Callable[..., Any]) -> Any:
        """Build a select of spans of time."""
        return ask(
            self.since,
            self.until,
            events=self.events or None,
            bookmakers=self.bookmakers or None,
            markets=self.markets or None,
        )

    def of_rows(self, statement: Any, row: Any) -> Any:
        """Build a select of the outcomes of offers or of closing prices."""
        if self.events:
            statement = statement.where(col(row.sportradar_id).in_(self.events))
        if self.bookmakers:
            statement = statement.where(col(row.bookmaker).in_(self.bookmakers))
        if self.markets:
            statement = statement.where(col(row.betpawa_market_id).in_(self.markets))
        if row is Price and self.since is not None:
            statement = statement.where(col(Price.kickoff) >= self.since)
        if row is Price and self.until is not None:
            statement = statement.where(col(Price.kickoff) < self.until)
        return queries.by_outcome(statement)


#: The rows by name: their select, and the time by which they are partitioned.
ROWS: dict[str, tuple[Callable[[Request], Any], str]] = {
    "prices": (lambda request: request.over_time(queries.prices), "valid_from"),
    "closing": (lambda request: request.of_rows(queries.closing_prices(), Price), "kickoff"),
    "offers": (lambda request: request.of_rows(queries.offers(), Offer), "seen_at"),
    "best": (lambda request: request.over_time(queries.best_price_spans), "valid_from"),
    "overround": (lambda request: request.over_time(queries.overrounds), "valid_from"),
}


@click.command()
@click.option(
    "--what", type=click.Choice(list(ROWS)), default="prices", show_default=True, help="The rows."
)
@click.option(
    "--format",
    "file_format",
    type=click.Choice([format.value for format in FileFormat]),
    default=FileFormat.PARQUET.value,
    show_default=True,
    help="The format of the file.",
)
@time_option("--since", help="The start (UTC): of the prices; of the kickoffs for closing.")
@time_option("--until", help="The end (UTC), which is not in it.")
@click.option("--event", multiple=True, help="Only this SportRadar id. May be repeated.")
@click.option("--bookmaker", multiple=True, help="Only this bookmaker. May be repeated.")
@click.option("--market", multiple=True, help="Only this id of a market. May be repeated.")
@click.option("--partition", is_flag=True, help="Write a directory: a part a day and bookmaker.")
@click.option("--force", is_flag=True, help="Replace an existing file, or directory of parts.")
@click.option("-o", "--output", required=True, metavar="FILE|DIR|-", help="The place; -: stdout.")
@url_option
def export(
    what: str,
    file_format: str,
    since: datetime | None,
    until: datetime | None,
    event: tuple[str, ...],
    bookmaker: tuple[str, ...],
    market: tuple[str, ...],
    partition: bool,
    force: bool,
    output: str,
    url: str | None,
) -> None:
    """Write odds to a file: a row an outcome, with event, market and bookmaker.

    prices: each span of time in which a price did not change; closing: the last prices before
    kickoff; offers: those of now; best: the best prices over time; overround: those of each market
    over time. Needs oddsschema[frames]. In CSV, a text that a spreadsheet would take for a formula
    begins with an apostrophe.
    """
    format = FileFormat(file_format)
    if what == "offers" and (since or until):
        raise click.UsageError("--what offers has no --since and no --until: offers are of now")
    if since is not None and until is not None and since >= until:
        raise click.UsageError("--since must be before --until")
    if partition and (output == "-" or what == "best"):
        raise click.UsageError("--partition needs a directory, and rows of single bookmakers")
    if output == "-" and format is FileFormat.PARQUET and is_terminal(sys.stdout):
        raise click.UsageError("a terminal cannot show Parquet: name a file")
    arrow()
    ask, time = ROWS[what]
    ids = tuple(name.removeprefix("sr:match:") for name in event)
    statement = ask(Request(since, until, ids, bookmaker, market))
    if partition:
        statement = in_order_of_parts(statement, time)

    async def run(target: str) -> int:
        schema = frames.schema_of(statement)
        batches = frames.read_batches(target, statement)
        with ProgressLine() as progress:

            def show(rows: int) -> None:
                progress.update(lambda: f"{rows:,} rows")

            if output == "-":
                sys.stdout.flush()
                return await write_stream(batches, schema, sys.stdout.buffer, format, on_rows=show)
            if partition:
                return await write_parts(
                    batches, schema, Path(output), format, time=time, force=force, on_rows=show
                )
            return await write_file(
                batches, schema, Path(output), format, force=force, on_rows=show
            )

    rows = run_on_database(url, run)
    place = "" if output == "-" else f" in {output}"
    print_line(f"{rows:,} rows written{place}", err=True)
