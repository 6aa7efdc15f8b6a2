"""The plan of a downgrade: the revisions to be undone, the tables and columns to be dropped."""

import re

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.database.recorded_revisions import read_revisions_sync
from oddsschema.database.targets import Target
from oddsschema.migrations.commands import upgrade_sql
from oddsschema.migrations.places import require_one_schema
from oddsschema.migrations.requirements import require_migratable, undone_revisions
from oddsschema.models import metadata

#: A table that a revision creates, in the SQL of an upgrade.
_CREATED_TABLE = re.compile(r"^CREATE TABLE (\w+)", re.MULTILINE)

#: A table and a column that a revision adds to it, in the SQL of an upgrade.
_ADDED_COLUMN = re.compile(r"^ALTER TABLE (\w+) ADD COLUMN (\w+)", re.MULTILINE)

#: The rows up to which a table is counted. The count of a greater one could take minutes.
_MOST_ROWS = 1_000_000

# Whether a table exists.
_FIND_TABLE = "SELECT to_regclass('{table}') IS NOT NULL"

# The number of rows of a table, up to a limit.
_COUNT_ROWS = "SELECT count(*) FROM (SELECT FROM {table} LIMIT {limit}) AS counted"


class UndoneRevision(BaseModel):
    """A revision that a downgrade undoes."""

    model_config = ConfigDict(frozen=True)

    revision: str = Field(description="The revision.")
    subject: str = Field(description="The change that is undone, in a sentence.")

    def __str__(self) -> str:
        return f"undo {self.revision}: {self.subject}"


class DroppedTable(BaseModel):
    """A table that a downgrade drops."""

    model_config = ConfigDict(frozen=True)

    table: str = Field(description="The table.")
    rows: int | None = Field(description="The number of its rows; None for more than a million.")

    def __str__(self) -> str:
        rows = f"more than {_MOST_ROWS:,}" if self.rows is None else f"{self.rows:,}"
        return f"drop {self.table}: {rows} rows"


class DowngradePlan(BaseModel):
    """The losses of a downgrade; `str()` is a line for each of them."""

    model_config = ConfigDict(frozen=True)

    revisions: tuple[UndoneRevision, ...] = Field(
        description="The revisions that are undone, newest first; none if nothing is to be done."
    )
    tables: tuple[DroppedTable, ...] = Field(description="The tables that are dropped.")
    columns: tuple[str, ...] = Field(
        description="The columns that other tables lose: `table.column`."
    )

    def __str__(self) -> str:
        columns = [f"drop the column {column}" for column in self.columns]
        return "\n".join([*map(str, self.revisions), *map(str, self.tables), *columns])


async def plan_downgrade(target: Target, revision: str) -> DowngradePlan:
    """Determine the losses of a downgrade to `revision`, which changes nothing yet.

    Rows that the older form cannot hold are not counted: `downgrade` returns their numbers.

    Raises DatabaseUnavailableError, SplitTablesError, and the subclasses of MigrationError:
    UnknownRevisionError, NewerDatabaseError, UnversionedDatabaseError and OtherProjectError.
    """
    async with sqlalchemy_connect(target) as connection:
        return await connection.run_sync(_plan, revision)


def _plan(connection: Connection, revision: str) -> DowngradePlan:
    require_one_schema(connection)
    revisions = read_revisions_sync(connection)
    require_migratable(revisions)
    recorded = revisions.revision
    undone = undone_revisions(recorded, revision)
    if not undone:
        return DowngradePlan(revisions=(), tables=(), columns=())
    sql = upgrade_sql(f"{undone[-1].down_revision or 'base'}:{recorded}")
    created = [table for table in _CREATED_TABLE.findall(sql) if table in metadata.tables]
    return DowngradePlan(
        revisions=tuple(
            UndoneRevision(revision=script.revision, subject=script.doc) for script in undone
        ),
        tables=tuple(
            DroppedTable(table=table, rows=_count(connection, table))
            for table in reversed(created)
            if connection.exec_driver_sql(_FIND_TABLE.format(table=table)).scalar_one()
        ),
        columns=tuple(
            f"{table}.{column}"
            for table, column in reversed(_ADDED_COLUMN.findall(sql))
            if table not in created
        ),
    )


def _count(connection: Connection, table: str) -> int | None:
    statement = _COUNT_ROWS.format(table=table, limit=_MOST_ROWS + 1)
    rows: int = connection.exec_driver_sql(statement).scalar_one()
    return rows if rows <= _MOST_ROWS else None
