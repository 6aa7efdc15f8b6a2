"""Sports: found by slug, shared by both sides. A sport keeps the name that it was made with."""

from collections.abc import Mapping
from typing import NamedTuple

from oddsschema.database.connections import Connection

_FIND_SPORTS = "SELECT slug, id, name FROM sports WHERE slug = ANY ($1)"

# Insert sports of slugs $1 and names $2.
_INSERT_SPORTS = """
INSERT INTO sports (slug, name)
SELECT c.slug, c.name FROM unnest($1::text[], $2::text[]) AS c (slug, name)
ORDER BY c.slug
ON CONFLICT DO NOTHING
"""


class StoredSport(NamedTuple):
    """A sport in the database."""

    id: int
    name: str


async def find_sports(connection: Connection, names: Mapping[str, str]) -> dict[str, StoredSport]:
    """Find sports by slug, and insert the missing ones; `names` maps slugs to captured names.

    A new slug whose name belongs to another sport gets no row, and is missing in the result.
    """
    rows = await connection.fetch(_FIND_SPORTS, list(names))
    if missing := names.keys() - {row["slug"] for row in rows}:
        slugs = list(missing)
        await connection.execute(_INSERT_SPORTS, slugs, [names[slug] for slug in slugs])
        rows = await connection.fetch(_FIND_SPORTS, list(names))
    return {row["slug"]: StoredSport(row["id"], row["name"]) for row in rows}
