"""The proof of an adoption: every snapshot of the source is read back and compared.

A capture that is stored is compared in its validated form, which is the form of the source after
the documented conversions. The same pass gives each snapshot the run that it has in the source.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from oddsschema.adoption.report import Different, TableCounts
from oddsschema.adoption.source_captures import SourceSnapshot
from oddsschema.database.connections import Connection, Connections
from oddsschema.ingestion import Horizon, IngestOptions, validate
from oddsschema.ingestion.records import CaptureRecord, EventRecord
from oddsschema.ingestion.report import MOST_LISTED
from oddsschema.ingestion.storage.history_rows import HistoryRows
from oddsschema.ingestion.storage.placement import PlacedCapture
from oddsschema.ingestion.storage.state import State, compare
from oddsschema.models.sides import BETPAWA, Side

#: The number of captures that are compared in a transaction.
_GROUP = 64

# Find the ids of reference events by their SportRadar ids $1.
_FIND_EVENTS = "SELECT id, sportradar_id FROM events WHERE sportradar_id = ANY ($1)"

# Find the ids of competitors' events by their sources $1 and external ids $2.
_FIND_COMPETITOR_EVENTS = """
SELECT e.id, c.source, c.external_id
FROM unnest($1::text[], $2::text[]) AS c (source, external_id)
JOIN competitor_events AS e ON e.source = c.source AND e.external_id = c.external_id
"""

_FIND_BOOKMAKER = "SELECT id FROM bookmakers WHERE slug = $1"

# Set the runs $3 of the snapshots $2 of the events $1.
_SET_RUNS = """
UPDATE {snapshots} AS s SET scrape_run_id = c.run
FROM unnest($1::int[], $2::bigint[], $3::int[]) AS c (event, id, run)
WHERE s.{event} = c.event AND s.id = c.id
"""

# Compare the raw response of snapshot $2 of event $1 with the JSON $3.
_HAS_RAW = """
SELECT s.raw_response = $3::text::jsonb FROM {snapshots} AS s WHERE s.{event} = $1 AND s.id = $2
"""


class Accepted(NamedTuple):
    """A snapshot of the source that is valid, and its record."""

    snapshot: SourceSnapshot
    record: CaptureRecord

    @property
    def key(self) -> tuple[str, str]:
        """The platform and the id of the event by which it is stored."""
        event = self.record.any_event
        if isinstance(event, EventRecord):
            return event.platform, event.sportradar_id
        return event.platform, event.external_id


@dataclass
class SideCounts:
    """The counts of the rows of snapshots, or of markets, of one side."""

    name: str
    source: int
    stored: int = 0
    merged: int = 0
    refused: int = 0
    missing: int = 0

    def table(self) -> TableCounts:
        """Report them; the rows of the source that no other count has are left."""
        counted = self.stored + self.merged + self.refused + self.missing
        return TableCounts(**vars(self), left=self.source - counted)


@dataclass
class Proof:
    """The comparison of one side. `run_ids` maps the ids of runs in the source to ours."""

    connections: Connections
    side: Side
    options: IngestOptions
    horizon: Horizon
    run_ids: Mapping[int, int]
    #: The snapshots that the ingestion refused as a whole: table and id.
    refused: Collection[tuple[str, int]]
    snapshots: SideCounts
    markets: SideCounts
    different: list[Different] = field(default_factory=list)

    async def compare(self, source: AsyncIterator[SourceSnapshot]) -> None:
        """Compare all snapshots of the side."""
        pending: list[Accepted] = []
        async for snapshot in source:
            # Snapshots that become one are compared together.
            is_full = len(pending) >= _GROUP
            if is_full and pending[-1].snapshot.instant != snapshot.instant:
                await self._compare_group(pending)
                pending = []
            if (record := self._accepted(snapshot)) is not None:
                pending.append(Accepted(snapshot, record))
        if pending:
            await self._compare_group(pending)

    def _accepted(self, snapshot: SourceSnapshot) -> CaptureRecord | None:
        """Validate a snapshot as the ingestion did; None if it is refused."""
        item = snapshot.item
        validated = validate(
            item,
            limits=self.options.limits,
            keep_raw=self.options.keep_raw,
            horizon=self.horizon,
        )
        if validated.capture is None or (item.file, item.line) in self.refused:
            self.snapshots.refused += 1
            self.markets.refused += snapshot.markets
            return None
        if validated.refusal is not None:
            self.markets.refused += validated.refusal.markets or 0
        return validated.capture

    async def _compare_group(self, accepted: Sequence[Accepted]) -> None:
        by_bookmaker: dict[str | None, list[Accepted]] = {}
        for each in accepted:
            bookmaker = each.record.platform if self.side.has_bookmakers else None
            by_bookmaker.setdefault(bookmaker, []).append(each)
        for bookmaker, group in by_bookmaker.items():

            async def read_back(
                connection: Connection,
                bookmaker: str | None = bookmaker,
                group: Sequence[Accepted] = group,
            ) -> list["Compared"]:
                return await self._read_back(connection, bookmaker, group)

            for compared in await self.connections.transact(read_back):
                self._count(compared)

    async def _read_back(
        self, connection: Connection, bookmaker: str | None, group: Sequence[Accepted]
    ) -> list["Compared"]:
        """Read the captures of a group back, and set the runs of their snapshots."""
        bookmaker_id = None
        if bookmaker is not None:
            bookmaker_id = await connection.fetchval(_FIND_BOOKMAKER, bookmaker)
        event_ids = await self._find_events(connection, [each.key for each in group])
        delivered: dict[tuple[int, object], list[Accepted]] = {}
        for number, each in enumerate(group, 1):
            # No event has a negative id: a capture whose event is missing is not stored.
            event_id = event_ids.get(each.key, -number)
            delivered.setdefault((event_id, each.record.captured_at), []).append(each)
        rows = HistoryRows(connection, self.side, bookmaker_id)
        placed = await rows.place(
            (event_id, each.record) for (event_id, _), same in delivered.items() for each in same
        )
        async with rows.states([(capture.event_id, capture.at) for capture in placed]) as states:
            places = iter(placed)
            differences = [
                (place, difference_of(place, state))
                async for state in states
                for place in [next(places)]
            ]
        compared = [
            Compared(
                place,
                delivered[place.event_id, place.at],
                difference or await self._raw_difference(connection, place),
            )
            for place, difference in differences
        ]
        moved = [
            (place.event_id, place.before.id, run_id)
            for place, same, _ in compared
            if place.before is not None
            and place.before.captured_at == place.at
            and (run_id := self.run_ids.get(same[0].snapshot.run_id or 0)) is not None
            and run_id != place.before.run_id
        ]
        if moved:
            await connection.execute(self.side.sql(_SET_RUNS), *map(list, zip(*moved, strict=True)))
        return compared

    async def _raw_difference(self, connection: Connection, place: PlacedCapture) -> str | None:
        """Describe the difference of the raw response; None if it is equal, or not kept."""
        raw, before = place.capture.raw_response, place.before
        if raw is None:
            return None
        # Another snapshot, which the capture confirmed, has the raw response of another instant.
        if before is not None and before.captured_at == place.at:
            sql = self.side.sql(_HAS_RAW)
            if await connection.fetchval(sql, place.event_id, before.id, raw.decode()):
                return None
        return "its raw_response is not stored"

    async def _find_events(
        self, connection: Connection, keys: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], int]:
        """Find the ids of events by the keys of captures."""
        platforms, ids = (list(column) for column in zip(*keys, strict=True))
        if self.side is BETPAWA:
            rows = await connection.fetch(_FIND_EVENTS, ids)
            found = {row["sportradar_id"]: row["id"] for row in rows}
            return {key: found[key[1]] for key in keys if key[1] in found}
        rows = await connection.fetch(_FIND_COMPETITOR_EVENTS, platforms, ids)
        return {(row["source"], row["external_id"]): row["id"] for row in rows}

    def _count(self, compared: "Compared") -> None:
        place, same, difference = compared
        markets = len(place.capture.markets)
        self.snapshots.merged += len(same) - 1
        self.markets.merged += sum(len(each.record.markets) for each in same) - markets
        if difference is None:
            self.snapshots.stored += 1
            self.markets.stored += markets
            return
        self.snapshots.missing += 1
        self.markets.missing += markets
        if len(self.different) < MOST_LISTED:
            first = same[0].snapshot
            self.different.append(
                Different(table=self.side.snapshots, id=first.id, reason=difference)
            )


class Compared(NamedTuple):
    """A capture that was read back, with the snapshots that it was made of."""

    place: PlacedCapture
    snapshots: Sequence[Accepted]
    #: The difference, for people; None if it is equal.
    difference: str | None


def difference_of(place: PlacedCapture, state: State) -> str | None:
    """Describe the difference between a capture and the state that was read back."""
    if not place.is_known:
        return "it is not stored"
    difference = compare(state, place.capture)
    if not difference:
        return None
    ids = {market.betpawa_market_id for market in (*difference.changed, *difference.gone)}
    return (
        f"{len(difference.changed):,} markets are not stored as they are in the source, and "
        f"{len(difference.gone):,} are stored beside them (ids {', '.join(sorted(ids)[:5])})"
    )
