"""Autogeneration, for an env.py: another project's, which leaves our tables alone, and our own."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import MigrationScript
from alembic.runtime.environment import NameFilterParentNames, NameFilterType
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError, to_tuple
from sqlalchemy import MetaData, Table
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import Enum
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

from oddsschema.contracts.base import metadata
from oddsschema.contracts.outcomes import OutcomesJSONB
from oddsschema.database.revision import HEAD


def autogenerate_options(own: MetaData | Sequence[MetaData] | None = None) -> dict[str, Any]:
    """What `context.configure` needs for tables of one's own in the database of ours.

    `own` is their MetaData (without it, ours): what `revision --autogenerate` and `alembic check`
    compare with the database. Tables of oddsschema are left out: `oddsschema check` is for them.

        context.configure(connection=connection, **autogenerate_options(SQLModel.metadata))

    The parts are there for those who combine them with hooks of their own: `include_object`,
    `render_item` and `require_dependency_on_tables`; `target_metadata` is `own`.
    """
    if own is None:
        return {
            "target_metadata": metadata,
            "include_name": _is_ours,
            "render_item": render_item,
            "compare_server_default": True,
            # By name, which all of ours have. Those without one, which other projects may have,
            # would come out as dropped.
            "autogenerate_plugins": [
                "alembic.autogenerate.*",
                "alembic.ext.checkconstraint_byname",
            ],
        }
    return {
        "target_metadata": own,
        "include_object": include_object,
        "render_item": render_item,
        "process_revision_directives": require_dependency_on_tables,
        "compare_server_default": True,
    }


def include_object(
    item: SchemaItem,
    name: str | None,
    kind: NameFilterType,
    reflected: bool,
    compare_to: SchemaItem | None,
) -> bool:
    """Alembic's hook: leave the tables of oddsschema alone, which would come out as dropped."""
    return not (isinstance(item, Table) and item.schema is None and name in metadata.tables)


def render_item(kind: str, item: Any, autogen_context: AutogenContext) -> str | Literal[False]:
    """Alembic's hook: write types of oddsschema and SQLModel as plain SQLAlchemy ones.

    So that a migration imports neither, and stays what it is when they change.
    """
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


def require_dependency_on_tables(
    context: MigrationContext,
    revision: str | Iterable[str | None] | Iterable[str],
    directives: list[MigrationScript],
) -> None:
    """Alembic's hook: a new revision depends on the one of ours that made the tables it refers to.

    On our newest one it must not: alembic keeps heads alone, so that it would be recorded in the
    place of ours, and only a comparison of the tables would tell where ours are. On the branch
    ("oddsschema") it must not: alembic takes that for its first revision.

    Raises alembic's CommandError.
    """
    for script in directives:
        for wanted in to_tuple(script.depends_on, default=()):
            if wanted == "oddsschema" or _resolved(context, wanted) == HEAD:
                raise CommandError(
                    f"depend on the revision of oddsschema that made the tables you refer to "
                    f"(docs/migrations.md lists them: oddsschema_0003, for one), not on {wanted}"
                )


def _resolved(context: MigrationContext, wanted: str) -> str | None:
    found = context.script.get_revision(wanted) if context.script is not None else None
    return found.revision if found is not None else None


def _is_varchar(item: Any) -> bool:
    """Whether an enumeration's values are kept as text, which PostgreSQL holds to nothing."""
    return isinstance(item, Enum) and not (item.native_enum or item.create_constraint)


def _is_ours(name: str | None, kind: NameFilterType, parents: NameFilterParentNames) -> bool:
    """Leave other applications' tables alone: without this, they would come out as DROP TABLE."""
    return kind != "table" or name in metadata.tables
