"""Sports: found by slug, shared by both sides."""

from collections.abc import Mapping

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

# Rename the sport of slug $1, unless another sport has the name $2.
_RENAME_SPORT = """
UPDATE sports SET name = $2::text
WHERE slug = $1 AND NOT EXISTS (SELECT FROM sports AS other WHERE other.name = $2::text)
"""


async def upsert_sports(connection: Connection, names: Mapping[str, str]) -> dict[str, int]:
    """Insert or rename sports, given as {slug: name}; return the ids by slug.

    A new slug whose name belongs to another sport gets no row and no id.
    """
    rows = await connection.fetch(_FIND_SPORTS, list(names))
    known = {row["slug"]: row["name"] for row in rows}
    if known != names:
        for slug in sorted(known):
            if known[slug] != names[slug]:
                await connection.execute(_RENAME_SPORT, slug, names[slug])
        if len(known) < len(names):
            await connection.execute(_LOCK_SPORTS)
            known = {
                row["slug"]: row["name"]
                for row in await connection.fetch(_FIND_SPORTS, list(names))
            }
            missing = [slug for slug in names if slug not in known]
            await connection.execute(_INSERT_SPORTS, missing, [names[slug] for slug in missing])
        rows = await connection.fetch(_FIND_SPORTS, list(names))
    return {row["slug"]: row["id"] for row in rows}
