"""The command line of `oddsschema.retention`: `oddsschema prune` and `oddsschema size`."""

import re
import sys
import time
from datetime import timedelta

import click

from oddsschema.cli.options import json_option, on_database, url_option
from oddsschema.retention import PruneOptions, PruneReport
from oddsschema.retention import prune as prune_history
from oddsschema.retention import size as measure

_HOURS = {"h": 1, "d": 24, "w": 7 * 24}
_BYTES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def _duration(_ctx: click.Context, _param: click.Parameter, value: str) -> timedelta:
    parts = re.fullmatch(r"(\d{1,6})([hdw])", value)
    if parts is None:
        raise click.BadParameter(f"{value!r} is no time such as 36h, 14d or 2w")
    return timedelta(hours=int(parts[1]) * _HOURS[parts[2]])


def _bytes(_ctx: click.Context, _param: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    parts = re.fullmatch(r"(\d{1,20})([kMGT]?)B?", value)
    if parts is None:
        raise click.BadParameter(f"{value!r} is no size such as 500M, 80G or 2T")
    return int(parts[1]) * _BYTES[parts[2]]


@click.command()
@click.option(
    "--keep",
    callback=_duration,
    required=True,
    metavar="TIME",
    help="How long history is kept: 36h, 14d, 2w.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be deleted; delete nothing.")
@json_option
@url_option
def prune(keep: timedelta, dry_run: bool, as_json: bool, url: str | None) -> None:
    """Delete old history, with what nothing refers to any more.

    Shows what it is going to delete, then deletes it, in small transactions beside an ingestion.
    From then until now, every instant is told as before. Broken off, it has deleted what it has,
    and goes on when it is started again.

    Exit codes: 0 all is deleted, 1 something could not be, 2 it could not start.
    """
    began = time.monotonic()
    progress = _Progress()

    async def run(url: str) -> PruneReport:
        if not as_json or dry_run:
            planned = await prune_history(url, keep, dry_run=True)
            if dry_run:
                return planned
            click.echo(str(planned))
        options = PruneOptions(on_progress=progress.show)
        return await prune_history(url, keep, options=options)

    try:
        report = on_database(url, run)
    except KeyboardInterrupt:
        progress.clear()
        rows = progress.report.total.rows if progress.report else 0
        click.echo(f"interrupted: {rows:,} rows are deleted; start it again to go on", err=True)
        sys.exit(130)
    progress.clear()
    if as_json:
        click.echo(report.model_dump_json(indent=2))
    elif dry_run:
        click.echo(str(report))
    else:
        seconds = time.monotonic() - began
        click.echo(f"{report.total.rows:,} rows deleted in {seconds:,.1f} s")
    for kept in report.kept:
        click.echo(f"kept: {kept}", err=True)
    if report.kept:
        sys.exit(1)


@click.command()
@click.option(
    "--days",
    type=click.FloatRange(min=0, min_open=True),
    default=7,
    show_default=True,
    help="Over how many days growth is measured.",
)
@click.option(
    "--disk", callback=_bytes, metavar="BYTES", help="What is left of the server's disk: 80G."
)
@json_option
@url_option
def size(days: float, disk: int | None, as_json: bool, url: str | None) -> None:
    """Print the tables' sizes and growth, and how long the disk lasts."""
    report = on_database(url, lambda url: measure(url, days, free_bytes=disk))
    click.echo(report.model_dump_json(indent=2) if as_json else str(report))


class _Progress:
    """One line on standard error that tells how far it is; nothing when that is no terminal."""

    def __init__(self) -> None:
        self.report: PruneReport | None = None
        self._is_terminal = sys.stderr.isatty()
        self._shown = 0.0

    def show(self, report: PruneReport) -> None:
        """Show how many rows are deleted, five times a second at most."""
        self.report = report
        now = time.monotonic()
        if self._is_terminal and now - self._shown > 0.2:
            self._shown = now
            click.echo(f"\r\x1b[K{report.total.rows:,} rows deleted", nl=False, err=True)

    def clear(self) -> None:
        """Leave the line to somebody else."""
        if self._is_terminal and self._shown:
            click.echo("\r\x1b[K", nl=False, err=True)
