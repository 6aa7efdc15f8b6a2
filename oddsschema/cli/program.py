"""The program: its commands, its exit codes, and the messages of its errors."""

import logging
import re
import sys
from typing import NoReturn

import click
from pydantic import ValidationError

from oddsschema.cli.captures import batches, ingest, validate_files
from oddsschema.cli.demo import demo
from oddsschema.cli.history import history
from oddsschema.cli.migrations import check, current, downgrade, upgrade
from oddsschema.cli.output import print_text
from oddsschema.cli.retention import prune, size
from oddsschema.cli.schema import schema
from oddsschema.cli.simulation import simulate_captures
from oddsschema.database.retry import as_package_error, driver_error, logger
from oddsschema.errors import OddsSchemaError
from oddsschema.ingestion import problems
from oddsschema.ingestion.interruption import sigterm_as_sigint


def main() -> NoReturn:
    """Run the program `oddsschema`."""
    # The commands print the logged messages themselves.
    logging.getLogger("oddsschema").addHandler(logging.NullHandler())
    logger.addHandler(_Warnings())
    try:
        with sigterm_as_sigint():
            cli(standalone_mode=False)
    except click.ClickException as error:
        if isinstance(error, click.UsageError) and error.ctx is not None:
            click.echo(f"{error.ctx.get_usage()}\n", err=True)
        # click repeats a misplaced argument, which may be a URL with a password.
        message = re.sub(r"://[^@\s]*@", "://…@", error.format_message())
        print_text(f"Error: {message}", err=True)
        sys.exit(2)
    except click.Abort:
        click.echo("interrupted", err=True)
        sys.exit(130)
    except Exception as error:
        explanation = explain(error)
        if explanation is None:
            raise
        print_text(f"error: {explanation}", err=True)
        sys.exit(2)
    sys.exit(0)


class _Warnings(logging.Handler):
    """The printing of warnings on standard error."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        """Print a message."""
        print_text(f"warning: {record.getMessage()}", err=True)


def explain(error: Exception) -> str | None:
    """Describe an error that a user can act on. Return None for a bug of this package."""
    import asyncpg

    if isinstance(error, OddsSchemaError):
        return str(error)
    if isinstance(error, ValidationError):
        return "; ".join(map(str, problems(error)))
    if (failure := as_package_error(error)) is not None:
        return str(failure)
    cause = driver_error(error)
    if isinstance(cause, asyncpg.InsufficientPrivilegeError):
        return f"{cause}: this role lacks a privilege (docs/how-to/roles.md lists them)"
    return None


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="oddsschema")
def cli() -> None:
    """Betting odds in PostgreSQL: migrate, validate, ingest, read."""


for _command in (
    *(upgrade, downgrade, current, check),
    *(validate_files, ingest, batches, history, prune, size),
    *(schema, demo, simulate_captures),
):
    cli.add_command(_command)
