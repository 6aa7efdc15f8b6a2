"""The program: its commands, its exit codes, and the messages of its errors."""

import logging
import re
import sys
from typing import NoReturn

import click

from oddsschema.cli.commands import Commands
from oddsschema.cli.output import escape_cell, name_schema_option, print_line, print_text
from oddsschema.cli.streams import lossy_streams
from oddsschema.errors import AdoptionTimeZoneError, OddsSchemaError
from oddsschema.signals import sigterm_as_sigint


def main() -> NoReturn:
    """Run the program `oddsschema`."""
    # The commands print the logged messages themselves.
    logging.getLogger("oddsschema").addHandler(logging.NullHandler())
    logging.getLogger("oddsschema.database.retry").addHandler(_warnings)
    with lossy_streams() as output:
        status = _run()
        # A reader that has seen enough, such as `head`, closes the pipe: no error.
        error = None if output is None else output.error
        # Of an error of the command itself, the output was none.
        if status < 2 and not isinstance(error, BrokenPipeError | None):
            print_line(
                f"error: standard output cannot be written: {error.strerror}. Only output "
                "is lost: the command ran to its end",
                err=True,
            )
            status = 2
    sys.exit(status)


def _run() -> int:
    """Run the command, print its error, and return the exit code."""
    try:
        with sigterm_as_sigint():
            cli(standalone_mode=False)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        print_text(error.format_message(), err=True)
        return 2
    except click.ClickException as error:
        if isinstance(error, click.UsageError) and error.ctx is not None:
            print_text(f"{error.ctx.get_usage()}\n", err=True)
        # click repeats a misplaced argument, which may be a URL with a password.
        message = re.sub(r"://[^@\s]*@", "://…@", error.format_message())
        print_text(f"Error: {message}", err=True)
        return 2
    except click.Abort:
        print_line("interrupted", err=True)
        return 130
    except Exception as error:
        explanation = explain(error)
        if explanation is None:
            raise
        print_text(f"error: {explanation}", err=True)
        return 2
    return 0


class _Warnings(logging.Handler):
    """The printing of warnings on standard error."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        """Print a message."""
        print_text(f"warning: {record.getMessage()}", err=True)


_warnings = _Warnings()


def explain(error: Exception) -> str | None:
    """Describe an error that a user can act on. Return None for a bug of this package."""
    if isinstance(error, AdoptionTimeZoneError):
        return f"{error} (--timezone ZONE gives it)"
    if isinstance(error, OddsSchemaError):
        return name_schema_option(error)

    import asyncpg
    from pydantic import ValidationError

    from oddsschema.database.retry import as_package_error, driver_error

    if isinstance(error, ValidationError):
        from oddsschema.ingestion import problems

        return escape_cell("; ".join(map(str, problems(error))))
    if (failure := as_package_error(error)) is not None:
        return str(failure)
    cause = driver_error(error)
    if isinstance(cause, asyncpg.InsufficientPrivilegeError):
        return f"{cause}: this role lacks a privilege (docs/how-to/roles.md lists them)"
    return None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="oddsschema")
def cli() -> None:
    """Betting odds in PostgreSQL: migrate, validate, ingest, read.

    \b
    Exit codes, unless a command lists its own:
      0    success; also if the reader of the output closes the pipe
      1    something was refused, failed or differs, or you answered no
      2    the command could not start, or its output could not be written
      130  interrupted by Ctrl-C or SIGTERM
    """
