"""Indexes that are created and dropped beside readers and writers, in any alembic.

A revision with one of these operations is not transactional: it has nothing else in it.

    def upgrade() -> None:
        op.create_index_concurrently("ix_market_odds_line", "market_odds", ["line"])

    def downgrade() -> None:
        op.drop_index_concurrently("ix_market_odds_line", "market_odds")

A session that was killed in the middle leaves an invalid index. The operation drops it and makes it
again. In a transaction of the caller's, which is never committed, and in SQL text without
transactions, the index is made without CONCURRENTLY.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from alembic.operations import MigrateOperation, Operations
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

#: The settings of a transaction that a statement outside of it needs as well.
_SETTINGS = (
    "search_path",
    "statement_timeout",
    "client_connection_check_interval",
    "lock_timeout",
)

# Read the settings.
_READ = f"SELECT {', '.join(f'current_setting({name!r})' for name in _SETTINGS)}"

# Return a row if a session that was killed has left an index.
_FIND_INVALID = """
SELECT indexrelid FROM pg_index
WHERE indexrelid = to_regclass(quote_ident('{name}')) AND NOT indisvalid
"""


@Operations.register_operation("create_index_concurrently")
@dataclass
class CreateIndexConcurrently(MigrateOperation):
    """The creation of an index."""

    name: str
    table: str
    columns: Sequence[Any]
    options: dict[str, Any] = field(default_factory=dict)
    is_refused_inside: bool = False

    @classmethod
    def create_index_concurrently(
        cls,
        operations: Operations,
        name: str,
        table: str,
        columns: Sequence[Any],
        *,
        refused_in_transaction: bool = False,
        **options: Any,
    ) -> None:
        """Create an index; `options` are those of `op.create_index`.

        With `refused_in_transaction`, it raises alembic's CommandError in a transaction of the
        caller's, in which writers would wait for the end of the creation.
        """
        operations.invoke(cls(name, table, columns, options, refused_in_transaction))


@Operations.register_operation("drop_index_concurrently")
@dataclass
class DropIndexConcurrently(MigrateOperation):
    """The removal of an index."""

    name: str
    table: str

    @classmethod
    def drop_index_concurrently(cls, operations: Operations, name: str, table: str) -> None:
        """Drop an index, if it exists."""
        operations.invoke(cls(name, table))


@Operations.implementation_for(CreateIndexConcurrently)
def create_index(operations: Operations, wanted: CreateIndexConcurrently) -> None:
    """Create an index, outside of any transaction if that is possible."""
    context = operations.get_context()
    arguments = (wanted.name, wanted.table, wanted.columns)
    if not may_commit(context):
        if wanted.is_refused_inside and not context.as_sql:
            raise CommandError(
                f"the index {wanted.name} is created beside writers, and this transaction would "
                "let them wait until it ends: migrate by a URL, or on a connection without a "
                "transaction"
            )
        operations.create_index(*arguments, **wanted.options)
        return
    with outside_of_transaction(context):
        if context.as_sql or _is_invalid(context, wanted.name):
            _drop(operations, wanted.name, wanted.table, concurrently=True)
        operations.create_index(
            *arguments, if_not_exists=True, postgresql_concurrently=True, **wanted.options
        )


@Operations.implementation_for(DropIndexConcurrently)
def drop_index(operations: Operations, unwanted: DropIndexConcurrently) -> None:
    """Drop an index, outside of any transaction if that is possible."""
    context = operations.get_context()
    if not may_commit(context):
        _drop(operations, unwanted.name, unwanted.table, concurrently=False)
        return
    with outside_of_transaction(context):
        _drop(operations, unwanted.name, unwanted.table, concurrently=True)


def may_commit(context: MigrationContext) -> bool:
    """Return whether the migration has transactions of its own, in the database or as SQL text."""
    if context.as_sql:
        return context.impl.transactional_ddl
    return not context._in_external_transaction


@contextmanager
def outside_of_transaction(context: MigrationContext) -> Iterator[None]:
    """Commit, and run statements outside of a transaction, with the search path of the last one.

    The statements have its time limit too. They may wait for locks as long, which blocks nobody.
    They end when the client has gone, as those of the transaction do.
    """
    connection = context.connection
    if context.as_sql or connection is None:
        with context.autocommit_block():
            yield
        return
    *settings, _ = connection.exec_driver_sql(_READ).one()
    with context.autocommit_block():
        before = tuple(connection.exec_driver_sql(_READ).one())
        _set(connection, (*settings, "0"))
        try:
            yield
        except BaseException:
            with suppress(DBAPIError):
                _set(connection, before)
            raise
        _set(connection, before)


def _set(connection: Connection, values: Sequence[str]) -> None:
    calls = ", ".join(
        "set_config('{}', '{}', false)".format(name, value.replace("'", "''"))
        for name, value in zip(_SETTINGS, values, strict=True)
    )
    # Without parameters, a % in a name has no meaning to any driver.
    connection.exec_driver_sql(f"SELECT {calls}", execution_options={"no_parameters": True})


def _is_invalid(context: MigrationContext, name: str) -> bool:
    assert context.connection is not None  # the caller has asked for SQL text before
    statement = _FIND_INVALID.format(name=name.replace("'", "''"))
    return context.connection.exec_driver_sql(statement).first() is not None


def _drop(operations: Operations, name: str, table: str, *, concurrently: bool) -> None:
    operations.drop_index(
        name, table_name=table, if_exists=True, postgresql_concurrently=concurrently
    )
