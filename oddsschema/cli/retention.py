"""The commands of retention: `prune` and `size`."""

import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import click

from oddsschema.cli.options import (
    duration_option,
    json_option,
    read_bytes,
    read_duration,
    retry_for_option,
    run_on_database,
    url_option,
)
from oddsschema.cli.output import (
    ProgressLine,
    print_json,
    print_line,
    print_table,
    print_text,
    terminal,
)
from oddsschema.database.clock import MAX_AHEAD
from oddsschema.retention import PruneOptions, PruneReport, SizeReport
from oddsschema.retention import prune as prune_history
from oddsschema.retention import prune_ahead as prune_captures
from oddsschema.retention import size as measure


@click.command()
@click.option(
    "--keep",
    callback=read_duration,
    metavar="DURATION",
    help="Age of the history that is kept: 36h, 14d, 2w. Required without --ahead.",
)
@click.option(
    "--keep-runs",
    callback=read_duration,
    metavar="DURATION",
    help="Age of the batches, runs, errors and unmapped markets that are kept. The default is "
    "--keep.",
)
@click.option(
    "--ahead", is_flag=True, help="Delete captures of the future, in place of old history."
)
@duration_option(
    "--max-ahead", MAX_AHEAD, "With --ahead: time ahead of PostgreSQL's clock that is kept."
)
@click.option("--dry-run", is_flag=True, help="Print the rows to be deleted; delete nothing.")
@click.option(
    "--chunk-rows",
    type=click.IntRange(min=1),
    default=PruneOptions.chunk_rows,
    show_default=True,
    help="Approximate number of rows per transaction.",
)
@duration_option(
    "--patience", PruneOptions.patience, "Longest wait for an event that another session locks."
)
@retry_for_option
@duration_option(
    "--answer-within",
    PruneOptions.answer_within,
    "Longest wait for the server's answer to a statement. 0 for no limit.",
)
@json_option("PruneReport")
@url_option
def prune(
    keep: timedelta | None,
    keep_runs: timedelta | None,
    ahead: bool,
    max_ahead: timedelta,
    dry_run: bool,
    chunk_rows: int,
    patience: timedelta,
    retry_for: timedelta,
    answer_within: timedelta,
    as_json: bool,
    url: str | None,
) -> None:
    """Delete old history, and the rows that nothing refers to any more; or captures of the future.

    Prints the rows to be deleted, then deletes them in small transactions, which may run beside an
    ingestion. Every read of an instant within the kept time has the same result as before. Safe to
    interrupt: run it again to continue.

    With --ahead, the captures that a wrong clock has dated into the future are deleted, and nothing
    else. Every read of an earlier instant has the same result as before.

    Exit codes: 0 all is deleted, 1 some rows could not be deleted, 2 it could not start.
    """
    if (keep is None) is not ahead:
        raise click.UsageError("give either --keep or --ahead")
    if ahead and keep_runs is not None:
        raise click.UsageError("--ahead deletes no runs: leave out --keep-runs")
    start = time.monotonic()
    progress = ProgressLine()
    deleted = 0

    def on_progress(report: PruneReport) -> None:
        nonlocal deleted
        deleted = report.total.rows
        progress.update(lambda: f"{deleted:,} rows deleted")

    async def run(url: str) -> PruneReport:
        delete: Callable[..., Coroutine[Any, Any, PruneReport]] = (
            partial(prune_captures, url, max_ahead)
            if keep is None
            else partial(prune_history, url, keep, keep_runs=keep_runs)
        )
        options = PruneOptions(
            chunk_rows=chunk_rows,
            patience=patience,
            retry_for=retry_for,
            answer_within=answer_within,
            on_progress=on_progress,
        )
        if not as_json or dry_run:
            planned = await delete(dry_run=True, options=replace(options, on_progress=None))
            if dry_run:
                return planned
            print_text(str(planned))
        return await delete(options=options)

    try:
        with progress:
            report = run_on_database(url, run, writes=not dry_run)
    except KeyboardInterrupt:
        print_line(f"interrupted: {deleted:,} rows are deleted; run it again to continue", err=True)
        sys.exit(130)
    if as_json:
        print_json(report)
    elif dry_run:
        print_text(str(report))
    else:
        seconds = time.monotonic() - start
        print_line(f"{report.total.rows:,} rows deleted in {seconds:,.1f} s")
    for kept in report.kept:
        print_line(f"kept: {kept}", err=True)
    if report.kept:
        sys.exit(1)


@click.command()
@duration_option("--window", timedelta(days=7), "Time over which the growth is measured.")
@click.option(
    "--free-bytes",
    callback=read_bytes,
    metavar="BYTES",
    help="Free space on the disk of the server: 80G. The default is to measure it.",
)
@json_option("SizeReport")
@url_option
def size(window: timedelta, free_bytes: int | None, as_json: bool, url: str | None) -> None:
    """Print the size and growth of the tables, and the time until the disk is full."""
    report = run_on_database(url, lambda url: measure(url, window, free_bytes=free_bytes))
    console = terminal()
    if as_json:
        print_json(report)
        return
    if console is None:
        print_text(str(report))
    else:
        print_table(console, SizeReport.heads(), [("", report.rows())])
        print_text(report.forecast())
    if report.free_bytes is None:
        print_line("--free-bytes 80G adds the time until the disk is full")
