"""The tables of a project's MetaData, built as temporary tables, which are rolled back.

The server prints them in the same way as the actual tables, so that both can be compared. A foreign
key needs the table that it refers to: a table that is not compared is built with the columns and
the key alone.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import (
    BLANK_SCHEMA,
    DDL,
    Column,
    Connection,
    ForeignKeyConstraint,
    MetaData,
    Table,
    UniqueConstraint,
    event,
)

from oddsschema.migrations.catalog import TEMPORARY
from oddsschema.migrations.settings import SETTINGS

# Read the schemas of the search path that exist.
_READ_PATH = "SELECT quote_ident(name) FROM unnest(current_schemas(false)) AS path (name)"


def read_path(connection: Connection) -> list[str]:
    """Return the schemas of the search path, quoted as SQL needs it."""
    return list(connection.exec_driver_sql(_READ_PATH).scalars())


@contextmanager
def built_tables(
    connection: Connection, tables: Sequence[Table], path: Sequence[str]
) -> Iterator[list[str]]:
    """Build the tables, which are rolled back at the end; yield their names, referenced ones first.

    The settings are those of `check`, whatever the session has. The search path leads to the
    tables, and then to the schemas of `path`.
    """
    savepoint = connection.begin_nested()
    try:
        connection.exec_driver_sql(SETTINGS)
        connection.exec_driver_sql(f"SET LOCAL search_path = {', '.join([TEMPORARY, *path])}")
        expected = MetaData(naming_convention=tables[0].metadata.naming_convention)
        for table in tables:
            _copy(table, expected)
        _add_referenced_tables(expected, tables)
        expected.create_all(connection, checkfirst=False)
        quote = connection.dialect.identifier_preparer.quote
        names = {table.name for table in tables}
        yield [quote(table.name) for table in expected.sorted_tables if table.name in names]
    finally:
        savepoint.rollback()


def refers_to_namesake(constraint: ForeignKeyConstraint) -> bool:
    """Return whether a key refers to a table of the same name in another schema.

    Temporary tables have one schema, and the key cannot be built.
    """
    referred = constraint.referred_table
    return referred is not constraint.table and referred.name == constraint.table.name


def _copy(table: Table, expected: MetaData) -> None:
    copy = table.to_metadata(
        expected,
        schema=None,  # type: ignore[arg-type]  # which means none, and not the table's own
        referred_schema_fn=lambda *_: BLANK_SCHEMA,  # type: ignore[arg-type]
    )
    copy._prefixes = ["TEMPORARY"]
    for statement in ddl_after_creation(table):
        event.listen(copy, "after_create", statement)


def ddl_after_creation(table: Table) -> list[DDL]:
    """Return the statements that follow the creation of a table: parameters, in SQLAlchemy 2.0.

    Functions are left out: they may do anything.
    """
    return [listener for listener in table.dispatch.after_create if isinstance(listener, DDL)]


def _add_referenced_tables(expected: MetaData, tables: Sequence[Table]) -> None:
    """Add the tables that foreign keys refer to, with the referenced columns."""
    for table in tables:
        for constraint in table.foreign_key_constraints:
            referred = constraint.referred_table
            if referred in tables:
                continue
            columns = [element.column for element in constraint.elements]
            stub = expected.tables.get(referred.name)
            if stub is None:
                stub = Table(referred.name, expected, prefixes=["TEMPORARY"])
            for column in columns:
                if column.name not in stub.columns:
                    stub.append_column(Column(column.name, column.type))
            stub.append_constraint(
                UniqueConstraint(*(stub.columns[column.name] for column in columns))
            )
