"""Runs the migrations: on a connection handed over, on a URL, or as SQL text.

The URL is `-x url=...`, else DATABASE_URL, else the embedded PostgreSQL.
"""

import asyncio
import os

from alembic import context
from sqlalchemy import Connection

from oddsschema import metadata
from oddsschema.database import sqlalchemy_connect
from oddsschema.embedded import database_url
from oddsschema.migrations import autogenerate_options


def run(connection: Connection) -> None:
    """Migrate on an open connection, in one transaction."""
    context.configure(connection=connection, target_metadata=metadata, **autogenerate_options())
    with context.begin_transaction():
        context.run_migrations()


async def connect_and_run(url: str) -> None:
    """Migrate a database that nobody has opened yet."""
    async with sqlalchemy_connect(url) as connection:
        await connection.run_sync(run)
        await connection.commit()


if context.is_offline_mode():
    context.configure(dialect_name="postgresql", target_metadata=metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
elif connection := context.config.attributes.get("connection"):
    run(connection)
else:
    given = context.get_x_argument(as_dictionary=True).get("url") or os.environ.get("DATABASE_URL")
    with database_url(given) as url:
        asyncio.run(connect_and_run(url))
