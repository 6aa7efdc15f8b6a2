"""Revision 9: handicaps get their line, and two keys become one market."""

from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oddsschema import migrations
from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.database.revision import HEAD
from oddsschema.errors import CheckViolationError
from oddsschema.migrations import CheckState
from oddsschema.models.sides import BETPAWA, SIDES
from tests.support.sessions import execute, fetch, fetch_column
from tests.support.stored_histories import (
    OLD_REVISION,
    StoredHistory,
    StoredInstant,
    StoredRow,
    current_key,
    former_key,
    handicap,
    insert_histories,
    read_rows,
    read_states,
    without_order,
)

Run = Callable[..., Any]


_COLUMNS = [
    *(
        {
            "betpawa_market_id": "1",
            "line": line,
            "handicap_type": kind,
            "handicap_home": home,
            "handicap_away": -home,
        }
        for kind, home in (("asian", -1.0), ("asian", 0.0), ("european", -1.0))
        for line in (None, home)
    ),
    {"betpawa_market_id": "1", "line": -1.0},
    {"betpawa_market_id": "1"},
]
_ROWS = st.lists(
    st.builds(
        StoredRow,
        st.sampled_from(_COLUMNS[:2] * 4 + _COLUMNS),
        st.sampled_from([[1.5], [2, 2.5], [3]]),
        st.sampled_from([False, False, True]),
    ),
    max_size=5,
    unique_by=lambda row: tuple(row.columns.items()),
)


@st.composite
def histories(draw: st.DrawFn) -> list[StoredHistory]:
    """Draw histories that begin with a keyframe; others follow among changes."""
    return [
        [
            StoredInstant(number == 0 or draw(st.integers(0, 3)) == 0, draw(_ROWS))
            for number in range(draw(st.integers(1, 7)))
        ]
        for _ in range(draw(st.integers(1, 3)))
    ]


def merged_states(rows: dict[str, list[Any]]) -> dict[Any, Any]:
    """Return the states by the former key, with the newest of the markets that become one."""
    merged = {}
    for instant, state in read_states(rows, former_key).items():
        newest: dict[Any, Any] = {}
        for (market_id, line, kind, home, _), offer in state.items():
            key = market_id, home if line is None else line, kind, None
            newest[key] = max(newest.get(key, offer), offer)
        merged[instant] = {key: outcomes for key, (_, outcomes) in newest.items()}
    return merged


def require_one_row_each(rows: dict[str, list[Any]]) -> None:
    """Check that no snapshot has two rows of a handicap, and that each handicap has its line."""
    handicaps = [
        (table, row["event"], row["captured_at"], current_key(row))
        for table, found in rows.items()
        for row in found
        if row["handicap_type"] is not None
    ]
    assert len(handicaps) == len(set(handicaps))
    assert all(key[1] is not None for *_, key in handicaps)


@asynccontextmanager
async def with_histories(url: str, betpawa: Any, competitor: Any) -> Any:
    """Open both connections to a database, with uncommitted rows; roll back at the end."""
    async with sqlalchemy_connect(url) as connection:
        await connection.exec_driver_sql("SELECT 1")
        raw = (await connection.get_raw_connection()).driver_connection
        for side in SIDES:
            await insert_histories(raw, side, betpawa if side is BETPAWA else competitor)
        yield connection, raw
        await connection.rollback()


@given(histories(), histories())
def test_every_instant_reads_the_same(
    old_database: str, run: Run, betpawa: list[StoredHistory], competitor: list[StoredHistory]
) -> None:
    """A market is on offer when one of its two keys was, with the outcomes of that key."""

    async def upgrade() -> None:
        async with with_histories(old_database, betpawa, competitor) as (connection, raw):
            before = await read_rows(raw)
            await migrations.upgrade(connection)
            after = await read_rows(raw)
            require_one_row_each(after)
            expected = merged_states(before)
            assert without_order(read_states(after, current_key)) == expected
            await migrations.downgrade(connection, OLD_REVISION)
            assert merged_states(await read_rows(raw)) == expected

    run(upgrade())


@settings(max_examples=5)
@given(st.lists(histories(), min_size=11, max_size=14))
def test_in_batches(empty_database: str, run: Run, drawn: list[list[StoredHistory]]) -> None:
    """The upgrade in many small transactions leads to the same states."""
    found = [history for some in drawn for history in some]

    async def upgrade() -> None:
        await migrations.upgrade(empty_database, OLD_REVISION)
        connection = await asyncpg.connect(empty_database)
        for side in SIDES:
            await insert_histories(connection, side, found)
        before = await read_rows(connection)
        await migrations.upgrade(empty_database)
        after = await read_rows(connection)
        require_one_row_each(after)
        assert without_order(read_states(after, current_key)) == merged_states(before)
        await connection.close()
        await migrations.downgrade(empty_database, "base")

    run(upgrade())


GONE, COMPLETE, CHANGES = True, True, False


@pytest.mark.parametrize(
    ("history", "left"),
    [
        pytest.param(
            [
                StoredInstant(COMPLETE, [handicap(None, 2)]),
                StoredInstant(CHANGES, [handicap(-1, 3), handicap(None, 2, is_gone=GONE)]),
            ],
            [(0, 2, False), (1, 3, False)],
            id="began-to-send-the-line",
        ),
        pytest.param(
            [
                StoredInstant(COMPLETE, [handicap(-1, 2)]),
                StoredInstant(CHANGES, [handicap(None, 3), handicap(-1, 2, is_gone=GONE)]),
            ],
            [(0, 2, False), (1, 3, False)],
            id="no-longer-sent-the-line",
        ),
        pytest.param(
            [
                StoredInstant(COMPLETE, [handicap(None, 2)]),
                StoredInstant(COMPLETE, [handicap(-1, 3), handicap(None, 2, is_gone=GONE)]),
            ],
            [(0, 2, False), (1, 3, False)],
            id="complete-snapshots",
        ),
        pytest.param(
            [
                StoredInstant(COMPLETE, [handicap(None, 2), handicap(-1, 3)]),
                StoredInstant(CHANGES, [handicap(None, 2, is_gone=GONE)]),
                StoredInstant(CHANGES, [handicap(-1, 3, is_gone=GONE)]),
            ],
            [(0, 3, False), (2, 3, True)],
            id="both-and-the-older-ends",
        ),
        pytest.param(
            [
                StoredInstant(COMPLETE, [handicap(None, 2), handicap(-1, 3)]),
                StoredInstant(CHANGES, [handicap(-1, 3, is_gone=GONE)]),
                StoredInstant(CHANGES, [handicap(None, 2, is_gone=GONE)]),
            ],
            [(0, 3, False), (1, 2, False), (2, 2, True)],
            id="both-and-the-newer-ends",
        ),
        pytest.param(
            [
                StoredInstant(COMPLETE, [handicap(None, 2)]),
                StoredInstant(CHANGES, [handicap(-1, 3)]),
                StoredInstant(
                    CHANGES, [handicap(-1, 3, is_gone=GONE), handicap(None, 2, is_gone=GONE)]
                ),
            ],
            [(0, 2, False), (1, 3, False), (2, 3, True)],
            id="both-end",
        ),
    ],
)
def test_rows(
    history: StoredHistory, left: Sequence[tuple[int, float, bool]], old_database: str, run: Run
) -> None:
    """Of the rows of both keys in a snapshot, the row that is on offer stays."""

    async def upgrade() -> None:
        async with with_histories(old_database, [history], [history]) as (connection, raw):
            await migrations.upgrade(connection)
            for side in SIDES:
                rows = await raw.fetch(
                    side.sql("""
                    SELECT extract(minute FROM s.captured_at)::int,
                        (m.outcomes -> 0 ->> 'odds')::float, m.unavailable_at IS NOT NULL
                    FROM {markets} AS m JOIN {snapshots} AS s ON s.id = m.snapshot_id
                    ORDER BY s.captured_at, m.id
                    """)
                )
                assert list(map(tuple, rows)) == left

    run(upgrade())


def test_sql_text(old_database: str, run: Run) -> None:
    """The SQL text of the revisions changes the rows as the upgrade does."""
    sql = migrations.upgrade_sql(f"{OLD_REVISION}:{HEAD}")
    both_sides = [
        StoredInstant(COMPLETE, [handicap(None, 2), handicap(-1, 3)]),
        StoredInstant(CHANGES, [handicap(-1, 3, is_gone=GONE)]),
        StoredInstant(CHANGES, [handicap(-1, 4), handicap(None, 2, is_gone=GONE)]),
    ]

    async def upgrade() -> None:
        connection = await asyncpg.connect(old_database)
        for side in SIDES:
            await insert_histories(connection, side, [both_sides] * 3)
        before = await read_rows(connection)
        await connection.execute(sql)
        after = await read_rows(connection)
        require_one_row_each(after)
        assert without_order(read_states(after, current_key)) == merged_states(before)
        await connection.close()

    run(upgrade())
    assert run(migrations.check(old_database)).state is CheckState.CLEAN


@pytest.mark.parametrize("side", SIDES, ids=lambda side: side.markets)
@pytest.mark.parametrize(
    "broken", ["handicap_away = 2", "line = 7"], ids=["another-away", "another-line"]
)
def test_handicaps_that_contradict_themselves(
    broken: str, side: Any, old_database: str, run: Run
) -> None:
    """They stop the upgrade, which names the SELECT that finds them; the others get their line."""
    history = [StoredInstant(COMPLETE, [handicap(None)])]

    async def fill() -> None:
        connection = await asyncpg.connect(old_database)
        await insert_histories(connection, side, [history, history])
        await connection.close()

    run(fill())
    first = f"WHERE id = (SELECT min(id) FROM {side.markets})"
    run(execute(old_database, f"UPDATE {side.markets} SET {broken} {first}"))
    with pytest.raises(CheckViolationError) as raised:
        run(migrations.upgrade(old_database))
    error = raised.value
    assert (error.table, error.constraint) == (side.markets, f"ck_{side.markets}_handicap_line")
    assert error.select is not None
    broken_row, other = run(fetch(old_database, f"SELECT id, line FROM {side.markets} ORDER BY id"))
    assert run(fetch_column(old_database, error.select)) == [broken_row[0]]
    assert other[1] == -1
    run(execute(old_database, f"DELETE FROM {side.markets} {first}"))
    run(migrations.upgrade(old_database))
    assert run(migrations.check(old_database)).state is CheckState.CLEAN
