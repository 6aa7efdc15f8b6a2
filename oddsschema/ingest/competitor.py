"""A chunk of one competitor's captures: tournaments and events brought up to date, odds appended.

Rows of the small tables come first, are inserted when missing, and are locked in the order of
(source, external_id) by everybody. What a capture says of its tournament and event counts only
when no newer capture of that event is stored: a late delivery changes no name and no kickoff.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from oddsschema.ingest.history import COMPETITORS, Written, append, latest_captures
from oddsschema.ingest.reference import link_events
from oddsschema.ingest.validate import PlainCapture

if TYPE_CHECKING:
    import asyncpg

_INSERT_TOURNAMENTS = """
INSERT INTO competitor_tournaments
    (source, external_id, sport_id, name, sportradar_id, country_raw, country_iso)
SELECT $1::text, c.*
FROM unnest($2::text[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[])
    AS c (external_id, sport_id, name, sportradar_id, country_raw, country_iso)
WHERE NOT EXISTS (
    SELECT FROM competitor_tournaments AS t WHERE t.source = $1 AND t.external_id = c.external_id
)
ORDER BY c.external_id
ON CONFLICT DO NOTHING
"""

_UPDATE_TOURNAMENTS = """
WITH changed AS (
    SELECT t.id, c.*
    FROM unnest($2::text[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[])
        AS c (external_id, sport_id, name, sportradar_id, country_raw, country_iso)
    JOIN competitor_tournaments AS t ON t.source = $1 AND t.external_id = c.external_id
    WHERE (t.sport_id, t.name, t.sportradar_id, t.country_raw, t.country_iso, t.deleted_at)
        IS DISTINCT FROM
        (c.sport_id, c.name, c.sportradar_id, c.country_raw, c.country_iso, NULL)
    ORDER BY t.external_id
    FOR NO KEY UPDATE OF t
)
UPDATE competitor_tournaments AS t
SET sport_id = changed.sport_id, name = changed.name, sportradar_id = changed.sportradar_id,
    country_raw = changed.country_raw, country_iso = changed.country_iso, deleted_at = NULL
FROM changed
WHERE t.id = changed.id
"""

_TOURNAMENT_IDS = """
SELECT external_id, id FROM competitor_tournaments WHERE source = $1 AND external_id = ANY ($2)
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
"""

_LOCK_EVENTS = """
SELECT external_id, id FROM competitor_events
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
  AND (e.tournament_id, e.sportradar_id, e.name, e.home_team, e.away_team, e.kickoff, e.deleted_at)
    IS DISTINCT FROM
    (c.tournament_id, c.sportradar_id, c.name, c.home_team, c.away_team, c.kickoff, NULL)
"""


async def write_competitors(
    connection: "asyncpg.Connection[Any]",
    source: str,
    run_id: int,
    captures: Sequence[PlainCapture],
    sports: dict[str, int],
    *,
    keep_raw: bool,
) -> Written:
    """Store captures of one competitor, in the caller's transaction. `sports` are ids by slug."""
    newest = {
        capture["competitor_event"]["external_id"]: capture
        for capture in sorted(captures, key=lambda capture: capture["captured_at"])
    }

    tournaments = _tournament_columns(list(newest.values()), sports)
    await connection.execute(_INSERT_TOURNAMENTS, source, *tournaments)
    rows = await connection.fetch(_TOURNAMENT_IDS, source, tournaments[0])
    tournament_ids = {row["external_id"]: row["id"] for row in rows}

    events = _event_columns(list(newest.values()), tournament_ids)
    await connection.execute(_INSERT_EVENTS, source, *events)
    rows = await connection.fetch(_LOCK_EVENTS, source, events[0])
    event_ids = {row["external_id"]: row["id"] for row in rows}

    latest = await latest_captures(connection, COMPETITORS, list(event_ids.values()))
    current = [
        capture
        for external_id, capture in newest.items()
        if (last := latest.get(event_ids[external_id])) is None or last <= capture["captured_at"]
    ]
    await connection.execute(_UPDATE_TOURNAMENTS, source, *_tournament_columns(current, sports))
    await connection.execute(_UPDATE_EVENTS, source, *_event_columns(current, tournament_ids))
    await link_events(
        connection, [capture["competitor_event"]["sportradar_id"] for capture in current]
    )
    return await append(
        connection,
        COMPETITORS,
        run_id,
        [(event_ids[capture["competitor_event"]["external_id"]], capture) for capture in captures],
        keep_raw=keep_raw,
    )


def _tournament_columns(
    captures: Sequence[PlainCapture], sports: dict[str, int]
) -> list[list[Any]]:
    """The columns of `_INSERT_TOURNAMENTS`, a row for each tournament; the last capture wins."""
    tournaments = {
        tournament["external_id"]: (
            tournament["external_id"],
            sports[tournament["sport"]["slug"]],
            tournament["name"],
            tournament["sportradar_id"],
            tournament["country_raw"],
            tournament["country_iso"],
        )
        for tournament in (capture["competitor_event"]["tournament"] for capture in captures)
    }
    return transposed(list(tournaments.values()), 6)


def _event_columns(
    captures: Sequence[PlainCapture], tournament_ids: dict[str, int]
) -> list[list[Any]]:
    """The columns of `_INSERT_EVENTS`, a row for each capture."""
    rows = [
        (
            event["external_id"],
            tournament_ids[event["tournament"]["external_id"]],
            event["sportradar_id"],
            event["name"],
            event["home_team"],
            event["away_team"],
            event["kickoff"],
        )
        for event in (capture["competitor_event"] for capture in captures)
    ]
    return transposed(rows, 7)


def transposed(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    """Rows as columns, for unnest; of no rows, empty columns."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]
