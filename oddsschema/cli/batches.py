"""The command `batches`: the batches and their runs, the newest first."""

from datetime import timedelta

import click

from oddsschema.cli.options import duration_option, json_option, run_on_database, url_option
from oddsschema.cli.output import print_json, print_line
from oddsschema.scrapes.stale import close_stale, stale_batches
from oddsschema.scrapes.summaries import BatchList, newest_batches


@click.command()
@click.option("-n", "--limit", default=20, show_default=True, help="Number of batches.")
@click.option(
    "--stale", is_flag=True, help="Print only open batches, and runs, without a sign of life."
)
@duration_option(
    "--older-than", timedelta(hours=1), "Age of the last sign of life of a stale batch."
)
@click.option("--close", is_flag=True, help="End the runs of stale batches as failed.")
@json_option("BatchList")
@url_option
def batches(
    limit: int, stale: bool, older_than: timedelta, close: bool, as_json: bool, url: str | None
) -> None:
    """Print the batches, newest first, one line for each."""
    if close:
        if as_json:
            raise click.UsageError("--close prints no list: leave out --json")
        closed = run_on_database(url, lambda url: close_stale(url, older_than), writes=True)
        print_line(f"{closed:,} stale runs closed")
        return
    summaries = run_on_database(
        url, lambda url: stale_batches(url, older_than) if stale else newest_batches(url, limit)
    )
    if as_json:
        print_json(BatchList(tuple(summaries)))
        return
    for batch in summaries:
        print_line(str(batch))
