"""The commands of captures: `validate` and `ingest`."""

import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import fields
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import Any, get_args

import click

from oddsschema import ingest as ingest_captures
from oddsschema.cli.options import (
    duration_option,
    json_option,
    max_ahead_option,
    read_slug,
    retry_for_option,
    run_on_database,
    url_option,
)
from oddsschema.cli.output import ProgressLine, print_json, print_line
from oddsschema.cli.refusals import RefusalLines
from oddsschema.cli.rejects import RejectsFile
from oddsschema.ingestion import (
    Doubt,
    Horizon,
    IngestOptions,
    IngestProgress,
    IngestReport,
    Limits,
    Refusal,
    ScrapeNames,
    ValidateReport,
    read_files,
    stream_files,
    validate,
)
from oddsschema.ingestion.options import Store
from oddsschema.ingestion.report import MOST_LISTED
from oddsschema.scrapes.summaries import BatchSummary, newest_batches

strict_option = click.option(
    "--strict",
    is_flag=True,
    help="Refuse a capture as a whole if one of its markets is invalid, or a doubt arises.",
)


def limit_option(limit: str) -> str:
    """Return the option for a limit: "--max-line-bytes" for line_bytes."""
    return f"--max-{limit.replace('_', '-')}"


def limits_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add an option for each limit; the command gets them as `limits`."""

    @wraps(command)
    def with_limits(**values: Any) -> None:
        limits = Limits(**{limit.name: values.pop(limit.name) for limit in fields(Limits)})
        command(limits=limits, **values)

    decorated: Callable[..., None] = with_limits
    for limit in reversed(fields(Limits)):
        decorated = click.option(
            limit_option(limit.name),
            limit.name,
            type=click.IntRange(*Limits.range(limit.name)),
            default=limit.default,
            show_default=True,
            metavar="N",
            help=limit.metadata["help"],
        )(decorated)
    return decorated


def _open_files(
    _ctx: click.Context, param: click.Parameter, names: tuple[str, ...]
) -> tuple[str, ...]:
    """Refuse standard input if it is closed."""
    if "-" in names and sys.stdin is None:
        raise click.BadParameter("standard input is closed: give a file or a pipe", param=param)
    return names


files_argument = click.argument(
    "files",
    nargs=-1,
    required=True,
    callback=_open_files,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
)


@click.command("validate")
@files_argument
@strict_option
@max_ahead_option(
    "Refuse a capture that is further ahead of the clock of this machine. none refuses none."
)
@limits_options
@json_option("ValidateReport")
def validate_files(
    files: tuple[str, ...],
    strict: bool,
    max_ahead: timedelta | None,
    as_json: bool,
    limits: Limits,
) -> None:
    """Validate the captures of FILES (NDJSON, plain or .gz, - for standard input)."""
    captures_valid = captures_refused = markets_valid = markets_refused = doubts_found = 0
    refusals: list[Refusal] = []
    doubts: list[Doubt] = []
    names, horizon = ScrapeNames(), Horizon(max_ahead=max_ahead)
    with RefusalLines("refused") as refused, RefusalLines("doubt") as doubted:
        for item in read_files(files, limits):
            capture, refusal, _, doubts_of_item = validate(
                item, strict=strict, limits=limits, names=names, horizon=horizon
            )
            if capture is not None:
                captures_valid += 1
                markets_valid += len(capture.markets)
            if refusal is not None:
                captures_refused += refusal.markets is None
                markets_refused += refusal.markets or 0
                refused.add(refusal)
                if len(refusals) < MOST_LISTED:
                    refusals.append(refusal.model_copy(update={"capture": None}))
            for doubt in doubts_of_item:
                doubts_found += 1
                doubted.add(doubt)
                if len(doubts) < MOST_LISTED:
                    doubts.append(doubt)
    report = ValidateReport(
        captures_valid=captures_valid,
        captures_refused=captures_refused,
        markets_valid=markets_valid,
        markets_refused=markets_refused,
        doubts_found=doubts_found,
        refusals=tuple(refusals),
        doubts=tuple(doubts),
    )
    if as_json:
        print_json(report)
    else:
        print_line(_validate_summary(report))
    if not report.all_valid:
        sys.exit(1)


@click.command()
@files_argument
@click.option("--trigger", metavar="TEXT", default="manual", help="The reason for the scrape.")
@click.option("--notes", metavar="TEXT", help="Notes on the batch.")
@click.option("--keep-raw", is_flag=True, help="Store the raw responses too.")
@strict_option
@max_ahead_option(
    "Refuse a capture that is further ahead of the clock of PostgreSQL. none refuses none."
)
@click.option(
    "--rejects",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Append the refused captures to this NDJSON file (- for standard output). It can be "
    "corrected and ingested.",
)
@click.option(
    "--chunk-rows",
    type=click.IntRange(min=1),
    default=IngestOptions.chunk_rows,
    show_default=True,
    help="Rows per transaction.",
)
@click.option(
    "--reference",
    callback=read_slug,
    default=IngestOptions.reference,
    show_default=True,
    metavar="BOOKMAKER",
    help="The bookmaker whose captures change events and tournaments.",
)
@click.option(
    "--store",
    type=click.Choice(get_args(Store)),
    default=IngestOptions.store,
    show_default=True,
    help="Store the changes since the last capture of an event, or each capture completely.",
)
@click.option(
    "--keyframe-share",
    type=click.FloatRange(min=0),
    default=IngestOptions.keyframe_share,
    show_default=True,
    help="Limit on rows of changes since the last complete capture, as a share of the markets on "
    "offer. A capture beyond it is stored completely.",
)
@duration_option(
    "--keyframe-age",
    IngestOptions.keyframe_age,
    "Store a capture with changes completely, if the last complete one is older than this.",
)
@duration_option(
    "--flush-after",
    IngestOptions.flush_after,
    "Commit captures after this time, even if they do not fill a transaction; 0 for never.",
)
@retry_for_option
@duration_option(
    "--answer-within",
    IngestOptions.answer_within,
    "Longest wait for the server's answer to a statement. 0 for no limit.",
)
@duration_option(
    "--close-within",
    IngestOptions.close_within,
    "Time for the commit of accepted captures after Ctrl-C or SIGTERM.",
)
@limits_options
@json_option("IngestReport")
@url_option
def ingest(
    files: tuple[str, ...],
    trigger: str,
    notes: str | None,
    rejects: Path | None,
    as_json: bool,
    url: str | None,
    limits: Limits,
    **fields_of_options: Any,
) -> None:
    """Store the captures of FILES (NDJSON, plain or .gz, - for standard input) as one batch."""
    progress = ProgressLine()
    refused = RefusalLines("refused")
    doubted = RefusalLines("doubt")
    rejects_file = None if rejects is None else RejectsFile(rejects, files)
    start = time.monotonic()

    def on_refusal(refusal: Refusal) -> None:
        refused.add(refusal)
        if rejects_file is not None:
            rejects_file.write(refusal)

    def on_progress(counts: IngestProgress) -> None:
        progress.update(lambda: _progress_line(counts, time.monotonic() - start))

    options = IngestOptions(
        limits=limits,
        on_refusal=on_refusal,
        on_doubt=doubted.add,
        on_progress=on_progress if progress.is_shown else None,
        **fields_of_options,
    )

    async def run(url: str) -> tuple[IngestReport, list[BatchSummary]]:
        report = await ingest_captures(
            url, stream_files(files, limits), trigger=trigger, notes=notes, options=options
        )
        return report, await newest_batches(url, batch_id=report.batch_id)

    with progress, refused, doubted, rejects_file or nullcontext():
        report, batches = run_on_database(url, run, writes=True)
    if as_json:
        print_json(report)
    else:
        for batch in batches:
            print_line(str(batch))
        print_line(_summary(report))
    for run_report in report.runs:
        if run_report.error is not None:
            print_line(f"error: {run_report.platform}: {run_report.error}", err=True)
    if not report.all_stored or any(run_report.error for run_report in report.runs):
        sys.exit(1)


def _progress_line(progress: IngestProgress, seconds: float) -> str:
    rate = progress.markets / seconds if seconds else 0
    return (
        f"{progress.captures:,} captures  {progress.markets:,} markets  {rate:,.0f}/s  "
        f"{progress.refused:,} refused"
    )


def _validate_summary(report: ValidateReport) -> str:
    parts = [
        f"{report.captures_valid:,} captures with {report.markets_valid:,} markets are valid",
        f"{report.captures_refused:,} captures refused",
        f"{report.markets_refused:,} markets of valid captures refused",
    ]
    if report.doubts_found:
        parts.append(f"{report.doubts_found:,} doubts")
    return ", ".join(parts)


def _summary(report: IngestReport) -> str:
    total = report.total
    parts = [
        f"{total.captures_stored:,} captures stored in {total.markets_stored:,} market rows",
        f"{total.captures_known:,} were already there",
        f"{total.captures_refused:,} refused",
    ]
    if total.captures_confirmed:
        parts[0] += f" ({total.captures_confirmed:,} found nothing changed)"
    if total.markets_refused:
        parts.append(f"{total.markets_refused:,} markets of other captures refused")
    if total.markets_empty:
        markets = "market" if total.markets_empty == 1 else "markets"
        parts.append(f"{total.markets_empty:,} {markets} without outcomes left out")
    if total.doubts:
        parts.append(f"{total.doubts:,} doubts")
    if total.captures_lost:
        parts.append(f"{total.captures_lost:,} not stored")
    if report.retries:
        parts.append(f"{report.retries:,} times tried again")
    return ", ".join(parts)
