"""What both sides refer to: sports, found by slug; and the links between events of one match."""

from collections.abc import Iterable

from oddsschema.database.connections import Connection

# Competitor events are locked in one order everywhere (source, external_id): no deadlocks. Who has
# locked events of one source already must not go on to another's.
_LINK = """
WITH matched AS (
    SELECT c.id, e.id AS event_id
    FROM competitor_events AS c
    JOIN events AS e ON e.sportradar_id = c.sportradar_id
    WHERE c.sportradar_id = ANY ($1::text[]) AND ($2::text IS NULL OR c.source = $2)
      AND c.betpawa_event_id IS DISTINCT FROM e.id
    ORDER BY c.source, c.external_id
    FOR NO KEY UPDATE OF c
)
UPDATE competitor_events AS c
SET betpawa_event_id = matched.event_id, updated_at = now()
FROM matched
WHERE c.id = matched.id
"""


async def link_events(
    connection: Connection,
    sportradar_ids: Iterable[str],
    source: str | None = None,
) -> None:
    """Point competitor events at BetPawa's event of the same SportRadar id, where there is one.

    With `source`, only that competitor's.
    """
    await connection.execute(_LINK, list(sportradar_ids), source)
