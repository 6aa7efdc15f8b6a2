"""The agreement of contracts and CHECKs: both refuse the same values.

A contract *keeps* a value that it accepts unchanged; PostgreSQL keeps a value that an INSERT stores
unchanged. Both keep the same values. A value that either of them converts is kept by the other
after the conversion: trimmed text, "2.15" that becomes 2.15, 5 that PostgreSQL stores as text.
`EXCEPTIONS` lists the remaining differences.
"""

from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.check_rows import (
    ATTEMPT,
    GOOD,
    NO_UNIQUE,
    ROWS,
    assert_agreed,
    by_contract,
    by_insert,
    fields_of,
    same,
)
from tests.support.check_values import arbitrary_rows, beyond
from tests.support.tables import TABLES

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def connection(new_database: Callable[..., Any], template: str, run: Run) -> Iterator[Any]:
    """Open a connection to a database with rows to refer to."""
    with new_database(template) as url:
        stack = AsyncExitStack()
        opened = run(asyncpg.connect(url, server_settings={"timezone": "UTC"}))
        stack.push_async_callback(opened.close)
        run(opened.execute(ROWS))
        run(opened.execute(NO_UNIQUE))
        run(opened.execute(ATTEMPT))
        yield opened
        run(stack.aclose())


@pytest.mark.parametrize("name", sorted(TABLES))
@given(data=st.data())
def test_contract_and_insert_agree(
    name: str, data: st.DataObject, connection: Any, run: Run
) -> None:
    """The contract and a raw INSERT keep the same rows."""
    rows = data.draw(st.lists(arbitrary_rows(TABLES[name]), min_size=1, max_size=15))
    run(assert_agreed(connection, TABLES[name], rows))


HANDICAP = {
    "handicap_type": "asian",
    "handicap_home": 0.5,
    "handicap_away": -0.5,
    "line": 0.5,
}

#: Handicaps that break the rule, and no bound of a field.
BROKEN: tuple[dict[str, Any], ...] = (
    *({field: None} for field in HANDICAP),
    {"handicap_away": 0.5},
    {"line": 1.5},
    {"handicap_home": 1.5},
)

#: CHECKs that follow from the rule on handicaps and the bounds of the line.
IMPLIED = {
    f"ck_{table}_handicap_{team}"
    for table in ("market_odds", "competitor_market_odds")
    for team in ("home", "away")
}


def changed(row: dict[str, Any], field: str, value: Any) -> dict[str, Any]:
    """Change a field of a row, and the fields of a handicap that follow from it."""
    if field not in HANDICAP or field == "line":
        return row | {field: value}
    if field == "handicap_type":
        return row | HANDICAP | {field: value}
    home = value if field == "handicap_home" else -value
    goals = {"handicap_home": home, "handicap_away": -home, "line": home}
    return row | HANDICAP | goals


#: The bounds of each table: a name, a row within the bound, a row beyond it.
BOUNDS: dict[str, list[tuple[str, dict[str, Any], dict[str, Any]]]] = {
    name: [
        (
            f"{field}-{bound}",
            changed(GOOD[name], field, inside),
            changed(GOOD[name], field, outside),
        )
        for field, info in fields_of(table).items()
        for bound, inside, outside in beyond(info)
        # For a code or a slug of the longest length, further rules apply.
        if by_contract(table, changed(GOOD[name], field, inside)) is not None
    ]
    + [
        (f"handicap-{broken}", GOOD[name] | HANDICAP, GOOD[name] | HANDICAP | broken)
        for broken in BROKEN
        if "handicap_type" in table.model_fields
    ]
    for name, table in TABLES.items()
}


@pytest.mark.parametrize("name", sorted(TABLES))
def test_each_bound_holds_on_both_sides(name: str, connection: Any, run: Run) -> None:
    """The contract and a raw INSERT keep values up to a bound, and none beyond it."""
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
    """Without any single CHECK, but the implied ones, a value beyond a bound would be stored."""
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

    assert run(body()) == IMPLIED
