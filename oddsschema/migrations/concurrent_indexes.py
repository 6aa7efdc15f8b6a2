"""Indexes that are created and dropped beside readers and writers, in any alembic.

A revision with one of these operations is not transactional: it has nothing else in it.

    def upgrade() -> None:
        op.create_index_concurrently("ix_market_odds_line", "market_odds", ["line"])

    def downgrade() -> None:
        op.drop_index_concurrently("ix_market_odds_line", "market_odds")

The columns can be PostgreSQL's own text of an index, as autogenerate writes it:

    op.replace_index_concurrently("ix_market_odds_line", "market_odds", "USING btree (line DESC)")

A replaced index is dropped once the new one is there, so that queries always have one of them.

A session that was killed in the middle leaves an invalid index. The operation drops it and makes it
again. In a transaction of the caller's, which is never committed, and in SQL text without
transactions, the index is made without CONCURRENTLY.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from alembic.operations import MigrateOperation, Operations
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Connection, text
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
WHERE indexrelid = to_regclass({path}) AND NOT indisvalid
"""


@Operations.register_operation("create_index_concurrently")
@dataclass
class CreateIndexConcurrently(MigrateOperation):
    """The creation of an index."""

    name: str
    table: str
    columns: Sequence[Any] | str
    options: dict[str, Any] = field(default_factory=dict)
    is_refused_inside: bool = False

    @classmethod
    def create_index_concurrently(
        cls,
        operations: Operations,
        name: str,
        table: str,
        columns: Sequence[Any] | str,
        *,
        refused_in_transaction: bool = False,
        **options: Any,
    ) -> None:
        """Create an index; `options` are those of `op.create_index`.

        A text in place of the columns is the part of CREATE INDEX after the table, such as
        "USING btree (line) WHERE (line > 0)"; its options are `unique` and `schema`.

        With `refused_in_transaction`, it raises alembic's CommandError in a transaction of the
        caller's, in which writers would wait for the end of the creation.
        """
        operations.invoke(cls(name, table, columns, options, refused_in_transaction))

    def reverse(self) -> MigrateOperation:
        """Return the removal of the index."""
        return DropIndexConcurrently(self.name, self.table, self.options.get("schema"), self)

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """Return the description of the change: see alembic's compare_metadata."""
        return ("add_index", self.name, self.table, self.columns)


@Operations.register_operation("drop_index_concurrently")
@dataclass
class DropIndexConcurrently(MigrateOperation):
    """The removal of an index."""

    name: str
    table: str
    schema: str | None = None
    dropped: CreateIndexConcurrently | None = None

    @classmethod
    def drop_index_concurrently(
        cls, operations: Operations, name: str, table: str, *, schema: str | None = None
    ) -> None:
        """Drop an index, if it exists."""
        operations.invoke(cls(name, table, schema))

    def reverse(self) -> MigrateOperation:
        """Return the creation of the index."""
        assert self.dropped is not None
        return self.dropped

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """Return the description of the change: see alembic's compare_metadata."""
        return ("remove_index", self.name, self.table)


@Operations.register_operation("replace_index_concurrently")
@dataclass
class ReplaceIndexConcurrently(MigrateOperation):
    """The replacement of an index by another one of the same name."""

    name: str
    table: str
    columns: Sequence[Any] | str
    options: dict[str, Any] = field(default_factory=dict)
    replaced: "ReplaceIndexConcurrently | None" = None

    @classmethod
    def replace_index_concurrently(
        cls,
        operations: Operations,
        name: str,
        table: str,
        columns: Sequence[Any] | str,
        **options: Any,
    ) -> None:
        """Create an index, then drop the one that has its name; arguments of the creation."""
        operations.invoke(cls(name, table, columns, options))

    def reverse(self) -> MigrateOperation:
        """Return the replacement by the former index."""
        assert self.replaced is not None
        return replace(self.replaced, replaced=self)

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """Return the description of the change: see alembic's compare_metadata."""
        return ("modify_index", self.name, self.table, self.columns)


@Operations.implementation_for(CreateIndexConcurrently)
def create_index(operations: Operations, wanted: CreateIndexConcurrently) -> None:
    """Create an index, outside of any transaction if that is possible."""
    context = operations.get_context()
    if not may_commit(context):
        if wanted.is_refused_inside and not context.as_sql:
            raise CommandError(
                f"the index {wanted.name} is created beside writers, and this transaction would "
                "let them wait until it ends: migrate by a URL, or on a connection without a "
                "transaction"
            )
        _create(operations, wanted, concurrently=False)
        return
    schema = wanted.options.get("schema")
    with outside_of_transaction(context):
        if context.as_sql or _is_invalid(context, wanted.name, schema):
            _drop(operations, wanted.name, wanted.table, schema, concurrently=True)
        _create(operations, wanted, concurrently=True)


@Operations.implementation_for(DropIndexConcurrently)
def drop_index(operations: Operations, unwanted: DropIndexConcurrently) -> None:
    """Drop an index, outside of any transaction if that is possible."""
    context = operations.get_context()
    if not may_commit(context):
        _drop(operations, unwanted.name, unwanted.table, unwanted.schema, concurrently=False)
        return
    with outside_of_transaction(context):
        _drop(operations, unwanted.name, unwanted.table, unwanted.schema, concurrently=True)


@Operations.implementation_for(ReplaceIndexConcurrently)
def replace_index(operations: Operations, wanted: ReplaceIndexConcurrently) -> None:
    """Replace an index, outside of any transaction if that is possible."""
    schema = wanted.options.get("schema")
    name = interim_name(wanted.name)
    create_index(
        operations, CreateIndexConcurrently(name, wanted.table, wanted.columns, wanted.options)
    )
    drop_index(operations, DropIndexConcurrently(wanted.name, wanted.table, schema))
    quote = operations.get_context().dialect.identifier_preparer.quote
    place = f"{quote(schema)}." if schema else ""
    _execute(operations, f"ALTER INDEX {place}{quote(name)} RENAME TO {quote(wanted.name)}")


def interim_name(name: str) -> str:
    """Return the name of an index until the one that it replaces is dropped."""
    return f"{name[:59]}_new"


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


def _is_invalid(context: MigrationContext, name: str, schema: str | None) -> bool:
    assert context.connection is not None  # the caller has asked for SQL text before
    names = [part.replace("'", "''") for part in (schema, name) if part is not None]
    path = " || '.' || ".join(f"quote_ident('{part}')" for part in names)
    statement = _FIND_INVALID.format(path=path)
    options = {"no_parameters": True}
    found = context.connection.exec_driver_sql(statement, execution_options=options)
    return found.first() is not None


def _create(
    operations: Operations,
    wanted: "CreateIndexConcurrently | ReplaceIndexConcurrently",
    *,
    concurrently: bool,
) -> None:
    if not isinstance(wanted.columns, str):
        operations.create_index(
            wanted.name,
            wanted.table,
            wanted.columns,
            if_not_exists=concurrently or None,
            postgresql_concurrently=concurrently,
            **wanted.options,
        )
        return
    quote = operations.get_context().dialect.identifier_preparer.quote
    schema = wanted.options.get("schema")
    table = f"{quote(schema)}.{quote(wanted.table)}" if schema else quote(wanted.table)
    unique = "UNIQUE " if wanted.options.get("unique") else ""
    beside = "CONCURRENTLY IF NOT EXISTS " if concurrently else ""
    name = quote(wanted.name)
    _execute(operations, f"CREATE {unique}INDEX {beside}{name} ON {table} {wanted.columns}")


def _execute(operations: Operations, statement: str) -> None:
    # A colon begins a parameter otherwise.
    operations.execute(text(statement.replace(":", r"\:")))


def _drop(
    operations: Operations, name: str, table: str, schema: str | None, *, concurrently: bool
) -> None:
    operations.drop_index(
        name,
        table_name=table,
        schema=schema,
        if_exists=True,
        postgresql_concurrently=concurrently,
    )
