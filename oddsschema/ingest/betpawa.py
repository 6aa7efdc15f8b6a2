"""A chunk of the reference bookmaker's captures: its tables brought up to date, odds appended.

The same order and the same rule for late deliveries as for competitors (see competitor.py).
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from oddsschema.ingest.history import BETPAWA, Written, append, plan
from oddsschema.ingest.reference import link_events, newest_events, transposed
from oddsschema.ingest.validate import PlainCapture

if TYPE_CHECKING:
    import asyncpg

_FIND_BOOKMAKER = "SELECT id FROM bookmakers WHERE slug = $1"

# Names are unique as slugs are, and somebody else may have this one.
_INSERT_BOOKMAKER = """
INSERT INTO bookmakers (slug, name)
SELECT $1::text, CASE WHEN EXISTS (SELECT FROM bookmakers WHERE name = $1::text)
    THEN $1::text || ' (slug)' ELSE $1::text END
ON CONFLICT DO NOTHING
"""

# One at a time: two keys are unique here, and who has which can change in one chunk.
_LOCK_TOURNAMENTS = "SELECT pg_advisory_xact_lock(hashtext('oddsschema.tournaments'))"

_FIND_TOURNAMENTS = """
SELECT id, sport_id, name, country, sportradar_id FROM tournaments
WHERE sportradar_id = ANY ($4)
   OR (sport_id, name, country) IN (SELECT * FROM unnest($1::int[], $2::text[], $3::text[]))
"""

_INSERT_TOURNAMENT = """
INSERT INTO tournaments (sport_id, name, country, sportradar_id) VALUES ($1, $2, $3, $4)
RETURNING id
"""

_UPDATE_TOURNAMENT = """
UPDATE tournaments SET sport_id = $2, name = $3, country = $4, sportradar_id = $5 WHERE id = $1
"""

_INSERT_EVENTS = """
INSERT INTO events (sportradar_id, tournament_id, name, home_team, away_team, kickoff)
SELECT c.*
FROM unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
    AS c (sportradar_id, tournament_id, name, home_team, away_team, kickoff)
WHERE NOT EXISTS (SELECT FROM events AS e WHERE e.sportradar_id = c.sportradar_id)
ORDER BY c.sportradar_id
ON CONFLICT DO NOTHING
RETURNING sportradar_id
"""

_LOCK_EVENTS = """
SELECT sportradar_id, id FROM events
WHERE sportradar_id = ANY ($1)
ORDER BY sportradar_id
FOR NO KEY UPDATE
"""

_UPDATE_EVENTS = """
UPDATE events AS e
SET tournament_id = c.tournament_id, name = c.name, home_team = c.home_team,
    away_team = c.away_team, kickoff = c.kickoff
FROM unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
    AS c (sportradar_id, tournament_id, name, home_team, away_team, kickoff)
WHERE e.sportradar_id = c.sportradar_id
  AND (e.tournament_id, e.name, e.home_team, e.away_team, e.kickoff)
    IS DISTINCT FROM (c.tournament_id, c.name, c.home_team, c.away_team, c.kickoff)
"""

_UPSERT_LISTINGS = """
INSERT INTO event_bookmakers AS l (event_id, bookmaker_id, external_event_id, event_url)
SELECT c.event_id, $1, c.external_event_id, c.event_url
FROM unnest($2::int[], $3::text[], $4::text[]) AS c (event_id, external_event_id, event_url)
LEFT JOIN event_bookmakers AS known ON known.event_id = c.event_id AND known.bookmaker_id = $1
WHERE (known.external_event_id, known.event_url)
    IS DISTINCT FROM (c.external_event_id, c.event_url)
ORDER BY c.event_id
ON CONFLICT (event_id, bookmaker_id) DO UPDATE
SET external_event_id = excluded.external_event_id, event_url = excluded.event_url
"""

#: What a tournament is told apart by: sport id, name, country.
_TournamentKey = tuple[int, str, str]


async def write_betpawa(
    connection: "asyncpg.Connection[Any]",
    bookmaker: str,
    run_id: int,
    captures: Sequence[PlainCapture],
    sports: dict[str, int],
    *,
    keep_raw: bool,
    before_markets: Callable[[], None],
) -> tuple[Written, list[str]]:
    """Store captures of the reference bookmaker, in the caller's transaction.

    Returns what was written, and the SportRadar ids of events that are new, which a competitor's
    event that is not committed yet may belong to.
    """
    bookmaker_id = await connection.fetchval(_FIND_BOOKMAKER, bookmaker)
    if bookmaker_id is None:
        await connection.execute(_INSERT_BOOKMAKER, bookmaker)
        bookmaker_id = await connection.fetchval(_FIND_BOOKMAKER, bookmaker)
    newest = newest_events(captures, "event", "sportradar_id")

    tournament_ids = await _tournament_ids(connection, list(newest.values()), sports)

    def columns(event: Any) -> tuple[Any, ...]:
        tournament_id = tournament_ids[_key(event["tournament"], sports)]
        teams = event["home_team"], event["away_team"]
        return event["sportradar_id"], tournament_id, event["name"], *teams, event["kickoff"]

    inserted = await connection.fetch(
        _INSERT_EVENTS, *transposed([columns(event) for event in newest.values()])
    )
    events = await connection.fetch(_LOCK_EVENTS, list(newest))
    event_ids = {row["sportradar_id"]: row["id"] for row in events}

    offers = await plan(
        connection,
        BETPAWA,
        ((event_ids[capture["event"]["sportradar_id"]], capture) for capture in captures),
        bookmaker_id,
    )
    current = [(offer.event_id, offer.capture["event"]) for offer in offers if offer.is_newest]
    if current:
        await connection.execute(
            _UPDATE_EVENTS, *transposed([columns(event) for _, event in current])
        )
        listings = [
            (event_id, event["external_event_id"], event["event_url"])
            for event_id, event in current
        ]
        await connection.execute(_UPSERT_LISTINGS, bookmaker_id, *transposed(listings))
    await link_events(connection, event_ids)
    written = await append(
        connection,
        BETPAWA,
        run_id,
        offers,
        bookmaker_id=bookmaker_id,
        keep_raw=keep_raw,
        before_markets=before_markets,
    )
    return written, [row["sportradar_id"] for row in inserted]


def _key(tournament: Any, sports: dict[str, int]) -> _TournamentKey:
    return sports[tournament["sport"]["slug"]], tournament["name"], tournament["country"]


async def _tournament_ids(
    connection: "asyncpg.Connection[Any]",
    events: Sequence[Any],
    sports: dict[str, int],
) -> dict[_TournamentKey, int]:
    """The id of each tournament, found by name and country, else by SportRadar id, else new.

    A tournament that is known by its SportRadar id alone has changed its name, and gets the new
    one. A SportRadar id that another tournament has is not taken from it.
    """
    wanted: dict[_TournamentKey, str | None] = {}
    for event in events:
        tournament = event["tournament"]
        key = _key(tournament, sports)
        wanted[key] = tournament["sportradar_id"] or wanted.get(key)
    columns = [*transposed(list(wanted)), [one for one in wanted.values() if one is not None]]

    known = await connection.fetch(_FIND_TOURNAMENTS, *columns)
    by_key = {(row["sport_id"], row["name"], row["country"]): row for row in known}
    if all(
        key in by_key and sportradar_id in (None, by_key[key]["sportradar_id"])
        for key, sportradar_id in wanted.items()
    ):
        return {key: by_key[key]["id"] for key in wanted}

    await connection.execute(_LOCK_TOURNAMENTS)
    known = await connection.fetch(_FIND_TOURNAMENTS, *columns)
    ids = {(row["sport_id"], row["name"], row["country"]): row["id"] for row in known}
    owner = {row["sportradar_id"]: row["id"] for row in known}
    for key, sportradar_id in wanted.items():
        if key not in ids and sportradar_id in owner and sportradar_id is not None:
            # Renamed. Its old name is free now, unless this delivery still uses it.
            tournament_id = owner[sportradar_id]
            if not any(ids.get(other) == tournament_id for other in wanted):
                await connection.execute(_UPDATE_TOURNAMENT, tournament_id, *key, sportradar_id)
                ids[key] = tournament_id
                continue
        free = None if sportradar_id in owner else sportradar_id
        if key not in ids:
            ids[key] = await connection.fetchval(_INSERT_TOURNAMENT, *key, free)
        elif free is not None:
            await connection.execute(_UPDATE_TOURNAMENT, ids[key], *key, free)
        if free is not None:
            owner[free] = ids[key]
    return {key: ids[key] for key in wanted}
