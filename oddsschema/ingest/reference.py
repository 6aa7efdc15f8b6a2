"""What both sides refer to: sports, found by slug; and the links between events of one match."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncpg

_FIND_SPORTS = "SELECT slug, id, name FROM sports WHERE slug = ANY ($1)"

_INSERT_SPORTS = """
INSERT INTO sports (slug, name)
SELECT c.slug, c.name FROM unnest($1::text[], $2::text[]) AS c (slug, name)
ORDER BY c.slug
ON CONFLICT DO NOTHING
"""

# A name that another sport has is not taken from it.
_RENAME_SPORTS = """
WITH renamed AS (
    SELECT s.id, c.name
    FROM unnest($1::text[], $2::text[]) AS c (slug, name)
    JOIN sports AS s ON s.slug = c.slug AND s.name <> c.name
    WHERE NOT EXISTS (SELECT FROM sports AS other WHERE other.name = c.name)
    ORDER BY s.slug
    FOR NO KEY UPDATE OF s
)
UPDATE sports AS s SET name = renamed.name FROM renamed WHERE s.id = renamed.id
"""

# Competitor events are locked in one order everywhere (source, external_id): no deadlocks.
_LINK = """
WITH matched AS (
    SELECT c.id, e.id AS event_id
    FROM competitor_events AS c
    JOIN events AS e ON e.sportradar_id = c.sportradar_id
    WHERE c.sportradar_id = ANY ($1::text[]) AND c.betpawa_event_id IS DISTINCT FROM e.id
    ORDER BY c.source, c.external_id
    FOR NO KEY UPDATE OF c
)
UPDATE competitor_events AS c
SET betpawa_event_id = matched.event_id, updated_at = now()
FROM matched
WHERE c.id = matched.id
"""


async def upsert_sports(
    connection: "asyncpg.Connection[Any]", names: Mapping[str, str]
) -> dict[str, int]:
    """The id of each sport, from {slug: name}. A new slug whose name is taken gets none."""
    slugs, wanted = list(names), list(names.values())
    rows = await connection.fetch(_FIND_SPORTS, slugs)
    known = {row["slug"]: row["name"] for row in rows}
    if known != names:
        if missing := [slug for slug in slugs if slug not in known]:
            await connection.execute(_INSERT_SPORTS, missing, [names[slug] for slug in missing])
        if known.keys() & names.keys():
            await connection.execute(_RENAME_SPORTS, slugs, wanted)
        rows = await connection.fetch(_FIND_SPORTS, slugs)
    return {row["slug"]: row["id"] for row in rows}


async def link_events(connection: "asyncpg.Connection[Any]", sportradar_ids: Iterable[str]) -> None:
    """Point competitor events at BetPawa's event of the same SportRadar id, where there is one."""
    await connection.execute(_LINK, list(sportradar_ids))


def transposed(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    """Rows as columns, for unnest."""
    return [list(column) for column in zip(*rows, strict=True)]
