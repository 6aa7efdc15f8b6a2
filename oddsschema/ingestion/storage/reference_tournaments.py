"""The tournaments of the reference bookmaker: found by SportRadar id or by name, else inserted."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Self

from oddsschema.database.arrays import arrays, unnest
from oddsschema.database.connections import Connection
from oddsschema.ingestion.records import CaptureRecord, EventRecord, TournamentRecord
from oddsschema.ingestion.storage.known_rows import KnownReferenceRows, Row
from oddsschema.models.keyframes import LAST_SEEN


class TournamentKey(NamedTuple):
    """The key of a tournament that has no SportRadar id."""

    sport_id: int
    name: str
    country: str


class TournamentRow(NamedTuple):
    """A tournament as a capture describes it."""

    key: TournamentKey
    sportradar_id: str | None

    @classmethod
    def of(cls, tournament: TournamentRecord, sports: Mapping[str, int]) -> Self:
        """Build from a captured tournament; `sports` maps slugs to ids."""
        key = TournamentKey(sports[tournament.sport.slug], tournament.name, tournament.country)
        return cls(key, tournament.sportradar_id)


# Let one transaction at a time change tournaments: two keys are unique there, and one chunk can
# move both between rows.
_LOCK_TOURNAMENTS = "SELECT pg_advisory_xact_lock(hashtext('oddsschema.tournaments'))"

# Find tournaments by their keys, or by the SportRadar ids $4.
_FIND_TOURNAMENTS = f"""
SELECT id, sport_id, name, country, sportradar_id FROM tournaments
WHERE sportradar_id = ANY ($4)
   OR (sport_id, name, country) IN (SELECT c.* FROM {unnest(TournamentKey, 1)})
"""

# Keep a prune from deleting the tournaments $1. (A lock while they are found would be in the way of
# another transaction that changes them.)
_HOLD_TOURNAMENTS = "SELECT FROM tournaments WHERE id = ANY ($1) ORDER BY id FOR KEY SHARE"

_INSERT_TOURNAMENT = """
INSERT INTO tournaments (sport_id, name, country, sportradar_id) VALUES ($1, $2, $3, $4)
RETURNING id
"""

# The condition that bookmaker $2 captured no event of a tournament `t` at or after $3.
_IS_NEWER = f"""NOT EXISTS (
    SELECT FROM events AS e JOIN odds_snapshots AS s ON s.event_id = e.id
    WHERE e.tournament_id = t.id AND s.bookmaker_id = $2 AND {LAST_SEEN} >= $3
)"""

# Give tournament $1 the SportRadar id $4: its first, or, by a capture of $3, another one.
_IDENTIFY_TOURNAMENT = f"""
UPDATE tournaments AS t SET sportradar_id = $4
WHERE t.id = $1 AND (t.sportradar_id IS NULL OR {_IS_NEWER})
RETURNING t.id
"""

# Rename tournament $1 by a capture of $3.
_RENAME_TOURNAMENT = f"""
UPDATE tournaments AS t SET sport_id = $4, name = $5, country = $6
WHERE t.id = $1 AND {_IS_NEWER}
RETURNING t.id
"""


async def find_tournaments(
    connection: Connection,
    captures: Sequence[tuple[EventRecord, CaptureRecord]],
    sports: Mapping[str, int],
    known: KnownReferenceRows,
    *,
    bookmaker_id: int,
    may_change: bool,
) -> dict[TournamentRow, int]:
    """Find or insert the tournaments of a bookmaker's captures, the newest capture last.

    A tournament is found by its SportRadar id, else by sport, name and country. With `may_change`,
    one that is found by its SportRadar id alone was renamed: it gets the new name, unless a capture
    of the bookmaker that is as new is stored or another tournament has that name.

    The tournaments of events that are not known there yet are kept from a prune.
    """
    rows: Sequence[Row] | None = known.tournaments
    captured_at: dict[TournamentRow, datetime] = {}
    for event, capture in captures:
        tournament = TournamentRow.of(event.tournament, sports)
        captured_at.pop(tournament, None)  # its newest capture decides on its place
        captured_at[tournament] = capture.captured_at
    keys = [tournament.key for tournament in captured_at]
    sportradar_ids = [
        tournament.sportradar_id
        for tournament in captured_at
        if tournament.sportradar_id is not None
    ]
    arguments = [*arrays(TournamentKey, keys), sportradar_ids]
    while True:
        if rows is None:
            rows = await connection.fetch(_FIND_TOURNAMENTS, *arguments)
        found = await _find_or_write(
            connection, rows, arguments, captured_at, bookmaker_id, may_change
        )
        held = {
            found[TournamentRow.of(event.tournament, sports)]
            for event, _ in captures
            if event.sportradar_id not in known.events
        }
        # A prune may have deleted one meanwhile.
        if await hold_tournaments(connection, held):
            return found
        rows = None


async def hold_tournaments(connection: Connection, ids: Collection[int]) -> bool:
    """Keep a prune from deleting tournaments. Return whether all of them exist."""
    return not ids or len(await connection.fetch(_HOLD_TOURNAMENTS, list(ids))) == len(ids)


async def _find_or_write(
    connection: Connection,
    rows: Sequence[Row],
    arguments: Sequence[Any],
    captured_at: dict[TournamentRow, datetime],
    bookmaker_id: int,
    may_change: bool,
) -> dict[TournamentRow, int]:
    """Find or insert tournaments; `rows` are those that _FIND_TOURNAMENTS finds by `arguments`."""
    index = TournamentIndex(rows)
    is_found = index.is_current if may_change else index.find
    if not all(map(is_found, captured_at)):
        await connection.execute(_LOCK_TOURNAMENTS)
        index = TournamentIndex(await connection.fetch(_FIND_TOURNAMENTS, *arguments))
    if not may_change:
        # The newest first: it names a new tournament.
        return {
            tournament: await index.find_or_insert(connection, tournament)
            for tournament in reversed(captured_at)
        }
    # In order of time: one capture may take the name by which an earlier one found its tournament.
    return {
        tournament: await index.find_or_write(connection, tournament, bookmaker_id, at)
        for tournament, at in captured_at.items()
    }


class TournamentIndex:
    """The ids of stored tournaments, by both of their keys."""

    def __init__(self, rows: Sequence[Any]) -> None:
        self._by_key = {
            TournamentKey(row["sport_id"], row["name"], row["country"]): row["id"] for row in rows
        }
        self._by_sportradar_id = {row["sportradar_id"]: row["id"] for row in rows}
        self._by_sportradar_id.pop(None, None)

    def find(self, tournament: TournamentRow) -> int | None:
        """Return the id of a tournament, by SportRadar id, else by its key; None if it is new."""
        key, sportradar_id = tournament
        return self._by_sportradar_id.get(sportradar_id) or self._by_key.get(key)

    def is_current(self, tournament: TournamentRow) -> bool:
        """Return whether the stored tournament has the captured name and SportRadar id."""
        key, sportradar_id = tournament
        by_key = self._by_key.get(key)
        return by_key is not None and (
            sportradar_id is None or self._by_sportradar_id.get(sportradar_id) == by_key
        )

    async def find_or_insert(self, connection: Connection, tournament: TournamentRow) -> int:
        """Return the id of a tournament, after inserting it if need be."""
        tournament_id = self.find(tournament)
        if tournament_id is None:
            key, sportradar_id = tournament
            tournament_id = int(await connection.fetchval(_INSERT_TOURNAMENT, *key, sportradar_id))
            self._add(tournament, tournament_id)
        return tournament_id

    async def find_or_write(
        self,
        connection: Connection,
        tournament: TournamentRow,
        bookmaker_id: int,
        captured_at: datetime,
    ) -> int:
        """Return the id of a tournament, after inserting, identifying or renaming it if need be."""
        key, sportradar_id = tournament
        tournament_id = self.find(tournament)
        if tournament_id is None:
            return await self.find_or_insert(connection, tournament)
        if sportradar_id not in self._by_sportradar_id:
            if sportradar_id is None:
                return tournament_id
            if not await connection.fetchval(
                _IDENTIFY_TOURNAMENT, tournament_id, bookmaker_id, captured_at, sportradar_id
            ):
                return tournament_id
            ids = self._by_sportradar_id
            self._by_sportradar_id = {k: i for k, i in ids.items() if i != tournament_id}
        elif key not in self._by_key:
            if await connection.fetchval(
                _RENAME_TOURNAMENT, tournament_id, bookmaker_id, captured_at, *key
            ):
                self._by_key = {k: i for k, i in self._by_key.items() if i != tournament_id}
            else:
                return tournament_id
        else:
            return tournament_id
        self._add(tournament, tournament_id)
        return tournament_id

    def _add(self, tournament: TournamentRow, tournament_id: int) -> None:
        key, sportradar_id = tournament
        self._by_key[key] = tournament_id
        if sportradar_id is not None:
            self._by_sportradar_id[sportradar_id] = tournament_id
