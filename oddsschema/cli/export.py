"""The command `export`: flat odds as a file of Parquet, CSV or NDJSON."""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from sqlmodel import col

from oddsschema import frames, queries
from oddsschema.cli.options import run_on_database, time_option, url_option
from oddsschema.cli.output import ProgressLine, is_terminal, print_line
from oddsschema.cli.streams import output_error
from oddsschema.errors import ExportError
from oddsschema.frames.columns import arrow
from oddsschema.frames.files import (
    FileFormat,
    in_order_of_parts,
    write_file,
    write_parts,
    write_stream,
)
from oddsschema.queries import ClosingOutcome, OfferedOutcome, OverroundSpan, PriceSpan

if TYPE_CHECKING:
    import pyarrow


class Request(NamedTuple):
    """The choice of the rows to export."""

    since: datetime | None = None
    until: datetime | None = None
    kickoff_from: datetime | None = None
    kickoff_until: datetime | None = None
    #: SportRadar ids.
    events: tuple[str, ...] = ()
    bookmakers: tuple[str, ...] = ()
    markets: tuple[str, ...] = ()

    def over_time(self, ask: Callable[..., Any], row: Any) -> Any:
        """Build a select of spans of time."""
        statement = ask(
            self.since,
            self.until,
            events=self.events or None,
            bookmakers=self.bookmakers or None,
            markets=self.markets or None,
        )
        return statement.where(*self.kickoffs(row))

    def now(self, statement: Any, row: Any) -> Any:
        """Add the choice to a select of rows that have one time."""
        chosen = (
            (row.sportradar_id, self.events),
            (row.bookmaker, self.bookmakers),
            (row.betpawa_market_id, self.markets),
        )
        conditions = [col(column).in_(values) for column, values in chosen if values]
        return statement.where(*conditions, *self.kickoffs(row))

    def kickoffs(self, row: Any) -> list[Any]:
        """List the conditions on the kickoff: they are applied before odds are read."""
        conditions: list[Any] = []
        if self.kickoff_from is not None:
            conditions.append(row.kickoff >= self.kickoff_from)
        if self.kickoff_until is not None:
            conditions.append(row.kickoff < self.kickoff_until)
        return conditions


class Rows(NamedTuple):
    """A kind of rows to export."""

    ask: Callable[[Request], Any]
    #: The time by which they are partitioned.
    time: str
    #: Whether they are spans of time.
    is_over_time: bool = True


def _prices(request: Request) -> Any:
    return request.over_time(queries.prices, PriceSpan)


#: The rows by name.
ROWS: dict[str, Rows] = {
    "prices": Rows(_prices, "valid_from"),
    "closing": Rows(
        lambda request: request.now(queries.closing_outcomes(), ClosingOutcome), "kickoff", False
    ),
    "offers": Rows(
        lambda request: request.now(queries.offered_outcomes(), OfferedOutcome), "seen_at", False
    ),
    "best": Rows(lambda request: queries.best_price_spans(_prices(request)), "valid_from"),
    "overround": Rows(
        lambda request: request.over_time(queries.overrounds, OverroundSpan), "valid_from"
    ),
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
@time_option("--since", help="Only prices at this time or later (UTC).")
@time_option("--until", help="Only prices before this time (UTC).")
@time_option(
    *("--from", "kickoff_from"), help="Only events with a kickoff at this time or later (UTC)."
)
@time_option(*("--to", "kickoff_until"), help="Only events with a kickoff before this time (UTC).")
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
    kickoff_from: datetime | None,
    kickoff_until: datetime | None,
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
    over time. --since and --until cut the spans; offers and closing prices have none. A kickoff is
    the one that the row's bookmaker gives. Needs oddsschema[frames]. In CSV, a text that a
    spreadsheet would take for a formula begins with an apostrophe.
    """
    format = FileFormat(file_format)
    rows = ROWS[what]
    if not rows.is_over_time and (since or until):
        raise click.UsageError(
            f"--what {what} has no --since and no --until, which are times of prices: --from and "
            "--to choose kickoffs"
        )
    if since is not None and until is not None and since >= until:
        raise click.UsageError("--since must be before --until")
    if kickoff_from is not None and kickoff_until is not None and kickoff_from >= kickoff_until:
        raise click.UsageError("--from must be before --to")
    if partition and (output == "-" or what == "best"):
        raise click.UsageError("--partition needs a directory, and rows of single bookmakers")
    if output == "-" and format is FileFormat.PARQUET and is_terminal(sys.stdout):
        raise click.UsageError("a terminal cannot show Parquet: name a file")
    arrow()
    ids = tuple(name.removeprefix("sr:match:") for name in event)
    statement = rows.ask(Request(since, until, kickoff_from, kickoff_until, ids, bookmaker, market))
    if partition:
        statement = in_order_of_parts(statement, rows.time)

    async def run(target: str) -> int:
        schema = frames.schema_of(statement)
        async with aclosing(frames.read_batches(target, statement)) as batches:
            with ProgressLine() as progress:

                def show(count: int) -> None:
                    progress.update(lambda: f"{count:,} rows")

                if output == "-":
                    return await print_rows(batches, schema, format, show)
                if partition:
                    return await write_parts(
                        batches,
                        schema,
                        Path(output),
                        format,
                        time=rows.time,
                        force=force,
                        on_rows=show,
                    )
                return await write_file(
                    batches, schema, Path(output), format, force=force, on_rows=show
                )

    count = run_on_database(url, run)
    if output == "-" and (error := output_error()) is not None:
        if isinstance(error, BrokenPipeError):
            return
        raise ExportError(path="standard output", reason=error.strerror or str(error))
    place = "" if output == "-" else f" in {output}"
    print_line(f"{count:,} rows written{place}", err=True)


async def print_rows(
    batches: AsyncIterator["pyarrow.RecordBatch"],
    schema: "pyarrow.Schema",
    format: FileFormat,
    on_rows: Callable[[int], None],
) -> int:
    """Write batches to standard output, until it cannot be written; return the number of rows."""

    async def written() -> AsyncIterator["pyarrow.RecordBatch"]:
        async for batch in batches:
            yield batch
            if output_error() is not None:
                break

    sys.stdout.flush()
    count = await write_stream(written(), schema, sys.stdout.buffer, format, on_rows=on_rows)
    sys.stdout.flush()
    return count
