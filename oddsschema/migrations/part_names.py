"""The comparison by names, for a standby, on which no expected tables can be built."""

from collections.abc import Iterator, Sequence

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)
from sqlalchemy.sql.schema import ColumnCollectionMixin

from oddsschema.database.connections import Connection
from oddsschema.migrations.catalog import TEMPORARY, Kind, Part, Parts, read_parts
from oddsschema.migrations.comparison import Difference, Findings, extra_parts
from oddsschema.migrations.known import acknowledged, describe_acknowledged, without_acknowledged
from oddsschema.models import metadata

#: A note about the extent of the comparison.
NOTE = (
    "this server is a standby: the revision, and the names of tables, columns, constraints, "
    "indexes and views were compared. Check the primary server too: it can compare the rest"
)

# Read when the newest change that a standby has replayed was committed; NULL if there is none.
_REPLAYED = "SELECT pg_last_xact_replay_timestamp()"

_REPAIR = "-- check the primary server, which prints the SQL"

_CONSTRAINTS = {
    PrimaryKeyConstraint: Kind.PRIMARY_KEY,
    UniqueConstraint: Kind.UNIQUE,
    CheckConstraint: Kind.CHECK,
    ForeignKeyConstraint: Kind.FOREIGN_KEY,
}

#: The kinds that are compared: those of the models' parts, and those that only users add.
_COMPARED = {
    *(Kind.TABLE, Kind.VIEW, Kind.COLUMN, Kind.INDEX, *_CONSTRAINTS.values()),
    *(Kind.EXCLUSION, Kind.TRIGGER, Kind.RULE, Kind.INHERITING, Kind.PARTITION),
}


async def describe_replay(connection: Connection) -> list[str]:
    """Describe up to which change a standby shows the primary server's."""
    newest = await connection.fetchval(_REPLAYED)
    if newest is None:
        return []
    return [
        "the newest change on this standby was committed on the primary server at "
        f"{newest:%Y-%m-%d %H:%M:%S} UTC: a later one is not here yet"
    ]


async def find_name_differences(
    connection: Connection,
    tables: Sequence[str],
    views: Sequence[str],
    schema: str,
    known: frozenset[str] = frozenset(),
) -> Findings:
    """Compare the names of the views, and of the tables' parts, in a schema with the models'.

    Additional parts whose names are in `known` are no differences. The connection is in a
    transaction that the caller rolls back, with SETTINGS made in it.
    """
    await connection.execute(f"SET LOCAL search_path = {schema}, {TEMPORARY}")
    expected = {
        part.key: part for name in tables for part in _parts_of(metadata.tables[name], schema)
    }
    expected |= {part.key: part for part in _views(views, schema)}
    actual = await read_parts(connection, tables, schema, views)
    added = acknowledged(actual, expected, known)
    compared = {
        key: part
        for key, part in without_acknowledged(actual, added).items()
        if part.kind in _COMPARED
    }
    return Findings(
        [*_differences(expected, compared)], [*describe_acknowledged(added, expected, known)]
    )


def _views(names: Sequence[str], schema: str) -> Iterator[Part]:
    for name in names:
        yield Part(
            schema=schema,
            kind=Kind.VIEW,
            table=name,
            name="",
            definition=Kind.VIEW,
            state="",
            depends_on=frozenset(),
        )


def _parts_of(table: Table, schema: str) -> Iterator[Part]:
    """Yield the parts of a model's table, without their definitions."""

    def part(kind: Kind, name: str, *needed: str) -> Part:
        return Part(
            schema=schema,
            kind=kind,
            table=table.name,
            name=name,
            definition=kind,
            state="",
            depends_on=frozenset(needed),
        )

    def columns(of: ColumnCollectionMixin) -> list[str]:
        # Those of a CHECK are unknown: its condition is text.
        return [f"{Kind.COLUMN} {table.name}.{column.name}" for column in of.columns]

    of_table = f"{Kind.TABLE} {table.name}"
    yield part(Kind.TABLE, "")
    for column in table.columns:
        yield part(Kind.COLUMN, column.name, of_table)
    for constraint in table.constraints:
        kind = next(kind for of, kind in _CONSTRAINTS.items() if isinstance(constraint, of))
        needed = [of_table]
        if isinstance(constraint, ColumnCollectionMixin):
            needed += columns(constraint)
        if isinstance(constraint, ForeignKeyConstraint):
            needed.append(f"{Kind.TABLE} {constraint.referred_table.name}")
        yield part(kind, str(constraint.name), *needed)
    for index in table.indexes:
        yield part(Kind.INDEX, str(index.name), of_table, *columns(index))


def _differences(expected: Parts, actual: Parts) -> Iterator[Difference]:
    for part in extra_parts(expected, actual):
        yield Difference(
            kind=part.kind,
            location=part.location,
            expected=None,
            actual=part.description,
            repair=_REPAIR,
        )
    for part in expected.values():
        # The parts of a missing table or column are no differences of their own.
        if part.key not in actual and not any(
            key in expected and key not in actual for key in part.depends_on
        ):
            yield Difference(
                kind=part.kind,
                location=part.location,
                expected=part.definition,
                actual=None,
                repair=_REPAIR,
            )
