"""Histories of an event as rows, in the form of any revision, and a reader of their states.

The reader takes the key of markets as an argument, so that states can be compared across a change
of the key.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from oddsschema.models.sides import BETPAWA, SIDES, Side

#: The last revision with the former key of markets.
OLD_REVISION = "oddsschema_0007"

START = datetime(2024, 1, 9, 12, tzinfo=UTC)
#: A price of a market, None for a closed outcome without a price.
Price = float | None


class StoredRow(NamedTuple):
    """A market row: the columns to store, by name, and its prices."""

    columns: dict[str, Any]
    prices: Sequence[Price]
    is_gone: bool = False


def handicap(line: float | None, price: float = 2, *, is_gone: bool = False) -> StoredRow:
    """Return a row of the handicap -1, with this line."""
    columns = {
        "betpawa_market_id": "1",
        "line": line,
        "handicap_type": "asian",
        "handicap_home": -1.0,
        "handicap_away": 1.0,
    }
    return StoredRow(columns, [price, price], is_gone)


class StoredInstant(NamedTuple):
    """A snapshot with its rows, in the order of their ids."""

    is_complete: bool
    rows: Sequence[StoredRow]


#: A history: snapshots, a minute apart.
StoredHistory = Sequence[StoredInstant]

_TOURNAMENTS = """
INSERT INTO tournaments (sport_id, name) SELECT id, 'Cup' FROM sports ON CONFLICT DO NOTHING;
INSERT INTO competitor_tournaments (source, sport_id, name, external_id)
SELECT 'bet9ja', id, 'Cup', '1' FROM sports ON CONFLICT DO NOTHING
"""

_INSERT_EVENT = {
    "events": """
INSERT INTO events (tournament_id, sportradar_id, name, home_team, away_team, kickoff)
SELECT id, $1, 'A - B', 'A', 'B', now() FROM tournaments LIMIT 1 RETURNING id
""",
    "competitor_events": """
INSERT INTO competitor_events (source, tournament_id, external_id, sportradar_id, name, home_team,
    away_team, kickoff)
SELECT source, id, $1, $1, 'A - B', 'A', 'B', now() FROM competitor_tournaments LIMIT 1 RETURNING id
""",
}


async def insert_histories(
    connection: Any,
    side: Side,
    histories: Sequence[StoredHistory],
    first: int = 0,
    start: datetime = START,
) -> None:
    """Insert an event of this side with each history; the first event has this number."""
    await connection.execute(_TOURNAMENTS)
    bookmaker_id = await connection.fetchval("SELECT min(id) FROM bookmakers")
    columns = {"bookmaker_id": bookmaker_id} if side is BETPAWA else {}
    for number, history in enumerate(histories, first):
        event_id = await connection.fetchval(
            _INSERT_EVENT[side.events], sportradar_id(side, number)
        )
        for minute, instant in enumerate(history):
            at = start + timedelta(minutes=minute)
            snapshot_id = await _insert(
                connection,
                side.snapshots,
                {
                    **columns,
                    side.event_column: event_id,
                    "captured_at": at,
                    "is_complete": instant.is_complete,
                    "confirmed_at": [at + timedelta(seconds=20)],
                    "last_confirmed_at": at + timedelta(seconds=20),
                },
            )
            for row in instant.rows:
                await _insert(
                    connection,
                    side.markets,
                    {
                        side.event_column: event_id,
                        "snapshot_id": snapshot_id,
                        "betpawa_market_name": "Market",
                        "outcomes": outcomes_json(row.prices),
                        "unavailable_at": at if row.is_gone else None,
                        **row.columns,
                    },
                )


def sportradar_id(side: Side, number: int) -> str:
    """Return the SportRadar id of an event that `insert_histories` inserts."""
    return f"{side.events} {number}"


async def _insert(connection: Any, table: str, columns: dict[str, Any]) -> int:
    parameters = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
    statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({parameters}) RETURNING id"
    return int(await connection.fetchval(statement, *columns.values()))


def outcomes_json(prices: Sequence[Price]) -> str:
    """Write outcomes with these prices as JSON; those without a price are closed."""
    elements = (
        f'{{"name": "{name}", "odds": {"null" if price is None else price}, '
        f'"is_active": {"false" if price is None else "true"}}}'
        for name, price in enumerate(prices)
    )
    return f"[{', '.join(elements)}]"


#: A state: the order and the outcomes of each market on offer, by its key.
States = dict[tuple[str, int, datetime], dict[Hashable, tuple[Any, str]]]

_READ = """
SELECT s.{event} AS event, s.captured_at, s.is_complete, m.id AS row_id, m.unavailable_at,
    m.outcomes::text AS outcomes, to_jsonb(m) ->> 'specifiers' AS specifiers,
    m.betpawa_market_id, m.line, m.handicap_type, m.handicap_home, m.handicap_away
FROM {snapshots} AS s
LEFT JOIN {markets} AS m ON m.{event} = s.{event} AND m.snapshot_id = s.id
ORDER BY s.{event}, s.captured_at, m.id
"""


async def read_rows(connection: Any) -> dict[str, list[Any]]:
    """Read the market rows of each side in order, with NULLs for a snapshot without rows."""
    return {side.snapshots: await connection.fetch(side.sql(_READ)) for side in SIDES}


def read_states(rows: dict[str, list[Any]], key_of: Callable[[Any], Hashable]) -> States:
    """Return the offer after each snapshot, by the definition of `oddsschema.models.keyframes`."""
    states: States = {}
    for table, found in rows.items():
        by_snapshot = defaultdict(list)
        for row in found:
            by_snapshot[row["event"], row["captured_at"]].append(row)
        newest: dict[Hashable, Any] = {}
        event = None
        for (event_id, at), here in by_snapshot.items():
            if event_id != event or here[0]["is_complete"]:
                newest, event = {}, event_id
            newest |= {key_of(row): row for row in here if row["row_id"] is not None}
            states[table, event_id, at] = {
                key: ((row["captured_at"], row["row_id"]), row["outcomes"])
                for key, row in newest.items()
                if row["unavailable_at"] is None
            }
    return states


def without_order(states: States) -> dict[Any, dict[Hashable, str]]:
    """Return the outcomes of each market in each state."""
    return {
        instant: {key: outcomes for key, (_, outcomes) in state.items()}
        for instant, state in states.items()
    }


def current_key(row: Any) -> Hashable:
    """Return the key of a market since revision 8."""
    return row["betpawa_market_id"], row["line"], row["handicap_type"], row["specifiers"]


def former_key(row: Any) -> Hashable:
    """Return the key of a market until revision 7."""
    names = ("betpawa_market_id", "line", "handicap_type", "handicap_home", "handicap_away")
    return tuple(row[name] for name in names)
