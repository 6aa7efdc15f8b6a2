"""Alembic's comparison of models with a database, by the same parts as that of `check`.

It is a plugin of alembic's. Alembic compares which tables and columns exist, and comments. This
module replaces the rest of its comparison, for the tables that exist: alembic reads neither the
text of a CHECK nor the WHERE of an index, and no primary key.
"""

import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Final, Literal

import asyncpg
from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrateOperation
from alembic.operations.ops import (
    AddColumnOp,
    AlterColumnOp,
    CreateTableCommentOp,
    CreateTableOp,
    DropColumnOp,
    DropTableCommentOp,
    ModifyTableOps,
    UpgradeOps,
)
from alembic.runtime.plugins import Plugin
from alembic.util import CommandError, DispatchPriority, PriorityDispatchResult
from sqlalchemy import CheckConstraint, Connection, Constraint, Index, MetaData, Table, text
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.exc import DBAPIError, SAWarning

from oddsschema.migrations.catalog import TEMPORARY, Kind, Part, Parts
from oddsschema.migrations.comparison import Comparison, equate_texts
from oddsschema.migrations.expected_tables import (
    built_tables,
    ddl_after_creation,
    read_path,
    refers_to_namesake,
)
from oddsschema.migrations.schema_changes import REFERENCED, SchemaChanges, unquoted
from oddsschema.migrations.steps import Change, Phase, Step, phase_of
from oddsschema.migrations.synchronous_connection import SynchronousConnection, complete

#: The name of the plugin, for `autogenerate_plugins` of `context.configure`.
PLUGIN = "oddsschema.migrations"

#: Read the storage parameters of the tables and their indexes that the search path leads to.
_READ_STORAGE = """
SELECT c.oid::regclass::text AS name, c.reloptions AS options
FROM unnest(CAST(:names AS text[])) AS given (name)
JOIN pg_class AS t ON t.oid = to_regclass(given.name)
LEFT JOIN pg_index AS i ON i.indrelid = t.oid
JOIN pg_class AS c ON c.oid IN (t.oid, i.indexrelid)
"""

#: The names that alembic's filters have for parts.
_Filtered = Literal["index", "unique_constraint", "foreign_key_constraint", "check_constraint"]
_FILTERED: Final[dict[Kind, _Filtered]] = {
    Kind.INDEX: "index",
    Kind.UNIQUE: "unique_constraint",
    Kind.FOREIGN_KEY: "foreign_key_constraint",
    Kind.CHECK: "check_constraint",
}

#: Prints conditions without placeholders: no % is doubled.
_DIALECT: Any = PGDialect(paramstyle="named")  # type: ignore[no-untyped-call]

Storage = dict[str, dict[str, str]]


def compare_models(
    context: AutogenContext, upgrade_ops: UpgradeOps, schemas: Iterable[str | None]
) -> PriorityDispatchResult:
    """Replace alembic's comparison of the tables that exist by that of catalogs."""
    connection = context.connection
    assert connection is not None  # alembic has compared the tables before
    path = read_path(connection)
    if not path:
        return PriorityDispatchResult.CONTINUE
    created = {
        (operation.schema, operation.table_name)
        for operation in upgrade_ops.ops
        if isinstance(operation, CreateTableOp)
    }
    default = connection.dialect.default_schema_name
    compared: dict[str | None, list[Table]] = {}
    for table in context.sorted_tables:
        # Alembic has no name for the default schema.
        schema = table.schema if table.schema != default else None
        if (
            schema in schemas
            and not {(table.schema, table.name), (schema, table.name)} & created
            and context.run_name_filters(table.name, "table", {"schema_name": schema})
            and context.run_object_filters(table, table.name, "table", False, table)
            and context.inspector.has_table(table.name, schema=schema)
            and not table.dialect_options["postgresql"]["partition_by"]
        ):
            compared.setdefault(schema, []).append(table)
    names = {(schema, table.name) for schema, tables in compared.items() for table in tables}
    operations: list[MigrateOperation] = []
    for operation in upgrade_ops.ops:
        if (
            isinstance(operation, ModifyTableOps)
            and (operation.schema, operation.table_name) in names
        ):
            operations += filter(_is_kept, operation.ops)
        else:
            operations.append(operation)
            if isinstance(operation, CreateTableOp):
                table = context.table_key_to_table[_key(operation.schema, operation.table_name)]
                operations += _storage_of_new(table)
    for schema, tables in compared.items():
        operations += _Comparison(context, connection, schema, tables, path).steps()
    phases = list(Phase)
    upgrade_ops.ops[:] = sorted(operations, key=lambda step: phases.index(phase_of(step)))
    return PriorityDispatchResult.CONTINUE


def _key(schema: str | None, name: str) -> str:
    return name if schema is None else f"{schema}.{name}"


def _storage_of_new(table: Table) -> Iterator[Step]:
    """Yield the statements that follow the creation of a table, such as storage parameters."""
    for statement in ddl_after_creation(table):
        sql = str(statement.against(table).compile(dialect=_DIALECT))
        yield Step(Phase.CHANGE, Change("missing", "storage", table.name), [sql])


def _is_kept(operation: MigrateOperation) -> bool:
    """Return whether a change of a table is alembic's matter, without those that are not."""
    if isinstance(operation, AlterColumnOp):
        operation.modify_type = None
        operation.modify_nullable = None
        operation.modify_server_default = False
        operation.kw.pop("autoincrement", None)
        return operation.modify_comment is not False
    kept = AddColumnOp, DropColumnOp, CreateTableCommentOp, DropTableCommentOp
    return isinstance(operation, kept)


class _Comparison:
    """The comparison of the tables of a schema."""

    def __init__(
        self,
        context: AutogenContext,
        connection: Connection,
        schema: str | None,
        tables: Sequence[Table],
        path: Sequence[str],
    ) -> None:
        self._context = context
        self._connection = connection
        self._schema = schema
        self._tables = {self._quote(table.name): table for table in tables}
        place = self._quote(schema) if schema else path[0]
        self._path = [place, *(other for other in path if other != place)]
        #: The tables, and those that they refer to, as SQL names them in a migration.
        self._names = {name: self._qualified(table) for name, table in self._tables.items()}
        for table in tables:
            for key in table.foreign_key_constraints:
                referred = key.referred_table
                self._names.setdefault(self._quote(referred.name), self._qualified(referred))

    def steps(self) -> list[MigrateOperation]:
        """Return the steps from the tables of the database to those of the models."""
        tables = list(self._tables.values())
        try:
            with built_tables(self._connection, tables, self._path) as names:
                place, *others = self._path
                connection: Any = SynchronousConnection(self._connection)
                comparison = Comparison(connection, names, place, others=others)
                complete(_compare(comparison))
                storage = self._read_storage()
        except (DBAPIError, asyncpg.PostgresError) as error:
            reason = getattr(error, "orig", error)
            raise CommandError(
                "PostgreSQL cannot build the tables of the models as temporary tables, which are "
                f"compared with the actual tables: {reason}"
            ) from error
        expected, actual = self._included(comparison.expected, comparison.actual)
        changes = SchemaChanges(
            expected, actual, self._schema, self._names, storage, dict(self._words())
        )
        return changes.find()

    def _words(self) -> Iterator[tuple[str, str]]:
        """Yield the CHECKs of the models, by keys of parts."""
        for name, table in self._tables.items():
            for check in table.constraints:
                if isinstance(check, CheckConstraint) and (found := self._name(check)):
                    condition = check.sqltext.compile(
                        dialect=_DIALECT,
                        compile_kwargs={"literal_binds": True, "include_table": False},
                    )
                    yield f"{Kind.CHECK} {name}.{found}", f"CHECK ({condition})"

    def _quote(self, name: str) -> str:
        return self._connection.dialect.identifier_preparer.quote(name)

    def _qualified(self, table: Table) -> str:
        """Return the name of a table, with its schema if the models have one."""
        schema = table.schema
        if schema in (None, self._connection.dialect.default_schema_name):
            return self._quote(table.name)
        return f"{self._quote(str(schema))}.{self._quote(table.name)}"

    def _read_storage(self) -> tuple[Storage, Storage]:
        """Read the storage parameters of the models and of the database."""
        wanted = self._storage()
        savepoint = self._connection.begin_nested()
        path = ", ".join([*self._path, TEMPORARY])
        self._connection.exec_driver_sql(f"SET LOCAL search_path = {path}")
        found = self._storage()
        savepoint.rollback()
        return wanted, found

    def _storage(self) -> Storage:
        rows = self._connection.execute(text(_READ_STORAGE), {"names": list(self._tables)})
        return {
            row.name: dict(option.split("=", 1) for option in row.options or ()) for row in rows
        }

    def _included(self, expected: Parts, actual: Parts) -> tuple[Parts, Parts]:
        """Return the parts that the filters of the project let through."""
        namesakes = {
            f"{Kind.FOREIGN_KEY} {name}.{self._quote(str(key.name))}"
            for name, table in self._tables.items()
            for key in table.foreign_key_constraints
            if refers_to_namesake(key)
        }
        bare = {qualified: name for name, qualified in self._names.items()}

        def kept(parts: Parts) -> Parts:
            return {
                # Parts without a schema: a migration leaves the default schema to the search path.
                key: replace(
                    part,
                    schema=self._quote(self._schema) if self._schema else "",
                    definition=REFERENCED.sub(
                        lambda found: bare.get(found[0], found[0]), part.definition
                    )
                    if part.kind is Kind.FOREIGN_KEY
                    else part.definition,
                )
                for key, part in parts.items()
                if key not in namesakes and self._passes(part, key in expected, key in actual)
            }

        return kept(expected), kept(actual)

    def _passes(self, part: Part, is_expected: bool, is_actual: bool) -> bool:
        """Return whether the filters of the project (`include_object`) let a part through."""
        kind = _FILTERED.get(part.kind)
        if kind is None:
            return True
        name = unquoted(part.name)
        table = self._tables[part.table]
        parents: Any = {"table_name": table.name, "schema_name": self._schema}
        if is_actual and not self._context.run_name_filters(name, kind, parents):
            return False
        wanted = self._find(table, part) if is_expected else None
        found = self._find(self._reflected(table), part) if wanted is None else None
        item = wanted if wanted is not None else found
        return item is None or self._context.run_object_filters(
            item, name, kind, wanted is None, item if wanted is not None and is_actual else None
        )

    def _find(self, table: Table, part: Part) -> Constraint | Index | None:
        items: list[Constraint | Index] = [*table.constraints, *table.indexes]
        return next((item for item in items if self._name(item) == part.name), None)

    def _name(self, item: Constraint | Index) -> str | None:
        """Return the name of a part of a model, as SQL needs it; None if PostgreSQL chooses it."""
        if item.name is None:
            return None
        name: str | None = self._connection.dialect.identifier_preparer.format_constraint(item)
        return name

    def _reflected(self, table: Table) -> Table:
        metadata = self._reflections
        found = metadata.tables.get(_key(self._schema, table.name))
        if found is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SAWarning)  # of parts that it does not read
                found = Table(
                    table.name,
                    metadata,
                    schema=self._schema,
                    autoload_with=self._connection,
                    resolve_fks=False,
                )
        return found

    @cached_property
    def _reflections(self) -> MetaData:
        return MetaData()


async def _compare(comparison: Comparison) -> None:
    await comparison.read_expected()
    await comparison.read_actual()
    await equate_texts(comparison)


def setup(plugin: Plugin) -> None:
    """Add the comparison, after alembic's own."""
    plugin.add_autogenerate_comparator(
        compare_models,
        "schema",
        "parts",
        qualifier="postgresql",
        priority=DispatchPriority.LAST,
    )


Plugin.setup_plugin_from_module(sys.modules[__name__], PLUGIN)
