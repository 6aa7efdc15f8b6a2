"""The environment of Alembic: runs this application's and oddsschema's migrations."""

import asyncio
import os

from alembic import context
from odds_comparison.models import metadata
from sqlalchemy import Connection, NullPool

from oddsschema import create_engine
from oddsschema.migrations import autogenerate_options, timeouts


def run(connection: Connection) -> None:
    context.configure(
        connection=connection, transaction_per_migration=True, **autogenerate_options(metadata)
    )
    with timeouts(context.get_context()), context.begin_transaction():
        context.run_migrations()


async def connect_and_run() -> None:
    engine = create_engine(os.environ["DATABASE_URL"], poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(run)
        await connection.commit()


asyncio.run(connect_and_run())
