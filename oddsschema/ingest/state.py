"""What an event offers, as the database has it, and what of a capture is new against that."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import compress, count, repeat, starmap
from operator import itemgetter, ne
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic_core import from_json

from oddsschema.capture import market_key

if TYPE_CHECKING:
    import asyncpg

    from oddsschema.ingest.plan import Side

#: What tells the markets of an event apart: the values of `MARKET_KEY`.
Key = tuple[str, float | None, str | None, float | None, float | None]


#: A market as it is stored, or is going to be: its name, its plain outcomes, and whether it has
#: gone: is not offered any more, and these are its last outcomes. (A plain tuple: there are many.)
Stored = tuple[str, tuple[dict[str, Any], ...], bool]

_name = itemgetter("betpawa_market_name")
_outcomes = itemgetter("outcomes")


@dataclass(slots=True)
class State:
    """An event's markets at an instant, those included that have gone since the keyframe."""

    #: When the last snapshot that holds every market was captured; None before there is any.
    keyframe_at: datetime | None
    #: How many rows tell what has changed since.
    changes: int
    markets: dict[Key, Stored] = field(default_factory=dict)

    def offered(self) -> Iterator[tuple[Key, Stored]]:
        """The markets that are offered."""
        return ((key, stored) for key, stored in self.markets.items() if not stored[2])


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
    connection: "asyncpg.Connection[Any]",
    side: "Side",
    asked: Sequence[tuple[int, datetime]],
    bookmaker_id: int | None,
) -> Iterator[State]:
    """The state of each (event id, instant) that is asked for, made when its turn comes."""
    rows = await connection.fetch(
        side.sql(_STATES, "$3"),
        [event_id for event_id, _ in asked],
        [at for _, at in asked],
        *side.arguments(bookmaker_id),
    )
    return starmap(_state, rows)


def _state(keyframe_at: datetime | None, changes: int, *columns: Any) -> State:
    """A state from its row."""
    state = State(keyframe_at, changes)
    *keys, names, outcomes, gone = columns
    if names is not None:
        stored = zip(names, map(tuple, from_json(outcomes)), gone, strict=True)
        state.markets = dict(zip(zip(*keys, strict=True), stored, strict=True))
    return state


class Difference(NamedTuple):
    """What a capture has that a state has not, and what a state has that a capture has not."""

    changed: list[dict[str, Any]]
    gone: list[tuple[Key, Stored]]

    def __bool__(self) -> bool:
        return bool(self.changed or self.gone)


def compare(state: State, markets: Sequence[dict[str, Any]]) -> Difference:
    """Compare a capture's plain markets with a state, by value, and bring the state up to date.

    Outcomes may come in any order, and 1.50 is 1.5.
    """
    known = state.markets
    keys = list(map(market_key, markets))
    offered = list(zip(map(_name, markets), map(_outcomes, markets), repeat(False)))
    # Most are what they were, to the letter: no Python code is run for these.
    found = list(map(known.get, keys))
    changed = []
    for at in compress(count(), map(ne, found, offered)):
        stored = found[at]
        if stored is None or not is_same(stored, offered[at]):
            changed.append(markets[at])
            known[keys[at]] = offered[at]
    gone: list[tuple[Key, Stored]] = []
    if len(known) > len(keys):
        there = set(keys)
        gone = [(key, one) for key, one in state.offered() if key not in there]
        for key, (name, outcomes, _) in gone:
            known[key] = (name, outcomes, True)
    return Difference(changed, gone)


def is_same(stored: Stored, offered: Stored) -> bool:
    """Whether a market is the same, its outcomes in any order; `is_active` may be left out."""
    name, outcomes, is_gone = stored
    if (name, is_gone) != (offered[0], offered[2]):
        return False
    for one, other in zip(outcomes, offered[1], strict=False):
        if one != other:
            if one["name"] == other["name"] and one["odds"] != other["odds"]:
                return False  # as nearly all that differ
            break
    return _values(outcomes) == _values(offered[1])


def _values(outcomes: Sequence[dict[str, Any]]) -> dict[str, tuple[float, bool]]:
    return {one["name"]: (one["odds"], one.get("is_active", True)) for one in outcomes}
