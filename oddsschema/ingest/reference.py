"""What both sides refer to: sports, found by slug; and the links between events of one match."""

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from oddsschema.ingest.plain import PlainCapture

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
_RENAME_SPORT = """
UPDATE sports SET name = $2::text
WHERE slug = $1 AND NOT EXISTS (SELECT FROM sports AS other WHERE other.name = $2::text)
"""

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


async def upsert_sports(
    connection: "asyncpg.Connection[Any]", names: Mapping[str, str]
) -> dict[str, int]:
    """The id of each sport, from {slug: name}. A new slug whose name is taken gets none."""
    rows = await connection.fetch(_FIND_SPORTS, list(names))
    known = {row["slug"]: row["name"] for row in rows}
    if known != names:
        for slug in sorted(known):
            if known[slug] != names[slug]:
                await connection.execute(_RENAME_SPORT, slug, names[slug])
        if missing := [slug for slug in names if slug not in known]:
            await connection.execute(_INSERT_SPORTS, missing, [names[slug] for slug in missing])
        rows = await connection.fetch(_FIND_SPORTS, list(names))
    return {row["slug"]: row["id"] for row in rows}


async def link_events(
    connection: "asyncpg.Connection[Any]",
    sportradar_ids: Iterable[str],
    source: str | None = None,
) -> None:
    """Point competitor events at BetPawa's event of the same SportRadar id, where there is one.

    With `source`, only that competitor's.
    """
    await connection.execute(_LINK, list(sportradar_ids), source)


def newest_captures(
    captures: Iterable[PlainCapture], kind: str, key: str
) -> dict[str, PlainCapture]:
    """The newest capture of each event, by the event's `key`; the newest of all last."""
    by_time = sorted(captures, key=itemgetter("captured_at"))
    newest = {capture[kind][key]: capture for capture in by_time}
    return dict(sorted(newest.items(), key=lambda pair: pair[1]["captured_at"]))


def transposed(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    """Rows as columns, for unnest."""
    return [list(column) for column in zip(*rows, strict=True)]
