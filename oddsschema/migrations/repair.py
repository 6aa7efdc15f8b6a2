"""Repair statements: the SQL that creates, changes, renames or removes a part of a table.

Every statement names the schema of the table, so that no search path leads it to another table.
A comment in the SQL announces each loss of values. PostgreSQL rejects a repair that the stored rows
do not allow. Every statement can run in a transaction, alone or with the others.
"""

import re
from collections.abc import Collection, Iterable
from typing import Final

from oddsschema.migrations.catalog import Kind, Part
from oddsschema.migrations.remade_views import make_view, remake_views
from oddsschema.migrations.widening import is_wider, widening

#: Add a key or an exclusion constraint.
_ADD_CONSTRAINT = "ALTER TABLE {table} ADD CONSTRAINT {name} {definition};"
#: Add a CHECK or a foreign key. Run one by one, the statements do not block writers while the rows
#: are read.
_ADD_CHECKED = (
    "ALTER TABLE {table} ADD CONSTRAINT {name} {definition} NOT VALID; "
    "ALTER TABLE {table} VALIDATE CONSTRAINT {name};"
)
#: Drop a constraint.
_DROP_CONSTRAINT = "ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name};"
#: Replace a key or an exclusion constraint.
_REPLACE_CONSTRAINT = (
    "ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}, ADD CONSTRAINT {name} {definition};"
)
#: Replace a CHECK or a foreign key, like _ADD_CHECKED.
_REPLACE_CHECKED = (
    "ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}, "
    "ADD CONSTRAINT {name} {definition} NOT VALID; "
    "ALTER TABLE {table} VALIDATE CONSTRAINT {name};"
)
#: Create an index.
_CREATE_INDEX = "CREATE {unique}INDEX {name} ON {table} USING {using};"
#: Drop an index.
_DROP_INDEX = "DROP INDEX IF EXISTS {relation};"
#: Set a column's default.
_SET_DEFAULT = "ALTER TABLE {table} ALTER COLUMN {name} SET DEFAULT {definition};"
#: Set the comment of a view, or of its column.
_VIEW_COMMENTS: Final = {
    Kind.VIEW_COMMENT: "COMMENT ON VIEW {table} IS {definition};",
    Kind.VIEW_COLUMN_COMMENT: "COMMENT ON COLUMN {table}.{name} IS {definition};",
}
#: Set the comment of a table, a mark of the revision.
_COMMENT = "COMMENT ON TABLE {table} IS {definition};"
#: Move a sequence past the greatest id of a column, and never back.
_MOVE_SEQUENCE = (
    "SELECT setval({literal}, max({column})) FROM {table} "
    "HAVING max({column}) >= nextval({literal});"
)
#: Let a column own its sequence, and move the sequence.
_SET_OWNER = f"ALTER SEQUENCE {{relation}} OWNED BY {{table}}.{{column}}; {_MOVE_SEQUENCE}"

#: Ask for a manual change. PostgreSQL cannot turn a column with values into a generated column, nor
#: a virtual generated column into a column with values.
_REPLACE_GENERATED = "-- drop the column {name} of {table}, and check again"

#: Create a missing part.
_CREATE: Final = {
    Kind.SEQUENCE: "CREATE SEQUENCE IF NOT EXISTS {relation} {definition};",
    Kind.COLUMN: "ALTER TABLE {table} ADD COLUMN {name} {definition};",
    Kind.IDENTITY: "ALTER TABLE {table} ALTER COLUMN {name} ADD {definition};",
    Kind.GENERATED: _REPLACE_GENERATED,
    Kind.DEFAULT: _SET_DEFAULT,
    Kind.OWNER: _SET_OWNER,
    Kind.PRIMARY_KEY: _ADD_CONSTRAINT,
    Kind.UNIQUE: _ADD_CONSTRAINT,
    Kind.EXCLUSION: _ADD_CONSTRAINT,
    Kind.CHECK: _ADD_CHECKED,
    Kind.FOREIGN_KEY: _ADD_CHECKED,
    Kind.INDEX: _CREATE_INDEX,
    Kind.TRIGGER: "{definition};",
    Kind.RULE: "{definition};",
    Kind.ROW_SECURITY: "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;",
    Kind.COMMENT: _COMMENT,
    **_VIEW_COMMENTS,
}

#: Change a part that differs.
_CHANGE: Final = {
    Kind.TABLE: "ALTER TABLE {table} SET LOGGED;",
    Kind.SEQUENCE: "ALTER SEQUENCE {relation} {definition};",
    Kind.IDENTITY: "ALTER TABLE {table} ALTER COLUMN {name} DROP IDENTITY IF EXISTS, "
    "ALTER COLUMN {name} ADD {definition};",
    Kind.GENERATED: _REPLACE_GENERATED,
    Kind.DEFAULT: _SET_DEFAULT,
    Kind.OWNER: _SET_OWNER,
    Kind.PRIMARY_KEY: _REPLACE_CONSTRAINT,
    Kind.UNIQUE: _REPLACE_CONSTRAINT,
    Kind.EXCLUSION: _REPLACE_CONSTRAINT,
    Kind.CHECK: _REPLACE_CHECKED,
    Kind.FOREIGN_KEY: _REPLACE_CHECKED,
    Kind.INDEX: f"{_DROP_INDEX} {_CREATE_INDEX}",
    Kind.TRIGGER: "DROP TRIGGER {name} ON {table}; {definition};",
    Kind.RULE: "DROP RULE {name} ON {table}; {definition};",
    Kind.COMMENT: _COMMENT,
    **_VIEW_COMMENTS,
}

#: Remove a part that is not expected.
_REMOVE: Final = {
    Kind.COLUMN: "ALTER TABLE {table} DROP COLUMN {name};",
    Kind.IDENTITY: "ALTER TABLE {table} ALTER COLUMN {name} DROP IDENTITY;",
    Kind.GENERATED: "ALTER TABLE {table} ALTER COLUMN {name} DROP EXPRESSION;",
    Kind.DEFAULT: "ALTER TABLE {table} ALTER COLUMN {name} DROP DEFAULT;",
    Kind.PRIMARY_KEY: _DROP_CONSTRAINT,
    Kind.UNIQUE: _DROP_CONSTRAINT,
    Kind.EXCLUSION: _DROP_CONSTRAINT,
    Kind.CHECK: _DROP_CONSTRAINT,
    Kind.FOREIGN_KEY: _DROP_CONSTRAINT,
    Kind.INDEX: _DROP_INDEX,
    Kind.TRIGGER: "DROP TRIGGER {name} ON {table};",
    Kind.DISABLED_TRIGGERS: "ALTER TABLE {table} ENABLE TRIGGER ALL;",
    Kind.RULE: "DROP RULE {name} ON {table};",
    Kind.ROW_SECURITY: "ALTER TABLE {table} DISABLE ROW LEVEL SECURITY;",
    Kind.COMMENT: "COMMENT ON TABLE {table} IS NULL;",
    Kind.INHERITING: "ALTER TABLE {relation} NO INHERIT {table};",
    Kind.PARENT: "ALTER TABLE {table} NO INHERIT {relation};",
    Kind.PARTITION: "ALTER TABLE {relation} DETACH PARTITION {table};",
    Kind.VIEW_COLUMN_COMMENT: "COMMENT ON COLUMN {table}.{name} IS NULL;",
}

#: Rename a part.
_RENAME: Final = {
    Kind.TABLE: "ALTER TABLE {old} RENAME TO {new};",
    Kind.COLUMN: "ALTER TABLE {table} RENAME COLUMN {old} TO {new};",
    Kind.SEQUENCE: "ALTER SEQUENCE {old} RENAME TO {new};",
    Kind.INDEX: "ALTER INDEX {old} RENAME TO {new};",
    **dict.fromkeys(
        (Kind.PRIMARY_KEY, Kind.UNIQUE, Kind.EXCLUSION, Kind.CHECK, Kind.FOREIGN_KEY),
        "ALTER TABLE {table} RENAME CONSTRAINT {old} TO {new};",
    ),
}

#: The kinds that can be renamed. A kind whose names derive from others' names comes after them.
RENAMABLE: Final = tuple(_RENAME)

#: The kinds that foreign keys can refer to.
_KEYS: Final = {Kind.PRIMARY_KEY, Kind.UNIQUE}

#: Make a part valid, by its state.
_VALIDATE: Final = {
    "NOT VALID": "ALTER TABLE {table} VALIDATE CONSTRAINT {name};",
    "INVALID": "REINDEX INDEX {relation};",
    "UNLOGGED": "ALTER SEQUENCE {relation} SET LOGGED;",
}

#: The kinds that a column's own definition includes.
_ASPECTS: Final = {Kind.IDENTITY, Kind.GENERATED, Kind.TYPE, Kind.DEFAULT, Kind.NULLABILITY}

#: The kinds that CREATE TABLE can include, with the keyword before their names.
_INSIDE: Final = {
    Kind.COLUMN: "",
    **dict.fromkeys(
        (Kind.PRIMARY_KEY, Kind.UNIQUE, Kind.EXCLUSION, Kind.CHECK, Kind.FOREIGN_KEY),
        "CONSTRAINT ",
    ),
}

_INTEGERS: Final = {"smallint", "integer", "bigint"}

#: The kinds whose names are unique in a schema.
_RELATIONS: Final = {Kind.TABLE, Kind.SEQUENCE, Kind.INDEX}

_ANY_NAME: Final = r"""(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)"""
_NAME: Final = re.compile(_ANY_NAME)
#: The table that a foreign key refers to.
_REFERENCED: Final = re.compile(rf"(?<=\bREFERENCES ){_ANY_NAME}(?=\()")
#: The sequence that a default reads.
_NEXT_VALUE: Final = re.compile(rf"(?<=\bnextval\()'({_ANY_NAME})'(?=::regclass\))")


def create(parts: Collection[Part]) -> str:
    """Return the SQL that creates missing parts: a table with its parts, or a single part."""
    keys = {part.key for part in parts}
    statements, comment = [], ""
    for part in sorted(parts, key=lambda part: list(Kind).index(part.kind)):
        if part.kind is Kind.TABLE:
            inside = ", ".join(
                f"{_INSIDE[other.kind]}{other.name} {_definition(other)}"
                for other in parts
                if other.kind in _INSIDE and other.table == part.table
            )
            statements.append(f"CREATE TABLE {_qualify(part.schema, part.table)} ({inside});")
            comment = "its rows are lost"
        elif part.kind is Kind.VIEW:
            statements.append(make_view(part.table, part.definition, part.schema))
        elif not (
            (part.kind in _INSIDE and f"{Kind.TABLE} {part.table}" in keys)
            or (part.kind in _ASPECTS and f"{Kind.COLUMN} {part.location}" in keys)
        ):
            statements.append(_fill(_CREATE[part.kind], part))
            if part.kind is Kind.COLUMN:
                needs_values = "NOT NULL" in part.definition and "DEFAULT" not in part.definition
                comment = "its values are lost" + needs_values * ", and every row needs a value"
    return _join(statements, comment)


def change(
    expected: Part,
    actual: Part,
    default: Part | None = None,
    referrers: Iterable[Part] = (),
    checks: Iterable[Part] = (),
    is_in_view: bool = False,
) -> str:
    """Return the SQL that turns the actual part into the expected part.

    A new column type replaces the column's `default` too, and a wider one its `checks`, so that
    they are not verified under the lock. If the column `is_in_view`, our views are made again. A
    new key replaces the `referrers`, the foreign keys that refer to it.
    """
    if expected.definition == actual.definition:
        return _fill(_VALIDATE[actual.state], expected)
    if expected.kind is Kind.TYPE:
        if is_wider(expected.definition, actual.definition):
            return _widen(expected, checks, is_in_view)
        return _change_type(expected, actual, default, is_in_view)
    if expected.kind is Kind.VIEW:
        return remake_views(
            definitions={expected.table: expected.definition},
            remade=[expected.table],
            schema=expected.schema,
        )
    if expected.kind is Kind.NULLABILITY:
        verb = "DROP" if expected.definition == "NULL" else "SET"
        table = _qualify(expected.schema, expected.table)
        return f"ALTER TABLE {table} ALTER COLUMN {expected.name} {verb} NOT NULL;"
    foreign_keys = list(referrers) if expected.kind in _KEYS else []
    is_unlogged = actual.state == "UNLOGGED"
    return _join(
        [
            *(_fill(_REMOVE[part.kind], part) for part in foreign_keys),
            _fill(_CHANGE[expected.kind], expected),
            *([_fill(_VALIDATE[actual.state], expected)] if is_unlogged else []),
            *(_fill(_CREATE[part.kind], part) for part in foreign_keys),
        ]
    )


def remove(part: Part) -> str:
    """Return the SQL that removes a part that is not expected."""
    if part.kind is Kind.GENERATED and part.definition.endswith("VIRTUAL"):
        return _fill(_REPLACE_GENERATED, part)
    effect = {
        Kind.COLUMN: "its values are lost",
        Kind.INHERITING: f"its rows are no longer read as rows of {part.table}",
    }.get(part.kind, "")
    return _join([_fill(_REMOVE[part.kind], part)], effect)


def move_sequence(schema: str, table: str, column: str, sequence: str) -> str:
    """Return the SQL that moves a sequence past the greatest id of a column."""
    return _MOVE_SEQUENCE.format(
        table=_qualify(schema, table),
        column=column,
        literal=_literal(_qualify(schema, sequence)),
    )


def free_name(part: Part) -> str:
    """Return a comment that asks to rename a relation with the name of a missing table.

    It is never dropped: it may hold the table's rows.
    """
    return f"-- rename the {part.definition} {part.table}, and check again"


def rename(part: Part, old: str, new: str) -> str:
    """Return the SQL that renames a part, or a table."""
    if part.kind in _RELATIONS:
        old = _qualify(part.schema, old)
    return _RENAME[part.kind].format(table=_qualify(part.schema, part.table), old=old, new=new)


def _widen(expected: Part, checks: Iterable[Part], is_in_view: bool) -> str:
    definitions = {check.name: check.definition for check in checks}
    table = _qualify(expected.schema, expected.table)
    change, validate = widening(table, expected.name, expected.definition, definitions)
    statements = [_under_views(f"{change};", expected, is_in_view)]
    return _join([*statements, *([f"{validate};"] if validate else [])])


def _under_views(statement: str, column: Part, is_in_view: bool) -> str:
    """Return the statement, in a block that makes our views again if they read the column."""
    if not is_in_view:
        return statement
    return remake_views([statement], columns=[column.location], schema=column.schema)


def conversion(expected: Part, actual: Part) -> tuple[str, str]:
    """Return the USING clause of the change of a column's type, and its effect on the values."""
    name, type_ = expected.name, expected.definition
    if type_.startswith(("character varying", "text")):
        # An explicit cast would truncate long values; without it, PostgreSQL rejects them.
        return "", ""
    if type_ == "timestamp with time zone" and actual.definition == "timestamp without time zone":
        return f" USING {name} AT TIME ZONE 'UTC'", "reads the times as UTC"
    rounds = type_ in _INTEGERS and actual.definition not in _INTEGERS
    return f" USING {name}::{type_}", "rounds the values" if rounds else ""


def _change_type(expected: Part, actual: Part, default: Part | None, is_in_view: bool) -> str:
    name, type_ = expected.name, expected.definition
    using, comment = conversion(expected, actual)
    actions = [f"ALTER COLUMN {name} TYPE {type_}{using}"]
    if default:
        # The actual default may not fit the new type.
        actions.insert(0, f"ALTER COLUMN {name} DROP DEFAULT")
        actions.append(f"ALTER COLUMN {name} SET DEFAULT {_definition(default)}")
    table = _qualify(expected.schema, expected.table)
    statement = f"ALTER TABLE {table} {', '.join(actions)};"
    return _join([_under_views(statement, expected, is_in_view)], comment)


def _fill(template: str, part: Part) -> str:
    definition = _definition(part)
    unique, _, using = definition.partition("USING ")
    relation = _qualify(part.schema, part.name)
    return template.format(
        table=_qualify(part.schema, part.table),
        name=part.name,
        relation=relation,
        literal=_literal(relation),
        definition=definition,
        column=part.definition.removeprefix(f"{part.table}."),
        unique=unique,
        using=using,
    )


def is_qualified(name: str) -> bool:
    """Return whether a relation's name, quoted as SQL needs it, has a schema."""
    return _NAME.fullmatch(name) is None


def _qualify(schema: str, name: str) -> str:
    return name if is_qualified(name) or not schema else f"{schema}.{name}"


def _definition(part: Part) -> str:
    """Return the definition, with the schema before the names of other tables and sequences."""
    if part.kind is Kind.FOREIGN_KEY:
        return _REFERENCED.sub(lambda found: f"{_qualify(part.schema, found[0])}", part.definition)
    return _NEXT_VALUE.sub(
        lambda found: _literal(_qualify(part.schema, found[1].replace("''", "'"))), part.definition
    )


def _literal(text: str) -> str:
    return "'{}'".format(text.replace("'", "''"))


def _join(statements: Iterable[str], comment: str = "") -> str:
    # SQL after a comment would be part of the comment.
    return " ".join([*statements, *([f"-- {comment}"] if comment else [])])
