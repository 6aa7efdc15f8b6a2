"""A program that writes histories by SQL of its own, which any revision from 6 on accepts.

An ingestion of this release refuses an older schema. Such a program is at work while older
revisions are downgraded, too.
"""

import asyncio
import random
from datetime import timedelta
from typing import Any, NamedTuple

from oddsschema.models.sides import SIDES, Side
from tests.support.pruned_histories import at
from tests.support.stored_histories import (
    StoredHistory,
    StoredInstant,
    StoredRow,
    current_key,
    insert_histories,
    outcomes_json,
    read_rows,
    read_states,
    sportradar_id,
    without_order,
)

#: The first instant of each history, which no prune of a round deletes.
START = at(20)

_MARKETS = [
    {"betpawa_market_id": str(number), "line": line} for number, line in enumerate((2.5, None))
]


class Written(NamedTuple):
    """A committed history."""

    side: Side
    number: int
    history: StoredHistory


class PlainWriter:
    """The histories that a program has committed by SQL of its own."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._last = 0
        self._written: list[Written] = []

    def forget(self) -> None:
        """Forget all histories: a downgrade has dropped their tables."""
        self._written.clear()

    async def write(self, connection: Any) -> None:
        """Write the history of a new event in one transaction."""
        self._last += 1
        written = Written(self._rng.choice(SIDES), self._last, self._history())
        async with connection.transaction():
            await insert_histories(
                connection, written.side, [written.history], written.number, START
            )
            await asyncio.sleep(self._rng.uniform(0, 0.2))
        self._written.append(written)

    def _history(self) -> StoredHistory:
        rng = self._rng
        return [
            StoredInstant(
                number == 0,
                [
                    StoredRow(columns, [rng.choice([1.5, 2, 3])], number > 0 and rng.random() < 0.3)
                    for columns in (_MARKETS if number == 0 else rng.sample(_MARKETS, 1))
                ],
            )
            for number in range(rng.randint(1, 4))
        ]

    async def differences(self, connection: Any) -> list[str]:
        """Describe each instant of the histories that reads otherwise than it was written."""
        found = without_order(read_states(await read_rows(connection), current_key))
        ids = {
            side: dict(await connection.fetch(f"SELECT sportradar_id, id FROM {side.events}"))
            for side in SIDES
        }
        wrong = []
        for side, number, history in self._written:
            event_id = ids[side].get(sportradar_id(side, number))
            wanted: dict[Any, Any] = {}
            for minute, instant in enumerate(history):
                for row in instant.rows:
                    key = row.columns["betpawa_market_id"], row.columns["line"], None, None
                    wanted[key] = None if row.is_gone else outcomes_json(row.prices)
                state = found.get((side.snapshots, event_id, START + timedelta(minutes=minute)))
                offered = {key: value for key, value in wanted.items() if value is not None}
                if state != offered:
                    wrong.append(
                        f"{sportradar_id(side, number)}, instant {minute}, by SQL of its own:\n"
                        f"  stored   {state}\n  expected {offered}"
                    )
        return wrong

    @property
    def instants(self) -> int:
        """The number of committed instants."""
        return sum(len(written.history) for written in self._written)
