"""What commands share: which database they are about, and how they report."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import click

from oddsschema.embedded import database_url

_Result = TypeVar("_Result")

url_option = click.option(
    "--url",
    envvar="DATABASE_URL",
    metavar="URL",
    help="postgresql://user@host/name. Without it, DATABASE_URL; without that, a private "
    "PostgreSQL of your own.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")


def on_database(given: str | None, run: Callable[[str], Coroutine[Any, Any, _Result]]) -> _Result:
    """Run with the URL that was given, or on the embedded server, which is up meanwhile."""
    with database_url(given) as url:
        return asyncio.run(run(url))
