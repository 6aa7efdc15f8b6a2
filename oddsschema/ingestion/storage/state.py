"""What an event offers, as the database has it, and what of a capture is new against that."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import compress
from operator import attrgetter, ne
from typing import TYPE_CHECKING, Any, NamedTuple

from oddsschema.database.connections import Connection
from oddsschema.ingestion.records import Key, PlainMarket, PlainOutcome, key_of, stored_outcomes

if TYPE_CHECKING:
    from oddsschema.models.sides import Side

#: What a market offers: its name and its outcomes. (A plain tuple: there are many.)
Stored = tuple[str, tuple[PlainOutcome, ...]]

_stored: Callable[[PlainMarket], Stored] = attrgetter("betpawa_market_name", "outcomes")


#: How many states are read at a time.
_GROUP = 24


@dataclass(slots=True)
class State:
    """What an event offers at an instant."""

    #: When the last snapshot that holds every market was captured; None before there is any.
    keyframe_at: datetime | None = None
    #: How many rows tell what has changed since.
    changes: int = 0
    markets: dict[Key, Stored] = field(default_factory=dict)


# The rows of the last keyframe and of what came after it, oldest first: the last one of a market
# says how it stands.
_STATES = """
SELECT keyframe.captured_at, rows.*
FROM unnest($1::int[], $2::timestamptz[]) WITH ORDINALITY AS e (event, at, position)
LEFT JOIN LATERAL (
    SELECT s.captured_at FROM {snapshots} AS s
    WHERE s.{event} = e.event {bookmaker} AND s.captured_at <= e.at AND s.is_complete
    ORDER BY s.captured_at DESC LIMIT 1
) AS keyframe ON true
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE o.captured_at > keyframe.captured_at) AS changes,
        array_agg(o.betpawa_market_id) AS ids, array_agg(o.line) AS lines,
        array_agg(o.handicap_type) AS types, array_agg(o.handicap_home) AS homes,
        array_agg(o.handicap_away) AS aways, array_agg(o.betpawa_market_name) AS names,
        '[' || string_agg(o.outcomes::text, ',') || ']' AS outcomes, array_agg(o.is_gone) AS gone
    FROM (
        SELECT s.captured_at, m.betpawa_market_id, m.line, m.handicap_type, m.handicap_home,
            m.handicap_away, m.betpawa_market_name, m.outcomes,
            m.unavailable_at IS NOT NULL AS is_gone
        FROM {snapshots} AS s
        JOIN {markets} AS m ON m.{event} = s.{event} AND m.snapshot_id = s.id
        WHERE s.{event} = e.event {bookmaker}
            AND s.captured_at >= keyframe.captured_at AND s.captured_at <= e.at
        ORDER BY s.captured_at, m.id
    ) AS o
) AS rows
ORDER BY e.position
"""


async def states(
    connection: Connection,
    side: "Side",
    asked: Sequence[tuple[int, datetime]],
    bookmaker_id: int | None,
) -> AsyncGenerator[State, None]:
    """The state of each (event id, instant) that is asked for.

    While one group is used, the server reads the next: until it is closed, the connection is busy.
    Closed early, it waits for the group that is on its way, and raises what goes wrong with it.
    """
    if not asked:
        return
    sql = side.sql(_STATES, "$3")

    async def fetch(at: int) -> Any:
        group = asked[at : at + _GROUP]
        events, instants = [event for event, _ in group], [instant for _, instant in group]
        return await connection.fetch(sql, events, instants, *side.arguments(bookmaker_id))

    fetching = asyncio.create_task(fetch(0))
    try:
        for at in range(0, len(asked), _GROUP):
            rows = await fetching
            if at + _GROUP < len(asked):
                fetching = asyncio.create_task(fetch(at + _GROUP))
                await asyncio.sleep(0)  # it is sent
            for row in rows:
                yield _state(*row)
                await asyncio.sleep(0)  # what the server has sent meanwhile is taken in
    except GeneratorExit:
        await fetching
        raise
    except BaseException:
        fetching.cancel()
        await asyncio.gather(fetching, return_exceptions=True)
        raise


def _state(keyframe_at: datetime | None, changes: int, *columns: Any) -> State:
    """A state from its row."""
    state = State(keyframe_at, changes)
    *keys, names, outcomes, is_gone = columns
    if names is not None:
        stored = zip(names, stored_outcomes(outcomes), strict=True)
        state.markets = dict(zip(zip(*keys, strict=True), stored, strict=True))
        if any(is_gone):
            last = dict(zip(zip(*keys, strict=True), is_gone, strict=True))
            for key in compress(last, last.values()):
                del state.markets[key]
    return state


def offered_by(markets: Sequence[PlainMarket]) -> dict[Key, Stored]:
    """The markets of a state, as a capture has them."""
    return dict(zip(map(key_of, markets), map(_stored, markets), strict=True))


class Difference(NamedTuple):
    """What a capture has that a state has not, and what a state has that a capture has not."""

    changed: Sequence[PlainMarket]
    gone: list[tuple[Key, Stored]]

    def __bool__(self) -> bool:
        return bool(self.changed or self.gone)


def compare(state: State, markets: Sequence[PlainMarket]) -> Difference:
    """Compare a capture's markets with a state, by value: outcomes may come in any order."""
    if not state.markets:
        return Difference(markets, [])
    keys = list(map(key_of, markets))
    offered = list(map(_stored, markets))
    found = list(map(state.markets.get, keys))
    # Most are what they were, to the letter: no Python code is run for these.
    differing = compress(zip(markets, found, offered, strict=True), map(ne, found, offered))
    changed = [
        market
        for market, stored, offer in differing
        if stored is None or not is_same(stored, offer)
    ]
    gone: list[tuple[Key, Stored]] = []
    if len(keys) - found.count(None) < len(state.markets):
        there = set(keys)
        gone = [(key, stored) for key, stored in state.markets.items() if key not in there]
    return Difference(changed, gone)


def is_same(stored: Stored, offered: Stored) -> bool:
    """Whether a market is the same, its outcomes in any order."""
    (name, outcomes), (other_name, others) = stored, offered
    if name != other_name:
        return False
    for one, other in zip(outcomes, others, strict=False):
        if one != other:
            if one.name == other.name:
                return False  # as nearly all that differ
            break
    return _values(outcomes) == _values(others)


def _values(outcomes: Sequence[PlainOutcome]) -> dict[str, tuple[float, bool]]:
    return {one.name: (one.odds, one.is_active) for one in outcomes}
