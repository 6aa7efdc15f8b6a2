"""Sports: found by slug, shared by both sides. A sport keeps the name that it was made with."""

from collections.abc import Mapping
from typing import NamedTuple

from oddsschema.database.connections import Connection

_FIND_SPORTS = "SELECT slug, id, name FROM sports WHERE slug = ANY ($1)"

# Let one transaction at a time insert sports: slugs are unique as well as names, and an insert can
# pass over the rows of one key only.
_LOCK_SPORTS = "SELECT pg_advisory_xact_lock(hashtext('oddsschema.sports'))"

# Insert sports of slugs $1 and names $2, except those whose name another sport has.
_INSERT_SPORTS = """
INSERT INTO sports (slug, name)
SELECT c.slug, c.name FROM unnest($1::text[], $2::text[]) AS c (slug, name)
ORDER BY c.slug
ON CONFLICT (name) DO NOTHING
"""


class StoredSport(NamedTuple):
    """A sport in the database."""

    id: int
    name: str


async def add_sports(
    connection: Connection, names: Mapping[str, str], known: Mapping[str, StoredSport]
) -> Mapping[str, StoredSport]:
    """Insert the sports that are not known; `names` maps slugs to captured names.

    A new slug whose name belongs to another sport gets no row, and is missing in the result.
    """
    if names.keys() <= known.keys():
        return known
    await connection.execute(_LOCK_SPORTS)
    rows = await connection.fetch(_FIND_SPORTS, list(names))
    missing = sorted(names.keys() - {row["slug"] for row in rows})
    await connection.execute(_INSERT_SPORTS, missing, [names[slug] for slug in missing])
    rows = await connection.fetch(_FIND_SPORTS, list(names))
    return {row["slug"]: StoredSport(row["id"], row["name"]) for row in rows}
