"""Repair statements: the SQL that creates, changes, renames or removes a part of a table.

A comment in the SQL announces each loss of values. PostgreSQL rejects a repair that the stored rows
do not allow. Every statement can run in a transaction, alone or with the others.
"""

from collections.abc import Collection, Iterable
from typing import Final

from oddsschema.migrations.catalog import Kind, Part

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
_DROP_INDEX = "DROP INDEX IF EXISTS {name};"
#: Set a column's default.
_SET_DEFAULT = "ALTER TABLE {table} ALTER COLUMN {name} SET DEFAULT {definition};"
#: Move a sequence past the greatest id of a column, and never back.
_MOVE_SEQUENCE = (
    "SELECT setval('{name}', max({column})) FROM {table} HAVING max({column}) >= nextval('{name}');"
)
#: Let a column own its sequence, and move the sequence.
_SET_OWNER = f"ALTER SEQUENCE {{name}} OWNED BY {{definition}}; {_MOVE_SEQUENCE}"

#: Ask for a manual change. PostgreSQL cannot turn a column with values into a generated column, nor
#: a virtual generated column into a column with values.
_REPLACE_GENERATED = "-- drop the column {name} of {table}, and check again"

#: Create a missing part.
_CREATE: Final = {
    Kind.SEQUENCE: "CREATE SEQUENCE IF NOT EXISTS {name} {definition};",
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
}

#: Change a part that differs.
_CHANGE: Final = {
    Kind.TABLE: "ALTER TABLE {table} SET LOGGED;",
    Kind.SEQUENCE: "ALTER SEQUENCE {name} {definition};",
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
    "INVALID": "REINDEX INDEX {name};",
    "UNLOGGED": "ALTER SEQUENCE {name} SET LOGGED;",
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


def create(parts: Collection[Part]) -> str:
    """Return the SQL that creates missing parts: a table with its parts, or a single part."""
    keys = {part.key for part in parts}
    statements, comment = [], ""
    for part in sorted(parts, key=lambda part: list(Kind).index(part.kind)):
        if part.kind is Kind.TABLE:
            inside = ", ".join(
                f"{_INSIDE[other.kind]}{other.name} {other.definition}"
                for other in parts
                if other.kind in _INSIDE and other.table == part.table
            )
            statements.append(f"CREATE TABLE {part.table} ({inside});")
            comment = "its rows are lost"
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
    expected: Part, actual: Part, default: Part | None = None, referrers: Iterable[Part] = ()
) -> str:
    """Return the SQL that turns the actual part into the expected part.

    A new column type replaces the column's `default` too. A new key replaces the `referrers`, the
    foreign keys that refer to it.
    """
    if expected.definition == actual.definition:
        return _fill(_VALIDATE[actual.state], expected)
    if expected.kind is Kind.TYPE:
        return _change_type(expected, actual, default)
    if expected.kind is Kind.NULLABILITY:
        verb = "DROP" if expected.definition == "NULL" else "SET"
        return f"ALTER TABLE {expected.table} ALTER COLUMN {expected.name} {verb} NOT NULL;"
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
    lost = "its values are lost" if part.kind is Kind.COLUMN else ""
    return _join([_fill(_REMOVE[part.kind], part)], lost)


def move_sequence(table: str, column: str, sequence: str) -> str:
    """Return the SQL that moves a sequence past the greatest id of a column."""
    return _MOVE_SEQUENCE.format(table=table, column=column, name=sequence)


def free_name(part: Part) -> str:
    """Return a comment that asks to rename a relation with the name of a missing table.

    It is never dropped: it may hold the table's rows.
    """
    return f"-- rename the {part.definition} {part.table}, and check again"


def rename(part: Part, old: str, new: str) -> str:
    """Return the SQL that renames a part, or a table."""
    return _RENAME[part.kind].format(table=part.table, old=old, new=new)


def _change_type(expected: Part, actual: Part, default: Part | None) -> str:
    table, name, type_ = expected.table, expected.name, expected.definition
    comment = ""
    if type_.startswith(("character varying", "text")):
        # An explicit cast would truncate long values; without it, PostgreSQL rejects them.
        using = ""
    elif type_ == "timestamp with time zone" and actual.definition == "timestamp without time zone":
        using = f" USING {name} AT TIME ZONE 'UTC'"
        comment = "reads the times as UTC"
    else:
        using = f" USING {name}::{type_}"
        if type_ in _INTEGERS and actual.definition not in _INTEGERS:
            comment = "rounds the values"
    actions = [f"ALTER COLUMN {name} TYPE {type_}{using}"]
    if default:
        # The actual default may not fit the new type.
        actions.insert(0, f"ALTER COLUMN {name} DROP DEFAULT")
        actions.append(f"ALTER COLUMN {name} SET DEFAULT {default.definition}")
    return _join([f"ALTER TABLE {table} {', '.join(actions)};"], comment)


def _fill(template: str, part: Part) -> str:
    unique, _, using = part.definition.partition("USING ")
    return template.format(
        table=part.table,
        name=part.name,
        definition=part.definition,
        column=part.definition.removeprefix(f"{part.table}."),
        unique=unique,
        using=using,
    )


def _join(statements: Iterable[str], comment: str = "") -> str:
    # SQL after a comment would be part of the comment.
    return " ".join([*statements, *([f"-- {comment}"] if comment else [])])
