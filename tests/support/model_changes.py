"""Single changes of a project's models, and of ours: one function for each kind."""

from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy import MetaData, Table, text
from sqlalchemy.dialects.postgresql import JSONB

import oddsschema

#: The table that is changed, of the project's models and of ours, and its columns: a text,
#: a number, and a column with a foreign key.
Columns = tuple[str, str, str]
PROJECT: tuple[str, Columns] = ("tips", ("outcome", "stars", "event_id"))
OURS: tuple[str, Columns] = ("market_odds", ("betpawa_market_name", "line", "snapshot_id"))

Change = Callable[[Table, Columns], None]


def project_models() -> MetaData:
    """Return the models of a project, with a foreign key to one of our tables."""
    metadata = MetaData(naming_convention=oddsschema.metadata.naming_convention)
    events = oddsschema.metadata.tables["events"]
    sa.Table(
        "tips",
        metadata,
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("event_id", sa.Integer, sa.ForeignKey(events.c.id), nullable=False),
        sa.Column("outcome", sa.String(100), nullable=False),
        sa.Column("stars", sa.Float),
        sa.Column("details", JSONB, server_default="{}"),
        sa.CheckConstraint("outcome <> ''", name="outcome"),
        sa.CheckConstraint("stars > 0", name="stars"),
        sa.UniqueConstraint("event_id", "outcome"),
        sa.Index("ix_tips_outcome", "outcome"),
    )
    return metadata


def our_models() -> MetaData:
    """Return a copy of our models, with what follows the creation of their tables."""
    copy = MetaData(naming_convention=oddsschema.metadata.naming_convention)
    for table in oddsschema.metadata.sorted_tables:
        made = table.to_metadata(copy)
        for listener in table.dispatch.after_create:
            sa.event.listen(made, "after_create", listener)
    return copy


def _named(table: Table, kind: type[sa.Constraint], text_: str) -> sa.Constraint:
    return next(
        item for item in table.constraints if isinstance(item, kind) and text_ in str(item.name)
    )


def check_added(table: Table, columns: Columns) -> None:
    """Add a CHECK."""
    table.append_constraint(sa.CheckConstraint(f"{columns[1]} < 1e9 OR 1 <> 1", name="limited"))


def check_changed(table: Table, columns: Columns) -> None:
    """Change the condition of a CHECK."""
    check = _named(table, sa.CheckConstraint, columns[1])
    table.constraints.discard(check)
    condition = f"{columns[1]} > -1000.0 AND {columns[1]} < 1000.0"
    table.append_constraint(sa.CheckConstraint(condition, name=sa.schema.conv(str(check.name))))


def check_removed(table: Table, columns: Columns) -> None:
    """Remove a CHECK."""
    table.constraints.discard(_named(table, sa.CheckConstraint, columns[1]))


def check_renamed(table: Table, columns: Columns) -> None:
    """Rename a CHECK."""
    _named(table, sa.CheckConstraint, columns[1]).name = sa.schema.conv(f"{table.name}_check")


def index_added(table: Table, columns: Columns) -> None:
    """Add an index with an order, a WHERE and an INCLUDE."""
    sa.Index(
        "ix_added",
        table.c[columns[1]].desc(),
        postgresql_where=text(f"{columns[1]} > 0"),
        postgresql_include=[columns[0]],
    )


def expression_indexed(table: Table, columns: Columns) -> None:
    """Add an index of an expression."""
    sa.Index("ix_expression", sa.func.lower(table.c[columns[0]]))


def index_of_another_method(table: Table, columns: Columns) -> None:
    """Change the method of an index."""
    index = min(table.indexes, key=lambda index: str(index.name))
    table.indexes.discard(index)
    sa.Index(index.name, table.c[columns[0]], postgresql_using="hash")


def index_made_partial(table: Table, columns: Columns) -> None:
    """Give an index a WHERE."""
    index = min(table.indexes, key=lambda index: str(index.name))
    table.indexes.discard(index)
    sa.Index(index.name, *index.columns, postgresql_where=text(f"{columns[1]} IS NOT NULL"))


def index_in_another_order(table: Table, columns: Columns) -> None:
    """Change the order of an index."""
    index = min(table.indexes, key=lambda index: str(index.name))
    table.indexes.discard(index)
    sa.Index(index.name, table.c[columns[0]].desc().nulls_last())


def index_with_more(table: Table, columns: Columns) -> None:
    """Give an index an INCLUDE."""
    index = min(table.indexes, key=lambda index: str(index.name))
    table.indexes.discard(index)
    sa.Index(index.name, *index.columns, postgresql_include=[columns[1]])


def index_removed(table: Table, columns: Columns) -> None:
    """Remove an index."""
    table.indexes.discard(min(table.indexes, key=lambda index: str(index.name)))


def unique_added(table: Table, columns: Columns) -> None:
    """Add a unique constraint."""
    table.append_constraint(sa.UniqueConstraint(columns[1], "id", name="once"))


def unique_not_distinct(table: Table, columns: Columns) -> None:
    """Add a unique constraint that allows one NULL."""
    table.append_constraint(
        sa.UniqueConstraint(columns[1], "id", name="once", postgresql_nulls_not_distinct=True)
    )


def primary_key_with_more(table: Table, columns: Columns) -> None:
    """Give the primary key an INCLUDE."""
    old = table.primary_key
    names = [column.name for column in old.columns]
    name = sa.schema.conv(str(old.name))
    table.append_constraint(
        sa.PrimaryKeyConstraint(*names, name=name, postgresql_include=[columns[1]])
    )


def primary_key_over_more(table: Table, columns: Columns) -> None:
    """Add a column to the primary key."""
    old = table.primary_key
    names = [column.name for column in old.columns]
    name = sa.schema.conv(str(old.name))
    for column in old.columns:
        column.autoincrement = True  # SQLAlchemy's default is the only column of a key
    table.c[columns[0]].primary_key = True
    table.append_constraint(sa.PrimaryKeyConstraint(*names, columns[0], name=name))


def foreign_key_restricts(table: Table, columns: Columns) -> None:
    """Change the ON DELETE of a foreign key."""
    key = next(key for key in table.foreign_key_constraints if columns[2] in key.column_keys)
    key.ondelete = "RESTRICT"
    for element in key.elements:
        element.ondelete = "RESTRICT"


def foreign_key_removed(table: Table, columns: Columns) -> None:
    """Remove a foreign key."""
    key = next(key for key in table.foreign_key_constraints if columns[2] in key.column_keys)
    table.constraints.discard(key)
    for element in list(key.elements):
        element.parent.foreign_keys.discard(element)
        table.foreign_keys.discard(element)


def column_widened(table: Table, columns: Columns) -> None:
    """Allow longer texts."""
    table.c[columns[0]].type = sa.String(900)


def column_made_text(table: Table, columns: Columns) -> None:
    """Allow texts of any length."""
    table.c[columns[0]].type = sa.Text()


def column_of_another_type(table: Table, columns: Columns) -> None:
    """Change the type of a column: PostgreSQL rewrites the table."""
    table.c[columns[1]].type = sa.Numeric(12, 3)


def column_of_another_collation(table: Table, columns: Columns) -> None:
    """Change the collation of a column: PostgreSQL rebuilds its indexes."""
    table.c[columns[0]].type = sa.String(table.c[columns[0]].type.length, collation="C")


def column_required(table: Table, columns: Columns) -> None:
    """Refuse NULL in a column."""
    table.c[columns[1]].nullable = False


def column_optional(table: Table, columns: Columns) -> None:
    """Allow NULL in a column."""
    table.c[columns[0]].nullable = True


def default_set(table: Table, columns: Columns) -> None:
    """Give a column a default."""
    table.c[columns[1]].server_default = sa.DefaultClause(text("1.5"))


def column_added(table: Table, columns: Columns) -> None:
    """Add a column with an index, a CHECK and a foreign key."""
    table.append_column(sa.Column("added", sa.Integer, index=True, unique=False))
    table.append_constraint(sa.CheckConstraint("added > 0", name="added"))
    sports = oddsschema.metadata.tables["sports"]
    table.append_constraint(
        sa.ForeignKeyConstraint(["added"], [sports.c.id], name="fk_added")
        if "sports" not in table.metadata.tables
        else sa.ForeignKeyConstraint(["added"], ["sports.id"], name="fk_added")
    )


def comments(table: Table, columns: Columns) -> None:
    """Comment a table and a column."""
    table.comment = 'it\'s 100% "new" :x'
    table.c[columns[0]].comment = "the text"


def storage(table: Table, columns: Columns) -> None:
    """Set a storage parameter."""
    statement = sa.DDL("ALTER TABLE %(fullname)s SET (fillfactor = 77)")
    sa.event.listen(table, "after_create", statement)


def table_added(table: Table, columns: Columns) -> None:
    """Add a table."""
    sa.Table(
        "added",
        table.metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(20), index=True),
        sa.CheckConstraint("name <> ''", name="name"),
    )


CHANGES: dict[str, Change] = {
    change.__name__.replace("_", " "): change
    for change in (
        check_added, check_changed, check_removed, check_renamed, index_added, expression_indexed,
        index_of_another_method, index_made_partial, index_in_another_order, index_with_more,
        index_removed, unique_added, unique_not_distinct, primary_key_with_more,
        primary_key_over_more, foreign_key_restricts, foreign_key_removed, column_widened,
        column_made_text, column_of_another_type, column_of_another_collation, column_required,
        column_optional, default_set, column_added, comments, storage, table_added,
    )
}  # fmt: skip
