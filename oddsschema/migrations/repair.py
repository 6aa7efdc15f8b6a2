"""The SQL that makes, changes, renames or removes a part of a table.

None of it destroys a value without saying so in a comment; what does not fit the rows is refused by
PostgreSQL. All of it runs in a transaction, alone or together.
"""

from collections.abc import Collection, Iterable
from typing import Final

from oddsschema.migrations.catalog import Kind, Part

_ADD_CONSTRAINT = "ALTER TABLE {table} ADD CONSTRAINT {name} {definition};"
#: Whoever runs the statements one by one keeps nobody from writing while the rows are looked at.
_ADD_CHECKED = (
    "ALTER TABLE {table} ADD CONSTRAINT {name} {definition} NOT VALID; "
    "ALTER TABLE {table} VALIDATE CONSTRAINT {name};"
)
_DROP_CONSTRAINT = "ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name};"
_REPLACE_CONSTRAINT = (
    "ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}, ADD CONSTRAINT {name} {definition};"
)
_REPLACE_CHECKED = (
    "ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}, "
    "ADD CONSTRAINT {name} {definition} NOT VALID; "
    "ALTER TABLE {table} VALIDATE CONSTRAINT {name};"
)
_CREATE_INDEX = "CREATE {unique}INDEX {name} ON {table} USING {using};"
_DROP_INDEX = "DROP INDEX IF EXISTS {name};"
_SET_DEFAULT = "ALTER TABLE {table} ALTER COLUMN {name} SET DEFAULT {definition};"
#: A sequence that went its own way may be behind the ids.
_OWN = (
    "ALTER SEQUENCE {name} OWNED BY {definition}; SELECT setval('{name}', max({column})) "
    "FROM {table} HAVING max({column}) >= nextval('{name}');"
)

#: No column that has values can be turned into one that computes them, or back when none are kept.
_COMPUTED = "-- drop the column {name} of {table}, and check again"

_MAKE: Final = {
    Kind.SEQUENCE: "CREATE SEQUENCE IF NOT EXISTS {name} {definition};",
    Kind.COLUMN: "ALTER TABLE {table} ADD COLUMN {name} {definition};",
    Kind.IDENTITY: "ALTER TABLE {table} ALTER COLUMN {name} ADD {definition};",
    Kind.GENERATED: _COMPUTED,
    Kind.DEFAULT: _SET_DEFAULT,
    Kind.OWNER: _OWN,
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

_CHANGE: Final = {
    Kind.TABLE: "ALTER TABLE {table} SET LOGGED;",
    Kind.SEQUENCE: "ALTER SEQUENCE {name} {definition};",
    Kind.IDENTITY: "ALTER TABLE {table} ALTER COLUMN {name} DROP IDENTITY IF EXISTS, "
    "ALTER COLUMN {name} ADD {definition};",
    Kind.GENERATED: _COMPUTED,
    Kind.DEFAULT: _SET_DEFAULT,
    Kind.OWNER: _OWN,
    Kind.PRIMARY_KEY: _REPLACE_CONSTRAINT,
    Kind.UNIQUE: _REPLACE_CONSTRAINT,
    Kind.EXCLUSION: _REPLACE_CONSTRAINT,
    Kind.CHECK: _REPLACE_CHECKED,
    Kind.FOREIGN_KEY: _REPLACE_CHECKED,
    Kind.INDEX: f"{_DROP_INDEX} {_CREATE_INDEX}",
    Kind.TRIGGER: "DROP TRIGGER {name} ON {table}; {definition};",
    Kind.RULE: "DROP RULE {name} ON {table}; {definition};",
}

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

#: The kinds that can be renamed, in an order in which names follow those that they are made of.
RENAMED: Final = tuple(_RENAME)

_KEYS: Final = {Kind.PRIMARY_KEY, Kind.UNIQUE}

_REPAIR: Final = {
    "NOT VALID": "ALTER TABLE {table} VALIDATE CONSTRAINT {name};",
    "INVALID": "REINDEX INDEX {name};",
}

#: What a column's own definition says already.
_ASPECTS: Final = {Kind.IDENTITY, Kind.GENERATED, Kind.TYPE, Kind.DEFAULT, Kind.NULLABILITY}

#: What can stand in CREATE TABLE, and what stands before its name there.
_INSIDE: Final = {
    Kind.COLUMN: "",
    **dict.fromkeys(
        (Kind.PRIMARY_KEY, Kind.UNIQUE, Kind.EXCLUSION, Kind.CHECK, Kind.FOREIGN_KEY),
        "CONSTRAINT ",
    ),
}

_INTEGERS: Final = {"smallint", "integer", "bigint"}


def make(parts: Collection[Part]) -> str:
    """Make these parts, which are not there: a table with all that is in it, or a CHECK alone."""
    keys = {part.key for part in parts}
    statements, comment = [], ""
    for part in sorted(parts, key=lambda part: list(Kind).index(part.kind)):
        if part.kind is Kind.TABLE:
            inside = ", ".join(
                f"{_INSIDE[one.kind]}{one.name} {one.definition}"
                for one in parts
                if one.kind in _INSIDE and one.table == part.table
            )
            statements.append(f"CREATE TABLE {part.table} ({inside});")
            comment = "its rows are lost"
        elif not (
            (part.kind in _INSIDE and f"{Kind.TABLE} {part.table}" in keys)
            or (part.kind in _ASPECTS and f"{Kind.COLUMN} {part.where}" in keys)
        ):
            statements.append(_filled(_MAKE[part.kind], part))
            if part.kind is Kind.COLUMN:
                needs_values = "NOT NULL" in part.definition and "DEFAULT" not in part.definition
                comment = "its values are lost" + needs_values * ", and rows must have some"
    return _line(statements, comment)


def change(
    expected: Part, found: Part, default: Part | None = None, referrers: Iterable[Part] = ()
) -> str:
    """Turn what is found into what is expected.

    A column's type takes the column's `default` along, a key the foreign keys that refer to it.
    """
    if expected.definition == found.definition:
        return _filled(_REPAIR[found.state], expected)
    if expected.kind is Kind.TYPE:
        return _change_type(expected, found, default)
    if expected.kind is Kind.NULLABILITY:
        verb = "DROP" if expected.definition == "NULL" else "SET"
        return f"ALTER TABLE {expected.table} ALTER COLUMN {expected.name} {verb} NOT NULL;"
    around = list(referrers) if expected.kind in _KEYS else []
    return _line(
        [
            *(_filled(_REMOVE[part.kind], part) for part in around),
            _filled(_CHANGE[expected.kind], expected),
            *(_filled(_MAKE[part.kind], part) for part in around),
        ]
    )


def remove(part: Part) -> str:
    """Remove a part that is not expected."""
    if part.kind is Kind.GENERATED and part.definition.endswith("VIRTUAL"):
        return _filled(_COMPUTED, part)
    lost = "its values are lost" if part.kind is Kind.COLUMN else ""
    return _line([_filled(_REMOVE[part.kind], part)], lost)


def give_way(part: Part) -> str:
    """What to do about something else that has a table's name: it may hold what the table held."""
    return f"-- rename the {part.definition} {part.table}, and check again"


def rename(part: Part, old: str, new: str) -> str:
    """Rename a part, or a table."""
    return _RENAME[part.kind].format(table=part.table, old=old, new=new)


def _change_type(expected: Part, found: Part, default: Part | None) -> str:
    table, name, type_ = expected.table, expected.name, expected.definition
    comment = ""
    if type_.startswith(("character varying", "text")):
        # An explicit cast would cut off what is too long; without one, it is refused.
        using = ""
    elif type_ == "timestamp with time zone" and found.definition == "timestamp without time zone":
        using = f" USING {name} AT TIME ZONE 'UTC'"
        comment = "takes the times for UTC"
    else:
        using = f" USING {name}::{type_}"
        if type_ in _INTEGERS and found.definition not in _INTEGERS:
            comment = "rounds"
    actions = [f"ALTER COLUMN {name} TYPE {type_}{using}"]
    if default:
        # The one that is there may not be of the new type.
        actions.insert(0, f"ALTER COLUMN {name} DROP DEFAULT")
        actions.append(f"ALTER COLUMN {name} SET DEFAULT {default.definition}")
    return _line([f"ALTER TABLE {table} {', '.join(actions)};"], comment)


def _filled(template: str, part: Part) -> str:
    unique, _, using = part.definition.partition("USING ")
    return template.format(
        table=part.table,
        name=part.name,
        definition=part.definition,
        column=part.definition.removeprefix(f"{part.table}."),
        unique=unique,
        using=using,
    )


def _line(statements: Iterable[str], comment: str = "") -> str:
    # What follows a comment is a comment too: it comes last.
    return " ".join([*statements, *([f"-- {comment}"] if comment else [])])
