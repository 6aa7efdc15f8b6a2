"""A chunk of the reference bookmaker's captures: its tables brought up to date, odds appended.

The same order and the same rule for late deliveries as for competitors (see competitor.py).
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from oddsschema.database.arrays import transposed
from oddsschema.database.connections import Connection
from oddsschema.ingestion.options import StorageOptions
from oddsschema.ingestion.records import PlainCapture, newest_captures
from oddsschema.ingestion.storage.history import Written, append
from oddsschema.ingestion.storage.matching import link_events
from oddsschema.ingestion.storage.placement import plan
from oddsschema.models.sides import BETPAWA

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

_IDENTIFY_TOURNAMENT = "UPDATE tournaments SET sportradar_id = $2 WHERE id = $1"

_RENAME_TOURNAMENT = """
UPDATE tournaments AS t SET sport_id = $2, name = $3, country = $4
WHERE t.id = $1 AND NOT EXISTS (
    SELECT FROM events AS e JOIN odds_snapshots AS s ON s.event_id = e.id
    WHERE e.tournament_id = t.id AND COALESCE(s.last_confirmed_at, s.captured_at) > $5
)
RETURNING t.id
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

#: What a capture tells of its tournament: (sport id, name, country), and SportRadar's id.
_Told = tuple[tuple[int, str, str], str | None]


async def write_betpawa(
    connection: Connection,
    bookmaker: str,
    run_id: int,
    captures: Sequence[PlainCapture],
    sports: dict[str, int],
    *,
    storage: StorageOptions,
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
    newest = newest_captures(captures, "event", "sportradar_id")

    tournament_ids = await _tournament_ids(connection, list(newest.values()), sports)

    def columns(capture: PlainCapture) -> tuple[Any, ...]:
        event = capture["event"]
        tournament_id = tournament_ids[_told(event["tournament"], sports)]
        teams = event["home_team"], event["away_team"]
        return event["sportradar_id"], tournament_id, event["name"], *teams, event["kickoff"]

    inserted = await connection.fetch(
        _INSERT_EVENTS, *transposed([columns(capture) for capture in newest.values()])
    )
    events = await connection.fetch(_LOCK_EVENTS, list(newest))
    event_ids = {row["sportradar_id"]: row["id"] for row in events}

    offers, latest = await plan(
        connection,
        BETPAWA,
        ((event_ids[capture["event"]["sportradar_id"]], capture) for capture in captures),
        bookmaker_id,
    )
    current = [
        (event_ids[sportradar_id], capture)
        for sportradar_id, capture in newest.items()
        if (last := latest.get(event_ids[sportradar_id])) is None or last <= capture["captured_at"]
    ]
    if current:
        await connection.execute(
            _UPDATE_EVENTS, *transposed([columns(capture) for _, capture in current])
        )
        listings = [
            (event_id, capture["event"]["external_event_id"], capture["event"]["event_url"])
            for event_id, capture in current
        ]
        await connection.execute(_UPSERT_LISTINGS, bookmaker_id, *transposed(listings))
    await link_events(connection, event_ids)
    written = await append(
        connection,
        BETPAWA,
        storage,
        run_id,
        offers,
        bookmaker_id=bookmaker_id,
        before_markets=before_markets,
    )
    return written, [row["sportradar_id"] for row in inserted]


def _told(tournament: Any, sports: dict[str, int]) -> _Told:
    sport_id = sports[tournament["sport"]["slug"]]
    return (sport_id, tournament["name"], tournament["country"]), tournament["sportradar_id"]


async def _tournament_ids(
    connection: Connection,
    captures: Sequence[PlainCapture],
    sports: dict[str, int],
) -> dict[_Told, int]:
    """The id of each tournament, found by SportRadar id, else by name and country, else new.

    A tournament that is found by its SportRadar id alone has been renamed, and gets the new name
    when no newer capture is there and no other tournament has it. `captures`, the newest last.
    """
    told = {
        _told(capture["event"]["tournament"], sports): capture["captured_at"]
        for capture in captures
    }
    columns = [
        *transposed([key for key, _ in told]),
        [sportradar_id for _, sportradar_id in told if sportradar_id is not None],
    ]
    known = _Tournaments(await connection.fetch(_FIND_TOURNAMENTS, *columns))
    if not all(known.is_as_told(one) for one in told):
        await connection.execute(_LOCK_TOURNAMENTS)
        known = _Tournaments(await connection.fetch(_FIND_TOURNAMENTS, *columns))
    # What one capture tells may take from a tournament the name by which another has found it.
    return {one: await known.put(connection, one, captured_at) for one, captured_at in told.items()}


class _Tournaments:
    """Tournaments by both of their keys."""

    def __init__(self, rows: Sequence[Any]) -> None:
        self._by_key = {(row["sport_id"], row["name"], row["country"]): row["id"] for row in rows}
        self._by_sportradar_id = {row["sportradar_id"]: row["id"] for row in rows}
        self._by_sportradar_id.pop(None, None)

    def find(self, told: _Told) -> int | None:
        key, sportradar_id = told
        return self._by_sportradar_id.get(sportradar_id) or self._by_key.get(key)

    def is_as_told(self, told: _Told) -> bool:
        key, sportradar_id = told
        by_key = self._by_key.get(key)
        return by_key is not None and (
            sportradar_id is None or self._by_sportradar_id.get(sportradar_id) == by_key
        )

    async def put(self, connection: Connection, told: _Told, captured_at: datetime) -> int:
        """The id of a tournament: of a new one, or of one that is told what is new of it."""
        key, sportradar_id = told
        tournament_id = self.find(told)
        if tournament_id is None:
            tournament_id = int(await connection.fetchval(_INSERT_TOURNAMENT, *key, sportradar_id))
        elif sportradar_id not in self._by_sportradar_id:
            if sportradar_id is not None:
                await connection.execute(_IDENTIFY_TOURNAMENT, tournament_id, sportradar_id)
        elif key not in self._by_key:
            if await connection.fetchval(_RENAME_TOURNAMENT, tournament_id, *key, captured_at):
                self._by_key = {k: i for k, i in self._by_key.items() if i != tournament_id}
            else:
                return tournament_id
        else:
            return tournament_id
        self._by_key[key] = tournament_id
        if sportradar_id is not None:
            self._by_sportradar_id[sportradar_id] = tournament_id
        return tournament_id
