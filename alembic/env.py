"""Alembic's environment: migrates a connection that was handed over, or a URL, or prints SQL.

The URL is `-x url=...`, else DATABASE_URL, else that of the embedded PostgreSQL. The limits
`-x lock_timeout=...` and `-x statement_timeout=...` are in seconds; 0 means no limit.
"""

import asyncio
import os
from typing import Any

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection

from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.embedded import database_url
from oddsschema.errors import OddsSchemaError
from oddsschema.migrations import autogenerate_options, timeouts

arguments: dict[str, Any] = context.get_x_argument(as_dictionary=True)


def run(**options: Any) -> None:
    """Run the migrations, each revision in a transaction, or all in the caller's.

    `options` are arguments of `context.configure`.
    """
    given = {
        name: arguments[name] for name in ("lock_timeout", "statement_timeout") if name in arguments
    }
    limits = context.config.attributes.get("timeouts", given)
    context.configure(transaction_per_migration=True, **options, **autogenerate_options())
    with timeouts(context.get_context(), **limits), context.begin_transaction():
        context.run_migrations()


async def connect_and_run(url: str) -> None:
    """Connect to a database and migrate it."""

    def on_connection(connection: Connection) -> None:
        run(connection=connection)

    async with sqlalchemy_connect(url) as connection:
        await connection.run_sync(on_connection)
        await connection.commit()


if context.is_offline_mode():
    run(dialect_name="postgresql", literal_binds=True)
elif connection := context.config.attributes.get("connection"):
    run(connection=connection)
else:
    try:
        with database_url(arguments.get("url") or os.environ.get("DATABASE_URL")) as url:
            asyncio.run(connect_and_run(url))
    except OddsSchemaError as error:
        raise CommandError(str(error)) from error
