"""The captures of a source: its snapshots with their markets and events, the oldest first."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from itertools import count
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from oddsschema.adoption.local_times import with_utc
from oddsschema.adoption.source_tables import SourceTables
from oddsschema.contracts.outcomes import Outcome
from oddsschema.database.connections import Connection
from oddsschema.ingestion import Item
from oddsschema.models.odds import Market
from oddsschema.models.sides import BETPAWA, Side

#: The number of snapshots whose markets are read at once: a large one has a thousand markets.
_GROUP = 64

_OUTCOME_KEYS = frozenset(Outcome.model_fields)

# Read the snapshots of a side, the oldest first. Those that become one follow each other.
_SNAPSHOTS = """
SELECT s.id, {captured_at} AS captured_at, {scrape_run_id} AS scrape_run_id,
    s.{event} AS event_id, {bookmaker} AS bookmaker_id, {key} AS key
FROM {snapshots} AS s LEFT JOIN {events} AS e ON e.id = s.{event}
ORDER BY s.captured_at, key, s.id
"""

# Read the raw responses of the snapshots $1: with the snapshots, they would be sorted on disk.
_RAW = """
SELECT s.id, s.raw_response::text FROM {snapshots} AS s
WHERE s.id = ANY ($1::bigint[]) AND s.raw_response IS NOT NULL
"""

# Read the markets of the snapshots $1, each with its columns $2 in a JSON object: an array each.
_MARKETS = """
SELECT m.snapshot_id, count(*) AS number,
    json_agg(json_build_object({pairs}) ORDER BY m.id)::text AS markets
FROM {markets} AS m WHERE m.snapshot_id = ANY ($1::bigint[])
GROUP BY m.snapshot_id
"""

# Read the events $1 with their tournaments and sports.
_EVENTS = """
SELECT e.id, e.tournament_id, e.name, e.home_team, e.away_team, {kickoff} AS kickoff,
    e.sportradar_id,
    {more}, t.id AS tournament_found, t.name AS tournament, t.sport_id,
    {tournament_sportradar_id} AS tournament_sportradar_id,
    {sport_slug} AS sport_slug, {sport} AS sport
FROM {events} AS e
LEFT JOIN {tournaments} AS t ON t.id = e.tournament_id
LEFT JOIN {sports} AS sp ON sp.id = t.sport_id
WHERE e.id = ANY ($1::bigint[])
"""

# Read the listings of the events $1.
_LISTINGS = """
SELECT l.event_id, l.bookmaker_id, l.external_event_id, {event_url} AS event_url
FROM {listings} AS l WHERE l.event_id = ANY ($1::bigint[])
"""

#: The numbers of cursors, so that each has a name of its own.
_numbers = count(1)


def plain_event_id(column: str) -> str:
    """Return the SQL of a SportRadar id of an event in the form that is stored."""
    return rf"regexp_replace(btrim({column}::text), '^sr:match:([0-9]+)$', '\1')"


async def rows_in_groups(
    connection: Connection, statement: str, size: int
) -> AsyncIterator[Sequence[Any]]:
    """Yield the rows of a statement in groups, by a cursor in the open transaction."""
    name = f"oddsschema_{next(_numbers)}"
    await connection.execute(f"DECLARE {name} NO SCROLL CURSOR FOR {statement}")
    while rows := await connection.fetch(f"FETCH FORWARD {size} FROM {name}"):
        yield rows
    await connection.execute(f"CLOSE {name}")


class SourceSnapshot(NamedTuple):
    """A snapshot of the source, as a capture before its validation."""

    id: int
    item: Item
    run_id: int | None
    #: The number of its market rows.
    markets: int
    #: The values that two snapshots which become one share.
    instant: tuple[Any, ...]


@dataclass(frozen=True)
class SourceCaptures:
    """The captures of a source, read in the open transaction of a connection."""

    connection: Connection
    tables: SourceTables
    zone: tzinfo | None
    #: Whether captures have their raw_response.
    keep_raw: bool
    #: The slugs of bookmakers, by their ids in the source.
    bookmakers: Mapping[int, str]

    async def snapshots(
        self, side: Side, left_keys: "LeftKeys | None" = None
    ) -> AsyncIterator[SourceSnapshot]:
        """Yield the snapshots of a side, the oldest first; count outcomes' keys that are left."""
        left_keys = left_keys or LeftKeys()
        async for rows in rows_in_groups(self.connection, self._snapshots_sql(side), _GROUP):
            ids = [row["id"] for row in rows]
            markets = {
                row["snapshot_id"]: row
                for row in await self.connection.fetch(self._markets_sql(side), ids)
            }
            events = await self._events(side, {row["event_id"] for row in rows})
            raw = await self._raw_responses(side, ids)
            for row in rows:
                found = markets.get(row["id"])
                try:
                    payload = self._capture(side, row, events)
                    if row["id"] in raw:
                        payload["raw_response"] = from_json(raw[row["id"]])
                    listed = [] if found is None else from_json(found["markets"])
                    payload["markets"] = left_keys.without(listed)
                    # Text is validated several times faster than objects.
                    text = to_json(payload, inf_nan_mode="constants")
                    item = Item(side.snapshots, row["id"], text)
                except (LookupError, ValueError) as error:
                    item = Item(side.snapshots, row["id"], None, unreadable=str(error.args[0]))
                yield SourceSnapshot(
                    row["id"],
                    item,
                    row["scrape_run_id"],
                    0 if found is None else found["number"],
                    (row["captured_at"], row["key"]),
                )

    def _snapshots_sql(self, side: Side) -> str:
        tables = self.tables
        if side is BETPAWA:
            bookmaker = "s.bookmaker_id"
            key = f"concat({plain_event_id('e.sportradar_id')}, ' ', s.bookmaker_id)"
        else:
            bookmaker = "NULL"
            source, external_id = (
                tables.text("e", side.events, name) for name in ("source", "external_id")
            )
            key = f"concat({source}, ' ', {external_id})"
        return _SNAPSHOTS.format(
            captured_at=tables.column("s", side.snapshots, "captured_at"),
            scrape_run_id=tables.column("s", side.snapshots, "scrape_run_id"),
            event=side.event_column,
            bookmaker=bookmaker,
            key=key,
            snapshots=tables.table(side.snapshots),
            events=tables.table(side.events),
        )

    async def _raw_responses(self, side: Side, ids: Sequence[int]) -> dict[int, str]:
        """Read the raw responses of snapshots, if they are kept, as JSON."""
        if not (self.keep_raw and self.tables.has(side.snapshots, "raw_response")):
            return {}
        sql = _RAW.format(snapshots=self.tables.table(side.snapshots))
        return dict(await self.connection.fetch(sql, ids))

    def _markets_sql(self, side: Side) -> str:
        names = [name for name in Market.model_fields if self.tables.has(side.markets, name)]
        pairs = ", ".join(
            f"'{name}', {self.tables.column('m', side.markets, name)}" for name in names
        )
        return _MARKETS.format(pairs=pairs, markets=self.tables.table(side.markets))

    async def _events(self, side: Side, ids: Iterable[int]) -> dict[Any, dict[str, Any]]:
        """Read events as captures have them, by ids; on BetPawa's side by ids and bookmakers."""
        tables = self.tables
        is_reference = side is BETPAWA
        tournaments = "tournaments" if is_reference else "competitor_tournaments"
        names = ("country",) if is_reference else ("source", "country_raw", "country_iso")
        more = [f"{tables.column('t', tournaments, name)} AS tournament_{name}" for name in names]
        if not is_reference:
            more += ["t.external_id AS tournament_external_id", "e.external_id"]
            more.append(f"{tables.column('e', side.events, 'source')} AS source")
            more.append(f"{tables.column('e', side.events, 'event_url')} AS event_url")
        sql = _EVENTS.format(
            kickoff=tables.column("e", side.events, "kickoff"),
            more=", ".join(more),
            tournament_sportradar_id=tables.column("t", tournaments, "sportradar_id"),
            sport_slug=tables.column("sp", "sports", "slug"),
            sport=tables.column("sp", "sports", "name"),
            events=tables.table(side.events),
            tournaments=tables.table(tournaments),
            sports=tables.table("sports"),
        )
        wanted = list(ids)
        rows = {row["id"]: dict(row) for row in await self.connection.fetch(sql, wanted)}
        if is_reference:
            listings = _LISTINGS.format(
                event_url=tables.column("l", "event_bookmakers", "event_url"),
                listings=tables.table("event_bookmakers"),
            )
            for listing in await self.connection.fetch(listings, wanted):
                if (event := rows.get(listing["event_id"])) is not None:
                    event.setdefault("listings", {})[listing["bookmaker_id"]] = listing
        return rows

    def _capture(
        self, side: Side, row: Mapping[str, Any], events: Mapping[Any, Mapping[str, Any]]
    ) -> dict[str, Any]:
        """Build the capture of a snapshot, without markets.

        Raises LookupError for a row that is missing, and ValueError for a time that is none.
        """
        found = events.get(row["event_id"])
        if found is None:
            raise LookupError(f"its event {row['event_id']} is missing in {side.events}")
        if found["tournament_found"] is None:
            raise LookupError(
                f"the tournament {found['tournament_id']} of its event {found['id']} is missing"
            )
        if found["sport_slug"] is None:
            raise LookupError(
                f"the sport {found['sport_id']} of its event {found['id']} is missing in sports"
            )
        event = {
            name: found[name]
            for name in ("name", "home_team", "away_team", "kickoff", "sportradar_id")
        }
        event["tournament"] = tournament = {
            "name": found["tournament"],
            "sportradar_id": _text_or_none(found["tournament_sportradar_id"]),
            "sport": {"slug": found["sport_slug"], "name": found["sport"]},
        }
        times = with_utc(
            {"captured_at": row["captured_at"], "kickoff": event["kickoff"]}, self.zone
        )
        event["kickoff"] = times["kickoff"]
        capture = {"captured_at": times["captured_at"]}
        if side is not BETPAWA:
            tournament |= {
                name: found[f"tournament_{name}"]
                for name in ("source", "external_id", "country_raw", "country_iso")
            }
            event |= {name: found[name] for name in ("source", "external_id", "event_url")}
            return {**capture, "competitor_event": event}
        if (country := _text_or_none(found["tournament_country"])) is not None:
            tournament["country"] = country
        bookmaker = self.bookmakers.get(row["bookmaker_id"])
        if bookmaker is None:
            raise LookupError(f"its bookmaker {row['bookmaker_id']} is missing in bookmakers")
        listing = found.get("listings", {}).get(row["bookmaker_id"])
        event |= {
            "bookmaker": bookmaker,
            # Without a listing, no read would find the odds.
            "external_event_id": event["sportradar_id"]
            if listing is None
            else listing["external_event_id"],
            "event_url": None if listing is None else listing["event_url"],
        }
        return {**capture, "event": event}


def _text_or_none(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


class LeftKeys:
    """The keys of outcomes that oddsschema does not have, which are left and counted."""

    def __init__(self) -> None:
        self.number = 0

    def without(self, markets: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Remove such keys from the outcomes of markets."""
        for market in markets:
            outcomes = market["outcomes"]
            for outcome in outcomes if isinstance(outcomes, list) else ():
                if isinstance(outcome, dict) and not outcome.keys() <= _OUTCOME_KEYS:
                    for key in outcome.keys() - _OUTCOME_KEYS:
                        del outcome[key]
                        self.number += 1
        return markets
