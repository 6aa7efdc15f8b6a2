"""The command line: arguments, exit codes, printing.

Data goes to standard output, all else to standard error. Exit codes: 0 all is well; 1 something
was refused, failed or differs; 2 it could not start.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn, TypeVar

import click

from oddsschema import ingest as ingest_captures
from oddsschema.batches import newest_batches
from oddsschema.embedded import database_url
from oddsschema.errors import OddsSchemaError
from oddsschema.ingest import IngestReport, Refusal, read_files, validate
from oddsschema.simulate import BOOKMAKERS, simulate

_Result = TypeVar("_Result")

url_option = click.option(
    "--url",
    envvar="DATABASE_URL",
    metavar="URL",
    help="postgresql://user@host/name. Without it, DATABASE_URL; without that, a private "
    "PostgreSQL of your own.",
)
files_argument = click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
)


def main() -> NoReturn:
    """The program `oddsschema`."""
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
def validate_files(files: tuple[str, ...]) -> None:
    """Hold the captures of FILES (NDJSON, plain or .gz, - for standard input) to the contract."""
    accepted = refused = 0
    for item in read_files(files):
        checked = validate(item)
        if isinstance(checked, Refusal):
            refused += 1
            _say_refused(checked)
        else:
            accepted += 1
    click.echo(f"{accepted:,} captures hold the contract, {refused:,} do not")
    if refused:
        sys.exit(1)


@cli.command()
@files_argument
@click.option("--trigger", metavar="TEXT", default="manual", help="What started the scrape.")
@click.option("--notes", metavar="TEXT", help="Kept with the batch.")
@click.option("--raw", is_flag=True, help="Store raw_response too.")
@url_option
def ingest(
    files: tuple[str, ...], trigger: str, notes: str | None, raw: bool, url: str | None
) -> None:
    """Store the captures of FILES (NDJSON, plain or .gz, - for standard input) as one batch."""

    async def run(url: str) -> IngestReport:
        report = await ingest_captures(
            url,
            read_files(files),
            trigger=trigger,
            notes=notes,
            keep_raw=raw,
            on_refusal=_say_refused,
        )
        for summary in await newest_batches(url, limit=1):
            click.echo(str(summary))
        return report

    report = _on_database(url, run)
    stored = f"{report.captures_stored:,} captures with {report.markets_stored:,} markets stored"
    known = f"{report.captures_known:,} were already there"
    click.echo(f"{stored}, {known}, {report.captures_refused:,} refused")
    for one in report.runs:
        if one.error is not None:
            click.echo(f"error: {one.platform}: {one.error}", err=True)
    if report.captures_refused or any(one.error for one in report.runs):
        sys.exit(1)


@cli.command()
@click.option("-n", "--limit", default=20, show_default=True, help="How many.")
@url_option
def batches(limit: int, url: str | None) -> None:
    """Print the batches, newest first, a line each."""
    for summary in _on_database(url, lambda url: newest_batches(url, limit)):
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


def _say_refused(refusal: Refusal) -> None:
    click.echo(f"refused: {refusal}", err=True)
