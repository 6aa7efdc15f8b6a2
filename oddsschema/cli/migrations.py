"""The commands of migrations: `upgrade`, `downgrade`, `hand-over`, `current` and `check`."""

import asyncio
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import wraps
from typing import Any

import click

from oddsschema.cli.options import (
    chosen_database,
    chosen_schema,
    duration_option,
    json_option,
    retry_for_option,
    run_on_database,
    url_option,
)
from oddsschema.cli.output import (
    ask,
    is_terminal,
    name_schema_option,
    print_json,
    print_line,
    print_text,
)
from oddsschema.cli.project import read_project
from oddsschema.database.recorded_revisions import DEFAULT_TABLE
from oddsschema.database.revision import HEAD
from oddsschema.database.time_limits import LOCK_TIMEOUT, MIGRATION_WAIT, STATEMENT_TIMEOUT
from oddsschema.errors import (
    DatabaseUnavailableError,
    DatabaseURLError,
    ForeignTablesError,
    MissingSchemaError,
    NewerDatabaseError,
    UnversionedDatabaseError,
)

#: The exit codes of `check` for databases that no migration changes; those of migrations as well.
NEWER = 4
UNVERSIONED = 5


@contextmanager
def exit_codes_of_check() -> Iterator[None]:
    """End with the exit code of `check` for a database that cannot be migrated."""
    try:
        yield
    except (ForeignTablesError, NewerDatabaseError, UnversionedDatabaseError) as error:
        print_text(f"error: {name_schema_option(error)}", err=True)
        sys.exit(NEWER if isinstance(error, NewerDatabaseError) else UNVERSIONED)


def timeouts_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add an option for each time limit of a migration; the command gets them as `timeouts`."""

    @wraps(command)
    def with_timeouts(lock_timeout: timedelta, statement_timeout: timedelta, **given: Any) -> None:
        timeouts = {"lock_timeout": lock_timeout, "statement_timeout": statement_timeout}
        command(timeouts=timeouts, **given)

    decorated: Callable[..., None] = with_timeouts
    for name, default, meaning in (
        ("--statement-timeout", STATEMENT_TIMEOUT, "Longest duration of a statement"),
        ("--lock-timeout", LOCK_TIMEOUT, "Longest wait for a lock, which blocks the table's users"),
    ):
        decorated = duration_option(name, default, f"{meaning}. 0 for no limit.")(decorated)
    return decorated


wait_option = duration_option(
    "--wait", MIGRATION_WAIT, "Longest wait for the end of another migration. It blocks nobody."
)


@click.command()
@click.argument("revision", default="head")
@click.option("--sql", is_flag=True, help="Print the SQL, without a connection.")
@click.option(
    "--keep-version-table",
    is_flag=True,
    help="Leave the revision in alembic_version, for a project whose alembic migrates the tables.",
)
@click.option(
    "--create-schema",
    is_flag=True,
    help="Create the schema for the tables, the first of the search path, if it does not exist.",
)
@click.option(
    "--distributed",
    is_flag=True,
    help="Create the schema of --schema, and give it to Citus (see distribute).",
)
@timeouts_options
@wait_option
@retry_for_option
@url_option
def upgrade(
    revision: str,
    sql: bool,
    keep_version_table: bool,
    create_schema: bool,
    distributed: bool,
    timeouts: dict[str, timedelta],
    wait: timedelta,
    retry_for: timedelta,
    url: str | None,
) -> None:
    """Create the tables, or upgrade them to REVISION (the newest).

    Rows that keep an older form are reported as notes, and so is a revision that moves from
    alembic_version to oddsschema_version.

    \b
    Exit codes besides 0, 1 and 2:
      4  the database is at a newer revision
      5  the database has tables of oddsschema, but no revision
    """
    from oddsschema import migrations
    from oddsschema.migrations.schema_lock import NOTHING_LEFT

    if distributed and (sql or revision != "head" or chosen_schema() is None):
        raise click.UsageError("--distributed needs --schema, and neither --sql nor REVISION")
    if sql:
        if keep_version_table:
            raise click.UsageError("--sql knows no database: leave out --keep-version-table")
        schema = chosen_schema()
        if create_schema and schema is None:
            raise click.UsageError("--sql has no connection: --create-schema needs --schema")
        text = migrations.upgrade_sql(
            revision, schema=schema, create_schema=create_schema, **timeouts
        )
        print_text(text.removesuffix("\n"))
        return

    async def run(url: str) -> None:
        if distributed:
            from oddsschema import distribution

            await distribution.require_cluster(url)
        before = await migrations.current(url, retry_for=retry_for)
        notes = await migrations.upgrade(
            url,
            revision,
            wait=wait,
            retry_for=retry_for,
            keep_version_table=keep_version_table,
            create_schema=create_schema or distributed,
            **timeouts,
        )
        _print_notes(notes)
        after = await migrations.current(url, retry_for=retry_for)
        was_waiting = any(note.startswith(NOTHING_LEFT) for note in notes)
        _print_move(after if was_waiting else before, after)
        if distributed:
            _print_notes(await distribution.distribute(url, str(chosen_schema())))

    try:
        with exit_codes_of_check():
            run_on_database(url, run, writes=True)
    except MissingSchemaError as error:
        if create_schema:
            raise
        raise click.ClickException(
            f"{name_schema_option(error)}. With --create-schema, this command creates it"
        ) from error


@click.command()
@click.argument("revision")
@click.option("--yes", is_flag=True, help="Do not ask: drop the tables and columns.")
@timeouts_options
@wait_option
@retry_for_option
@url_option
def downgrade(
    revision: str,
    yes: bool,
    timeouts: dict[str, timedelta],
    wait: timedelta,
    retry_for: timedelta,
    url: str | None,
) -> None:
    """Downgrade the tables to REVISION; "base" drops all tables, with their rows.

    Prints the revisions to be undone, the tables to be dropped with their rows, and the columns to
    be dropped; then asks. Without a terminal, --yes is necessary.

    Rows that the older tables cannot hold are deleted or changed, and counted in notes.

    \b
    Exit codes besides 0, 1 and 2:
      4  the database is at a newer revision
      5  the database has tables of oddsschema, but no revision
    """
    from oddsschema import migrations

    async def run(url: str, before: str | None) -> None:
        notes = await migrations.downgrade(
            url, revision, wait=wait, retry_for=retry_for, **timeouts
        )
        _print_notes(notes)
        _print_move(before, await migrations.current(url, retry_for=retry_for))

    with exit_codes_of_check(), chosen_database(url, writes=True) as chosen:
        before = asyncio.run(migrations.current(chosen, retry_for=retry_for))
        plan = asyncio.run(migrations.plan_downgrade(chosen, revision))
        if plan.revisions:
            print_text(str(plan), err=True)
            if not yes:
                _require_consent()
        asyncio.run(run(chosen, before))


@click.command("hand-over")
@click.argument("table", default=DEFAULT_TABLE)
@timeouts_options
@wait_option
@retry_for_option
@url_option
def hand_over(
    table: str,
    timeouts: dict[str, timedelta],
    wait: timedelta,
    retry_for: timedelta,
    url: str | None,
) -> None:
    """Move the revision to TABLE, the version table of a project whose alembic then migrates.

    TABLE (alembic_version) can have a schema: schema.table. `oddsschema hand-over
    oddsschema_version` takes the revision back.
    """
    from oddsschema import migrations

    async def run(url: str) -> None:
        notes = await migrations.hand_over(url, table, wait=wait, retry_for=retry_for, **timeouts)
        if not notes:
            print_line(f"the revision is in {table} already")
        _print_notes(notes)

    run_on_database(url, run, writes=True)


@click.command()
@json_option("RevisionReport")
@url_option
def current(as_json: bool, url: str | None) -> None:
    """Print the revision of the database."""
    from oddsschema.migrations import RevisionReport
    from oddsschema.migrations import current as read_revision

    revision = run_on_database(url, read_revision)
    if as_json:
        print_json(RevisionReport(revision=revision, newest=HEAD))
    else:
        print_line(revision or "none")


def _read_known(
    _ctx: click.Context, _param: click.Parameter, value: tuple[str, ...]
) -> tuple[str, ...]:
    from oddsschema.migrations.known import require_names

    try:
        require_names(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return value


@click.command()
@click.option(
    "--known",
    multiple=True,
    callback=_read_known,
    metavar="TABLE.NAME",
    help="A part that you have added to a table of oddsschema: no difference. May be repeated.",
)
@json_option("CheckReport")
@url_option
def check(known: tuple[str, ...], as_json: bool, url: str | None) -> None:
    """Compare the database with this release, and print the SQL that repairs it.

    Parts that are known are listed as notes: those of --known, and those of pyproject.toml
    ([tool.oddsschema] known = ["events.venue"]) in this directory or the first above it that has
    the file.

    \b
    Exit codes:
      0  the database matches this release
      1  the database differs: one line for each difference
      2  the comparison failed
      3  the database is at an older revision
      4  the database is at a newer revision
      5  the database has tables of oddsschema, but no revision
      6  the database has no tables of oddsschema
      7  the database cannot be reached
      8  the search path leads to tables of oddsschema in several schemas
    """
    from oddsschema.migrations import CheckReport, CheckState
    from oddsschema.migrations import check as compare

    names = (*known, *read_project().known)

    async def run(url: str) -> CheckReport:
        return await compare(url, known=names)

    try:
        report = run_on_database(url, run)
    except DatabaseURLError:
        raise
    except DatabaseUnavailableError as error:
        report = CheckReport(state=CheckState.UNREACHABLE, message=str(error))
    if as_json:
        print_json(report)
    elif report.state is CheckState.UNREACHABLE:
        print_line(f"error: {report}", err=True)
    else:
        for difference in report.differences:
            print_text(str(difference))
        _print_notes(report.notes, err=bool(report.differences))
        if any(difference.expected is None for difference in report.differences):
            print_line(
                "note: what you have added yourself is known by --known TABLE.NAME", err=True
            )
        # Standard output holds the differences only, so that a program can read them.
        print_line(name_schema_option(report), err=bool(report.differences))
    exit_codes = {
        CheckState.CLEAN: 0,
        CheckState.DRIFT: 1,
        CheckState.OLDER: 3,
        CheckState.NEWER: NEWER,
        CheckState.UNVERSIONED: UNVERSIONED,
        CheckState.EMPTY: 6,
        CheckState.UNREACHABLE: 7,
        CheckState.SPLIT: 8,
    }
    sys.exit(exit_codes[report.state])


def _print_notes(notes: Sequence[str], *, err: bool = False) -> None:
    for note in notes:
        print_line(f"note: {note}", err=err)


def _print_move(before: str | None, after: str | None) -> None:
    if before == after:
        print_line(f"already at {after or 'base'}")
    else:
        print_line(f"{before or 'base'} -> {after or 'base'}")


def _require_consent() -> None:
    """Ask on the terminal, and end the program unless the answer is yes."""
    if not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        raise click.UsageError("without a terminal, nobody can be asked: give --yes to downgrade")
    if not ask("Downgrade?"):
        print_line("nothing was changed", err=True)
        sys.exit(1)
