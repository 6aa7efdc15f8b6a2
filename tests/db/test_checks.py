"""The contracts and the CHECKs agree: what the one refuses, the other does, and the reverse.

A value is *kept* by a contract that accepts it and does not change it, and by PostgreSQL when an
INSERT stores it as it was. Both keep the same values, and what one of them converts (text that is
trimmed, "2.15" that becomes 2.15; 5 that PostgreSQL writes into a text column as '5') is kept by
the other once it is converted. What is left are the `EXCEPTIONS`.
"""

import json
import math
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from types import NoneType
from typing import Any, get_args

import asyncpg
import pytest
from annotated_types import Ge, Le, Lt, MaxLen, MinLen
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, JsonValue, ValidationError
from pydantic.fields import FieldInfo
from sqlalchemy import ARRAY, Enum, Integer, inspect
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel.main import FieldInfoMetadata

from oddsschema import Market, Outcome, Table
from oddsschema.contracts.base import metadata
from oddsschema.contracts.columns import unwrapped
from oddsschema.contracts.json_schema import Accepts
from oddsschema.contracts.outcomes import OutcomesJSONB
from oddsschema.contracts.scalars import FLOAT_MAX, NO_NUL, WHITE_SPACE, Keeps
from oddsschema.strategies import field_values

Run = Callable[..., Any]

TABLES = {
    table.__tablename__: table for table in Table.__subclasses__() if table.metadata is metadata
}

#: What the contracts refuse and PostgreSQL does not: told from the values of a row.
EXCEPTIONS: dict[str, Callable[[dict[str, Any]], bool]] = {
    # A CHECK cannot compare the elements of an array with each other at an acceptable cost.
    "two outcomes of a market have one name": lambda row: _names_twice(row.get("outcomes")),
    # What they tell is the same in any order; the contract sorts them.
    "instants are not in order": lambda row: _disordered(row.get("confirmed_at")),
    # Finding either would cost a third of all that outcomes are checked for.
    "an outcome has a key that is not known": lambda row: _keys(row.get("outcomes")) > KEYS,
    "white space is around an outcome's name": lambda row: _untrimmed(row.get("outcomes")),
    # Python's parser and pydantic stop at some depth; PostgreSQL goes deeper.
    "JSON is nested deeper than Python reads": lambda row: False,
}

KEYS = set(Outcome.model_fields)

#: The id of the rows that others refer to: no sequence gets there.
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

#: A contract is about values: what is there already is none of its business.
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

#: Runs an INSERT and takes it back. `state` is 'kept' or an SQLSTATE; `stored` the row.
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


@pytest.fixture(scope="module")
def connection(new_database: Callable[..., Any], template: str, run: Run) -> Iterator[Any]:
    """A connection to a database in which there are rows to refer to."""
    with new_database(template) as url:
        stack = AsyncExitStack()
        opened = run(asyncpg.connect(url, server_settings={"timezone": "UTC"}))
        stack.push_async_callback(opened.close)
        run(opened.execute(ROWS))
        run(opened.execute(NO_UNIQUE))
        run(opened.execute(ATTEMPT))
        yield opened
        run(stack.aclose())


# -- values as SQL ---------------------------------------------------------------------------------


def fields_of(table: type[Table]) -> dict[str, FieldInfo]:
    """The fields that hold values: all but the row's own id and those of other rows."""
    keys = {
        column.key for column in inspect(table).columns if column.primary_key or column.foreign_keys
    }
    return {name: field for name, field in table.model_fields.items() if name not in keys}


def quoted(text: str) -> str:
    """Any text as a literal, escaped so that PostgreSQL itself sees what it cannot store."""
    return (
        "E'"
        + "".join(
            char if char.isalnum() and char.isascii() else f"\\U{ord(char):08x}" for char in text
        )
        + "'"
    )


def as_sql(value: Any, field: FieldInfo) -> str:
    """A value with its own type, not the column's."""
    if value is None:
        return "NULL"
    if isinstance(value, list) and is_array(field):
        return f"ARRAY[{', '.join(as_sql(one, field) for one in value)}]" + (
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
    """Whether a field's column is JSONB."""
    _, marks = unwrapped(field.rebuild_annotation())
    return any(isinstance(mark, JSONB | OutcomesJSONB) for mark in marks)


def is_array(field: FieldInfo) -> bool:
    """Whether a field's column is an array."""
    _, marks = unwrapped(field.rebuild_annotation())
    return any(isinstance(mark, ARRAY) for mark in marks)


def left_to_server(table: type[Table], name: str) -> bool:
    """Whether None stands for the server's default."""
    optional = NoneType in get_args(table.model_fields[name].annotation)
    return optional and inspect(table).columns[name].server_default is not None


def insert(table: type[Table], row: dict[str, Any]) -> str:
    """An INSERT of a row beside those that are there."""
    values = {column.key: str(KEY) for column in inspect(table).columns if column.foreign_keys} | {
        name: as_sql(value, table.model_fields[name])
        for name, value in row.items()
        if value is not None or not left_to_server(table, name)
    }
    what = f"({', '.join(values)}) VALUES ({', '.join(values.values())})"
    return (
        f"INSERT INTO {table.__tablename__} AS t {what if values else 'DEFAULT VALUES'} "
        "RETURNING to_jsonb(t)"
    )


# -- what is kept ----------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """A value for comparison: times as instants, contracts as dicts, sequences as lists."""
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, Outcome):
        return value.model_dump()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same kind: True is not 1."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, datetime) and isinstance(other, datetime):
        return bool(one.tzinfo) == bool(other.tzinfo) and one == other
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        # JSONB keeps the digits: 1e300 comes back as a whole number that is not float's 1e300.
        return one == other or Decimal(repr(one)) == Decimal(repr(other))
    return type(one) is type(other) and one == other


def by_contract(table: type[Table], row: dict[str, Any]) -> dict[str, Any] | None:
    """What the contract makes of a row's values; None when it refuses them."""
    try:
        made = table(**row)
    except ValidationError:
        return None
    return {name: plain(getattr(made, name)) for name in row}


async def by_insert(
    connection: Any, table: type[Table], rows: list[dict[str, Any]]
) -> list[dict[str, Any] | None]:
    """What PostgreSQL makes of some rows' values, each by itself; None where it refuses them."""
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
            python_type, _ = unwrapped(table.model_fields[name].rebuild_annotation())
            if value is None and left_to_server(table, name):
                values[name] = None
            elif python_type is datetime and isinstance(values[name], str):
                values[name] = datetime.fromisoformat(values[name])
            elif is_array(table.model_fields[name]) and values[name] is not None:
                values[name] = [one and datetime.fromisoformat(one) for one in values[name]]
            elif python_type is float and isinstance(values[name], int):
                values[name] = float(values[name])  # its shortest digits, as JSON
        found.append({name: values[name] for name in row})
    return found


def is_exception(row: dict[str, Any]) -> bool:
    """Whether one of the `EXCEPTIONS` is the reason why only PostgreSQL takes a row."""
    return any(holds(row) for holds in EXCEPTIONS.values())


def _names_twice(outcomes: Any) -> bool:
    names = _names(outcomes)
    return len(set(names)) < len(names)


def _disordered(instants: Any) -> bool:
    are_times = isinstance(instants, list) and all(
        isinstance(one, datetime) and one.tzinfo for one in instants
    )
    return are_times and instants != sorted(instants)


def _untrimmed(outcomes: Any) -> bool:
    white_space = "".join(map(chr, WHITE_SPACE))
    return any(name != name.strip(white_space) for name in _names(outcomes))


def _keys(outcomes: Any) -> set[str]:
    return {key for one in outcomes or () if isinstance(one, dict) for key in one}


def _names(outcomes: Any) -> list[str]:
    """The names of what may be outcomes, where they are texts."""
    found = [one.get("name") for one in outcomes if isinstance(one, dict)] if outcomes else []
    return [name for name in found if isinstance(name, str)]


def _told(table: type[Table], row: dict[str, Any], stored: dict[str, Any] | None) -> str:
    """What the two sides make of a row that they do not agree on."""
    try:
        said = repr({name: plain(getattr(table(**row), name)) for name in row})
    except ValidationError as error:
        said = str(error)
    return f"\n{row!r}\ncontract: {said}\nPostgreSQL: {stored!r}"


async def assert_agreed(connection: Any, table: type[Table], rows: list[dict[str, Any]]) -> None:
    """The contract and PostgreSQL keep the same, and what one converts, the other keeps."""
    by_contracts = [by_contract(table, row) for row in rows]
    by_inserts = await by_insert(connection, table, rows)
    again: list[dict[str, Any]] = []
    for row, contract, stored in zip(rows, by_contracts, by_inserts, strict=True):
        kept = contract is not None and same(contract, row)
        is_stored = stored is not None and same(stored, row)
        if is_stored and not kept and is_exception(row):
            continue
        assert kept == is_stored, _told(table, row, stored)
        if contract is not None and not kept:
            again.append(contract)
        if stored is not None and not is_stored and not is_exception(stored):
            assert same(by_contract(table, stored), stored), (row, stored)
    if again:
        for row, stored in zip(again, await by_insert(connection, table, again), strict=True):
            assert stored is not None and same(stored, row), (row, stored)


# -- arbitrary values ------------------------------------------------------------------------------

_ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=20)
_SPACES = st.sampled_from(["", " ", "\t", "\n", "\x0b", "\x1c", "\x85", "\xa0", "\u2003", "\u200b"])
_TIMES = st.datetimes(timezones=st.none() | st.just(UTC)) | st.datetimes(
    datetime(1969, 12, 31), datetime(1970, 1, 2), timezones=st.just(timezone(timedelta(hours=5)))
)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.sampled_from(
        [
            0,
            1,
            -1,
            2**31,
            -(2**31) - 1,
            2**63,
            10**400,
            0.5,
            -0.0,
            1e308,
            FLOAT_MAX,
            float(FLOAT_MAX),
        ]
    )
    | st.floats()
    | _ANY_TEXT
    | st.sampled_from(["2.15", "1", "true", "NaN", "asian", "CHE", "ch", "che", "Bet9ja", "a" * 21])
    | _TIMES
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _ANY_TEXT | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_ANY_TEXT, inner, max_size=3),
    max_leaves=6,
)


def _lengthened(text: str, field: FieldInfo) -> str:
    longest = _mark(field, MaxLen, "max_length") or 3000
    return (text or "x") * longest


def _mark(field: FieldInfo, kind: type[Any], name: str) -> Any:
    _, marks = unwrapped(field.rebuild_annotation())
    return next((getattr(mark, name) for mark in marks if isinstance(mark, kind)), None)


@st.composite
def _texts_beyond(draw: st.DrawFn, field: FieldInfo) -> str:
    """A good text with white space around it, or about as long as it may be."""
    text = draw(_SPACES) + str(draw(field_values(field)) or "") + draw(_SPACES)
    longest = _mark(field, MaxLen, "max_length") or 3000
    return draw(
        st.just(text)
        | st.integers(-1, 2).map(lambda more: ((text or "x") * longest)[: longest + more])
    )


_JUNK_OUTCOME = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["1", "x" * 255, "x" * 256, "\U0001f600" * 255, "", " ", "x "])
        | _JSON,
        "odds": st.sampled_from([1, 1.0, 0.99, 1.5, float(FLOAT_MAX), 10**309, "2.15", None, True])
        | _JSON,
        "is_active": st.sampled_from([True, False, None, 0, 1, "true"]) | _JSON,
        "extra": _JSON,
    },
)
_GOOD_OUTCOMES = field_values(Market.model_fields["outcomes"]).map(plain)


@st.composite
def _outcomes_beyond(draw: st.DrawFn) -> Any:
    """Good outcomes among which one is junk, too many of them, or none."""
    found = draw(_GOOD_OUTCOMES)
    junk = draw(st.none() | _JUNK_OUTCOME | _JSON)
    if junk is not None:
        found.insert(draw(st.integers(0, len(found))), junk)
    many = draw(st.sampled_from([None, None, 0, 499, 500, 501]))
    if many is not None:
        found = [{"name": str(at), "odds": 2.5, "is_active": True} for at in range(many)]
    return found


@st.composite
def arbitrary_rows(draw: st.DrawFn, table: type[Table]) -> dict[str, Any]:
    """A good row of a table in which some values are anything."""
    fields = fields_of(table)
    ruled = {name for rule in table.__rules__ for name in rule.fields}
    row = dict(GOOD[table.__tablename__])
    names = draw(st.lists(st.sampled_from(sorted(fields)), min_size=1, max_size=3, unique=True))
    if ruled & set(names):
        names = sorted({*names, *ruled})
    for name in names:
        field = fields[name]
        python_type, _ = unwrapped(field.rebuild_annotation())
        good = field_values(field).map(plain)
        if name == "outcomes":
            values = _outcomes_beyond() | _JSON
        elif is_json(field):
            values = _JSON
        elif is_array(field):
            values = good | st.lists(_TIMES, max_size=3) | _SCALARS | _JSON
        elif isinstance(python_type, type) and issubclass(python_type, str):
            values = good | _texts_beyond(field) | _SCALARS | _JSON
        else:
            values = good | _SCALARS | _JSON
        row[name] = draw(values)
    return row


@pytest.mark.parametrize("name", sorted(TABLES))
@given(data=st.data())
def test_contract_and_insert_agree(
    name: str, data: st.DataObject, connection: Any, run: Run
) -> None:
    """What a contract keeps, a raw INSERT keeps, and nothing else."""
    rows = data.draw(st.lists(arbitrary_rows(TABLES[name]), min_size=1, max_size=15))
    run(assert_agreed(connection, TABLES[name], rows))


# -- each bound ------------------------------------------------------------------------------------


def beyond(field: FieldInfo) -> Iterator[tuple[str, Any, Any]]:
    """Each bound of a field: its name, a value that just keeps it and one that just does not."""
    python_type, marks = unwrapped(field.rebuild_annotation())
    is_text = python_type is str
    pattern = next((mark.pattern for mark in marks if getattr(mark, "pattern", None)), None)
    is_code = any(isinstance(mark, Keeps) for mark in marks) and is_text
    if python_type == tuple[Outcome, ...]:
        yield from _beyond_outcomes()
    for mark in marks:
        match mark:
            case MinLen() if is_text:
                yield "min_length", "x" * mark.min_length, "x" * (mark.min_length - 1)
            case MaxLen() if is_text:
                yield "max_length", "x" * mark.max_length, "x" * (mark.max_length + 1)
            case MinLen():
                yield "fewest", OUTCOMES * mark.min_length, OUTCOMES * (mark.min_length - 1)
            case MaxLen():
                many = [{**OUTCOMES[0], "name": str(at)} for at in range(mark.max_length + 1)]
                yield "most", many[1:], many
            case Ge():
                step = {int: 1, float: 1e-9, datetime: timedelta(microseconds=1)}[python_type]
                yield "ge", mark.ge, mark.ge - step
            case Le():
                yield "le", mark.le, mark.le + 1
            case Lt():
                yield "lt", mark.lt - timedelta(microseconds=1), mark.lt
            case Enum():
                yield "enum", mark.enums[-1], "other"
            case Keeps() if python_type is JsonValue:
                yield "number", {"a": [FLOAT_MAX]}, {"a": [-FLOAT_MAX - 1]}
            case Keeps() if is_code:
                yield "code", "CHE", "CHX"
            case _ if getattr(mark, "allow_inf_nan", None) is False:
                for odd in (math.inf, -math.inf, math.nan):
                    yield "finite", float(FLOAT_MAX), odd
            case _ if getattr(mark, "strip_whitespace", None):
                if pattern == NO_NUL:
                    yield "no_nul", "x", "\0"
                    for space in map(chr, WHITE_SPACE):
                        yield "trimmed", f"x{space}x", f"x{space}"
                        yield "trimmed", f"x{space}x", f"{space}x"
                elif pattern is not None:
                    yield "pattern", "a_-0", "-a"
            case ARRAY():
                first = datetime(1970, 1, 1, tzinfo=UTC)
                last = datetime(2201, 1, 1, tzinfo=UTC)
                instant = timedelta(microseconds=1)
                yield "earliest", [first, NOW], [first - instant, NOW]
                yield "latest", [NOW, last - instant], [NOW, last]
                yield "null", [NOW], [NOW, None]
            case Integer() | JSONB() | OutcomesJSONB() | Keeps():
                pass  # SQL types; what outcomes are held to is told above
            case AfterValidator() | BeforeValidator() | FieldInfoMetadata() | Accepts():
                pass  # they convert, or tell of keys, defaults and JSON Schema
            case _:
                assert mark is AwareDatetime, f"a mark that this test does not know: {mark!r}"


def _beyond_outcomes() -> Iterator[tuple[str, Any, Any]]:
    (good,) = OUTCOMES
    for name, field in Outcome.model_fields.items():
        for what, inside, outside in beyond(field):
            if what == "trimmed":
                continue  # one of the EXCEPTIONS
            yield f"{name}-{what}", [{**good, name: inside}], [{**good, name: outside}]
        yield f"{name}-null", OUTCOMES, [{**good, name: None}]
        yield f"{name}-list", OUTCOMES, [{**good, name: [good[name]]}]
        yield (
            f"{name}-missing",
            OUTCOMES,
            [{key: value for key, value in good.items() if key != name}],
        )
    yield "no array", OUTCOMES, good
    yield "nested", OUTCOMES, [OUTCOMES]


HANDICAP = {"handicap_type": "asian", "handicap_home": 0.5, "handicap_away": -0.5}

#: By table: the bound, a row within it, a row beyond it.
BOUNDS: dict[str, list[tuple[str, dict[str, Any], dict[str, Any]]]] = {
    name: [
        (f"{field}-{what}", row | {field: inside}, row | {field: outside})
        for field, info in fields_of(table).items()
        for row in [GOOD[name] | (HANDICAP if field in HANDICAP else {})]
        for what, inside, outside in beyond(info)
        # A code or a slug that is as long as it may be is held to more than that.
        if by_contract(table, row | {field: inside}) is not None
    ]
    + [
        (f"handicap-{field}", GOOD[name] | HANDICAP, GOOD[name] | HANDICAP | {field: None})
        for field in HANDICAP
        if field in table.model_fields
    ]
    for name, table in TABLES.items()
}


@pytest.mark.parametrize("name", sorted(TABLES))
def test_each_bound_holds_on_both_sides(name: str, connection: Any, run: Run) -> None:
    """Up to a bound, the contract and a raw INSERT keep a value; beyond it, neither does."""
    table = TABLES[name]
    for kept, rows in (
        (True, [(bound, row) for bound, row, _ in BOUNDS[name]]),
        (False, [(bound, row) for bound, _, row in BOUNDS[name]]),
    ):
        stored = run(by_insert(connection, table, [row for _, row in rows]))
        for (bound, row), found in zip(rows, stored, strict=True):
            contract = by_contract(table, row)
            assert (contract is not None and same(contract, row)) == kept, bound
            assert (found is not None and same(found, row)) == kept, bound


def test_each_check_is_needed(connection: Any, run: Run) -> None:
    """Without any one of the CHECKs, some value beyond a bound would get in."""
    query = """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE contype = 'c' AND connamespace = 'public'::regnamespace
    """

    async def body() -> set[str]:
        needless = set()
        for table, name, text in await connection.fetch(query):
            beyond = [row for _, _, row in BOUNDS[table]]
            await connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
            if not any(await by_insert(connection, TABLES[table], beyond)):
                needless.add(name)
            await connection.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {text}")
        return needless

    assert run(body()) == set()
