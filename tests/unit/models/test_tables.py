"""The tables as a whole: completeness, single declarations, and the conventions."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from annotated_types import MaxLen
from pydantic import BaseModel
from sqlalchemy import ARRAY, JSON, DateTime, Enum, Identity, Integer, String, inspect
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.schema import Column, Constraint, Index

import oddsschema
from oddsschema import OddsSnapshot, Sport
from oddsschema.contracts.columns import unwrap_annotation
from oddsschema.contracts.table import Table
from oddsschema.models import metadata
from tests.support.tables import TABLES

COLUMNS = [column for table in metadata.sorted_tables for column in table.columns]

#: The action of every foreign key at the deletion of the row that it refers to.
ON_DELETE = {
    "competitor_events -> events": "SET NULL",
    "competitor_events -> competitor_tournaments": "CASCADE",
    "competitor_market_odds -> competitor_odds_snapshots": "CASCADE",
    "competitor_odds_snapshots -> competitor_events": "CASCADE",
    "competitor_odds_snapshots -> scrape_runs": "SET NULL",
    "competitor_tournaments -> sports": None,
    "event_bookmakers -> bookmakers": None,
    "event_bookmakers -> events": "CASCADE",
    "events -> tournaments": "CASCADE",
    "market_odds -> odds_snapshots": "CASCADE",
    "odds_snapshots -> bookmakers": None,
    "odds_snapshots -> events": "CASCADE",
    "odds_snapshots -> scrape_runs": "SET NULL",
    "scrape_errors -> bookmakers": "SET NULL",
    "scrape_errors -> events": "SET NULL",
    "scrape_errors -> scrape_runs": "CASCADE",
    "scrape_runs -> scrape_batches": "SET NULL",
    "tournaments -> sports": None,
}


def test_every_table_is_exported() -> None:
    """Each table has one class, and the package exports it."""
    assert set(TABLES) == set(metadata.tables)
    for name, table in TABLES.items():
        assert getattr(oddsschema, table.__name__) is table
        assert table.__name__ in oddsschema.__all__
        assert table.__table__ is metadata.tables[name]  # type: ignore[attr-defined]


def test_rows_have_short_names() -> None:
    """The text of a row has its class, its id and the values that name it, as far as loaded."""
    for table in TABLES.values():
        assert set(table.__named_by__) <= set(table.model_fields)
    captured_at = datetime(2024, 1, 9, 12, 0, 0, 5, tzinfo=UTC)
    snapshot = OddsSnapshot(id=3, captured_at=captured_at, raw_response={"id": 7})
    assert str(snapshot) == "OddsSnapshot 3: 2024-01-09 12:00:00 UTC"
    assert str(Sport(name="Tennis", slug="tennis")) == "Sport: Tennis"
    assert str(OddsSnapshot()) == "OddsSnapshot"


def test_every_table_is_declared_once() -> None:
    """A table's name and its columns are declared in one class of one file."""
    source = "".join(
        path.read_text() for path in Path(oddsschema.__file__).parent.rglob("models/*.py")
    )
    declared = re.findall(r'__tablename__: ClassVar\[str\] = "(\w+)"', source)
    assert sorted(declared) == sorted(metadata.tables)


def test_exports() -> None:
    """The package's exports are sorted, documented and importable."""
    assert list(oddsschema.__all__) == sorted(set(oddsschema.__all__))
    for name in oddsschema.__all__:
        assert getattr(oddsschema, name).__doc__


def test_actions_of_foreign_keys() -> None:
    """A deletion removes owned rows, and sets other references to NULL."""
    found = {
        f"{table.name} -> {key.referred_table.name}": key.ondelete
        for table in metadata.sorted_tables
        for key in table.foreign_key_constraints
    }
    assert found == ON_DELETE


def names(table: Any) -> list[Constraint | Index]:
    """List every named constraint and index of a table."""
    return [*table.constraints, *table.indexes]


def test_names_fit() -> None:
    """All names are distinct and within PostgreSQL's 63 bytes."""
    all_names = [
        str(constraint.name) for table in metadata.sorted_tables for constraint in names(table)
    ]
    assert max(len(name.encode()) for name in all_names) <= 63
    assert len(set(all_names)) == len(all_names)


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=str)
def test_names_follow_the_convention(table: Any) -> None:
    """A constraint's name has its kind and its table."""
    kinds = {
        "PrimaryKeyConstraint": "pk_",
        "UniqueConstraint": "uq_",
        "ForeignKeyConstraint": "fk_",
        "CheckConstraint": "ck_",
    }
    for constraint in table.constraints:
        prefix = kinds[type(constraint).__name__] + table.name
        assert str(constraint.name).startswith(prefix)
    for index in table.indexes:
        assert re.match(r"i(d)?x_", str(index.name))


@pytest.mark.parametrize("column", COLUMNS, ids=str)
def test_column_types(column: Column[Any]) -> None:
    """Times have a zone, JSON is JSONB, enumerations are VARCHAR, ids are plain sequences."""
    kind = getattr(column.type, "impl_instance", column.type)
    if isinstance(kind, ARRAY):
        kind = kind.item_type
        assert isinstance(kind, DateTime)
    if isinstance(kind, DateTime):
        assert kind.timezone
    if isinstance(kind, JSON):
        assert isinstance(kind, JSONB)
    if isinstance(kind, Enum):
        assert not kind.native_enum
        assert set(kind.enums) == {str(member.value) for member in kind.enum_class}  # type: ignore
    if column.primary_key:
        assert isinstance(kind, Integer)
        assert not isinstance(column.server_default, Identity)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_columns_follow_the_contract(table: type[Table]) -> None:
    """A VARCHAR has its field's longest length, and a required field is NOT NULL."""
    columns = inspect(table).columns
    assert set(columns.keys()) == set(table.model_fields)
    for name, field in table.model_fields.items():
        python_type, marks = unwrap_annotation(field.rebuild_annotation())
        longest = [mark.max_length for mark in marks if isinstance(mark, MaxLen)]
        if python_type is str and longest:
            kind = columns[name].type
            assert isinstance(kind, String)
            assert [kind.length] == longest
        if field.is_required():
            assert not columns[name].nullable


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_relationships(table: type[Table]) -> None:
    """Each foreign key has a relationship, and each relationship its inverse."""
    relationships = inspect(table).relationships
    keys = {tuple(key.column_keys) for key in inspect(table).local_table.foreign_key_constraints}  # type: ignore
    to_one = {
        tuple(sorted(column.key for column in relationship.local_columns))
        for relationship in relationships
        if not relationship.uselist
    }
    assert to_one == {tuple(sorted(key)) for key in keys}
    for relationship in relationships:
        (back,) = relationship._reverse_property
        assert back.mapper.class_ is table
        assert back.back_populates == relationship.key
        # With these, SQLAlchemy leaves the actions to PostgreSQL.
        if relationship.uselist:
            (key,) = (
                key
                for key in back.parent.local_table.foreign_key_constraints  # type: ignore
                if set(key.columns) == back.local_columns
            )
            assert relationship.passive_deletes == (key.ondelete is not None)
            assert relationship.cascade.delete_orphan == (key.ondelete == "CASCADE")


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_fields_are_documented(table: type[BaseModel]) -> None:
    """Each table is documented, and has a JSON Schema."""
    assert table.__doc__
    assert set(table.model_json_schema()["properties"]) == set(table.model_fields)
