"""Captures of reference events: locks and updates the events, appends the odds.

Only captures of the reference bookmaker update an event. Those of other bookmakers insert an event
that is missing, until the reference bookmaker's first capture describes it.

The order of the steps and the rule for late deliveries are the same as in `competitor_events`.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

from oddsschema.database.arrays import arrays, unnest
from oddsschema.database.connections import Connection
from oddsschema.errors import TransactionError
from oddsschema.ingestion.options import StorageOptions
from oddsschema.ingestion.records import (
    CaptureRecord,
    EventRecord,
    newest_captures,
    newest_urls,
)
from oddsschema.ingestion.storage.event_changes import EventChanges, Written
from oddsschema.ingestion.storage.history import append
from oddsschema.ingestion.storage.known_rows import SELECT_REFERENCE_EVENTS, KnownReferenceRows
from oddsschema.ingestion.storage.matching import MatchedFixture, find_matches, link_events
from oddsschema.ingestion.storage.placement import place_captures
from oddsschema.ingestion.storage.reference_tournaments import (
    TournamentRow,
    find_tournaments,
    hold_tournaments,
)
from oddsschema.models.sides import BETPAWA


class EventRow(NamedTuple):
    """The columns of events that captures fill."""

    sportradar_id: str
    tournament_id: int
    name: str
    home_team: str
    away_team: str
    kickoff: datetime


class ListingRow(NamedTuple):
    """The columns of event_bookmakers that captures fill, but for the bookmaker."""

    event_id: int
    external_event_id: str
    event_url: str | None

    def changes(self, stored: Sequence[str | None] | None) -> bool:
        """Return whether the listing is new or differs. One without a URL keeps the stored URL."""
        if stored is None:
            return True
        external_event_id, event_url = stored
        return self.external_event_id != external_event_id or self.event_url not in (
            None,
            event_url,
        )


_FIND_BOOKMAKER = "SELECT id FROM bookmakers WHERE slug = $1"

# Insert the bookmaker of slug $1. Names are unique as well: another bookmaker may have this name.
_INSERT_BOOKMAKER = """
WITH new AS MATERIALIZED (
    SELECT $1::text AS slug, CASE WHEN EXISTS (SELECT FROM bookmakers WHERE name = $1::text)
        THEN $1::text || ' (slug)' ELSE $1::text END AS name
)
INSERT INTO bookmakers (slug, name) SELECT slug, name FROM new
ON CONFLICT (slug) DO NOTHING
"""

# Insert the events that are missing.
_INSERT_EVENTS = f"""
WITH missing AS MATERIALIZED (
    SELECT c.*
    FROM {unnest(EventRow, 1)}
    WHERE NOT EXISTS (SELECT FROM events AS e WHERE e.sportradar_id = c.sportradar_id)
)
INSERT INTO events ({", ".join(EventRow._fields)})
SELECT c.* FROM missing AS c
ORDER BY c.sportradar_id
ON CONFLICT (sportradar_id) DO NOTHING
RETURNING sportradar_id
"""

# Lock the events of SportRadar ids $1, and read them.
_LOCK_EVENTS = f"""
{SELECT_REFERENCE_EVENTS}
WHERE e.sportradar_id = ANY ($1)
ORDER BY e.sportradar_id
FOR NO KEY UPDATE OF e
"""

_UPDATE_EVENTS = f"""
UPDATE events AS e
SET tournament_id = c.tournament_id, name = c.name, home_team = c.home_team,
    away_team = c.away_team, kickoff = c.kickoff
FROM {unnest(EventRow, 1)}
WHERE e.sportradar_id = c.sportradar_id
"""

# The listing of an event that was placed, of the bookmaker $3.
_LISTING = """(
    SELECT ARRAY[l.external_event_id, l.event_url]::text[] FROM event_bookmakers AS l
    WHERE l.event_id = places.event AND l.bookmaker_id = $3
) AS listing"""

# Insert or update the listings of bookmaker $1. A listing without a URL keeps the stored one.
_UPSERT_LISTINGS = f"""
INSERT INTO event_bookmakers AS l (event_id, bookmaker_id, external_event_id, event_url)
SELECT c.event_id, $1, c.external_event_id, COALESCE(c.event_url, known.event_url)
FROM {unnest(ListingRow, 2)}
LEFT JOIN event_bookmakers AS known ON known.event_id = c.event_id AND known.bookmaker_id = $1
WHERE (known.external_event_id, known.event_url)
    IS DISTINCT FROM (c.external_event_id, COALESCE(c.event_url, known.event_url))
ORDER BY c.event_id
ON CONFLICT (event_id, bookmaker_id) DO UPDATE
SET external_event_id = excluded.external_event_id, event_url = excluded.event_url
"""


async def write_reference_events(
    connection: Connection,
    run_id: int,
    captures: Sequence[tuple[EventRecord, CaptureRecord]],
    sports: dict[str, int],
    known: KnownReferenceRows,
    *,
    storage: StorageOptions,
    before_markets: Callable[[], None],
) -> Written:
    """Store captures of a bookmaker's reference events, in the caller's transaction.

    `sports` maps slugs to ids.
    """
    bookmaker = captures[0][0].bookmaker
    bookmaker_id = known.bookmaker_id
    if bookmaker_id is None:
        await connection.execute(_INSERT_BOOKMAKER, bookmaker)
        bookmaker_id = await connection.fetchval(_FIND_BOOKMAKER, bookmaker)
    is_reference = bookmaker == storage.reference
    sportradar_id_of = attrgetter("sportradar_id")
    newest = newest_captures(captures, sportradar_id_of)
    described = newest
    if not is_reference:
        described = {key: pair for key, pair in newest.items() if key not in known.events}

    tournament_ids = await find_tournaments(
        connection,
        list(described.values()),
        sports,
        known,
        bookmaker_id=bookmaker_id,
        may_change=is_reference,
    )

    def event_row(event: EventRecord) -> EventRow:
        return EventRow(
            event.sportradar_id,
            tournament_ids[TournamentRow.of(event.tournament, sports)],
            event.name,
            event.home_team,
            event.away_team,
            event.kickoff,
        )

    missing = [event_row(newest[key][0]) for key in described if key not in known.events]
    inserted = await connection.fetch(_INSERT_EVENTS, *arrays(EventRow, missing)) if missing else []
    events: Sequence[Any] | None = known.locked
    if events is None:
        events = await connection.fetch(_LOCK_EVENTS, list(newest))
    if len(events) < len(newest):
        raise TransactionError(reason="events were deleted while captures of them were stored")
    event_ids: dict[str, int] = {row["sportradar_id"]: row["id"] for row in events}

    placed, latest, rows = await place_captures(
        connection,
        BETPAWA,
        ((event_ids[event.sportradar_id], capture) for event, capture in captures),
        bookmaker_id,
        columns=[_LISTING],
    )
    listed = {row["event"]: row["listing"] for row in rows}
    stored_until = {key: latest[id_] for key, id_ in event_ids.items() if id_ in latest}
    current = {
        sportradar_id: pair
        for sportradar_id, pair in newest.items()
        if (last := stored_until.get(sportradar_id)) is None or last < pair[1].captured_at
    }
    before = {row["sportradar_id"]: row for row in events}
    changed = {
        sportradar_id: row
        for sportradar_id, (event, _) in current.items()
        if is_reference
        and (row := event_row(event)) != tuple(before[sportradar_id][name] for name in row._fields)
    }
    moved_to = {
        row.tournament_id
        for sportradar_id, row in changed.items()
        if row.tournament_id != before[sportradar_id]["tournament_id"]
    }
    if not await hold_tournaments(connection, moved_to):
        raise TransactionError(reason="tournaments were deleted while captures of them were stored")
    if changed:
        await connection.execute(_UPDATE_EVENTS, *arrays(EventRow, list(changed.values())))
    if current:
        urls = newest_urls(captures, sportradar_id_of, stored_until)
        listings = [
            ListingRow(event_ids[sportradar_id], event.external_event_id, urls.get(sportradar_id))
            for sportradar_id, (event, _) in current.items()
        ]
        if changed_listings := [row for row in listings if row.changes(listed[row.event_id])]:
            await connection.execute(
                _UPSERT_LISTINGS, bookmaker_id, *arrays(ListingRow, changed_listings)
            )
    matches = []
    if any(row["is_unlinked"] for row in events):
        matches = await link_events(connection, event_ids)
    linked = {(match.source, match.external_id) for match in matches}
    # Doubts are about new matches, and about old ones of which a side has changed.
    moved = [
        sportradar_id
        for sportradar_id in changed
        if any(
            before[sportradar_id][name] != getattr(changed[sportradar_id], name)
            for name in MatchedFixture._fields
        )
    ]
    matches += [
        match
        for match in await find_matches(connection, moved)
        if (match.source, match.external_id) not in linked
    ]
    counts = await append(
        connection,
        BETPAWA,
        storage,
        run_id,
        placed,
        bookmaker_id=bookmaker_id,
        before_markets=before_markets,
    )
    new_ids = [row["sportradar_id"] for row in inserted]
    changes = EventChanges(
        captured=set(newest), inserted=set(new_ids), updated=set(changed), linked=linked
    )
    return Written(counts, changes, new_ids, matches)
