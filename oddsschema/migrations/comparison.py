"""How a database differs from what the migrations build, and what mends it.

What is expected is no stored snapshot: PostgreSQL prints the same constraint differently from
version to version, and from before a dump to after it. The server at hand builds it, in temporary
tables beside the ones that are looked at, and prints both. Nothing of this stays, nothing is
locked, and the privilege TEMPORARY on the database is all that it takes.

Temporary tables can do what a migration can; only functions are found by no search path there.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import asyncpg
from pydantic import BaseModel, ConfigDict, Field

from oddsschema.database.connections import Connection
from oddsschema.migrations import repair as mend
from oddsschema.migrations.catalog import (
    TABLES,
    TABLES_BY_INDEX,
    Kind,
    Part,
    Parts,
    read_parts,
    undone,
)


class Difference(BaseModel):
    """One thing that is not what this release's migrations build."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    what: str = Field(description="Its kind: 'check constraint', 'column type', 'index', …")
    where: str = Field(description="The table, or the table and the name in there.")
    expected: str | None = Field(description="What the migrations build; None for nothing.")
    found: str | None = Field(description="What the database has; None for nothing.")
    mend: str = Field(
        description="The SQL that mends it, for a session with the same search path; when values "
        "could be lost by it, a comment says so."
    )

    def __str__(self) -> str:
        expected, found = _where_they_differ(self.expected or "none", self.found or "none")
        said = f"{self.what} {self.where}: expected {expected}, found {found}; mend: {self.mend}"
        return said.replace("\n", r"\n")


async def find_differences(
    connection: Connection, tables: Sequence[str], statements: str
) -> list[Difference]:
    """What differs in `tables` from what `statements` build, in an order in which it can be mended.

    `tables` come after those that they refer to. The connection is in a transaction that the caller
    rolls back, and SETTINGS were made in it.
    """
    sides = _Sides(connection, tables)
    await sides.build(statements)
    renames = await _follow_renames(sides)
    await _read_again(sides)
    return [*_compare(sides), *renames]


class _Sides:
    """The tables that are looked at, and beside them, in the same session, those that are expected.

    The search path leads to the latter, which can be changed.
    """

    def __init__(self, connection: Connection, tables: Sequence[str]) -> None:
        self._connection = connection
        self._path = ""
        self.tables = list(tables)
        self.expected: Parts = {}
        self.found: Parts = {}

    async def build(self, statements: str) -> None:
        """Build what is expected, and read both sides."""
        self._path = await self._connection.fetchval("SHOW search_path")
        await self.read_found()
        await self._connection.execute("SET LOCAL search_path = pg_temp")
        await self._connection.execute(statements)
        await self.read_expected()

    async def read_expected(self) -> None:
        """Read what is expected, by the names of `tables`."""
        self.expected = await read_parts(self._connection, self.tables, temporary=True)

    async def read_found(self) -> None:
        """Read what is found, by the names of `tables`."""
        async with undone(self._connection):
            await self._look()
            self.found = await read_parts(self._connection, self.tables)

    async def tables_by_index(self, indexes: Sequence[str]) -> dict[str, str]:
        """Which tables, none of `tables`, have indexes with these names."""
        async with undone(self._connection):
            await self._look()
            rows = await self._connection.fetch(TABLES_BY_INDEX, indexes, self.tables)
        return {row["index"]: row["table"] for row in rows}

    async def _look(self) -> None:
        await self._connection.execute("SELECT set_config('search_path', $1, true)", self._path)

    async def run(self, statement: str) -> bool:
        """Change what is expected; False when PostgreSQL refuses."""
        try:
            async with self._connection.transaction():
                await self._connection.execute(statement)
        except asyncpg.PostgresError:
            return False
        return True

    async def printed(self, part: Part, definition: str) -> str | None:
        """How PostgreSQL prints this definition of an expected part; None when it refuses."""
        async with undone(self._connection):
            # It is made anew, since no definition equals nothing.
            made = mend.change(replace(part, definition=definition), replace(part, definition=""))
            if not await self.run(made):
                return None
            parts = await read_parts(self._connection, [part.table], temporary=True)
            return parts[part.key].definition


# -- what is named differently ---------------------------------------------------------------------


_WITH_INDEX = {Kind.PRIMARY_KEY, Kind.UNIQUE, Kind.EXCLUSION, Kind.INDEX}


async def _follow_renames(sides: _Sides) -> list[Difference]:
    """Rename what is expected as it was renamed in the database, and tell so.

    What is made of a name (a constraint of its columns, a default of its sequence) follows.
    """
    differences = []
    for old, new in await _renamed_tables(sides):
        part = sides.expected[f"{Kind.TABLE} {old}"]
        if await sides.run(mend.rename(part, old, new)):
            differences.append(_renamed(part, new, old, new))
            sides.tables[sides.tables.index(old)] = new
    if differences:
        await sides.read_expected()
        await sides.read_found()
    for kind in mend.RENAMED:
        for part, other in list(_renamed_parts(sides, kind)):
            if await sides.run(mend.rename(part, part.name, other.name)):
                differences.append(_renamed(part, other.where, part.name, other.name))
                await sides.read_expected()
    # All that is mended before them uses the names that are found; theirs use the new ones' table.
    return differences[::-1]


def _renamed(part: Part, where: str, old: str, new: str) -> Difference:
    return Difference(
        what=f"{part.kind} name",
        where=where,
        expected=old,
        found=new,
        mend=mend.rename(part, new, old),
    )


async def _renamed_tables(sides: _Sides) -> list[tuple[str, str]]:
    """The tables that are missing, and what those are called that have their indexes."""
    of_index = {
        part.name: part.table
        for part in sides.expected.values()
        if part.kind in _WITH_INDEX and f"{Kind.TABLE} {part.table}" not in sides.found
    }
    others = await sides.tables_by_index(list(of_index)) if of_index else {}
    return sorted({(of_index[index], other) for index, other in others.items()})


def _renamed_parts(sides: _Sides, kind: Kind) -> Iterator[tuple[Part, Part]]:
    """The parts of this kind that are missing, where just one that is not expected is the same."""
    missing = _by_description(kind, sides.expected, sides.found)
    extra = _by_description(kind, sides.found, sides.expected)
    for described, parts in missing.items():
        others = extra.get(described, [])
        if len(parts) == len(others) == 1:
            yield parts[0], others[0]


def _by_description(kind: Kind, parts: Parts, but: Parts) -> dict[tuple[str, str], list[Part]]:
    described: dict[tuple[str, str], list[Part]] = {}
    for part in parts.values():
        if part.kind is kind and part.name and part.key not in but:
            described.setdefault((part.table, part.described), []).append(part)
    return described


# -- what is printed differently -------------------------------------------------------------------

#: The kinds whose text is printed anew when a dump is restored or a column's type is changed.
_PRINTED = {Kind.CHECK, Kind.INDEX, Kind.DEFAULT}


async def _read_again(sides: _Sides) -> None:
    """Take texts for equal that PostgreSQL prints equally once it has read them."""
    for key, part in sides.expected.items():
        other = sides.found.get(key)
        if part.kind in _PRINTED and other is not None and other.definition != part.definition:
            printed = await sides.printed(part, other.definition)
            if printed is not None and printed == await sides.printed(part, part.definition):
                sides.found[key] = replace(other, definition=part.definition)


# -- what is there, missing, or different ----------------------------------------------------------


#: Sorts parts into the order in which they can be made.
_Order = Callable[[Part], tuple[int, int, str]]


def _compare(sides: _Sides) -> Iterator[Difference]:
    """The differences, but for names, in an order in which they can be mended."""
    kinds = list(Kind)

    def order(part: Part) -> tuple[int, int, str]:
        return kinds.index(part.kind), sides.tables.index(part.table), part.name

    yield from _removed(sides.expected, sides.found, order)
    yield from _made_or_changed(sides.expected, sides.found, order)


def _removed(expected: Parts, found: Parts, order: _Order) -> Iterator[Difference]:
    def removal(part: Part) -> tuple[bool, bool, tuple[int, int, str]]:
        # A column can go when no foreign key refers to it.
        return part.kind is not Kind.FOREIGN_KEY, part.kind is not Kind.COLUMN, order(part)

    for part in sorted(_extra(expected, found), key=removal):
        yield Difference(
            what=part.kind,
            where=part.where,
            expected=None,
            found=part.described,
            mend=mend.remove(part),
        )


def _made_or_changed(expected: Parts, found: Parts, order: _Order) -> Iterator[Difference]:
    missing = {key: part for key, part in expected.items() if not _is_there(part, found)}

    def root(part: Part) -> Part:
        roots = [root(missing[key]) for key in part.hangs_on if key in missing]
        return max(roots, key=order, default=part)

    # What goes with something that is missing too is not told apart from it.
    groups: dict[str, list[Part]] = {}
    for part in missing.values():
        groups.setdefault(root(part).key, []).append(part)

    def turn(part: Part) -> tuple[bool, tuple[int, int, str]]:
        # Nothing can be built on an index that is invalid.
        return not (part.key in found and found[part.key].state == "INVALID"), order(part)

    def referrers(key: Part) -> list[Part]:
        """The foreign keys below which it is changed, with those that were made before it."""
        return [
            part
            for part in expected.values()
            if part.kind is Kind.FOREIGN_KEY
            and key.key in part.hangs_on
            and (part.key in found or turn(root(part)) < turn(key))
        ]

    for part in sorted(expected.values(), key=turn):
        other = found.get(part.key)
        if part.key in groups:
            # Something else may have the table's name.
            mended = mend.give_way(other) if other else mend.make(groups[part.key])
        elif part.key not in missing and other is not None and _differ(part, other):
            default = expected.get(f"{Kind.DEFAULT} {part.where}")
            mended = mend.change(part, other, default, referrers(part))
        else:
            continue
        yield Difference(
            what=part.kind,
            where=part.where,
            expected=part.described,
            found=other.described if other else None,
            mend=mended,
        )


def _is_there(part: Part, found: Parts) -> bool:
    other = found.get(part.key)
    return other is not None and (part.kind is not Kind.TABLE or other.definition in TABLES)


def _differ(expected: Part, found: Part) -> bool:
    # What a column's definition says is compared aspect by aspect.
    return expected.kind is not Kind.COLUMN and expected.described != found.described


def _extra(expected: Parts, found: Parts) -> Iterator[Part]:
    """What nobody expects, and what changes what can be stored."""
    extra = {key: part for key, part in found.items() if key not in expected}
    for part in extra.values():
        above = [extra[key] for key in part.hangs_on if key in extra]
        # What goes with a column of its table is not told apart from it.
        goes = all(one.kind is Kind.COLUMN and one.table == part.table for one in above)
        if not (above and goes) and not _is_harmless(part):
            yield part


def _is_harmless(part: Part) -> bool:
    if part.kind is Kind.INDEX:
        return not part.state and not part.definition.startswith("UNIQUE")
    return part.kind in {Kind.SEQUENCE, Kind.OWNER}


def _where_they_differ(expected: str, found: str, length: int = 160) -> tuple[str, str]:
    """Two texts, cut down to the place where they differ when they are long."""
    pairs = enumerate(zip(expected, found, strict=False))
    start = next((place for place, (one, other) in pairs if one != other), 0) - length // 4
    if max(len(expected), len(found)) <= length or start < 0:
        start = 0

    def cut(text: str) -> str:
        end = start + length
        return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"

    return cut(expected), cut(found)
