"""The content of a database, compared with the model of a scenario."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from oddsschema import queries
from oddsschema.models.sides import BETPAWA, COMPETITORS
from tests.soak.scenario import Instant
from tests.support.histories import Model, plain, read_model_states
from tests.support.market_keys import market_key
from tests.support.pruned_histories import at, side_of
from tests.support.statements import compiled

#: A platform, and the SportRadar id of an event.
Listing = tuple[str, str]

#: The instants of all captures of both sides.
STORED_INSTANTS = """
SELECT b.slug, e.sportradar_id, unnest(s.captured_at || s.confirmed_at)
FROM odds_snapshots AS s JOIN events AS e ON e.id = s.event_id
JOIN bookmakers AS b ON b.id = s.bookmaker_id
UNION ALL
SELECT e.source, e.sportradar_id, unnest(s.captured_at || s.confirmed_at)
FROM competitor_odds_snapshots AS s JOIN competitor_events AS e ON e.id = s.competitor_event_id
"""


async def stored_instants(connection: Any) -> set[Instant]:
    """Read the instants of all stored captures."""
    start = at(0)
    return {
        Instant(platform, event, round((when - start).total_seconds() / 60))
        for platform, event, when in await connection.fetch(STORED_INSTANTS)
    }


async def read_by_states(
    connection: Any, asked: Iterable[tuple[Listing, datetime]]
) -> dict[tuple[Listing, datetime], Any]:
    """Read the state of each listing and instant as ingestion reads it."""
    event_ids = {
        BETPAWA: dict(await connection.fetch("SELECT sportradar_id, id FROM events")),
        COMPETITORS: {
            (source, event): event_id
            for source, event, event_id in await connection.fetch(
                "SELECT source, sportradar_id, id FROM competitor_events"
            )
        },
    }
    bookmakers = dict(await connection.fetch("SELECT slug, id FROM bookmakers"))
    by_platform: defaultdict[str, list[tuple[Listing, datetime]]] = defaultdict(list)
    for listing, instant in asked:
        by_platform[listing[0]].append((listing, instant))
    found: dict[tuple[Listing, datetime], Any] = {}
    for platform, each in by_platform.items():
        side = side_of(platform)
        ids = event_ids[side]
        numbers = [
            (ids.get(listing[1] if side is BETPAWA else listing, 0), instant)
            for listing, instant in each
        ]
        states = await read_model_states(connection, side, numbers, bookmakers.get(platform, 0))
        found |= zip(each, states, strict=True)
    return found


async def read_by_offers(
    connection: Any, instant: datetime
) -> tuple[dict[Listing, Any], dict[Listing, set[Any]]]:
    """Read the state of each listing by the published select, and its carried markets."""
    statement, arguments = compiled(queries.offers(instant))
    states: defaultdict[Listing, dict[Any, Any]] = defaultdict(dict)
    carried: defaultdict[Listing, set[Any]] = defaultdict(set)
    for row in await connection.fetch(statement, *arguments):
        offer = dict(row)
        listing = offer["bookmaker"], offer["sportradar_id"]
        key = market_key(offer)
        assert key not in states[listing], f"{listing} has two rows of {key} at {instant}"
        states[listing][key] = plain(offer | {"outcomes": json.loads(offer["outcomes"])})
        if offer["is_carried"]:
            carried[listing].add(key)
    return states, carried


async def differences(
    connection: Any, model: Model, instants: Sequence[Instant], by_offers: bool = True
) -> list[str]:
    """Describe each instant that does not read as the model says, by states and by offers."""
    asked = [((each.platform, each.event), at(each.minute)) for each in instants]
    reads = [("states", await read_by_states(connection, asked))]
    wrong = []
    if by_offers:
        offers: dict[tuple[Listing, datetime], Any] = {}
        for instant in sorted({instant for _, instant in asked}):
            states, carried = await read_by_offers(connection, instant)
            for listing in {listing for listing, when in asked if when == instant}:
                offers[listing, instant] = states.get(listing, {})
                past = [when for when in model.instants[listing] if when <= instant]
                wanted = model.carried[listing, max(past)] if past else set()
                if carried.get(listing, set()) != wanted:
                    wrong.append(
                        f"{listing} at {instant:%H:%M}, carried:\n"
                        f"  stored   {carried.get(listing, set())}\n  expected {wanted}"
                    )
        reads.append(("offers", offers))
    for name, found in reads:
        for (listing, instant), state in found.items():
            wanted = model.at(listing[0], instant, listing[1])
            if state != wanted:
                wrong.append(
                    f"{listing} at {instant:%H:%M}, {name}:\n"
                    f"  stored   {_only(state, wanted)}\n  expected {_only(wanted, state)}"
                )
    return wrong


def _only(state: dict[Any, Any], other: dict[Any, Any]) -> dict[Any, Any]:
    return {key: value for key, value in state.items() if other.get(key) != value}
