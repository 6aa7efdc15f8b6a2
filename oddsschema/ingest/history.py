"""Snapshots and markets: appended by COPY, each capture once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat
from typing import TYPE_CHECKING, Any

from oddsschema.ingest import copy
from oddsschema.ingest.validate import PlainCapture
from oddsschema.models import Market

if TYPE_CHECKING:
    import asyncpg


@dataclass(frozen=True)
class Side:
    """BetPawa's pair of tables, or the competitors'."""

    snapshots: str
    markets: str
    #: The column that holds the event, in both tables.
    event: str


COMPETITORS = Side("competitor_odds_snapshots", "competitor_market_odds", "competitor_event_id")
BETPAWA = Side("odds_snapshots", "market_odds", "event_id")


@dataclass(slots=True)
class Written:
    """How many captures and markets went into the database, and how many had been there."""

    stored: int = 0
    known: int = 0
    markets: int = 0

    def add(self, other: "Written") -> None:
        """Count in what another part of the same chunk wrote."""
        self.stored += other.stored
        self.known += other.known
        self.markets += other.markets


async def latest_captures(
    connection: "asyncpg.Connection[Any]", side: Side, event_ids: Sequence[int]
) -> dict[int, datetime]:
    """When each event was last captured; events without snapshots are left out."""
    rows = await connection.fetch(
        f"""
        SELECT e.id, latest.captured_at
        FROM unnest($1::int[]) AS e (id)
        CROSS JOIN LATERAL (
            SELECT s.captured_at FROM {side.snapshots} AS s
            WHERE s.{side.event} = e.id ORDER BY s.captured_at DESC LIMIT 1
        ) AS latest
        """,
        event_ids,
    )
    return {row["id"]: row["captured_at"] for row in rows}


async def append(
    connection: "asyncpg.Connection[Any]",
    side: Side,
    run_id: int,
    captures: Sequence[tuple[int, PlainCapture]],
    *,
    bookmaker_id: int | None = None,
    keep_raw: bool = False,
) -> Written:
    """Write the snapshots and markets of (event id, capture) that are not there yet.

    The events' rows must be locked, so that nobody else appends to them meanwhile. `bookmaker_id`
    is for BetPawa's side.
    """
    # The same capture twice in one delivery: the first stands.
    offered: dict[tuple[int, datetime], PlainCapture] = {}
    for event_id, capture in captures:
        offered.setdefault((event_id, capture["captured_at"]), capture)
    known = await _known(connection, side, list(offered), bookmaker_id)
    new = [(*key, capture) for key, capture in offered.items() if key not in known]
    if new:
        await _copy(connection, side, run_id, new, bookmaker_id, keep_raw)
    return Written(
        stored=len(new),
        known=len(captures) - len(new),
        markets=sum(len(capture["markets"]) for _, _, capture in new),
    )


async def _known(
    connection: "asyncpg.Connection[Any]",
    side: Side,
    keys: Sequence[tuple[int, datetime]],
    bookmaker_id: int | None,
) -> set[tuple[int, datetime]]:
    rows = await connection.fetch(
        f"""
        SELECT s.{side.event}, s.captured_at
        FROM unnest($1::int[], $2::timestamptz[]) AS c (event, captured_at)
        JOIN {side.snapshots} AS s ON s.{side.event} = c.event AND s.captured_at = c.captured_at
        """
        + ("" if bookmaker_id is None else "WHERE s.bookmaker_id = $3"),
        [event_id for event_id, _ in keys],
        [captured_at for _, captured_at in keys],
        *([] if bookmaker_id is None else [bookmaker_id]),
    )
    return {(row[0], row[1]) for row in rows}


async def _copy(
    connection: "asyncpg.Connection[Any]",
    side: Side,
    run_id: int,
    new: Sequence[tuple[int, datetime, PlainCapture]],
    bookmaker_id: int | None,
    keep_raw: bool,
) -> None:
    reserved = await connection.fetch(
        "SELECT nextval(pg_get_serial_sequence($1, 'id')) FROM generate_series(1, $2)",
        side.snapshots,
        len(new),
    )
    snapshot_ids = [row[0] for row in reserved]
    snapshot_columns = ["id", side.event, "captured_at", "scrape_run_id", "raw_response"]
    of_bookmaker = []
    if bookmaker_id is not None:
        snapshot_columns.append("bookmaker_id")
        of_bookmaker.append(copy.int4(bookmaker_id))
    snapshots = (
        copy.row(
            copy.int8(snapshot_id),
            copy.int4(event_id),
            copy.timestamptz(captured_at),
            copy.int4(run_id),
            copy.json_or_null(capture["raw_response"] if keep_raw else None),
            *of_bookmaker,
        )
        for snapshot_id, (event_id, captured_at, capture) in zip(snapshot_ids, new, strict=True)
    )
    await _copy_rows(connection, side.snapshots, snapshot_columns, snapshots)
    markets = copy.market_rows(
        row
        for snapshot_id, (event_id, _, capture) in zip(snapshot_ids, new, strict=True)
        for row in zip(repeat(event_id), repeat(snapshot_id), capture["markets"])
    )
    columns = [side.event, "snapshot_id", *Market.model_fields]
    await _copy_rows(connection, side.markets, columns, markets)


async def _copy_rows(
    connection: "asyncpg.Connection[Any]", table: str, columns: Sequence[str], rows: Any
) -> None:
    async def blocks() -> Any:
        for block in copy.stream(rows):
            yield block

    await connection.copy_to_table(table, source=blocks(), columns=columns, format="binary")
