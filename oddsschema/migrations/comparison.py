"""The comparison of a database with the tables that the migrations build.

The expected tables are no stored snapshot: PostgreSQL prints the same constraint differently in two
versions, and before and after a dump. Instead, the server builds them as temporary tables beside
the actual tables, and prints both. The temporary tables are rolled back, and no table is locked.
The only privilege needed is TEMPORARY on the database.

A migration can do the same on temporary tables as on others, except that the search path finds no
functions in their schema.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import asyncpg
from pydantic import BaseModel, ConfigDict, Field

from oddsschema.database.connections import Connection
from oddsschema.migrations import repair
from oddsschema.migrations.catalog import (
    NO_VIEW,
    TABLES,
    TABLES_BY_INDEX,
    TEMPORARY,
    VIEW_KINDS,
    Kind,
    Part,
    Parts,
    read_parts,
    rolled_back,
)
from oddsschema.migrations.known import (
    acknowledged,
    describe_acknowledged,
    is_restricting_index,
    without_acknowledged,
)
from oddsschema.migrations.sequences import (
    ColumnSequence,
    Position,
    read_position,
    read_sequences,
)


class Difference(BaseModel):
    """A part of a table, or a revision, that differs from this release."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    kind: str = Field(description="Its kind: 'check constraint', 'column type', 'index', ...")
    location: str = Field(description="The table, or the table and the name inside it.")
    expected: str | None = Field(description="The definition in this release; None for none.")
    actual: str | None = Field(description="The definition in the database; None for none.")
    repair: str = Field(
        description="The SQL that repairs it, in any session. A comment in it announces a possible "
        "loss of values."
    )

    def __str__(self) -> str:
        expected, actual = shorten_to_difference(self.expected or "none", self.actual or "none")
        message = (
            f"{self.kind} {self.location}: expected {expected}, found {actual}; "
            f"repair: {self.repair}"
        )
        return message.replace("\n", r"\n")


class Findings(NamedTuple):
    """The result of a comparison."""

    #: The differences, in an order in which they can be repaired.
    differences: list[Difference]
    #: Sentences about the parts that are acknowledged.
    notes: list[str]


async def find_differences(
    connection: Connection,
    tables: Sequence[str],
    views: Sequence[str],
    statements: str,
    schema: str,
    known: frozenset[str] = frozenset(),
) -> Findings:
    """Compare the `tables` and `views` of a schema with those that `statements` build.

    In `tables`, referenced tables come first. Additional parts whose names are in `known` are no
    differences. The connection is in a transaction that the caller rolls back, with SETTINGS made
    in it.
    """
    comparison = Comparison(connection, tables, schema, known, views=views)
    await comparison.build(statements)
    renames = await follow_renames(comparison)
    await equate_texts(comparison)
    positions = await comparison.read_positions()
    return Findings(
        [*compare_parts(comparison), *compare_positions(comparison.schema, positions), *renames],
        [*describe_acknowledged(comparison.acknowledged, comparison.expected, known)],
    )


class Comparison:
    """The actual tables and, as temporary tables of the same session, the expected tables.

    The search path leads to the expected tables, which can be changed.
    """

    def __init__(
        self,
        connection: Connection,
        tables: Sequence[str],
        schema: str,
        known: frozenset[str] = frozenset(),
        *,
        views: Sequence[str] = (),
        others: Sequence[str] = (),
    ) -> None:
        """Prepare a comparison. `others` are further schemas of the search path."""
        self._connection = connection
        self._known = known
        self._path = ", ".join([schema, *others, TEMPORARY])
        #: The schema of the actual tables, quoted as SQL needs it.
        self.schema = schema
        #: The names of the tables. Referenced tables come first.
        self.tables = list(tables)
        self.views = list(views)
        self.expected: Parts = {}
        #: The actual parts, except the acknowledged ones.
        self.actual: Parts = {}
        self.acknowledged: list[Part] = []

    async def build(self, statements: str) -> None:
        """Build the expected tables, and read the parts of both."""
        await self._connection.execute(f"SET LOCAL search_path = {TEMPORARY}")
        # PostgreSQL notes that a view of temporary tables is temporary.
        await self._connection.execute("SET LOCAL client_min_messages = warning")
        await self._connection.execute(statements)
        await self.read_expected()
        await self.read_actual()

    async def read_expected(self) -> None:
        """Read the expected parts of `tables` and `views`."""
        self.expected = await read_parts(self._connection, self.tables, TEMPORARY, self.views)

    async def read_actual(self) -> None:
        """Read the actual parts of `tables` and `views`."""
        async with rolled_back(self._connection):
            await self._use_schema()
            actual = await read_parts(self._connection, self.tables, self.schema, self.views)
        self.acknowledged = acknowledged(actual, self.expected, self._known)
        self.actual = without_acknowledged(actual, self.acknowledged)

    async def read_positions(self) -> list[tuple[ColumnSequence, Position]]:
        """Read the positions of the actual sequences that this role may read."""
        columns = {part.location for part in self.acknowledged}
        async with rolled_back(self._connection):
            await self._use_schema()
            return [
                (sequence, await read_position(self._connection, sequence))
                for sequence in await read_sequences(self._connection, self.tables)
                if sequence.is_readable and sequence.column not in columns
            ]

    async def tables_by_index(self, indexes: Sequence[str]) -> dict[str, str]:
        """Find the tables, except `tables`, that have indexes with these names."""
        async with rolled_back(self._connection):
            await self._use_schema()
            rows = await self._connection.fetch(TABLES_BY_INDEX, indexes, self.tables)
        return {row["index"]: row["table"] for row in rows}

    async def _use_schema(self) -> None:
        # Names of other schemas are then printed with their schema, also those that hide ours.
        await self._connection.execute(f"SET LOCAL search_path = {self._path}")

    async def change_expected(self, statement: str) -> bool:
        """Change the expected tables. Return False when PostgreSQL rejects the statement."""
        try:
            async with self._connection.transaction():
                await self._connection.execute(statement)
        except asyncpg.PostgresError:
            return False
        return True

    async def reprint(self, part: Part, definition: str) -> str | None:
        """Return PostgreSQL's text of a definition, once an expected part has it.

        None when PostgreSQL rejects the definition.
        """
        async with rolled_back(self._connection):
            # The empty definition differs from any other, so that the part is replaced.
            statement = repair.change(
                replace(part, definition=definition), replace(part, definition="")
            )
            if not await self.change_expected(statement):
                return None
            parts = await read_parts(self._connection, [part.table], TEMPORARY, [part.table])
            return parts[part.key].definition


# -- renamed tables and parts ----------------------------------------------------------------------


_WITH_INDEX = {Kind.PRIMARY_KEY, Kind.UNIQUE, Kind.EXCLUSION, Kind.INDEX}


async def follow_renames(comparison: Comparison) -> list[Difference]:
    """Rename the expected tables and parts as the actual ones were renamed.

    Definitions that contain the name (a constraint on a column, a default from a sequence) follow.
    Each rename is a difference.
    """
    differences = []
    for old, new in await find_renamed_tables(comparison):
        part = comparison.expected[f"{Kind.TABLE} {old}"]
        if await comparison.change_expected(repair.rename(part, old, new)):
            differences.append(_rename_difference(comparison, part, new, old, new))
            comparison.tables[comparison.tables.index(old)] = new
    if differences:
        await comparison.read_expected()
        await comparison.read_actual()
    for kind in repair.RENAMABLE:
        for part, other in list(find_renamed_parts(comparison.expected, comparison.actual, kind)):
            if await comparison.change_expected(repair.rename(part, part.name, other.name)):
                differences.append(
                    _rename_difference(comparison, part, other.location, part.name, other.name)
                )
                await comparison.read_expected()
    # Repairs before a rename use the actual names, and those of parts the actual table's name.
    return differences[::-1]


def _rename_difference(
    comparison: Comparison, part: Part, location: str, old: str, new: str
) -> Difference:
    return Difference(
        kind=f"{part.kind} name",
        location=location,
        expected=old,
        actual=new,
        repair=repair.rename(replace(part, schema=comparison.schema), new, old),
    )


async def find_renamed_tables(comparison: Comparison) -> list[tuple[str, str]]:
    """Find missing tables with a new name, by the names of their indexes: (old, new)."""
    missing = {
        part.name: part.table
        for part in comparison.expected.values()
        if part.kind in _WITH_INDEX and f"{Kind.TABLE} {part.table}" not in comparison.actual
    }
    others = await comparison.tables_by_index(list(missing)) if missing else {}
    return sorted({(missing[index], other) for index, other in others.items()})


def find_renamed_parts(expected: Parts, actual: Parts, kind: Kind) -> Iterator[tuple[Part, Part]]:
    """Pair each missing part of this kind with the only extra part of the same description."""
    missing = _by_description(kind, expected, actual)
    extra = _by_description(kind, actual, expected)
    for description, parts in missing.items():
        others = extra.get(description, [])
        if len(parts) == len(others) == 1:
            yield parts[0], others[0]


def _by_description(kind: Kind, parts: Parts, but: Parts) -> dict[tuple[str, str], list[Part]]:
    groups: dict[tuple[str, str], list[Part]] = {}
    for part in parts.values():
        # A sequence of another schema is no renamed sequence of this one.
        if (
            part.kind is kind
            and part.name
            and part.key not in but
            and not (kind is Kind.SEQUENCE and repair.is_qualified(part.name))
        ):
            groups.setdefault((part.table, part.description), []).append(part)
    return groups


# -- texts that differ only in print ---------------------------------------------------------------

#: The kinds whose text changes when a dump is restored or a column's type is changed.
_REPRINTED = {Kind.CHECK, Kind.INDEX, Kind.DEFAULT, Kind.VIEW}


async def equate_texts(comparison: Comparison) -> None:
    """Treat two texts as equal when PostgreSQL, having read both, prints them equally."""
    for key, part in comparison.expected.items():
        other = comparison.actual.get(key)
        if part.kind in _REPRINTED and other is not None and other.definition != part.definition:
            text = await comparison.reprint(part, other.definition)
            if text is not None and text == await comparison.reprint(part, part.definition):
                comparison.actual[key] = replace(other, definition=part.definition)


# -- missing, extra and changed parts --------------------------------------------------------------


#: Sorts parts into the order in which they can be created.
_Order = Callable[[Part], tuple[int, int, str]]


def compare_parts(comparison: Comparison) -> Iterator[Difference]:
    """Yield the differences, except renames, in an order in which they can be repaired."""
    kinds = list(Kind)

    def order(part: Part) -> tuple[int, int, str]:
        relations = comparison.views if part.kind in VIEW_KINDS else comparison.tables
        return kinds.index(part.kind), relations.index(part.table), part.name

    expected = {
        key: replace(part, schema=comparison.schema) for key, part in comparison.expected.items()
    }
    yield from _extra_differences(expected, comparison.actual, order)
    yield from _other_differences(expected, comparison.actual, order)


def _extra_differences(expected: Parts, actual: Parts, order: _Order) -> Iterator[Difference]:
    """Yield the parts to remove."""

    # A column can only be dropped when no parent has it, and no foreign key refers to it.
    first = {Kind.PARENT: 0, Kind.PARTITION: 0, Kind.FOREIGN_KEY: 1, Kind.COLUMN: 2}

    def removal(part: Part) -> tuple[int, tuple[int, int, str]]:
        return first.get(part.kind, len(first)), order(part)

    for part in sorted(extra_parts(expected, actual), key=removal):
        yield Difference(
            kind=part.kind,
            location=part.location,
            expected=None,
            actual=part.description,
            repair=repair.remove(part),
        )


def _other_differences(expected: Parts, actual: Parts, order: _Order) -> Iterator[Difference]:
    """Yield the parts to create or to change."""
    missing = {key: part for key, part in expected.items() if not _exists(part, actual)}

    def root(part: Part) -> Part:
        roots = [root(missing[key]) for key in part.depends_on if key in missing]
        return max(roots, key=order, default=part)

    # A part that depends on another missing part is not a difference of its own.
    groups: dict[str, list[Part]] = {}
    for part in missing.values():
        groups.setdefault(root(part).key, []).append(part)

    def turn(part: Part) -> tuple[bool, tuple[int, int, str]]:
        # No constraint can be built on an invalid index.
        return not (part.key in actual and actual[part.key].state == "INVALID"), order(part)

    def referrers(key: Part) -> list[Part]:
        """The foreign keys that exist when the key is changed, and that refer to it."""
        return [
            part
            for part in expected.values()
            if part.kind is Kind.FOREIGN_KEY
            and key.key in part.depends_on
            and (part.key in actual or turn(root(part)) < turn(key))
        ]

    def checks(aspect: Part) -> list[Part]:
        """The CHECKs of the column that are not replaced afterwards."""
        return [
            part
            for part in expected.values()
            if part.kind is Kind.CHECK
            and f"{Kind.COLUMN} {aspect.location}" in part.depends_on
            and part.key in actual
            and not _differ(part, actual[part.key])
        ]

    def is_in_view(column: Part) -> bool:
        key = f"{Kind.COLUMN} {column.location}"
        return any(other.kind is Kind.VIEW and key in other.depends_on for other in actual.values())

    for part in sorted(expected.values(), key=turn):
        other = actual.get(part.key)
        if part.key in groups:
            # Another relation may have the table's name.
            statement = repair.free_name(other) if other else repair.create(groups[part.key])
        elif part.key not in missing and other is not None and _differ(part, other):
            default = expected.get(f"{Kind.DEFAULT} {part.location}")
            statement = repair.change(
                part, other, default, referrers(part), checks(part), is_in_view(part)
            )
        else:
            continue
        yield Difference(
            kind=part.kind,
            location=part.location,
            expected=part.description,
            actual=other.description if other else None,
            repair=statement,
        )


def _exists(part: Part, actual: Parts) -> bool:
    other = actual.get(part.key)
    if other is None:
        return False
    if part.kind is Kind.VIEW:
        return other.state != NO_VIEW
    return part.kind is not Kind.TABLE or other.definition in TABLES


def _differ(expected: Part, actual: Part) -> bool:
    # A column's type, default and other aspects are parts of their own.
    return expected.kind is not Kind.COLUMN and expected.description != actual.description


def extra_parts(expected: Parts, actual: Parts) -> Iterator[Part]:
    """Yield the parts that are not expected, except harmless parts."""
    extra = {key: part for key, part in actual.items() if key not in expected}
    for part in extra.values():
        parents = [extra[key] for key in part.depends_on if key in extra]
        # A part of an extra column is dropped with the column.
        is_dropped_with_column = bool(parents) and all(
            parent.kind is Kind.COLUMN and parent.table == part.table for parent in parents
        )
        if not is_dropped_with_column and not _is_harmless(part):
            yield part


def _is_harmless(part: Part) -> bool:
    """Return whether the part does not change which rows can be stored."""
    if part.kind is Kind.INDEX:
        return not is_restricting_index(part)
    return part.kind in {Kind.SEQUENCE, Kind.OWNER}


# -- positions of sequences ------------------------------------------------------------------------


def compare_positions(
    schema: str, positions: Iterable[tuple[ColumnSequence, Position]]
) -> Iterator[Difference]:
    """Yield the sequences that are behind their columns."""
    for sequence, position in positions:
        if position.is_behind:
            yield Difference(
                kind="sequence position",
                location=f"{sequence.table_name}.{sequence.name}",
                expected=f"a next id above {position.greatest}",
                actual=str(position.next_id),
                repair=repair.move_sequence(
                    schema, sequence.table_name, sequence.column_name, sequence.name
                ),
            )


def shorten_to_difference(expected: str, actual: str, length: int = 160) -> tuple[str, str]:
    """Cut two long texts down to `length` characters around the first that differs."""
    pairs = enumerate(zip(expected, actual, strict=False))
    start = next((index for index, (left, right) in pairs if left != right), 0) - length // 4
    if max(len(expected), len(actual)) <= length or start < 0:
        start = 0

    def cut(text: str) -> str:
        end = start + length
        return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"

    return cut(expected), cut(actual)
