"""Downgrade to revision 7: rows that the older form cannot hold are deleted or changed, counted."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import asyncpg
from hypothesis import given
from hypothesis import strategies as st

from oddsschema import migrations
from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.models.sides import BETPAWA, SIDES
from tests.support.catalog import catalog
from tests.support.sessions import fetch
from tests.support.stored_histories import (
    OLD_REVISION,
    StoredHistory,
    StoredInstant,
    StoredRow,
    current_key,
    insert_histories,
    read_rows,
    read_states,
    without_order,
)

Run = Callable[..., Any]

PROGRAM = [sys.executable, "-W", "error", "-m", "oddsschema"]

TOTAL = {"betpawa_market_id": "1", "line": 2.5}
PLAYER = {**TOTAL, "specifiers": "player=sr:player:38004"}
HANDICAP = {
    "betpawa_market_id": "1",
    "line": -1.0,
    "handicap_type": "asian",
    "handicap_home": -1.0,
    "handicap_away": 1.0,
}

_ROWS = st.lists(
    st.builds(
        StoredRow,
        st.sampled_from([TOTAL, TOTAL, PLAYER, HANDICAP, {"betpawa_market_id": "2"}]),
        st.lists(st.sampled_from([1.5, 2, None, None]), min_size=1, max_size=3),
        st.sampled_from([False, False, False, True]),
    ),
    max_size=4,
    unique_by=lambda row: tuple(row.columns.items()),
)


@st.composite
def histories(draw: st.DrawFn) -> list[StoredHistory]:
    """Draw histories with specifiers and missing prices, which begin with a keyframe."""
    return [
        [
            StoredInstant(number == 0 or draw(st.integers(0, 3)) == 0, draw(_ROWS))
            for number in range(draw(st.integers(1, 7)))
        ]
        for _ in range(draw(st.integers(1, 3)))
    ]


def lasting_states(rows: dict[str, list[Any]]) -> dict[Any, Any]:
    """Return the part of each state that the older form can hold."""
    states: dict[Any, Any] = {}
    for instant, state in without_order(read_states(rows, current_key)).items():
        states[instant] = {}
        for key, outcomes in state.items():
            priced = [outcome for outcome in json.loads(outcomes) if outcome["odds"] is not None]
            if key[3] is None and priced:  # type: ignore[index]
                states[instant][key] = priced
    return states


@given(histories(), histories())
def test_every_instant_reads_the_same(
    database: str,
    run: Run,
    betpawa: list[StoredHistory],
    competitor: list[StoredHistory],
) -> None:
    """Markets without specifiers keep their prices, and never get older ones back."""

    async def downgrade() -> None:
        async with sqlalchemy_connect(database) as connection:
            await connection.exec_driver_sql("SELECT 1")
            raw = (await connection.get_raw_connection()).driver_connection
            for side in SIDES:
                await insert_histories(raw, side, betpawa if side is BETPAWA else competitor)
            expected = lasting_states(await read_rows(raw))
            await migrations.downgrade(connection, OLD_REVISION)
            assert lasting_states(await read_rows(raw)) == expected
            prices = [
                outcome["odds"]
                for found in (await read_rows(raw)).values()
                for row in found
                for outcome in json.loads(row["outcomes"] or "[]")
            ]
            assert None not in prices
            # The older revisions copy and delete the rows that are left.
            await migrations.downgrade(connection, "oddsschema_0005")
            await migrations.upgrade(connection)
            assert lasting_states(await read_rows(raw)) == expected
            await connection.rollback()

    run(downgrade())


PRICED, SOME, NONE = [2, 3], [2.5, None], [None, None]
HISTORY = [
    StoredInstant(True, [StoredRow(TOTAL, SOME), StoredRow(PLAYER, PRICED)]),
    StoredInstant(False, [StoredRow(TOTAL, NONE), StoredRow(HANDICAP, NONE)]),
    StoredInstant(False, [StoredRow(TOTAL, PRICED), StoredRow(PLAYER, NONE)]),
]


def test_losses_are_counted(database: str, run: Run) -> None:
    """The command prints the number of rows of each kind of loss, for each table that has any."""

    async def fill() -> None:
        connection = await asyncpg.connect(database)
        await insert_histories(connection, BETPAWA, [HISTORY, HISTORY])
        await connection.close()

    run(fill())
    done = subprocess.run(
        [*PROGRAM, "downgrade", "--yes", OLD_REVISION],
        env=os.environ | {"DATABASE_URL": database},
        capture_output=True,
        text=True,
        check=True,
    )
    *notes, _ = done.stdout.splitlines()
    assert notes == [
        "note: market_odds: 4 rows of markets with specifiers were deleted",
        "note: market_odds: the outcomes without a price were removed from 2 rows",
        "note: market_odds: 2 rows without any price became rows of markets that are no longer "
        "offered",
        "note: market_odds: 2 rows without any price, of markets that never had one, were deleted",
    ]
    left = """
    SELECT extract(minute FROM s.captured_at)::int, m.outcomes::text,
        m.unavailable_at = s.captured_at
    FROM market_odds AS m JOIN odds_snapshots AS s ON s.id = m.snapshot_id
    WHERE m.event_id = (SELECT min(event_id) FROM market_odds) ORDER BY s.captured_at
    """
    last = '[{"name": "0", "odds": 2.5, "is_active": true}]'
    both = (
        '[{"name": "0", "odds": 2, "is_active": true}, {"name": "1", "odds": 3, "is_active": true}]'
    )
    assert run(fetch(database, left)) == [(0, last, None), (1, last, True), (2, both, None)]


def test_nothing_to_lose(database: str, run: Run) -> None:
    """Rows that the older form holds are left as they are, and nothing is said."""

    async def fill() -> None:
        connection = await asyncpg.connect(database)
        rows = [StoredRow(TOTAL, PRICED), StoredRow(HANDICAP, PRICED)]
        for side in SIDES:
            await insert_histories(connection, side, [[StoredInstant(True, rows)]])
        await connection.close()

    run(fill())
    rows = "SELECT id, outcomes::text, unavailable_at, line FROM market_odds ORDER BY id"
    before = run(fetch(database, rows))
    assert run(migrations.downgrade(database, OLD_REVISION)) == ()
    assert run(fetch(database, rows)) == before


def test_older_checks_are_valid(database: str, old_template: str, run: Run) -> None:
    """The downgrade leaves the catalog of revision 7, in which every CHECK is valid."""
    run(migrations.downgrade(database, OLD_REVISION))
    assert run(catalog(database)) == run(catalog(old_template))
