"""Matching: links between BetPawa's events and competitors' events of the same SportRadar id."""

from collections.abc import Iterable

from oddsschema.capture import HASH_LENGTH, ID_LENGTH
from oddsschema.database.connections import Connection

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
    SELECT c.id, e.id AS event_id
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
"""


async def link_events(
    connection: Connection, sportradar_ids: Iterable[str], source: str | None = None
) -> None:
    """Link competitors' events to BetPawa's event of the same SportRadar id, where it exists.

    Events without a SportRadar id, which have a placeholder, are passed over.

    With `source`, link only that competitor's events.
    """
    await connection.execute(_LINK, list(sportradar_ids), source)
