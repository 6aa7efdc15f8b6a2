"""A chunk of one competitor's captures: tournaments and events brought up to date, odds appended.

Rows of the small tables come first: the missing ones are inserted, then the events are locked, in
the order of (source, external_id) by everybody. What a capture says of its tournament and event
counts only when no newer capture of that event is stored: a late delivery changes no name and no
kickoff.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from oddsschema.database.arrays import transposed
from oddsschema.database.connections import Connection
from oddsschema.ingestion.options import StorageOptions
from oddsschema.ingestion.records import PlainCapture, newest_captures
from oddsschema.ingestion.storage.history import Written, append
from oddsschema.ingestion.storage.matching import link_events
from oddsschema.ingestion.storage.placement import plan
from oddsschema.models.sides import COMPETITORS

_FIND_TOURNAMENTS = """
SELECT external_id, sport_id, name, sportradar_id, country_raw, country_iso, deleted_at, id
FROM competitor_tournaments WHERE source = $1 AND external_id = ANY ($2)
"""

_INSERT_TOURNAMENTS = """
INSERT INTO competitor_tournaments
    (source, external_id, sport_id, name, sportradar_id, country_raw, country_iso)
SELECT $1::text, c.*
FROM unnest($2::text[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[])
    AS c (external_id, sport_id, name, sportradar_id, country_raw, country_iso)
ORDER BY c.external_id
ON CONFLICT DO NOTHING
"""

# What a newer capture said stands, be it of another event of the tournament.
_UPDATE_TOURNAMENTS = """
WITH changed AS (
    SELECT t.id, c.*
    FROM unnest($2::text[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[],
            $8::timestamptz[])
        AS c (external_id, sport_id, name, sportradar_id, country_raw, country_iso, captured_at)
    JOIN competitor_tournaments AS t ON t.source = $1 AND t.external_id = c.external_id
    WHERE NOT EXISTS (
        SELECT FROM competitor_events AS e
        JOIN competitor_odds_snapshots AS s ON s.competitor_event_id = e.id
        WHERE e.tournament_id = t.id
            AND COALESCE(s.last_confirmed_at, s.captured_at) > c.captured_at
    )
    ORDER BY t.external_id
    FOR NO KEY UPDATE OF t
)
UPDATE competitor_tournaments AS t
SET sport_id = changed.sport_id, name = changed.name, sportradar_id = changed.sportradar_id,
    country_raw = changed.country_raw, country_iso = changed.country_iso, deleted_at = NULL
FROM changed
WHERE t.id = changed.id
"""

_INSERT_EVENTS = """
INSERT INTO competitor_events
    (source, external_id, tournament_id, sportradar_id, name, home_team, away_team, kickoff)
SELECT $1::text, c.*
FROM unnest($2::text[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::timestamptz[])
    AS c (external_id, tournament_id, sportradar_id, name, home_team, away_team, kickoff)
WHERE NOT EXISTS (
    SELECT FROM competitor_events AS e WHERE e.source = $1 AND e.external_id = c.external_id
)
ORDER BY c.external_id
ON CONFLICT DO NOTHING
RETURNING sportradar_id
"""

_LOCK_EVENTS = """
SELECT external_id, tournament_id, sportradar_id, name, home_team, away_team, kickoff, deleted_at,
    id
FROM competitor_events
WHERE source = $1 AND external_id = ANY ($2)
ORDER BY external_id
FOR NO KEY UPDATE
"""

_UPDATE_EVENTS = """
UPDATE competitor_events AS e
SET tournament_id = c.tournament_id, sportradar_id = c.sportradar_id, name = c.name,
    home_team = c.home_team, away_team = c.away_team, kickoff = c.kickoff,
    -- A match stands as long as the id that it was made by.
    betpawa_event_id = CASE WHEN e.sportradar_id = c.sportradar_id THEN e.betpawa_event_id END,
    deleted_at = NULL, updated_at = now()
FROM unnest($2::text[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::timestamptz[])
    AS c (external_id, tournament_id, sportradar_id, name, home_team, away_team, kickoff)
WHERE e.source = $1 AND e.external_id = c.external_id
"""


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


async def write_competitors(
    connection: Connection,
    source: str,
    run_id: int,
    captures: Sequence[PlainCapture],
    sports: dict[str, int],
    *,
    storage: StorageOptions,
    before_markets: Callable[[], None],
) -> tuple[Written, list[str]]:
    """Store captures of one competitor, in the caller's transaction. `sports` are ids by slug.

    Returns what was written, and the SportRadar ids of events that are new, which an event of
    BetPawa's that is not committed yet may belong to.
    """
    newest = newest_captures(captures, "competitor_event", "external_id")

    wanted = dict(_tournament(capture, sports) for capture in newest.values())
    tournaments = await connection.fetch(_FIND_TOURNAMENTS, source, list(wanted))
    if len(tournaments) < len(wanted):
        found = {row["external_id"] for row in tournaments}
        missing = [row[:-1] for external_id, row in wanted.items() if external_id not in found]
        await connection.execute(_INSERT_TOURNAMENTS, source, *transposed(missing))
        tournaments = await connection.fetch(_FIND_TOURNAMENTS, source, list(wanted))
    tournament_ids = {row["external_id"]: row["id"] for row in tournaments}

    told = {
        external_id: _event(capture["competitor_event"], tournament_ids)
        for external_id, capture in newest.items()
    }
    columns = transposed(list(told.values()))
    inserted = await connection.fetch(_INSERT_EVENTS, source, *columns)
    events = await connection.fetch(_LOCK_EVENTS, source, list(newest))
    event_ids = {row["external_id"]: row["id"] for row in events}

    offers, latest = await plan(
        connection,
        COMPETITORS,
        ((event_ids[c["competitor_event"]["external_id"]], c) for c in captures),
    )
    if renamed := [wanted[row["external_id"]] for row in tournaments if _differs(row, wanted)]:
        await connection.execute(_UPDATE_TOURNAMENTS, source, *transposed(renamed))
    changed = [
        told[row["external_id"]]
        for row in events
        if _differs(row, told)
        and latest.get(row["id"], _EPOCH) <= newest[row["external_id"]]["captured_at"]
    ]
    if changed:
        await connection.execute(_UPDATE_EVENTS, source, *transposed(changed))
    await link_events(connection, (row[2] for row in told.values()), source)
    written = await append(
        connection,
        COMPETITORS,
        storage,
        run_id,
        offers,
        before_markets=before_markets,
    )
    new = [*(row["sportradar_id"] for row in inserted), *(row[2] for row in changed)]
    return written, new


def _tournament(capture: PlainCapture, sports: dict[str, int]) -> tuple[str, tuple[Any, ...]]:
    """A tournament's external id, its columns in the order of `_UPDATE_TOURNAMENTS`."""
    tournament = capture["competitor_event"]["tournament"]
    external_id = tournament["external_id"]
    return external_id, (
        external_id,
        sports[tournament["sport"]["slug"]],
        tournament["name"],
        tournament["sportradar_id"],
        tournament["country_raw"],
        tournament["country_iso"],
        capture["captured_at"],
    )


def _event(event: Any, tournament_ids: dict[str, int]) -> tuple[Any, ...]:
    """An event's columns in the order of `_INSERT_EVENTS`."""
    return (
        event["external_id"],
        tournament_ids[event["tournament"]["external_id"]],
        event["sportradar_id"],
        event["name"],
        event["home_team"],
        event["away_team"],
        event["kickoff"],
    )


def _differs(row: Any, wanted: Mapping[str, tuple[Any, ...]]) -> bool:
    """Whether a tournament's or an event's row is not as wanted, or deleted."""
    # Rows go on with deleted_at and id, tournaments as wanted with when they were captured.
    columns = tuple(row)[:-2]
    return columns != wanted[row["external_id"]][: len(columns)] or row["deleted_at"] is not None
