"""The migrations that the wheel carries: upgrade, downgrade, current, check; and hooks for others.

A target is a PostgreSQL URL, or an SQLAlchemy AsyncConnection whose transaction is then the
caller's. A project with tables of its own adds the versions to its `version_locations`.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import StringIO
from pathlib import Path
from typing import Any, Literal, TypeVar

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Connection, String
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import Enum
from sqlmodel.sql.sqltypes import UTCDateTime

from oddsschema.base import metadata
from oddsschema.database import HEAD, sqlalchemy_connect
from oddsschema.errors import OddsSchemaError
from oddsschema.outcomes import OutcomesJSONB

_Result = TypeVar("_Result")


def script_location() -> Path:
    """Where env.py and versions/ are: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    installed = package / "alembic"
    return installed if installed.is_dir() else package.parent / "alembic"


async def upgrade(target: str | AsyncConnection, revision: str = "head") -> None:
    """Bring the database to `revision`. Running it again changes nothing.

    Raises DatabaseUnavailableError, and OddsSchemaError for a revision that does not exist.
    """
    await _run(target, lambda config: command.upgrade(config, revision))


async def downgrade(target: str | AsyncConnection, revision: str) -> None:
    """Take the database back to `revision`; "base" drops every table of this package.

    Raises DatabaseUnavailableError, and OddsSchemaError for a revision that does not exist.
    """
    await _run(target, lambda config: command.downgrade(config, revision))


def upgrade_sql(revision: str = "head") -> str:
    """The SQL of an upgrade from an empty database, for those who run it by other means."""
    config = _config()
    config.output_buffer = StringIO()
    _translated(lambda: command.upgrade(config, revision, sql=True))
    return config.output_buffer.getvalue()


async def current(target: str | AsyncConnection) -> str | None:
    """The revision that the database is at; None when it has none of this package's."""
    async with _connected(target) as connection:
        return await connection.run_sync(_current)


async def check(target: str | AsyncConnection) -> list[str]:
    """What differs between the database and this release, a sentence each; empty when nothing."""
    async with _connected(target) as connection:
        return await connection.run_sync(_check)


def autogenerate_options() -> dict[str, Any]:
    """What `context.configure` needs so that autogenerate sees our tables right, and only ours."""
    return {
        "compare_server_default": True,
        "include_name": _include_name,
        "render_item": _render_item,
    }


# -- running alembic -------------------------------------------------------------------------------


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(script_location()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


async def _run(target: str | AsyncConnection, run: Callable[[Config], None]) -> None:
    async with _connected(target) as connection:
        await connection.run_sync(lambda sync: _translated(lambda: run(_config(sync))))
        if isinstance(target, str):
            await connection.commit()


@asynccontextmanager
async def _connected(target: str | AsyncConnection) -> AsyncIterator[AsyncConnection]:
    if isinstance(target, str):
        async with sqlalchemy_connect(target) as connection:
            yield connection
    else:
        if not target.in_transaction():
            # Or alembic would begin one of its own, and commit it.
            await target.begin()
        yield target


def _translated(run: Callable[[], _Result]) -> _Result:
    try:
        return run()
    except CommandError as error:
        raise OddsSchemaError(str(error)) from error


# -- comparing -------------------------------------------------------------------------------------


def _current(connection: Connection) -> str | None:
    heads = MigrationContext.configure(connection).get_current_heads()
    return next((head for head in heads if head.startswith("oddsschema_")), None)


def _check(connection: Connection) -> list[str]:
    revision = _current(connection)
    if revision != HEAD:
        return [f"the database is at revision {revision}, not {HEAD}: run 'oddsschema upgrade'"]
    context = MigrationContext.configure(connection, opts=autogenerate_options())
    found: list[str] = []
    for difference in compare_metadata(context, metadata):
        # Changes of one column come as a list.
        parts = difference if isinstance(difference, list) else [difference]
        found.extend(_in_words(part) for part in parts)
    return found


def _in_words(difference: tuple[Any, ...]) -> str:
    """One of alembic's differences as a sentence: what the database lacks, has too much, or has."""
    kind = difference[0]
    if kind.startswith("modify_"):
        _, _, table, column, _, found, expected = difference
        what = kind.removeprefix("modify_").replace("_", " ")
        return f"column {table}.{column}: its {what} is {_plain(found)}, not {_plain(expected)}"
    state = "missing" if kind.startswith("add_") else "not part of this release"
    what = kind.split("_", 1)[1].replace("fk", "foreign key")
    if what == "column":
        return f"column {difference[2]}.{difference[3].name} is {state}"
    thing = difference[1]
    where = "" if what == "table" else f" on {thing.table.name}"
    return f"{what} {thing.name}{where} is {state}"


def _plain(value: Any) -> str:
    default = getattr(value, "arg", value)
    return str(getattr(default, "text", default))


def _include_name(
    name: str | None,
    kind: Literal[
        "schema", "table", "column", "index", "unique_constraint", "foreign_key_constraint"
    ],
    parents: Any,
) -> bool:
    """Leave other applications' tables alone: without this, they would come out as DROP TABLE."""
    return kind != "table" or name in metadata.tables


def _render_item(kind: str, item: Any, context: Any) -> str | Literal[False]:
    """Write our column types as plain SQLAlchemy ones: migrations never import this package."""
    if kind != "type":
        return False
    if isinstance(item, OutcomesJSONB):
        context.imports.add("from sqlalchemy.dialects import postgresql")
        return "postgresql.JSONB()"
    if isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    if isinstance(item, Enum):
        return f"sa.String({item.length})"
    if isinstance(item, String) and item.length:
        return f"sa.String({item.length})"
    return False
