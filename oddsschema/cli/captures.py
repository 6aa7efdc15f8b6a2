"""The command line of captures and batches: `validate`, `ingest` and `batches`."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import fields
from datetime import timedelta
from functools import wraps
from typing import IO, Any, get_args

import click

from oddsschema import ingest as ingest_captures
from oddsschema.cli.options import json_option, on_database, url_option
from oddsschema.ingestion import (
    IngestOptions,
    IngestReport,
    Limits,
    Refusal,
    read_files,
    reject,
    stream_files,
    validate,
)
from oddsschema.ingestion.options import Store
from oddsschema.scrapes.stale import close_stale, stale_batches
from oddsschema.scrapes.summaries import BatchSummary, newest_batches

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
            f"--max-{limit.name.replace('_', '-')}",
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


@click.command("validate")
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


@click.command()
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
    default=IngestOptions.chunk_rows,
    show_default=True,
    help="How many rows are committed at a time.",
)
@click.option(
    "--store",
    type=click.Choice(get_args(Store)),
    default=IngestOptions.store,
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

    options = IngestOptions(
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


@click.command()
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
