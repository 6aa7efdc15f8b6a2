"""The command line of `oddsschema.migrations`: `upgrade`, `downgrade`, `current` and `check`."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from oddsschema.cli.options import json_option, on_database, url_option
from oddsschema.database.time_limits import LOCK_TIMEOUT, STATEMENT_TIMEOUT
from oddsschema.errors import DatabaseUnavailableError


def timeouts_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options for both timeouts of a migration; the command gets them as `timeouts`."""

    @wraps(command)
    def with_timeouts(lock_timeout: float, statement_timeout: float, **given: Any) -> None:
        timeouts = {"lock_timeout": lock_timeout, "statement_timeout": statement_timeout}
        command(timeouts=timeouts, **given)

    decorated: Callable[..., None] = with_timeouts
    for name, default, what in (
        ("--statement-timeout", STATEMENT_TIMEOUT, "a statement may take"),
        ("--lock-timeout", LOCK_TIMEOUT, "to wait for a lock; all who want that table wait too"),
    ):
        decorated = click.option(
            name,
            type=float,
            default=default,
            show_default=True,
            metavar="SECONDS",
            help=f"How long {what}. 0 for no limit.",
        )(decorated)
    return decorated


@click.command()
@click.argument("revision", default="head")
@click.option("--sql", is_flag=True, help="Print the SQL; connect to nothing.")
@timeouts_options
@url_option
def upgrade(revision: str, sql: bool, timeouts: dict[str, float], url: str | None) -> None:
    """Create the tables, or bring them to REVISION (the newest)."""
    from oddsschema import migrations

    if sql:
        click.echo(migrations.upgrade_sql(revision, **timeouts), nl=False)
        return

    async def run(url: str) -> None:
        before = await migrations.current(url)
        await migrations.upgrade(url, revision, **timeouts)
        _say_moved(before, await migrations.current(url))

    on_database(url, run)


@click.command()
@click.argument("revision")
@timeouts_options
@url_option
def downgrade(revision: str, timeouts: dict[str, float], url: str | None) -> None:
    """Take the tables back to REVISION; "base" drops them all, with their rows."""
    from oddsschema import migrations

    async def run(url: str) -> None:
        before = await migrations.current(url)
        await migrations.downgrade(url, revision, **timeouts)
        _say_moved(before, await migrations.current(url))

    on_database(url, run)


@click.command()
@url_option
def current(url: str | None) -> None:
    """Print the database's revision."""
    from oddsschema import migrations

    click.echo(on_database(url, migrations.current) or "none")


@click.command()
@json_option
@url_option
def check(as_json: bool, url: str | None) -> None:
    """Say what differs between the database and this release, and what mends it.

    \b
    Exit codes:
      0  the database is what this release expects
      1  it differs: one line for each difference
      2  it could not be compared
      3  it is at an older revision
      4  it is at a newer revision
      5  it has tables of oddsschema, but no revision
      6  it has no tables of oddsschema
      7  it cannot be reached
    """
    from oddsschema.migrations import CheckReport, CheckState
    from oddsschema.migrations import check as compare

    try:
        report = on_database(url, compare)
    except DatabaseUnavailableError as error:
        report = CheckReport(state=CheckState.UNREACHABLE, message=str(error))
    if as_json:
        click.echo(report.model_dump_json(indent=2))
    elif report.state is CheckState.UNREACHABLE:
        click.echo(f"error: {report}", err=True)
    else:
        for difference in report.differences:
            click.echo(str(difference))
        # The lines above are what there is to read, for a program too.
        click.echo(str(report), err=bool(report.differences))
    exit_codes = {
        CheckState.CLEAN: 0,
        CheckState.DRIFT: 1,
        CheckState.OLDER: 3,
        CheckState.NEWER: 4,
        CheckState.UNVERSIONED: 5,
        CheckState.EMPTY: 6,
        CheckState.UNREACHABLE: 7,
    }
    sys.exit(exit_codes[report.state])


def _say_moved(before: str | None, after: str | None) -> None:
    if before == after:
        click.echo(f"already at {after or 'base'}")
    else:
        click.echo(f"{before or 'base'} -> {after or 'base'}")
