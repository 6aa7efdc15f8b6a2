"""Alembic's environment: migrates a connection that was handed over, or a URL, or prints SQL.

The URL is `-x url=...`, else DATABASE_URL, else that of the embedded PostgreSQL. The limits
`-x lock_timeout=5s` and `-x statement_timeout=1h` are durations; 0 means no limit. `-x wait=10m` is
the longest wait for another migration.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection

from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.database.durations import parse_duration
from oddsschema.database.time_limits import MIGRATION_WAIT, STATEMENT_TIMEOUT, answer_after
from oddsschema.embedded import database_url
from oddsschema.errors import OddsSchemaError
from oddsschema.migrations import autogenerate_options, timeouts
from oddsschema.migrations.schema_lock import locked_schema
from oddsschema.migrations.version_tables import version_table_options

arguments: dict[str, Any] = context.get_x_argument(as_dictionary=True)


def run(**options: Any) -> None:
    """Run the migrations, each revision in a transaction, or all in the caller's.

    `options` are arguments of `context.configure`.
    """
    limits = context.config.attributes.get("timeouts")
    if limits is None:
        limits = limits_of(arguments)
    context.configure(
        transaction_per_migration=True,
        **options,
        **version_table_options(options.get("connection")),
        **autogenerate_options(),
    )
    with timeouts(context.get_context(), **limits), context.begin_transaction():
        context.run_migrations()


def limits_of(arguments: Mapping[str, str]) -> dict[str, timedelta]:
    """Parse the time limits among the arguments of `-x`."""
    return durations(arguments, "lock_timeout", "statement_timeout")


def durations(arguments: Mapping[str, str], *names: str) -> dict[str, timedelta]:
    """Parse the arguments of `-x` with these names."""
    limits = {}
    for name in names:
        if name in arguments:
            try:
                limits[name] = parse_duration(arguments[name])
            except ValueError as error:
                raise CommandError(f"-x {name}: {error}") from error
    return limits


async def connect_and_run(url: str) -> None:
    """Connect to a database and migrate it."""

    def on_connection(connection: Connection) -> None:
        run(connection=connection)

    limit = limits_of(arguments).get("statement_timeout", STATEMENT_TIMEOUT)
    wait = durations(arguments, "wait").get("wait", MIGRATION_WAIT)
    async with (
        sqlalchemy_connect(url, answer_within=answer_after(limit)) as connection,
        locked_schema(connection, url, wait),
    ):
        await connection.run_sync(on_connection)
        await connection.commit()


if context.is_offline_mode():
    # Another style of parameters would double each % of a text.
    run(dialect_name="postgresql", dialect_opts={"paramstyle": "named"}, literal_binds=True)
elif connection := context.config.attributes.get("connection"):
    run(connection=connection)
else:
    try:
        with database_url(arguments.get("url")) as url:
            asyncio.run(connect_and_run(url))
    except OddsSchemaError as error:
        raise CommandError(str(error)) from error
