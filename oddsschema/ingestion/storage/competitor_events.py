"""Captures of one competitor: locks and updates its tournaments and events, appends its odds.

Rows of the small tables come first. Missing rows are inserted; then the events are locked, always
in the order of (source, external_id). A capture changes its event only if it is newer than every
stored capture of the event, and its tournament only if it is newer than those of all events of the
tournament: a late delivery, or a repeated one, changes no name and no kickoff. Such a
capture restores a soft-deleted row if it was taken after `deleted_at`. A capture without a
SportRadar id, of the event or of the tournament, leaves the stored id; any capture with an id
fills in a missing one. A newer capture without a URL leaves the stored URL.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, NamedTuple, Self

from oddsschema.capture import placeholder_id
from oddsschema.database.arrays import arrays, time_texts, unnest
from oddsschema.database.connections import Connection
from oddsschema.errors import TransactionError
from oddsschema.ingestion.options import StorageOptions
from oddsschema.ingestion.records import (
    CaptureRecord,
    CompetitorEventRecord,
    CompetitorTournamentRecord,
    by_time,
    newest_captures,
    newest_urls,
)
from oddsschema.ingestion.storage.event_changes import EventChanges, Written
from oddsschema.ingestion.storage.history import append
from oddsschema.ingestion.storage.known_rows import SELECT_COMPETITOR_EVENTS, KnownCompetitorRows
from oddsschema.ingestion.storage.matching import Match, MatchedFixture, find_matches, link_events
from oddsschema.ingestion.storage.placement import place_captures
from oddsschema.models.keyframes import LAST_SEEN
from oddsschema.models.sides import COMPETITORS


class TournamentRow(NamedTuple):
    """The columns of competitor_tournaments that captures fill, but for the source."""

    external_id: str
    sport_id: int
    name: str
    sportradar_id: str | None
    country_raw: str | None
    country_iso: str | None

    @classmethod
    def of(cls, tournament: CompetitorTournamentRecord, sports: Mapping[str, int]) -> Self:
        """Build from a captured tournament; `sports` maps slugs to ids."""
        return cls(
            tournament.external_id,
            sports[tournament.sport.slug],
            tournament.name,
            tournament.sportradar_id,
            tournament.country_raw,
            tournament.country_iso,
        )

    def identified_by(self, known: Mapping[str, str | None]) -> Self:
        """Add the SportRadar id if it is missing; `known` has external ids as keys."""
        if self.sportradar_id is not None:
            return self
        return self._replace(sportradar_id=known.get(self.external_id))


class EventRow(NamedTuple):
    """The columns of competitor_events that captures fill, but for the source."""

    external_id: str
    tournament_id: int
    sportradar_id: str
    name: str
    home_team: str
    away_team: str
    kickoff: datetime
    event_url: str | None

    @classmethod
    def of(
        cls,
        event: CompetitorEventRecord,
        tournament_ids: Mapping[str, int],
        sportradar_ids: Mapping[str, str],
        urls: Mapping[str, str],
    ) -> Self:
        """Build from a captured event. The mappings have external ids as keys."""
        return cls(
            event.external_id,
            tournament_ids[event.tournament.external_id],
            sportradar_ids.get(event.external_id, event.sportradar_id),
            event.name,
            event.home_team,
            event.away_team,
            event.kickoff,
            urls.get(event.external_id),
        )


# Find the tournaments $2 of source $1, and keep a prune from deleting them.
_FIND_TOURNAMENTS = f"""
SELECT {", ".join(TournamentRow._fields)}, deleted_at, id
FROM competitor_tournaments WHERE source = $1 AND external_id = ANY ($2)
ORDER BY external_id
FOR KEY SHARE
"""

# Insert tournaments of source $1.
_INSERT_TOURNAMENTS = f"""
INSERT INTO competitor_tournaments (source, {", ".join(TournamentRow._fields)})
SELECT $1::text, c.*
FROM {unnest(TournamentRow, 2)}
ORDER BY c.external_id
ON CONFLICT (source, external_id) DO NOTHING
"""

# Lock the tournaments $2 of source $1. The update after it sees the commits of their writers.
_LOCK_TOURNAMENTS = """
SELECT FROM competitor_tournaments
WHERE source = $1 AND external_id = ANY ($2)
ORDER BY external_id
FOR NO KEY UPDATE
"""

# Update tournaments of source $1, unless a capture of any of their events is stored that is as new.
_UPDATE_TOURNAMENTS = f"""
UPDATE competitor_tournaments AS t
SET sport_id = c.sport_id, name = c.name,
    sportradar_id = COALESCE(c.sportradar_id, t.sportradar_id),
    country_raw = c.country_raw, country_iso = c.country_iso,
    deleted_at = CASE WHEN t.deleted_at >= c.captured_at THEN t.deleted_at END
FROM {unnest(TournamentRow, 2, captured_at="timestamptz")}
WHERE t.source = $1 AND t.external_id = c.external_id AND NOT EXISTS (
    SELECT FROM competitor_events AS e
    JOIN competitor_odds_snapshots AS s ON s.competitor_event_id = e.id
    WHERE e.tournament_id = t.id AND {LAST_SEEN} >= c.captured_at
)
"""

# Identify tournaments of source $1 that have no SportRadar id, also by a late capture.
_IDENTIFY_TOURNAMENTS = f"""
UPDATE competitor_tournaments AS t SET sportradar_id = c.sportradar_id
FROM {unnest(TournamentRow, 2)}
WHERE t.source = $1 AND t.external_id = c.external_id AND t.sportradar_id IS NULL
"""

# Insert the events of source $1 that are missing.
_INSERT_EVENTS = f"""
WITH missing AS MATERIALIZED (
    SELECT c.*
    FROM {unnest(EventRow, 2)}
    WHERE NOT EXISTS (
        SELECT FROM competitor_events AS e WHERE e.source = $1 AND e.external_id = c.external_id
    )
)
INSERT INTO competitor_events (source, {", ".join(EventRow._fields)})
SELECT $1::text, c.* FROM missing AS c
ORDER BY c.external_id
ON CONFLICT (source, external_id) DO NOTHING
RETURNING external_id, sportradar_id
"""

# Lock the events $2 of source $1, and read them.
_LOCK_EVENTS = f"""
{SELECT_COMPETITOR_EVENTS}
WHERE c.source = $1 AND c.external_id = ANY ($2)
ORDER BY c.external_id
FOR NO KEY UPDATE OF c
"""

# Update events of source $1. A match holds as long as the id that it was made by.
_UPDATE_EVENTS = f"""
UPDATE competitor_events AS e
SET tournament_id = c.tournament_id, sportradar_id = c.sportradar_id, name = c.name,
    home_team = c.home_team, away_team = c.away_team, kickoff = c.kickoff,
    event_url = c.event_url,
    betpawa_event_id = CASE WHEN e.sportradar_id = c.sportradar_id THEN e.betpawa_event_id END,
    deleted_at = CASE WHEN e.deleted_at >= c.captured_at THEN e.deleted_at END, updated_at = now()
FROM {unnest(EventRow, 2, captured_at="timestamptz")}
WHERE e.source = $1 AND e.external_id = c.external_id
"""

# Identify events of source $1 that have a placeholder, also by a late capture.
_IDENTIFY_EVENTS = f"""
UPDATE competitor_events AS e SET sportradar_id = c.sportradar_id, updated_at = now()
FROM {unnest(EventRow, 2)}
WHERE e.source = $1 AND e.external_id = c.external_id AND e.sportradar_id <> c.sportradar_id
"""

_BEFORE_ALL = datetime(1, 1, 1, tzinfo=UTC)


async def write_competitor_events(
    connection: Connection,
    run_id: int,
    captures: Sequence[tuple[CompetitorEventRecord, CaptureRecord]],
    sports: dict[str, int],
    known: KnownCompetitorRows,
    *,
    storage: StorageOptions,
    before_markets: Callable[[], None],
) -> Written:
    """Store captures of one competitor, in the caller's transaction. `sports` maps slugs to ids."""
    source = captures[0][0].source
    external_id_of = attrgetter("external_id")
    newest = newest_captures(captures, external_id_of)

    captured_ids = known_tournament_ids(captures)
    wanted: dict[str, TournamentRow] = {}
    captured_at: dict[str, datetime] = {}
    for event, capture in newest.values():
        tournament = TournamentRow.of(event.tournament, sports)
        wanted[tournament.external_id] = tournament.identified_by(captured_ids)
        captured_at[tournament.external_id] = capture.captured_at
    tournaments = [row for row in known.tournaments if row["external_id"] in wanted]
    if len(tournaments) < len(wanted):
        found_ids = {row["external_id"] for row in tournaments}
        missing = [row for external_id, row in wanted.items() if external_id not in found_ids]
        await connection.execute(_INSERT_TOURNAMENTS, source, *arrays(TournamentRow, missing))
        tournaments = await connection.fetch(_FIND_TOURNAMENTS, source, list(wanted))
    tournament_ids = {row["external_id"]: row["id"] for row in tournaments}
    stored_ids = {row["external_id"]: row["sportradar_id"] for row in tournaments}
    wanted = {key: tournament.identified_by(stored_ids) for key, tournament in wanted.items()}

    sportradar_ids = known_sportradar_ids(captures)
    urls = newest_urls(captures, external_id_of, stored_until={})
    captured = {
        external_id: EventRow.of(event, tournament_ids, sportradar_ids, urls)
        for external_id, (event, _) in newest.items()
    }
    inserted: Sequence[Any] = ()
    if new := [row for external_id, row in captured.items() if external_id not in known.events]:
        inserted = await connection.fetch(_INSERT_EVENTS, source, *arrays(EventRow, new))
    events: Sequence[Any] | None = known.locked
    if events is None:
        events = await connection.fetch(_LOCK_EVENTS, source, list(newest))
    if len(events) < len(newest):
        raise TransactionError(reason="events were deleted while captures of them were stored")
    event_ids = {row["external_id"]: row["id"] for row in events}
    identified = []
    for row in events:
        event_row = captured[row["external_id"]]
        if event_row.external_id not in sportradar_ids:
            captured[event_row.external_id] = event_row._replace(sportradar_id=row["sportradar_id"])
        elif row["sportradar_id"] == placeholder_id(source, event_row.external_id):
            identified.append(event_row)

    placed, latest, _ = await place_captures(
        connection,
        COMPETITORS,
        ((event_ids[event.external_id], capture) for event, capture in captures),
        columns=(),
    )
    stored_until = {row["external_id"]: latest[row["id"]] for row in events if row["id"] in latest}
    urls = newest_urls(captures, external_id_of, stored_until)
    for row in events:
        url = urls.get(row["external_id"], row["event_url"])
        captured[row["external_id"]] = captured[row["external_id"]]._replace(event_url=url)
    if changed_ids := [row["external_id"] for row in tournaments if differs(row, wanted)]:
        rows = arrays(TournamentRow, [wanted[external_id] for external_id in changed_ids])
        times = time_texts(captured_at[external_id] for external_id in changed_ids)
        await connection.execute(_LOCK_TOURNAMENTS, source, changed_ids)
        await connection.execute(_UPDATE_TOURNAMENTS, source, *rows, times)
    unidentified = {row["external_id"] for row in tournaments if row["sportradar_id"] is None}
    if found := sorted(unidentified & captured_ids.keys()):
        rows = arrays(TournamentRow, [wanted[external_id] for external_id in found])
        await connection.execute(_IDENTIFY_TOURNAMENTS, source, *rows)
    changed = [
        captured[row["external_id"]]
        for row in events
        if differs(row, captured)
        and stored_until.get(row["external_id"], _BEFORE_ALL)
        < newest[row["external_id"]][1].captured_at
    ]
    if changed:
        changed_at = time_texts(newest[row.external_id][1].captured_at for row in changed)
        await connection.execute(_UPDATE_EVENTS, source, *arrays(EventRow, changed), changed_at)
    if identified:
        await connection.execute(_IDENTIFY_EVENTS, source, *arrays(EventRow, identified))
    matches: list[Match] = []
    if changed or identified or any(row["is_unlinked"] for row in events):
        ids_to_link = (row.sportradar_id for row in captured.values())
        matches = await link_events(connection, ids_to_link, source)
    linked = {(match.source, match.external_id) for match in matches}
    # Doubts are about new matches, and about old ones of which a side has changed.
    before = {row["external_id"]: row for row in events}
    moved = {
        row.external_id
        for row in changed
        if any(
            before[row.external_id][name] != getattr(row, name) for name in MatchedFixture._fields
        )
    }
    ids = {before[external_id]["sportradar_id"] for external_id in moved}
    matches += [
        match
        for match in await find_matches(connection, ids, source)
        if match.external_id in moved and (source, match.external_id) not in linked
    ]
    counts = await append(
        connection, COMPETITORS, storage, run_id, placed, before_markets=before_markets
    )
    changes = EventChanges(
        captured=set(newest),
        inserted={row["external_id"] for row in inserted},
        updated={row.external_id for row in (*changed, *identified)},
        linked=linked,
    )
    new_ids = [
        *(row["sportradar_id"] for row in inserted),
        *(row.sportradar_id for row in changed),
        *(row.sportradar_id for row in identified),
    ]
    return Written(counts, changes, new_ids, matches)


def known_tournament_ids(
    captures: Sequence[tuple[CompetitorEventRecord, CaptureRecord]],
) -> dict[str, str]:
    """Map the external ids of tournaments to their SportRadar ids, the newest that is captured."""
    return {
        event.tournament.external_id: event.tournament.sportradar_id
        for event, _ in by_time(captures)
        if event.tournament.sportradar_id is not None
    }


def known_sportradar_ids(
    captures: Sequence[tuple[CompetitorEventRecord, CaptureRecord]],
) -> dict[str, str]:
    """Map the external ids of events to their SportRadar ids, without placeholders.

    An event whose newest capture has none has the id of the capture before.
    """
    return {
        event.external_id: event.sportradar_id
        for event, _ in by_time(captures)
        if event.sportradar_id != placeholder_id(event.source, event.external_id)
    }


def differs(stored: Any, wanted: Mapping[str, TournamentRow] | Mapping[str, EventRow]) -> bool:
    """Return whether a stored tournament or event differs from a capture, or is deleted."""
    row = wanted[stored["external_id"]]
    return stored["deleted_at"] is not None or any(
        stored[name] != value for name, value in zip(row._fields, row, strict=True)
    )
