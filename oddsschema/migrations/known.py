"""The parts that users add to the tables of this release, and acknowledge by name.

Each is written as `check` prints it: the table, a dot, and the name inside it (`events.venue`).
"""

from collections.abc import Iterable, Iterator
from typing import Final

from oddsschema.migrations.catalog import Kind, Part, Parts

#: The kinds that a user can add beside the parts of a release. Everything else (a default, NOT
#: NULL, a primary key) is a change of a part that the release has.
ADDABLE: Final = {
    *(Kind.COLUMN, Kind.SEQUENCE, Kind.INDEX, Kind.TRIGGER, Kind.RULE, Kind.INHERITING),
    *(Kind.UNIQUE, Kind.EXCLUSION, Kind.CHECK, Kind.FOREIGN_KEY),
}

#: The kinds that a column consists of.
_ASPECTS: Final = {Kind.TYPE, Kind.DEFAULT, Kind.NULLABILITY, Kind.IDENTITY, Kind.GENERATED}


def require_names(known: Iterable[str]) -> frozenset[str]:
    """Return the names as a set.

    Raises TypeError for a text in place of several, and ValueError for a name without a table.
    """
    if isinstance(known, str):
        raise TypeError(f"known should be several names, such as [{known!r}], not a text")
    names = frozenset(known)
    for name in sorted(names):
        table, dot, rest = name.partition(".")
        if not (table and dot and rest):
            raise ValueError(
                f"{name!r} names no part of a table: write the table, a dot, and the name in it, "
                "such as events.venue"
            )
    return names


def acknowledged(actual: Parts, expected: Parts, known: frozenset[str]) -> list[Part]:
    """Return the additional parts with these names."""
    return [
        part
        for part in actual.values()
        if part.location in known and part.kind in ADDABLE and part.key not in expected
    ]


def without_acknowledged(actual: Parts, parts: Iterable[Part]) -> Parts:
    """Return the actual parts without the acknowledged ones, and what their columns consist of.

    A constraint or an index on an acknowledged column remains: it has a name of its own.
    """
    keys = {part.key for part in parts}
    columns = {part.location for part in parts if part.kind is Kind.COLUMN}
    return {
        key: part
        for key, part in actual.items()
        if key not in keys and not (part.kind in _ASPECTS and part.location in columns)
    }


def describe_acknowledged(
    parts: Iterable[Part], expected: Parts, known: frozenset[str]
) -> Iterator[str]:
    """Yield a note for each acknowledged part, and for each name that has none."""
    parts = sorted(parts, key=lambda part: part.key)
    for part in parts:
        yield f"{part.kind} {part.location} is acknowledged: {part.definition}{_effect(part)}"
    own = {part.location for part in expected.values()}
    for name in sorted(known - {part.location for part in parts}):
        yield (
            f"{name} is acknowledged, but it is a part of this release: changes of it are reported"
            if name in own
            else f"{name} is acknowledged, but does not exist: remove it from the known names"
        )


def _effect(part: Part) -> str:
    """Describe the effect on the rows of the table, if the part can have any."""
    match part.kind:
        case Kind.COLUMN:
            needs_value = "NOT NULL" in part.definition and not any(
                word in part.definition for word in ("DEFAULT ", "GENERATED ")
            )
            return "; no row can be stored without a value for it" if needs_value else ""
        case Kind.INDEX if not is_restricting_index(part):
            return ""
        case Kind.SEQUENCE:
            return ""
        case Kind.INHERITING:
            return f"; its rows are read, counted and deleted with those of {part.table}"
        case Kind.TRIGGER | Kind.RULE:
            return "; it can change or reject rows of oddsschema"
        case _:
            return "; it can reject rows of oddsschema"


def is_restricting_index(index: Part) -> bool:
    """Return whether an index limits the rows that can be stored."""
    return bool(index.state) or index.definition.startswith("UNIQUE")
