"""The options that commands share, and the types of their values."""

import asyncio
import re
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from oddsschema.cli.output import print_line
from oddsschema.database.clock import MAX_AHEAD
from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.database.durations import format_duration, parse_duration
from oddsschema.database.revision import require_migrated
from oddsschema.database.settings import read_settings
from oddsschema.database.time_limits import RETRY_FOR
from oddsschema.database.urls import given_url, redact, with_schema
from oddsschema.embedded import database_url

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

#: A number with a unit that pydantic knows.
_SIZE = re.compile(r"\d*\.?\d+ ?[A-Za-z]*", re.ASCII)

_Result = TypeVar("_Result")
_Command = TypeVar("_Command", bound=Callable[..., Any])


def read_duration(
    _ctx: click.Context, _param: click.Parameter, value: str | None
) -> timedelta | None:
    """Parse the value of an option: 36h, 14d, 5s or 250ms."""
    try:
        return None if value is None else parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def read_optional_duration(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> timedelta | None:
    """Parse the value of an option: a duration, or none."""
    return None if value == "none" else read_duration(ctx, param, value)


def read_bytes(_ctx: click.Context, _param: click.Parameter, value: str | None) -> int | None:
    """Parse the value of an option: 1500, 500M, 80G or 2T."""
    from pydantic import ByteSize, TypeAdapter, ValidationError

    try:
        # pydantic reads the beginning of a text, and ignores the rest.
        if value is not None and not _SIZE.fullmatch(value):
            raise ValueError(value)
        return None if value is None else int(TypeAdapter(ByteSize).validate_python(value))
    except (ValueError, ValidationError) as error:
        raise click.BadParameter(f"{value!r} is not a size such as 500M, 80G or 2T") from error


def read_text(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    """Parse the value of an option or argument: a text that PostgreSQL can hold."""
    from pydantic import TypeAdapter, ValidationError

    from oddsschema.contracts.scalars import Text1000

    try:
        return TypeAdapter[str](Text1000).validate_python(value)
    except ValidationError as error:
        raise click.BadParameter(f"{value!r} is too long, or has invalid characters") from error


def read_slug(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """Parse the value of an option: the slug of a bookmaker."""
    from pydantic import TypeAdapter, ValidationError

    from oddsschema.contracts.scalars import Slug

    try:
        return None if value is None else TypeAdapter[str](Slug).validate_python(value)
    except ValidationError as error:
        raise click.BadParameter(f"{value!r} is not the slug of a bookmaker") from error


def read_zone(_ctx: click.Context, _param: click.Parameter, value: str | None) -> ZoneInfo | None:
    """Parse the value of an option: the name of a time zone."""
    try:
        return None if value is None else ZoneInfo(value)
    except (ValueError, OSError, ZoneInfoNotFoundError) as error:
        raise click.BadParameter(
            f"{value!r} is no time zone, such as Europe/London, Africa/Lagos or UTC"
        ) from error


def _in_utc(_ctx: click.Context, _param: click.Parameter, value: datetime | None) -> Any:
    return None if value is None else value.replace(tzinfo=UTC)


def time_option(*names: str, help: str) -> Callable[[_Command], _Command]:
    """Add an option for an instant in UTC."""
    formats = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
    return click.option(
        *names, type=click.DateTime(formats), callback=_in_utc, metavar="TIME", help=help
    )


class JsonOption(click.Option):
    """The option `--json`, with the names of the reports that it prints."""

    reports: tuple[str, ...] = ()


def json_option(*reports: str) -> Callable[[_Command], _Command]:
    """Add the option `--json`, which prints one of these reports; the command gets `as_json`."""

    class Option(JsonOption):
        pass

    Option.reports = reports
    names = " or ".join(reports)
    return click.option(
        "--json", "as_json", is_flag=True, cls=Option, help=f"Print JSON ({names})."
    )


def duration_option(name: str, default: timedelta, help: str) -> Callable[[_Command], _Command]:
    """Add an option for a duration."""
    return click.option(
        name,
        callback=read_duration,
        # As text: help pages print the default.
        default=format_duration(default),
        show_default=True,
        metavar="DURATION",
        help=help,
    )


def max_ahead_option(help: str) -> Callable[[_Command], _Command]:
    """Add the option `--max-ahead`: the time by which a capture may be ahead of a clock."""
    return click.option(
        "--max-ahead",
        callback=read_optional_duration,
        default=format_duration(MAX_AHEAD),
        show_default=True,
        metavar="DURATION|none",
        help=help,
    )


retry_for_option = duration_option(
    "--retry-for", RETRY_FOR, "Time for retries after transient errors, from the first failure."
)

#: The schema of `--schema`, in the context of a command.
_SCHEMA = f"{__name__}.schema"


def chosen_schema() -> str | None:
    """Return the schema of `--schema`."""
    schema: str | None = click.get_current_context().meta.get(_SCHEMA)
    return schema


def _keep_schema(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    ctx.meta[_SCHEMA] = value


def url_option(command: _Command) -> _Command:
    """Add the options `--url` and `--schema` of the chosen database; the command gets `url`."""
    command = click.option(
        "--schema",
        metavar="NAME",
        expose_value=False,
        callback=_keep_schema,
        help="The schema of the tables, in place of the URL's search path.",
    )(command)
    return click.option(
        "--url",
        metavar="URL",
        help="postgresql://user@host/name. The default is DATABASE_URL, or a private PostgreSQL.",
    )(command)


@contextmanager
def chosen_database(option: str | None, *, writes: bool = False) -> Iterator[str]:
    """Yield the URL of `--url`, of DATABASE_URL, or of the embedded server, which runs meanwhile.

    The URL has the schema of `--schema`. For a command that writes, the database is printed on
    standard error.
    """
    given = given_url(option)
    if given is not None:
        # A URL that cannot be read is an error, and no database.
        read_settings(given)
    schema = chosen_schema()
    with database_url(given) as url:
        if schema is not None:
            url = with_schema(url, schema)
        if writes:
            private = "" if given is not None else "a private PostgreSQL, "
            print_line(f"database: {private}{redact(url)}", err=True)
        yield url


def read_from_database(
    option: str | None, read: Callable[["AsyncConnection"], Coroutine[Any, Any, _Result]]
) -> _Result:
    """Run a coroutine with a connection of SQLAlchemy to the chosen database, which is migrated."""

    async def run(url: str) -> _Result:
        async with sqlalchemy_connect(url) as connection:
            driver_connection: Any = (await connection.get_raw_connection()).driver_connection
            # Outside of a transaction, the connection has no search path.
            async with driver_connection.transaction():
                await require_migrated(driver_connection)
            return await read(connection)

    return run_on_database(option, run)


def run_on_database(
    option: str | None,
    run: Callable[[str], Coroutine[Any, Any, _Result]],
    *,
    writes: bool = False,
) -> _Result:
    """Run a coroutine with the URL of the chosen database."""
    with chosen_database(option, writes=writes) as url:
        return asyncio.run(run(url))
