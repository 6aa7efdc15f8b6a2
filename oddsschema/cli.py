"""The command line: arguments, exit codes, printing.

Data goes to standard output, all else to standard error. Exit codes: 0 all is well; 1 something
was refused, failed or differs; 2 it could not start. `check` tells more states apart.
"""

import json
import logging
import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import fields
from datetime import timedelta
from functools import wraps
from typing import IO, Any, NoReturn, get_args

import click
from pydantic import ValidationError

from oddsschema import ingest as ingest_captures
from oddsschema.batches import BatchSummary, close_stale, newest_batches, stale_batches
from oddsschema.cli_history import history
from oddsschema.cli_migrations import check, current, downgrade, upgrade
from oddsschema.cli_options import json_option, on_database, url_option
from oddsschema.cli_retention import prune, size
from oddsschema.cli_schema import schema
from oddsschema.errors import OddsSchemaError
from oddsschema.ingest import (
    IngestReport,
    Limits,
    Options,
    Refusal,
    problems,
    read_files,
    reject,
    stream_files,
    validate,
)
from oddsschema.ingest.history import Store
from oddsschema.ingest.limits import option_name
from oddsschema.simulate import BOOKMAKERS, simulate

strict_option = click.option(
    "--strict", is_flag=True, help="Let one bad market sink its whole capture."
)


def limits_options(command: Callable[..., None]) -> Callable[..., None]:
    """An option for each limit; the command gets them as `limits`."""

    @wraps(command)
    def with_limits(**given: Any) -> None:
        limits = Limits(**{limit.name: given.pop(f"max_{limit.name}") for limit in fields(Limits)})
        command(limits=limits, **given)

    decorated: Callable[..., None] = with_limits
    for limit in reversed(fields(Limits)):
        decorated = click.option(
            option_name(limit.name),
            type=click.IntRange(*Limits.range(limit.name)),
            default=limit.default,
            show_default=True,
            metavar="N",
            help=limit.metadata["help"],
        )(decorated)
    return decorated


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
        if isinstance(error, click.UsageError) and error.ctx is not None:
            click.echo(f"{error.ctx.get_usage()}\n", err=True)
        # What was misplaced is repeated, and may be a URL with a password.
        message = re.sub(r"://[^@\s]*@", "://…@", error.format_message())
        click.echo(f"Error: {message}", err=True)
        sys.exit(2)
    except click.Abort:
        click.echo("interrupted", err=True)
        sys.exit(130)
    except Exception as error:
        told = _error_in_words(error)
        if told is None:
            raise
        click.echo(f"error: {told}", err=True)
        sys.exit(2)
    sys.exit(0)


def _error_in_words(error: Exception) -> str | None:
    """What a user can do something about; None for what is a bug of ours."""
    import asyncpg

    if isinstance(error, OddsSchemaError):
        return str(error)
    if isinstance(error, ValidationError):
        return "; ".join(map(str, problems(error)))
    # SQLAlchemy wraps what the driver raises.
    cause = getattr(getattr(error, "orig", None), "__cause__", None) or error
    if isinstance(cause, asyncpg.InsufficientPrivilegeError):
        return f"{cause}: this role lacks a privilege (docs/roles.md lists them)"
    return None


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="oddsschema")
def cli() -> None:
    """Betting odds in PostgreSQL: migrate, validate, ingest, look."""


for _command in (upgrade, downgrade, current, check, history, prune, size, schema):
    cli.add_command(_command)


# -- captures --------------------------------------------------------------------------------------


@cli.command("validate")
@files_argument
@strict_option
@limits_options
def validate_files(files: tuple[str, ...], strict: bool, limits: Limits) -> None:
    """Hold the captures of FILES (NDJSON, plain or .gz, - for standard input) to the contract."""
    accepted = refused = 0
    for item in read_files(files, limits):
        checked = validate(item, strict=strict, limits=limits)
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
@click.option(
    "--store",
    type=click.Choice(get_args(Store)),
    default=Options.store,
    show_default=True,
    help="Store what changed since an event's last capture, or each capture complete.",
)
@limits_options
@json_option
@url_option
def ingest(
    files: tuple[str, ...],
    trigger: str,
    notes: str | None,
    raw: bool,
    strict: bool,
    rejects: IO[str] | None,
    chunk_rows: int,
    store: Store,
    as_json: bool,
    url: str | None,
    limits: Limits,
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
        store=store,
        limits=limits,
        on_refusal=refused,
        on_progress=progress.show,
    )

    async def run(url: str) -> tuple[IngestReport, list[BatchSummary]]:
        report = await ingest_captures(
            url, stream_files(files, limits), trigger=trigger, notes=notes, options=options
        )
        return report, await newest_batches(url, batch_id=report.batch_id)

    report, summaries = on_database(url, run)
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
        closed = on_database(url, lambda url: close_stale(url, silence))
        click.echo(f"{closed:,} stale runs closed")
        return
    found = on_database(
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


def _in_words(report: IngestReport) -> str:
    said = [
        f"{report.captures_stored:,} captures stored in {report.markets_stored:,} market rows",
        f"{report.captures_known:,} were already there",
        f"{report.captures_refused:,} refused",
    ]
    if report.captures_confirmed:
        said[0] += f" ({report.captures_confirmed:,} found nothing changed)"
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
