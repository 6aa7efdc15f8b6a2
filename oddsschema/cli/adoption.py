"""The command `adopt`, which brings the odds of another program's tables."""

import sys
from contextlib import nullcontext
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from oddsschema.adoption import AdoptProgress, AdoptReport, adopt
from oddsschema.cli.options import (
    json_option,
    max_ahead_option,
    read_zone,
    retry_for_option,
    run_on_database,
    url_option,
)
from oddsschema.cli.output import ProgressLine, print_json, print_line
from oddsschema.cli.refusals import RefusalLines
from oddsschema.cli.rejects import RejectsFile
from oddsschema.database.settings import read_settings
from oddsschema.ingestion import IngestOptions, Refusal

_STEPS = {"captures": "stored", "proof": "read back"}


@click.command("adopt")
@click.option(
    "--from",
    "source",
    metavar="URL",
    help="The database with the tables. The default is the database that they are brought to.",
)
@click.option(
    "--from-schema",
    metavar="NAME",
    help="The schema of the tables. The default is the first of the search path of --from.",
)
@click.option(
    "--timezone",
    callback=read_zone,
    metavar="ZONE",
    help="The zone of the times that have none: Europe/London, UTC.",
)
@click.option("--keep-raw", is_flag=True, help="Store the raw responses too, and compare them.")
@max_ahead_option(
    "Refuse a snapshot that is further ahead of the clock of PostgreSQL. none refuses none."
)
@click.option(
    "--rejects",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Append the refused captures to this NDJSON file (- for standard output). It can be "
    "corrected and ingested.",
)
@retry_for_option
@json_option("AdoptReport")
@url_option
def adopt_tables(
    source: str | None,
    from_schema: str | None,
    timezone: ZoneInfo | None,
    rejects: Path | None,
    as_json: bool,
    url: str | None,
    **fields_of_options: object,
) -> None:
    """Bring the odds of tables that another program created, and read all of them back.

    The tables have the names and columns of the plan: sports, events, odds_snapshots, market_odds,
    competitor_events and so on. They are only read. Columns that oddsschema does not have are left.
    Of two snapshots of one event (and bookmaker) at one instant, the first counts, market by
    market.

    Safe to interrupt: run it again to continue. Run it again later for the rows that were added.

    Exit codes: 0 everything is stored and was read back equal, 1 something was refused or differs,
    2 it could not start.
    """
    if source is None and from_schema is None:
        raise click.UsageError("give --from or --from-schema: the tables to read")
    if source is not None:
        read_settings(source)
    progress = ProgressLine()
    refused = RefusalLines("refused")
    rejects_file = None if rejects is None else RejectsFile(rejects, ())

    def on_refusal(refusal: Refusal) -> None:
        refused.add(refusal)
        if rejects_file is not None:
            rejects_file.write(refusal)

    def on_progress(counts: AdoptProgress) -> None:
        progress.update(
            lambda: f"{counts.done:,} of {counts.total:,} snapshots {_STEPS[counts.step]}"
        )

    async def run(url: str) -> AdoptReport:
        return await adopt(
            url,
            source or url,
            schema=from_schema,
            timezone=timezone,
            options=IngestOptions(on_refusal=on_refusal, **fields_of_options),  # type: ignore[arg-type]  # typed by click
            on_progress=on_progress if progress.is_shown else None,
        )

    with progress, refused, rejects_file or nullcontext():
        report = run_on_database(url, run, writes=True)
        for refusal in report.refusals:
            refused.add(refusal)
    for run_report in report.ingestion.runs:
        if run_report.error is not None:
            print_line(f"error: {run_report.platform}: {run_report.error}", err=True)
    for different in report.different:
        print_line(f"different: {different}", err=True)
    if as_json:
        print_json(report)
    else:
        zone = "" if report.timezone is None else f", times without a zone in {report.timezone}"
        print_line(f"source: {report.source}{zone}")
        for table in report.tables:
            print_line(str(table))
        for column in report.columns_left:
            print_line(f"left: {column}")
        print_line(
            f"{report.snapshots_new:,} snapshots are new, {report.snapshots_known:,} were known"
        )
        print_line(_summary(report))
    if not report.all_stored:
        sys.exit(1)


def _summary(report: AdoptReport) -> str:
    snapshots = [table for table in report.tables if table.name.endswith("odds_snapshots")]
    equal, different = (
        sum(getattr(table, name) for table in snapshots) for name in ("stored", "missing")
    )
    parts = [f"{equal:,} snapshots were read back equal", f"{different:,} differ"]
    if report.outcome_keys_left:
        parts.append(f"{report.outcome_keys_left:,} unknown keys of outcomes left")
    return ", ".join(parts)
