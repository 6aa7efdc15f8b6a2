"""The reference rows of a source: sports, bookmakers, tournaments, events and their listings.

Captures bring them. Here they are counted on both sides, by the keys that identify them, and events
and tournaments that were deleted softly in the source are deleted softly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo

from pydantic import ConfigDict, TypeAdapter

from oddsschema.adoption.local_times import to_utc
from oddsschema.adoption.report import TableCounts
from oddsschema.adoption.source_captures import plain_event_id, rows_in_groups
from oddsschema.adoption.source_tables import SourceTables
from oddsschema.contracts.scalars import UtcTime
from oddsschema.database.arrays import time_texts, times
from oddsschema.database.connections import Connection, Connections
from oddsschema.models.keyframes import LAST_SEEN

_GROUP = 1000

_UTC_TIME: TypeAdapter[object] = TypeAdapter(UtcTime, config=ConfigDict(defer_build=True))


@dataclass(frozen=True)
class ReferenceTable:
    """A reference table: its rows are the same if the keys are."""

    name: str
    #: The keys of its rows in the source, as a SELECT of texts; NULL for a row that has none.
    keys: str
    #: The rows of ours that have the key `c`, the best first: FROM, WHERE and ORDER BY.
    found: str


_PLAIN_TOURNAMENT_ID = (
    r"regexp_replace(btrim({sportradar_id}::text), '^sr:tournament:([0-9]+)$', '\1')"
)

#: The reference tables. A tournament is found by its SportRadar id, or by sport, name and country.
_TABLES = (
    ReferenceTable(
        "sports",
        "SELECT {sport_slug} AS key FROM {sports} AS s",
        "FROM sports AS f WHERE f.slug = c.key",
    ),
    ReferenceTable(
        "bookmakers",
        "SELECT {bookmaker_slug} AS key FROM {bookmakers} AS b",
        "FROM bookmakers AS f WHERE f.slug = c.key",
    ),
    ReferenceTable(
        "tournaments",
        f"""SELECT json_build_array({{sport_slug}}, btrim(t.name::text),
            coalesce(nullif({{country}}, ''), 'Unknown'), {_PLAIN_TOURNAMENT_ID})::text
            AS key
        FROM {{tournaments}} AS t JOIN {{sports}} AS s ON s.id = t.sport_id""",
        """FROM tournaments AS f JOIN sports AS s ON s.id = f.sport_id
        WHERE f.sportradar_id = c.key::json ->> 3
            OR (s.slug, f.name, f.country)
                = (c.key::json ->> 0, c.key::json ->> 1, c.key::json ->> 2)
        ORDER BY f.sportradar_id IS NOT DISTINCT FROM c.key::json ->> 3 DESC""",
    ),
    ReferenceTable(
        "events",
        f"SELECT {plain_event_id('e.sportradar_id')} AS key FROM {{events}} AS e",
        "FROM events AS f WHERE f.sportradar_id = c.key",
    ),
    ReferenceTable(
        "event_bookmakers",
        f"""SELECT
            json_build_array({plain_event_id("e.sportradar_id")}, {{bookmaker_slug}})::text AS key
        FROM {{event_bookmakers}} AS l
        JOIN {{events}} AS e ON e.id = l.event_id
        JOIN {{bookmakers}} AS b ON b.id = l.bookmaker_id""",
        """FROM event_bookmakers AS f
        JOIN events AS e ON e.id = f.event_id
        JOIN bookmakers AS b ON b.id = f.bookmaker_id
        WHERE e.sportradar_id = c.key::json ->> 0 AND b.slug = c.key::json ->> 1""",
    ),
    *(
        ReferenceTable(
            name,
            f"SELECT json_build_array({{source}}, btrim(r.external_id::text))::text AS key "
            f"FROM {{{name}}} AS r",
            f"FROM {name} AS f "
            "WHERE f.source = c.key::json ->> 0 AND f.external_id = c.key::json ->> 1",
        )
        for name in ("competitor_tournaments", "competitor_events")
    ),
)

# Count the rows of the source that have a key, and the different keys.
_COUNT_KEYS = "SELECT count(*), count(key), count(DISTINCT key) FROM ({keys}) AS keys"

# Read the different keys of the source.
_KEYS = "SELECT DISTINCT key FROM ({keys}) AS keys WHERE key IS NOT NULL"

# Find the ids of the rows of ours that have the keys $1.
_FIND = """
SELECT f.id FROM unnest($1::text[]) AS c (key)
CROSS JOIN LATERAL (SELECT f.id {found} LIMIT 1) AS f
"""

# Count the matches of the source that SportRadar ids do not make.
_OTHER_MATCHES = f"""
SELECT count(*) FROM {{competitor_events}} AS c JOIN {{events}} AS e ON e.id = c.betpawa_event_id
WHERE {plain_event_id("e.sportradar_id")} IS DISTINCT FROM {plain_event_id("c.sportradar_id")}
"""

# Read the rows of the source that are deleted softly.
_DELETED = """
SELECT {source} AS source, btrim(r.external_id::text) AS external_id, {deleted_at} AS deleted_at
FROM {table} AS r WHERE r.deleted_at IS NOT NULL
"""

# Delete softly the events of sources $1 with the external ids $2, at the times $3, unless a later
# capture is stored.
_DELETE_EVENTS = f"""
UPDATE competitor_events AS e SET deleted_at = c.at
FROM unnest($1::text[], $2::text[], {times(3)}) AS c (source, external_id, at)
WHERE e.source = c.source AND e.external_id = c.external_id AND e.deleted_at IS NULL
    AND NOT EXISTS (
        SELECT FROM competitor_odds_snapshots AS s
        WHERE s.competitor_event_id = e.id AND {LAST_SEEN} > c.at
    )
"""

# Delete tournaments softly, in the same way.
_DELETE_TOURNAMENTS = f"""
UPDATE competitor_tournaments AS t SET deleted_at = c.at
FROM unnest($1::text[], $2::text[], {times(3)}) AS c (source, external_id, at)
WHERE t.source = c.source AND t.external_id = c.external_id AND t.deleted_at IS NULL
    AND NOT EXISTS (
        SELECT FROM competitor_events AS e
        JOIN competitor_odds_snapshots AS s ON s.competitor_event_id = e.id
        WHERE e.tournament_id = t.id AND {LAST_SEEN} > c.at
    )
"""

_SOFT_DELETES = {
    "competitor_events": _DELETE_EVENTS,
    "competitor_tournaments": _DELETE_TOURNAMENTS,
}


async def count_reference_rows(
    connection: Connection, tables: SourceTables, connections: Connections
) -> list[TableCounts]:
    """Count the reference rows of the source, and those of them that are stored."""
    names = {name: tables.table(name) for name in tables.types}
    counted = []
    for table in _TABLES:
        if table.name not in tables.wanted:
            continue
        keys = table.keys.format(
            **names,
            sport_slug=tables.text("s", "sports", "slug"),
            bookmaker_slug=tables.text("b", "bookmakers", "slug"),
            source=tables.text("r", table.name, "source"),
            country=tables.text("t", "tournaments", "country"),
            sportradar_id=tables.column("t", "tournaments", "sportradar_id"),
        )
        source = await connection.fetchval(f"SELECT count(*) FROM {tables.table(table.name)}")
        _, with_key, different = await connection.fetchrow(_COUNT_KEYS.format(keys=keys))
        found = 0
        stored = set[int]()
        statement = _FIND.format(found=table.found)
        async for rows in rows_in_groups(connection, _KEYS.format(keys=keys), _GROUP):
            group = [row["key"] for row in rows]

            async def find(
                ours: Connection, statement: str = statement, group: Sequence[str] = group
            ) -> list[int]:
                return [row["id"] for row in await ours.fetch(statement, group)]

            ids = await connections.transact(find)
            found += len(ids)
            stored.update(ids)
        counted.append(
            TableCounts(
                name=table.name,
                source=source,
                stored=len(stored),
                # Tournaments of one name in one country are one, whatever their ids.
                merged=with_key - different + found - len(stored),
                refused=0,
                left=source - with_key + different - found,
                missing=0,
            )
        )
    return counted


async def count_other_matches(connection: Connection, tables: SourceTables) -> int:
    """Count the matches that are left: those of events whose SportRadar ids differ."""
    if not (tables.has("competitor_events", "betpawa_event_id") and tables.has("events", "id")):
        return 0
    names = {name: tables.table(name) for name in ("competitor_events", "events")}
    number: int = await connection.fetchval(_OTHER_MATCHES.format(**names))
    return number


async def delete_softly(
    connection: Connection, tables: SourceTables, zone: tzinfo | None, connections: Connections
) -> None:
    """Delete the events and tournaments softly that are deleted in the source.

    A time that is none is left out: nothing refers to it.
    """
    for name, statement in _SOFT_DELETES.items():
        if not tables.has(name, "deleted_at"):
            continue
        deleted = _DELETED.format(
            table=tables.table(name),
            source=tables.text("r", name, "source"),
            deleted_at=tables.column("r", name, "deleted_at"),
        )
        async for rows in rows_in_groups(connection, deleted, _GROUP):
            group = []
            for row in rows:
                try:
                    at = to_utc(row["deleted_at"], zone)
                    _UTC_TIME.validate_python(at)
                except ValueError:
                    continue
                group.append((row["source"], row["external_id"], at))
            if not group:
                continue

            async def delete(
                ours: Connection,
                statement: str = statement,
                group: Sequence[tuple[str, str, object]] = group,
            ) -> None:
                sources, external_ids, instants = zip(*group, strict=True)
                await ours.execute(
                    statement, list(sources), list(external_ids), time_texts(instants)
                )

            await connections.transact(delete)
