"""Rows for tables with CHECKs, in the form of contracts and of INSERTs."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from types import NoneType
from typing import Any, get_args

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError
from sqlalchemy import ARRAY, inspect
from sqlalchemy.dialects.postgresql import JSONB

from oddsschema import Outcome, Table
from oddsschema.contracts.columns import unwrap_annotation
from oddsschema.contracts.outcomes import OutcomesJSONB
from oddsschema.contracts.scalars import WHITE_SPACE, sort_specifiers

#: Rows that contracts refuse and PostgreSQL accepts: a predicate on the values for each reason.
EXCEPTIONS: dict[str, Callable[[dict[str, Any]], bool]] = {
    # A CHECK cannot compare the elements of an array with each other at an acceptable cost.
    "two outcomes of a market have one name": lambda row: _names_twice(row.get("outcomes")),
    # The order carries no information; the contract sorts them.
    "instants are not in order": lambda row: _disordered(row.get("confirmed_at")),
    # Each of these checks would add a third to the cost of checking outcomes.
    "an outcome has a key that is not known": lambda row: _keys(row.get("outcomes")) > KEYS,
    "white space is around an outcome's name": lambda row: _untrimmed(row.get("outcomes")),
    # A CHECK cannot sort, and a regular expression would be read for every row.
    "specifiers are no names and values in order": lambda row: _unordered(row.get("specifiers")),
    # Python's parser and pydantic stop at some depth; PostgreSQL goes deeper.
    "JSON is nested deeper than Python reads": lambda row: False,
}

KEYS = set(Outcome.model_fields)

#: The id of the rows that others refer to, beyond the reach of any sequence.
KEY = 2_000_000_000

ROWS = f"""
UPDATE sports SET id = {KEY};
INSERT INTO tournaments (id, sport_id, name) SELECT {KEY}, id, 'Super League' FROM sports;
INSERT INTO events (id, tournament_id, sportradar_id, name, home_team, away_team, kickoff)
    VALUES ({KEY}, {KEY}, 'sr:1', 'A - B', 'A', 'B', now());
INSERT INTO bookmakers (id, name, slug) VALUES ({KEY}, 'Other', 'other');
INSERT INTO scrape_batches (id) VALUES ({KEY});
INSERT INTO scrape_runs (id, batch_id) VALUES ({KEY}, {KEY});
INSERT INTO competitor_tournaments (id, source, sport_id, name, external_id)
    SELECT {KEY}, 'other', id, 'Super League', '1' FROM sports;
INSERT INTO competitor_events
    (id, source, tournament_id, name, home_team, away_team, kickoff, external_id, sportradar_id)
    VALUES ({KEY}, 'other', {KEY}, 'A - B', 'A', 'B', now(), '1', 'sr:1');
INSERT INTO odds_snapshots (id, event_id, bookmaker_id) VALUES ({KEY}, {KEY}, {KEY});
INSERT INTO competitor_odds_snapshots (id, competitor_event_id) VALUES ({KEY}, {KEY});
"""

#: Removes UNIQUE constraints: a contract knows nothing about other rows.
NO_UNIQUE = """
DO $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT conrelid::regclass AS place, conname FROM pg_constraint
        WHERE contype = 'u' AND connamespace = 'public'::regnamespace
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', one.place, one.conname);
    END LOOP;
END $$
"""

#: Runs an INSERT and rolls it back. `state` is 'kept' or an SQLSTATE; `stored` is the row.
ATTEMPT = """
CREATE FUNCTION attempt(statement text, OUT state text, OUT stored jsonb) AS $$
BEGIN
    EXECUTE statement INTO stored;
    RAISE EXCEPTION 'take it back' USING ERRCODE = 'TRIED';
EXCEPTION WHEN OTHERS THEN
    state := SQLSTATE;
END $$ LANGUAGE plpgsql
"""

OUTCOMES = [{"name": "1", "odds": 1.5, "is_active": True}]
NOW = datetime(2024, 1, 20, 17, tzinfo=UTC)

#: A good row of each table, without the keys that refer to other rows.
GOOD: dict[str, dict[str, Any]] = {
    "sports": {"name": "Tennis", "slug": "tennis"},
    "tournaments": {"name": "Cup"},
    "bookmakers": {"name": "New", "slug": "new"},
    "events": {
        "sportradar_id": "2",
        "name": "A - B",
        "home_team": "A",
        "away_team": "B",
        "kickoff": NOW,
    },
    "event_bookmakers": {"external_event_id": "1"},
    "scrape_batches": {},
    "scrape_runs": {},
    "scrape_errors": {"error_type": "refused", "error_message": "why"},
    "odds_snapshots": {},
    "market_odds": {
        "betpawa_market_id": "1",
        "betpawa_market_name": "1X2",
        "outcomes": OUTCOMES,
    },
    "unmapped_markets": {"source": "bet9ja", "market_id": "S_X", "times_seen": 1},
    "competitor_tournaments": {"source": "new", "external_id": "1", "name": "Cup"},
    "competitor_events": {
        "source": "new",
        "external_id": "1",
        "sportradar_id": "2",
        "name": "A - B",
        "home_team": "A",
        "away_team": "B",
        "kickoff": NOW,
    },
    "competitor_odds_snapshots": {},
    "competitor_market_odds": {
        "betpawa_market_id": "1",
        "betpawa_market_name": "1X2",
        "outcomes": OUTCOMES,
    },
}


def fields_of(table: type[Table]) -> dict[str, FieldInfo]:
    """List the fields that hold values: neither the row's own id nor ids of other rows."""
    keys = {
        column.key for column in inspect(table).columns if column.primary_key or column.foreign_keys
    }
    return {name: field for name, field in table.model_fields.items() if name not in keys}


def quoted(text: str) -> str:
    """Quote any text as a literal, so that PostgreSQL itself sees text that it cannot store."""
    return (
        "E'"
        + "".join(
            char if char.isalnum() and char.isascii() else f"\\U{ord(char):08x}" for char in text
        )
        + "'"
    )


def as_sql(value: Any, field: FieldInfo) -> str:
    """Write a value as SQL with its own type, not the column's."""
    if value is None:
        return "NULL"
    if isinstance(value, list) and is_array(field):
        return f"ARRAY[{', '.join(as_sql(element, field) for element in value)}]" + (
            "" if value else "::timestamptz[]"
        )
    if is_json(field) or isinstance(value, dict | list):
        return f"{quoted(json.dumps(value))}::jsonb"
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int):
        return f"({value})"
    if isinstance(value, float):
        return f"'{value!r}'::float8"
    if isinstance(value, datetime):
        return f"'{value.isoformat()}'::timestamp{'tz' if value.tzinfo else ''}"
    return f"{quoted(value)}::text"


def is_json(field: FieldInfo) -> bool:
    """Check whether a field's column is JSONB."""
    _, marks = unwrap_annotation(field.rebuild_annotation())
    return any(isinstance(mark, JSONB | OutcomesJSONB) for mark in marks)


def is_array(field: FieldInfo) -> bool:
    """Check whether a field's column is an array."""
    _, marks = unwrap_annotation(field.rebuild_annotation())
    return any(isinstance(mark, ARRAY) for mark in marks)


def left_to_server(table: type[Table], name: str) -> bool:
    """Check whether None leaves the column to the server's default."""
    optional = NoneType in get_args(table.model_fields[name].annotation)
    return optional and inspect(table).columns[name].server_default is not None


def insert(table: type[Table], row: dict[str, Any]) -> str:
    """Build an INSERT of a row beside the existing rows."""
    values = {column.key: str(KEY) for column in inspect(table).columns if column.foreign_keys} | {
        name: as_sql(value, table.model_fields[name])
        for name, value in row.items()
        if value is not None or not left_to_server(table, name)
    }
    clause = f"({', '.join(values)}) VALUES ({', '.join(values.values())})"
    return (
        f"INSERT INTO {table.__tablename__} AS t {clause if values else 'DEFAULT VALUES'} "
        "RETURNING to_jsonb(t)"
    )


def plain(value: Any) -> Any:
    """Convert a value for comparison: times to instants, contracts to dicts, sequences to lists."""
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, Outcome):
        return value.model_dump()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def same(value: Any, other: Any) -> bool:
    """Check that two values are equal and of the same kind: True is not 1."""
    if isinstance(value, list) and isinstance(other, list):
        return len(value) == len(other) and all(map(same, value, other))
    if isinstance(value, dict) and isinstance(other, dict):
        return value.keys() == other.keys() and all(same(value[key], other[key]) for key in value)
    if isinstance(value, datetime) and isinstance(other, datetime):
        return bool(value.tzinfo) == bool(other.tzinfo) and value == other
    if isinstance(value, bool) or isinstance(other, bool):
        return value is other
    if isinstance(value, int | float) and isinstance(other, int | float):
        # JSONB keeps the digits: 1e300 comes back as a whole number that is not float's 1e300.
        return value == other or Decimal(repr(value)) == Decimal(repr(other))
    return type(value) is type(other) and value == other


def by_contract(table: type[Table], row: dict[str, Any]) -> dict[str, Any] | None:
    """Return a row's values after validation, or None when the contract refuses them."""
    try:
        instance = table(**row)
    except ValidationError:
        return None
    return {name: plain(getattr(instance, name)) for name in row}


async def by_insert(
    connection: Any, table: type[Table], rows: list[dict[str, Any]]
) -> list[dict[str, Any] | None]:
    """Return each row's values after its own INSERT, or None where PostgreSQL refuses them."""
    tried = await connection.fetch(
        "SELECT (attempt(statement)).* FROM unnest($1::text[]) AS statement",
        [insert(table, row) for row in rows],
    )
    found: list[dict[str, Any] | None] = []
    for row, (state, stored) in zip(rows, tried, strict=True):
        if state != "TRIED":
            found.append(None)
            continue
        values = json.loads(stored)
        for name, value in row.items():
            python_type, _ = unwrap_annotation(table.model_fields[name].rebuild_annotation())
            if value is None and left_to_server(table, name):
                values[name] = None
            elif python_type is datetime and isinstance(values[name], str):
                values[name] = datetime.fromisoformat(values[name])
            elif is_array(table.model_fields[name]) and values[name] is not None:
                values[name] = [time and datetime.fromisoformat(time) for time in values[name]]
            elif python_type is float and isinstance(values[name], int):
                values[name] = float(values[name])  # its shortest digits, as JSON
        found.append({name: values[name] for name in row})
    return found


def is_exception(row: dict[str, Any]) -> bool:
    """Check whether `EXCEPTIONS` explain why only PostgreSQL accepts a row."""
    return any(holds(row) for holds in EXCEPTIONS.values())


def _names_twice(outcomes: Any) -> bool:
    names = _names(outcomes)
    return len(set(names)) < len(names)


def _disordered(instants: Any) -> bool:
    are_times = isinstance(instants, list) and all(
        isinstance(instant, datetime) and instant.tzinfo for instant in instants
    )
    return are_times and instants != sorted(instants)


def _unordered(specifiers: Any) -> bool:
    if not isinstance(specifiers, str):
        return False
    try:
        return sort_specifiers(specifiers) != specifiers
    except PydanticCustomError:
        return True


def _untrimmed(outcomes: Any) -> bool:
    white_space = "".join(map(chr, WHITE_SPACE))
    return any(name != name.strip(white_space) for name in _names(outcomes))


def _keys(outcomes: Any) -> set[str]:
    return {key for outcome in outcomes or () if isinstance(outcome, dict) for key in outcome}


def _names(outcomes: Any) -> list[str]:
    """List the names of possible outcomes that are texts."""
    found = (
        [outcome.get("name") for outcome in outcomes if isinstance(outcome, dict)]
        if outcomes
        else []
    )
    return [name for name in found if isinstance(name, str)]


def _description(table: type[Table], row: dict[str, Any], stored: dict[str, Any] | None) -> str:
    """Describe the values of a row on which contract and PostgreSQL disagree."""
    try:
        description = repr({name: plain(getattr(table(**row), name)) for name in row})
    except ValidationError as error:
        description = str(error)
    return f"\n{row!r}\ncontract: {description}\nPostgreSQL: {stored!r}"


async def assert_agreed(connection: Any, table: type[Table], rows: list[dict[str, Any]]) -> None:
    """Check that contract and PostgreSQL keep the same rows, the converted ones included."""
    by_contracts = [by_contract(table, row) for row in rows]
    by_inserts = await by_insert(connection, table, rows)
    again: list[dict[str, Any]] = []
    for row, contract, stored in zip(rows, by_contracts, by_inserts, strict=True):
        kept = contract is not None and same(contract, row)
        is_stored = stored is not None and same(stored, row)
        if is_stored and not kept and is_exception(row):
            continue
        assert kept == is_stored, _description(table, row, stored)
        if contract is not None and not kept:
            again.append(contract)
        if stored is not None and not is_stored and not is_exception(stored):
            assert same(by_contract(table, stored), stored), (row, stored)
    if again:
        for row, stored in zip(again, await by_insert(connection, table, again), strict=True):
            assert stored is not None and same(stored, row), (row, stored)
