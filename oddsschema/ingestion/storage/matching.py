"""Matching: links between BetPawa's events and competitors' events of the same SportRadar id."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Self

from oddsschema.capture import HASH_LENGTH, ID_LENGTH
from oddsschema.database.connections import Connection
from oddsschema.ingestion.records import CompetitorEventRecord, EventRecord

#: The difference of two kickoffs above which they hardly belong to one match.
_LONGEST_POSTPONEMENT = timedelta(days=2)


class MatchedFixture(NamedTuple):
    """The teams and the kickoff of one side of a match, as they are stored."""

    home_team: str
    away_team: str
    kickoff: datetime


class Match(NamedTuple):
    """A competitor's event and the reference event that it is linked to."""

    source: str
    external_id: str
    sportradar_id: str
    competitor: MatchedFixture
    reference: MatchedFixture

    @classmethod
    def of(cls, row: Any) -> Self:
        """Build from a row of the statements below."""
        return cls(
            row["source"],
            row["external_id"],
            row["sportradar_id"],
            MatchedFixture(row["home_team"], row["away_team"], row["kickoff"]),
            MatchedFixture(row["other_home_team"], row["other_away_team"], row["other_kickoff"]),
        )

    @property
    def contradiction(self) -> str | None:
        """The reason why the two events are hardly the same; None if they may be."""
        reasons = list(contradictions(self.competitor, self.reference))
        if not reasons:
            return None
        return (
            f"{self.source}'s event {self.external_id!r} and the reference event of the same "
            f"SportRadar id {self.sportradar_id!r} are matched, but {' and '.join(reasons)}"
        )


def contradictions(
    competitor: CompetitorEventRecord | MatchedFixture, reference: EventRecord | MatchedFixture
) -> Iterator[str]:
    """Yield each reason why two events are hardly the same."""
    apart = abs(competitor.kickoff - reference.kickoff)
    if apart > _LONGEST_POSTPONEMENT:
        kickoffs = f"{competitor.kickoff:%Y-%m-%d %H:%M} and {reference.kickoff:%Y-%m-%d %H:%M} UTC"
        yield f"their kickoffs are {apart.days} days apart ({kickoffs})"
    home, away = _compared(competitor.home_team), _compared(competitor.away_team)
    if home != away and (home, away) == (
        _compared(reference.away_team),
        _compared(reference.home_team),
    ):
        yield (
            f"home and away are swapped ({competitor.home_team} - {competitor.away_team}, "
            f"{reference.home_team} - {reference.away_team})"
        )


def _compared(team: str) -> str:
    return team.strip().casefold()


# The SportRadar id of a competitor's event `c` that has none: see `capture.placeholder_id`.
_WHOLE = "(c.source || ':' || c.external_id)"
_PLACEHOLDER = f"""CASE WHEN length({_WHOLE}) <= {ID_LENGTH} THEN {_WHOLE}
    ELSE left({_WHOLE}, {ID_LENGTH - HASH_LENGTH - 1}) || '-' ||
        left(encode(sha256(convert_to({_WHOLE}, 'UTF8')), 'hex'), {HASH_LENGTH}) END"""

# Link competitors' events of the SportRadar ids $1, of source $2 alone if it is given. All writers
# lock them in the order of (source, external_id), so no deadlock arises. A transaction that has
# locked events of one source must not lock events of another.
_LINK = f"""
WITH matched AS (
    SELECT c.id, e.id AS event_id, e.home_team, e.away_team, e.kickoff
    FROM competitor_events AS c
    JOIN events AS e ON e.sportradar_id = c.sportradar_id
    WHERE c.sportradar_id = ANY ($1::text[]) AND ($2::text IS NULL OR c.source = $2)
      AND c.betpawa_event_id IS DISTINCT FROM e.id
      AND c.sportradar_id <> {_PLACEHOLDER}
    ORDER BY c.source, c.external_id
    FOR NO KEY UPDATE OF c
)
UPDATE competitor_events AS c
SET betpawa_event_id = matched.event_id, updated_at = now()
FROM matched
WHERE c.id = matched.id
RETURNING c.source, c.external_id, c.sportradar_id, c.home_team, c.away_team, c.kickoff,
    matched.home_team AS other_home_team, matched.away_team AS other_away_team,
    matched.kickoff AS other_kickoff
"""

# Find the matches of the SportRadar ids $1, of source $2 alone if it is given.
_FIND_MATCHES = """
SELECT c.source, c.external_id, c.sportradar_id, c.home_team, c.away_team, c.kickoff,
    e.home_team AS other_home_team, e.away_team AS other_away_team, e.kickoff AS other_kickoff
FROM competitor_events AS c
JOIN events AS e ON e.id = c.betpawa_event_id
WHERE c.sportradar_id = ANY ($1::text[]) AND ($2::text IS NULL OR c.source = $2)
"""


async def link_events(
    connection: Connection, sportradar_ids: Iterable[str], source: str | None = None
) -> list[Match]:
    """Link competitors' events to BetPawa's event of the same SportRadar id, where it exists.

    Events without a SportRadar id, which have a placeholder, are passed over. With `source`, link
    only that competitor's events. Returns the new matches.
    """
    return [Match.of(row) for row in await connection.fetch(_LINK, list(sportradar_ids), source)]


async def find_matches(
    connection: Connection, sportradar_ids: Iterable[str], source: str | None = None
) -> list[Match]:
    """Find the competitors' events of these SportRadar ids that are linked.

    With `source`, find only that competitor's events.
    """
    ids = list(sportradar_ids)
    if not ids:
        return []
    return [Match.of(row) for row in await connection.fetch(_FIND_MATCHES, ids, source)]
