"""The rows that captures refer to and that are stored already, found by one statement for a side.

Nearly every capture is of a known event of a known tournament. A single round trip finds the
sports, the bookmaker, the tournaments and the events of a chunk, and locks the events; only missing
rows need more. While any row is missing, no event is locked: rows are inserted before events are
locked, or two transactions could wait for each other.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pydantic_core import from_json

from oddsschema.database.connections import Connection
from oddsschema.ingestion.records import CompetitorEventRecord, EventRecord
from oddsschema.ingestion.storage.sports import StoredSport

#: A stored row, by the names of its columns.
Row = Mapping[str, Any]

_SPORTS = """(
    SELECT json_agg(json_build_array(s.slug, s.id, s.name))
    FROM sports AS s WHERE s.slug = ANY ($1::text[])
)::text"""

_HAS_SPORTS = (
    "(SELECT count(*) FROM sports WHERE slug = ANY ($1::text[])) = cardinality($1::text[])"
)

#: Select events, each with whether an event of the other side that has its id is not linked to it.
#: (One that another transaction inserts meanwhile is linked by that one.)
SELECT_REFERENCE_EVENTS = """
SELECT e.*, EXISTS (
    SELECT FROM competitor_events AS c
    WHERE c.sportradar_id = e.sportradar_id AND c.betpawa_event_id IS DISTINCT FROM e.id
) AS is_unlinked
FROM events AS e
"""
SELECT_COMPETITOR_EVENTS = """
SELECT c.*, EXISTS (
    SELECT FROM events AS e
    WHERE e.sportradar_id = c.sportradar_id AND c.betpawa_event_id IS DISTINCT FROM e.id
) AS is_unlinked
FROM competitor_events AS c
"""

# Find the sports $1, the bookmaker $2, the tournaments of sports $3, names $4 and countries $5 or
# of SportRadar ids $6, and the events of SportRadar ids $7, each with its tournament. Lock the
# events if everything is there, and the tournaments are as captured.
_FIND_REFERENCE = f"""
WITH locked AS MATERIALIZED (
    {SELECT_REFERENCE_EVENTS}
    WHERE e.sportradar_id = ANY ($7::text[]) AND {_HAS_SPORTS}
        AND EXISTS (SELECT FROM bookmakers AS b WHERE b.slug = $2::text)
        AND NOT EXISTS (
            SELECT FROM unnest($3::text[], $4::text[], $5::text[], $6::text[])
                AS c (slug, name, country, sportradar_id)
            LEFT JOIN sports AS s ON s.slug = c.slug
            LEFT JOIN tournaments AS t
                ON (t.sport_id, t.name, t.country) = (s.id, c.name, c.country)
            WHERE t.id IS NULL
                OR t.sportradar_id IS DISTINCT FROM COALESCE(c.sportradar_id, t.sportradar_id)
        )
        AND cardinality($7::text[]) = (
            SELECT count(*) FROM events AS e WHERE e.sportradar_id = ANY ($7::text[])
        )
    ORDER BY e.sportradar_id
    FOR NO KEY UPDATE OF e
)
SELECT {_SPORTS} AS sports,
    (SELECT b.id FROM bookmakers AS b WHERE b.slug = $2::text) AS bookmaker_id,
    (
        SELECT json_agg(json_build_object('id', t.id, 'sport_id', t.sport_id, 'name', t.name,
            'country', t.country, 'sportradar_id', t.sportradar_id))
        FROM tournaments AS t
        WHERE t.sportradar_id = ANY ($6::text[]) OR (t.sport_id, t.name, t.country) IN (
            SELECT s.id, c.name, c.country
            FROM unnest($3::text[], $4::text[], $5::text[]) AS c (slug, name, country)
            JOIN sports AS s ON s.slug = c.slug
        )
    )::text AS tournaments,
    (
        SELECT json_object_agg(e.sportradar_id, e.tournament_id)
        FROM events AS e WHERE e.sportradar_id = ANY ($7::text[])
    )::text AS events,
    (SELECT json_agg(locked) FROM locked)::text AS locked
"""

# Find the sports $1, and of source $2 the tournaments $3, which are kept from a prune, and the
# events $4. Lock the events if everything is there.
_FIND_COMPETITORS = f"""
WITH found AS MATERIALIZED (
    SELECT t.* FROM competitor_tournaments AS t
    WHERE t.source = $2::text AND t.external_id = ANY ($3::text[])
    ORDER BY t.external_id
    FOR KEY SHARE
), known AS MATERIALIZED (
    SELECT e.external_id FROM competitor_events AS e
    WHERE e.source = $2::text AND e.external_id = ANY ($4::text[])
), locked AS MATERIALIZED (
    {SELECT_COMPETITOR_EVENTS}
    WHERE c.source = $2::text AND c.external_id = ANY ($4::text[]) AND {_HAS_SPORTS}
        AND (SELECT count(*) FROM found) = cardinality($3::text[])
        AND (SELECT count(*) FROM known) = cardinality($4::text[])
    ORDER BY c.external_id
    FOR NO KEY UPDATE OF c
)
SELECT {_SPORTS} AS sports,
    (SELECT json_agg(found) FROM found)::text AS tournaments,
    (SELECT json_agg(known.external_id) FROM known)::text AS events,
    (SELECT json_agg(locked) FROM locked)::text AS locked
"""


class KnownReferenceRows(NamedTuple):
    """The known rows of captures of reference events."""

    sports: Mapping[str, StoredSport]
    bookmaker_id: int | None
    tournaments: Sequence[Row]
    #: The ids of the events' tournaments, by the SportRadar ids of the events.
    events: Mapping[str, int]
    #: The events, locked; None if a row is missing or a tournament differs.
    locked: Sequence[Row] | None


class KnownCompetitorRows(NamedTuple):
    """The known rows of captures of one competitor."""

    sports: Mapping[str, StoredSport]
    tournaments: Sequence[Row]
    #: The external ids of the events.
    events: frozenset[str]
    #: The events, locked; None if a row is missing.
    locked: Sequence[Row] | None


async def find_reference_rows(
    connection: Connection, events: Sequence[EventRecord]
) -> KnownReferenceRows:
    """Find the rows for events of one bookmaker."""
    tournaments = [event.tournament for event in events]
    keys = {(each.sport.slug, each.name, each.country, each.sportradar_id) for each in tournaments}
    sports, bookmaker_id, found, known, locked = await connection.fetchrow(
        _FIND_REFERENCE,
        list({each.sport.slug for each in tournaments}),
        events[0].bookmaker,
        *map(list, zip(*keys, strict=True)),
        list({event.sportradar_id for event in events}),
    )
    return KnownReferenceRows(
        _sports(sports),
        bookmaker_id,
        from_json(found or "[]"),
        from_json(known or "{}"),
        _locked_events(locked),
    )


async def find_competitor_rows(
    connection: Connection, events: Sequence[CompetitorEventRecord]
) -> KnownCompetitorRows:
    """Find the rows for events of one competitor. Their tournaments are kept from a prune."""
    sports, found, known, locked = await connection.fetchrow(
        _FIND_COMPETITORS,
        list({event.tournament.sport.slug for event in events}),
        events[0].source,
        list({event.tournament.external_id for event in events}),
        list({event.external_id for event in events}),
    )
    return KnownCompetitorRows(
        _sports(sports),
        from_json(found or "[]"),
        frozenset(from_json(known or "[]")),
        _locked_events(locked),
    )


def _sports(document: str | None) -> dict[str, StoredSport]:
    return {slug: StoredSport(id_, name) for slug, id_, name in from_json(document or "[]")}


def _locked_events(document: str | None) -> list[Row] | None:
    """Read events from JSON text, with the times that captures are compared with."""
    if document is None:
        return None
    events: list[dict[str, Any]] = from_json(document)
    for event in events:
        for name in ("kickoff", "deleted_at"):
            if (text := event.get(name)) is not None:
                event[name] = datetime.fromisoformat(text)
    return list(events)
