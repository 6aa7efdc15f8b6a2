"""Options and hooks of alembic's autogeneration, for another project's env.py and for our own."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from alembic import context as environment
from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import MigrationScript
from alembic.runtime.environment import NameFilterParentNames, NameFilterType
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError, to_tuple
from sqlalchemy import ForeignKeyConstraint, MetaData, Table
from sqlalchemy.schema import SchemaItem, conv
from sqlalchemy.types import Enum
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

from oddsschema.contracts.outcomes import OutcomesJSONB
from oddsschema.database.recorded_revisions import OWN_TABLE
from oddsschema.database.revision import HEAD
from oddsschema.migrations.model_comparison import PLUGIN
from oddsschema.migrations.phased_revisions import split_into_phases
from oddsschema.migrations.scripts import require_own_revisions
from oddsschema.models import metadata

#: The comparisons: alembic's own, and that of catalogs.
_PLUGINS = ["alembic.autogenerate.*", PLUGIN]


def autogenerate_options(own: MetaData | Sequence[MetaData] | None = None) -> dict[str, Any]:
    """Return the arguments of `context.configure` for a project with tables beside ours.

    `own` is the MetaData of the project's tables, which `alembic revision` and `alembic check`
    compare with the database; without it, oddsschema's own. The project's comparison leaves out the
    tables of oddsschema, which `oddsschema check` compares, and its version table.

        context.configure(connection=connection, **autogenerate_options(SQLModel.metadata))

    To combine them with hooks of its own, a project can use `include_object`, `render_item` and
    `require_dependency_on_tables` separately; `target_metadata` is `own`.

    Raises alembic's CommandError in an env.py of a project whose alembic does not find the
    revisions of oddsschema: it would do nothing, without an error.
    """
    if own is None:
        return {
            "target_metadata": metadata,
            "include_name": include_own_tables,
            "render_item": render_item,
            "compare_server_default": True,
            "autogenerate_plugins": _PLUGINS,
            "process_revision_directives": split_into_phases,
        }
    # Outside of an env.py, alembic's module has no such attribute.
    script = getattr(environment, "script", None)
    if script is not None:
        require_own_revisions(script)
    return {
        "target_metadata": own,
        "include_object": include_object,
        "render_item": render_item,
        "process_revision_directives": process_revisions,
        "compare_server_default": True,
        "autogenerate_plugins": _PLUGINS,
    }


def include_object(
    item: SchemaItem,
    name: str | None,
    kind: NameFilterType,
    reflected: bool,
    compare_to: SchemaItem | None,
) -> bool:
    """Leave out the tables of oddsschema and its version table: a hook of alembic's.

    Alembic would otherwise render them as dropped. Raises alembic's CommandError for a table of the
    project that has the name of one of them: its changes would be left out as well.
    """
    if not isinstance(item, Table):
        return True
    if item.schema is not None:
        # Our tables may be there too. A table of the project has a counterpart in its MetaData.
        is_ours = item.name in metadata.tables or item.name == OWN_TABLE
        return not (is_ours and reflected and compare_to is None)
    ours = metadata.tables.get(item.name)
    if ours is None and item.name != OWN_TABLE:
        return True
    if not reflected and item is not ours:
        raise CommandError(
            f"the table {item.name} of this project is named like a table of oddsschema: rename "
            "it, or give it a schema of its own (Table.schema)"
        )
    return False


def render_item(kind: str, item: Any, autogen_context: AutogenContext) -> str | Literal[False]:
    """Render types of oddsschema and SQLModel as plain SQLAlchemy types: a hook of alembic's.

    A migration then imports neither package, and does not change with them. A foreign key from a
    MetaData with a schema to our tables is rendered without that schema.
    """
    if kind == "foreign_key":
        return _render_key(item, autogen_context)
    if kind != "type":
        return False
    if isinstance(item, OutcomesJSONB):
        autogen_context.imports.add("from sqlalchemy.dialects import postgresql")
        return "postgresql.JSONB()"
    if isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    if isinstance(item, AutoString) or _is_varchar(item):
        return f"sa.String(length={item.length})" if item.length else "sa.String()"
    return False


def _render_key(key: ForeignKeyConstraint, context: AutogenContext) -> str | Literal[False]:
    """Render a key from a MetaData with a schema to a table without one; False for other keys.

    Alembic would put the name of that schema before the table that the key refers to.
    """
    if context.metadata is None:  # a caller of alembic's own renders without models
        return False
    table = context.table_key_to_table.get(key.table.key)
    if table is None or table.metadata.schema is None:
        return False
    targets = [element.target_fullname for element in key.elements]
    if not any(
        own.column_keys == key.column_keys
        and own.referred_table.schema is None
        and [element.target_fullname for element in own.elements] == targets
        for own in table.foreign_key_constraints
    ):
        return False
    arguments = [repr(key.column_keys), repr(targets)]
    if key.name is not None:
        name = repr(str(key.name))
        arguments.append(f"name=op.f({name})" if isinstance(key.name, conv) else f"name={name}")
    for option in ("onupdate", "ondelete", "initially", "deferrable", "use_alter", "match"):
        if value := getattr(key, option):
            arguments.append(f"{option}={value!r}")
    return f"sa.ForeignKeyConstraint({', '.join(arguments)})"


def require_dependency_on_tables(
    context: MigrationContext,
    revision: str | Iterable[str | None] | Iterable[str],
    directives: list[MigrationScript],
) -> None:
    """Reject a new revision that depends on our newest revision or on our branch.

    This is a hook of alembic's. A revision has to depend on the revision of ours that created the
    tables it refers to. Alembic records only heads: a revision that depends on our newest revision
    would replace it in alembic_version, and our revision could only be concluded from the tables.
    Alembic reads the branch's name, "oddsschema", as its first revision.

    Raises alembic's CommandError.
    """
    for script in directives:
        for dependency in to_tuple(script.depends_on, default=()):
            if dependency == "oddsschema" or _resolve(context, dependency) == HEAD:
                raise CommandError(
                    f"the revision depends on {dependency}: let it depend on the revision of "
                    "oddsschema that created the tables it refers to, such as oddsschema_0003 "
                    "(docs/reference/migrations.md lists them)"
                )


def process_revisions(
    context: MigrationContext,
    revision: str | Iterable[str | None] | Iterable[str],
    directives: list[MigrationScript],
) -> None:
    """Check the dependency of new revisions, and split them: a hook of alembic's."""
    require_dependency_on_tables(context, revision, directives)
    split_into_phases(context, revision, directives)


def _resolve(context: MigrationContext, dependency: str) -> str | None:
    script = context.script.get_revision(dependency) if context.script is not None else None
    return script.revision if script is not None else None


def _is_varchar(item: Any) -> bool:
    """Return whether an enumeration is stored as text that PostgreSQL does not check."""
    return isinstance(item, Enum) and not (item.native_enum or item.create_constraint)


def include_own_tables(
    name: str | None, kind: NameFilterType, parents: NameFilterParentNames
) -> bool:
    """Leave out other applications' tables: a hook of alembic's.

    Alembic would otherwise render them as DROP TABLE.
    """
    return kind != "table" or name in metadata.tables
