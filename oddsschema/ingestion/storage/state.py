"""The state of an event: the markets on offer at an instant, read back to compare captures with."""

import asyncio
from collections.abc import AsyncGenerator, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import compress
from operator import ne
from typing import Any, NamedTuple

from oddsschema.contracts.scalars import HandicapType
from oddsschema.database.arrays import time_texts, times
from oddsschema.database.connections import Connection
from oddsschema.ingestion.records import (
    MARKET_SCALARS,
    CaptureRecord,
    MarketKey,
    MarketRecord,
    OutcomeRecord,
    market_key,
    stored_outcomes,
)
from oddsschema.ingestion.storage.unknown_markets import covers
from oddsschema.models.keyframes import IS_GONE, OLDEST_FIRST, candidates, last_keyframe
from oddsschema.models.odds import MARKET_KEY
from oddsschema.models.sides import Side

#: The numbers of states that one statement reads: few at first, since the caller may stop early.
#: Each further one is a round trip.
_FIRST_GROUP, _LARGEST_GROUP = 24, 192
#: The number of states whose keys one statement reads.
_KEY_GROUP = 500

_HANDICAP_TYPES: dict[str | None, HandicapType] = {member.value: member for member in HandicapType}


def _of_candidates(values: str) -> str:
    """Return a statement for events $1 and instants $2, with a row for each.

    `values` aggregates the candidates of the state, rows of `m`, oldest first. $3 is the
    bookmaker's id.
    """
    return f"""
SELECT keyframe.captured_at, rows.*
FROM unnest($1::int[], {times(2)}) WITH ORDINALITY AS e (event, at, position)
LEFT JOIN LATERAL ({last_keyframe("e.event", "e.at")}) AS keyframe ON true
CROSS JOIN LATERAL (
    SELECT {values}
    FROM (
        SELECT s.captured_at, {{market_columns}}, {IS_GONE} AS is_gone
        {candidates("e.event", "e.at")}
        ORDER BY {OLDEST_FIRST}
    ) AS m
) AS rows
ORDER BY e.position
"""


# Read states: their candidates as one row of arrays.
_STATES = _of_candidates(
    "count(*) FILTER (WHERE m.captured_at > keyframe.captured_at) AS changes, "
    "array_agg(m.is_gone) AS are_gone, "
    "'[' || string_agg(m.outcomes::text, ',') || ']' AS outcomes, "
    + ", ".join(f"array_agg(m.{name})" for name in MARKET_SCALARS)
)

# Read the keys of states: those of their candidates as one row of arrays.
_KEYS = _of_candidates(
    "array_agg(m.is_gone) AS are_gone, " + ", ".join(f"array_agg(m.{name})" for name in MARKET_KEY)
)


#: The markets on offer, by their keys.
OfferedMarkets = dict[MarketKey, MarketRecord]


@dataclass(slots=True)
class State:
    """The markets that an event offers at an instant."""

    #: The time of the last keyframe; None before the first one.
    keyframe_at: datetime | None = None
    #: The number of market rows since the keyframe.
    changes: int = 0
    markets: OfferedMarkets = field(default_factory=dict)


async def read_states(
    connection: Connection,
    side: Side,
    instants: Sequence[tuple[int, datetime]],
    bookmaker_id: int | None,
) -> AsyncGenerator[State, None]:
    """Read the state at each (event id, instant), in their order.

    While the caller uses one group, the server reads the next: until the generator is closed, the
    connection is busy. Closed early, it waits for the group on its way, and raises its error.
    """
    if not instants:
        return

    async def fetch(group: Sequence[tuple[int, datetime]]) -> Any:
        return await _fetch(connection, side, _STATES, group, bookmaker_id)

    groups = _groups(instants)
    fetching = asyncio.create_task(fetch(groups[0]))
    try:
        for number in range(len(groups)):
            rows = await fetching
            if number + 1 < len(groups):
                fetching = asyncio.create_task(fetch(groups[number + 1]))
                await asyncio.sleep(0)  # lets the task send its statement
            for row in rows:
                yield _state(*row)
                await asyncio.sleep(0)  # lets the driver take in the data that has arrived
    except GeneratorExit:
        await fetching
        raise
    except BaseException:
        fetching.cancel()
        await asyncio.gather(fetching, return_exceptions=True)
        raise


def _groups(instants: Sequence[tuple[int, datetime]]) -> list[Sequence[tuple[int, datetime]]]:
    """Split instants into the groups that one statement each reads."""
    groups, start, size = [], 0, _FIRST_GROUP
    while start < len(instants):
        groups.append(instants[start : start + size])
        start, size = start + size, min(2 * size, _LARGEST_GROUP)
    return groups


async def read_offered_keys(
    connection: Connection,
    side: Side,
    instants: Sequence[tuple[int, datetime]],
    bookmaker_id: int | None,
) -> AsyncGenerator[set[MarketKey], None]:
    """Read the keys of the markets on offer at each (event id, instant), in their order.

    This is faster than reading the states, most of whose bytes are outcomes and names.
    """
    for start in range(0, len(instants), _KEY_GROUP):
        group = instants[start : start + _KEY_GROUP]
        for _, are_gone, *columns in await _fetch(connection, side, _KEYS, group, bookmaker_id):
            if are_gone is None:
                yield set()
                continue
            # The last candidate of each market decides.
            newest = dict(zip(zip(*columns, strict=True), are_gone, strict=True))
            yield {key for key, is_gone in newest.items() if not is_gone}


async def _fetch(
    connection: Connection,
    side: Side,
    template: str,
    instants: Sequence[tuple[int, datetime]],
    bookmaker_id: int | None,
) -> Any:
    return await connection.fetch(
        side.sql(template, bookmaker="$3"),
        [event for event, _ in instants],
        time_texts(at for _, at in instants),
        *side.bookmaker_arguments(bookmaker_id),
    )


def _state(
    keyframe_at: datetime | None,
    changes: int,
    are_gone: Sequence[bool] | None,
    outcomes: str,
    *scalars: Sequence[Any],
) -> State:
    """Build a state from a row of `_STATES`."""
    state = State(keyframe_at, changes)
    if are_gone is not None:
        columns: dict[str, Sequence[Any]] = dict(zip(MARKET_SCALARS, scalars, strict=True))
        columns["handicap_type"] = list(map(_HANDICAP_TYPES.get, columns["handicap_type"]))
        columns["outcomes"] = stored_outcomes(outcomes)
        records = map(MarketRecord, *(columns[name] for name in MarketRecord.__struct_fields__))
        # From the columns: reading the keys back from the records is slower.
        keys = list(zip(*(columns[name] for name in MARKET_KEY), strict=True))
        # The last candidate of each market replaces the others.
        state.markets = dict(zip(keys, records, strict=True))
        if any(are_gone):
            newest = dict(zip(keys, are_gone, strict=True))
            for key in compress(newest, newest.values()):
                del state.markets[key]
    return state


def stored_market(row: Any) -> MarketRecord:
    """Build a market from a row with its scalars, and with its outcomes as a JSON array of one."""
    return MarketRecord(
        outcomes=stored_outcomes(row["outcomes"])[0],
        **{name: row[name] for name in MARKET_SCALARS if name != "handicap_type"},
        handicap_type=_HANDICAP_TYPES.get(row["handicap_type"]),
    )


def by_key(markets: Collection[MarketRecord]) -> OfferedMarkets:
    """Map markets by their keys, as a state has them."""
    return dict(zip(map(market_key, markets), markets, strict=True))


class Difference(NamedTuple):
    """The difference between a state and a capture that follows it."""

    #: Markets that are new or differ, as the capture has them.
    changed: Sequence[MarketRecord]
    #: Markets that the capture lacks, as the state has them.
    gone: list[MarketRecord]
    #: Markets that the capture lacks because they were refused: they stay as the state has them.
    carried: list[MarketRecord]

    def __bool__(self) -> bool:
        return bool(self.changed or self.gone)


def compare(state: State, capture: CaptureRecord) -> Difference:
    """Compare the markets of a capture with a state, by value: outcomes may be in any order."""
    markets = capture.markets
    if not state.markets:
        return Difference(markets, [], [])
    keys = list(map(market_key, markets))
    before = list(map(state.markets.get, keys))
    # Most markets are equal in every field and in the order of outcomes: C code finds those.
    differing = compress(zip(markets, before, strict=True), map(ne, before, markets))
    changed = [
        market for market, stored in differing if stored is None or not is_same(stored, market)
    ]
    gone: list[MarketRecord] = []
    carried: list[MarketRecord] = []
    if len(keys) - before.count(None) < len(state.markets):
        present = set(keys)
        for key, market in state.markets.items():
            if key not in present:
                is_unknown = covers(capture.unknown, key) and key not in capture.not_offered
                (carried if is_unknown else gone).append(market)
    return Difference(changed, gone, carried)


def is_same(stored: MarketRecord, offered: MarketRecord) -> bool:
    """Return whether two markets of one key are the same, their outcomes in any order."""
    if stored.betpawa_market_name != offered.betpawa_market_name:
        return False
    for before, after in zip(stored.outcomes, offered.outcomes, strict=False):
        if before != after:
            if before.name == after.name:
                return False  # the usual case: a price moved
            break
    return _by_name(stored.outcomes) == _by_name(offered.outcomes)


def _by_name(outcomes: Sequence[OutcomeRecord]) -> dict[str, tuple[float | None, bool]]:
    return {outcome.name: (outcome.odds, outcome.is_active) for outcome in outcomes}
