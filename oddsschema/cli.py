"""The command line: arguments, exit codes, printing.

Data goes to standard output, all else to standard error. Exit codes: 0 all is well; 1 something
was refused, failed or differs; 2 it could not start.
"""

import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import IO, Any, NoReturn, TypeVar

import click

from oddsschema import ingest as ingest_captures
from oddsschema.batches import BatchSummary, close_stale, newest_batches, stale_batches
from oddsschema.embedded import database_url
from oddsschema.errors import OddsSchemaError
from oddsschema.ingest import (
    IngestReport,
    Options,
    Refusal,
    read_files,
    reject,
    stream_files,
    validate,
)
from oddsschema.simulate import BOOKMAKERS, simulate

_Result = TypeVar("_Result")

url_option = click.option(
    "--url",
    envvar="DATABASE_URL",
    metavar="URL",
    help="postgresql://user@host/name. Without it, DATABASE_URL; without that, a private "
    "PostgreSQL of your own.",
)
strict_option = click.option(
    "--strict", is_flag=True, help="Let one bad market sink its whole capture."
)
files_argument = click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
)


def main() -> NoReturn:
    """The program `oddsschema`."""
    # What is logged is told to the user by other means.
    logging.getLogger("oddsschema").addHandler(logging.NullHandler())
    try:
        cli(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except click.Abort:
        click.echo("interrupted", err=True)
        sys.exit(130)
    except OddsSchemaError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    sys.exit(0)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="oddsschema")
def cli() -> None:
    """Betting odds in PostgreSQL: migrate, validate, ingest, look."""


# -- migrations ------------------------------------------------------------------------------------


@cli.command()
@click.argument("revision", default="head")
@click.option("--sql", is_flag=True, help="Print the SQL; connect to nothing.")
@url_option
def upgrade(revision: str, sql: bool, url: str | None) -> None:
    """Create the tables, or bring them to REVISION (the newest)."""
    from oddsschema import migrations

    if sql:
        click.echo(migrations.upgrade_sql(revision), nl=False)
        return

    async def run(url: str) -> None:
        before = await migrations.current(url)
        await migrations.upgrade(url, revision)
        _say_moved(before, await migrations.current(url))

    _on_database(url, run)


@cli.command()
@click.argument("revision")
@url_option
def downgrade(revision: str, url: str | None) -> None:
    """Take the tables back to REVISION; "base" drops them all, with their rows."""
    from oddsschema import migrations

    async def run(url: str) -> None:
        before = await migrations.current(url)
        await migrations.downgrade(url, revision)
        _say_moved(before, await migrations.current(url))

    _on_database(url, run)


@cli.command()
@url_option
def current(url: str | None) -> None:
    """Print the database's revision."""
    from oddsschema import migrations

    click.echo(_on_database(url, migrations.current) or "none")


@cli.command()
@url_option
def check(url: str | None) -> None:
    """Say what differs between the database and this release."""
    from oddsschema import migrations

    differences = _on_database(url, migrations.check)
    for difference in differences:
        click.echo(difference)
    if differences:
        sys.exit(1)
    click.echo("the database is what this release expects")


# -- captures --------------------------------------------------------------------------------------


@cli.command("validate")
@files_argument
@strict_option
def validate_files(files: tuple[str, ...], strict: bool) -> None:
    """Hold the captures of FILES (NDJSON, plain or .gz, - for standard input) to the contract."""
    accepted = refused = 0
    for item in read_files(files):
        checked = validate(item, strict=strict)
        accepted += checked.capture is not None
        if checked.refusal is not None:
            refused += 1
            _say_refused(checked.refusal)
    click.echo(f"{accepted:,} captures hold the contract, {refused:,} do not, in whole or in part")
    if refused:
        sys.exit(1)


@cli.command()
@files_argument
@click.option("--trigger", metavar="TEXT", default="manual", help="What started the scrape.")
@click.option("--notes", metavar="TEXT", help="Kept with the batch.")
@click.option("--raw", is_flag=True, help="Store raw_response too.")
@strict_option
@click.option(
    "--rejects",
    type=click.File("w", encoding="utf-8", lazy=False),
    help="Write what is refused to this NDJSON file, to be put right and ingested again.",
)
@click.option(
    "--chunk-rows",
    type=click.IntRange(min=1),
    default=Options.chunk_rows,
    show_default=True,
    help="How many rows are committed at a time.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@url_option
def ingest(
    files: tuple[str, ...],
    trigger: str,
    notes: str | None,
    raw: bool,
    strict: bool,
    rejects: IO[str] | None,
    chunk_rows: int,
    as_json: bool,
    url: str | None,
) -> None:
    """Store the captures of FILES (NDJSON, plain or .gz, - for standard input) as one batch."""
    progress = Progress()

    def refused(refusal: Refusal) -> None:
        progress.clear()
        _say_refused(refusal)
        if rejects is not None:
            rejects.write(json.dumps(reject(refusal), ensure_ascii=False, default=str) + "\n")

    options = Options(
        keep_raw=raw,
        strict=strict,
        chunk_rows=chunk_rows,
        on_refusal=refused,
        on_progress=progress.show,
    )

    async def run(url: str) -> tuple[IngestReport, list[BatchSummary]]:
        report = await ingest_captures(
            url, stream_files(files), trigger=trigger, notes=notes, options=options
        )
        return report, await newest_batches(url, batch_id=report.batch_id)

    report, summaries = _on_database(url, run)
    progress.clear()
    if as_json:
        click.echo(report.model_dump_json(indent=2))
    else:
        for summary in summaries:
            click.echo(str(summary))
        click.echo(_in_words(report))
    for one in report.runs:
        if one.error is not None:
            click.echo(f"error: {one.platform}: {one.error}", err=True)
    if not report.all_stored or any(one.error for one in report.runs):
        sys.exit(1)


@cli.command()
@click.option("-n", "--limit", default=20, show_default=True, help="How many.")
@click.option("--stale", is_flag=True, help="Only those whose process seems to have died.")
@click.option(
    "--older-than",
    type=click.IntRange(min=0),
    default=60,
    show_default=True,
    metavar="MINUTES",
    help="How long without a sign of life counts as stale.",
)
@click.option("--close", is_flag=True, help="End the stale runs as failed, and their batches.")
@url_option
def batches(limit: int, stale: bool, older_than: int, close: bool, url: str | None) -> None:
    """Print the batches, newest first, a line each."""
    silence = timedelta(minutes=older_than)
    if close:
        closed = _on_database(url, lambda url: close_stale(url, silence))
        click.echo(f"{closed:,} stale runs closed")
        return
    found = _on_database(
        url, lambda url: stale_batches(url, silence) if stale else newest_batches(url, limit)
    )
    for summary in found:
        click.echo(str(summary))


# -- made-up odds ----------------------------------------------------------------------------------


@cli.command()
def demo() -> None:
    """Show it all in a few seconds, in a database of its own."""
    from oddsschema.demo import demo

    demo(click.echo)


@cli.command("simulate")
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


# -- helpers ---------------------------------------------------------------------------------------


def _on_database(given: str | None, run: Callable[[str], Coroutine[Any, Any, _Result]]) -> _Result:
    """Run with the URL that was given, or on the embedded server, which is up meanwhile."""
    with database_url(given) as url:
        return asyncio.run(run(url))


def _say_moved(before: str | None, after: str | None) -> None:
    if before == after:
        click.echo(f"already at {after or 'base'}")
    else:
        click.echo(f"{before or 'base'} -> {after or 'base'}")


def _in_words(report: IngestReport) -> str:
    said = [
        f"{report.captures_stored:,} captures with {report.markets_stored:,} markets stored",
        f"{report.captures_known:,} were already there",
        f"{report.captures_refused:,} refused",
    ]
    if report.markets_refused:
        said.append(f"{report.markets_refused:,} markets of other captures refused")
    if report.captures_lost:
        said.append(f"{report.captures_lost:,} not stored")
    if report.retries:
        said.append(f"{report.retries:,} times tried again")
    return ", ".join(said)


class Progress:
    """One line on standard error that tells how far it is; nothing when that is no terminal."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._began = time.monotonic()
        self._shown = 0.0

    def show(self, captures: int, markets: int, refused: int) -> None:
        """Show the counts, five times a second at most."""
        now = time.monotonic()
        if self._is_terminal and now - self._shown > 0.2:
            self._shown = now
            rate = markets / (now - self._began)
            line = f"{captures:,} captures  {markets:,} markets  {rate:,.0f}/s  {refused:,} refused"
            click.echo(f"\r\x1b[K{line}", nl=False, err=True)

    def clear(self) -> None:
        """Leave the line to somebody else."""
        if self._is_terminal and self._shown:
            click.echo("\r\x1b[K", nl=False, err=True)


def _say_refused(refusal: Refusal) -> None:
    click.echo(f"refused: {refusal}", err=True)
